"""Whether a sentence says that a facility or method was used, or only mentions it: rules with weights.

A sentence is read with the name as `§`, other names as `¤`, lists of names taken for one. Rules add up;
above zero the sentence says that it was used. Cues near the name outweigh where the sentence stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Place = Literal["title", "background", "body", "method"]

_DATA = (
    r"(?:data(?:set|base)?s?|observations?|imag(?:es|ing|ery)|mosaics?|spectra|spectrum|spectr\w+|photometr\w+|light[- ]?curves?|"
    r"catalog(?:ue)?s?|astrometr\w+|parallax\w*|proper motions?|distances|measurements?|maps?|archiv\w+|cubes?|visibilit\w+|"
    r"polarimetr\w+|exposures?|detections?|monitoring|magnetograms?|time series|interferometr\w+|surveys?|fields?|samples?|likelihoods?|products?)"
)
_MAKING = (
    r"(?:present|report|us(?:e[sd]?|ing)\b|analy[sz]|obtain|observ|combin|exploit|employ|utili[sz]|stud(?:y|ied)|investigat|examin|perform|conduct|"
    r"select|identif|measur|detect|re-?analy[sz]|revisit|process|collect|acquir|compil|cross-?match|constrain|deriv|fit|appl(?:y|ied)|"
    r"search|explor|characteri[sz]|leverag|reduc|model|map|provid|describ|introduc|discover|find|found|test|monitor|construct|took|tak|make use|made use|"
    r"cross-?correlat|extract|estimat|determin|stack|imag|publish|releas)\w*"
)
_DONE = (
    r"(?:obtained|taken|acquired|collected|carried out|conducted|performed|recorded|measured|observed|detected|gathered|imaged|made|"
    r"monitored|provided|captured|derived|selected|drawn|extracted|identified|compiled|retrieved|mounted|used|targeted|followed up|delivered|reali[sz]ed|executed)"
)
_AHEAD = (
    r"(?:future|upcoming|forthcoming|next[- ]generation|planned|proposed|prospective|anticipated|near[- ]future|next[- ]decade|"
    r"third[- ]generation|soon|expected from|expected with|expected to|scheduled)"
)
REACH = 280  # letters before the name in which cues are looked for
_SPAN = r"[^.;:§]"  # within the clause


@dataclass(frozen=True)
class Rule:
    """A pattern over a marked sentence and what it adds; `side` of § is where it looks."""

    weight: float
    pattern: re.Pattern[str]
    side: Literal["before", "after", "both"]

    def applies(self, sentence: str, first: int, last: int) -> bool:
        """Whether it applies to a sentence whose first and last § are at these places."""
        start = first if self.side == "after" else max(0, first - REACH)
        end = last + 1 if self.side == "before" else len(sentence)
        return self.pattern.search(sentence, start, end) is not None


def _rule(weight: float, pattern: str) -> Rule:
    side: Literal["before", "after", "both"] = "both"
    if "|" not in re.sub(r"\[[^]]*\]", "", _without_groups(pattern)):
        side = "before" if pattern.endswith("§") else "after" if pattern.startswith("§") else "both"
    return Rule(weight, re.compile(pattern, re.IGNORECASE), side)


def _without_groups(pattern: str) -> str:
    """The pattern without what stands in parentheses, the innermost first."""
    inner = re.compile(r"\((?:\\.|[^()\\])*\)")
    while (shorter := inner.sub("", pattern)) != pattern:
        pattern = shorter
    return pattern


RULES = (
    # used
    _rule(2.0, rf"\b(?:we|I|authors?|researchers|team)\b(?: \w+){{0,3}} {_MAKING}\b(?! that)(?:(?!\b(?:consistent|agree\w*|align\w*|compar\w+|similar|than|which|whether)\b){_SPAN}){{0,160}}§"),
    _rule(1.5, rf"\b(?:using|use of|utili[sz]ing|employing|combining|exploiting|leveraging|analy[sz]ing|analysis of|stacking|applied to|applying)\b{_SPAN}{{0,110}}§"),
    _rule(1.5, rf"\b{_DONE} (?:\w+ ){{0,4}}(?:with|by|from|at|using|on|in|during|as part of|within|through)\b{_SPAN}{{0,70}}§"),
    _rule(1.0, rf"\b{_DATA} (?:\w+ ){{0,4}}?(?:with|from|by|at|of|using|in|on)\b{_SPAN}{{0,60}}§"),
    _rule(1.0, rf"§(?:['’]s)?(?:[ /-](?!and\b|or\b|will\b|would\b|has\b|have\b)[\w./()&+~-]+){{0,5}} {_DATA}\b"),
    _rule(1.0, rf"\b(?:based on|from|thanks to|with)\b (?:\w+ ){{0,6}}§(?:[ /-][\w./-]+){{0,4}} {_DATA}\b"),
    _rule(1.0, rf"\b(?:this (?:paper|work|study|letter)|here|our|new(?:ly)?|deep|archival|public|publicly available|simultaneous|multi-?epoch)\b{_SPAN}{{0,90}}§"),
    _rule(1.0, r"§(?:[ /-][\w./-]+){0,4} (?:reveals?|shows?|showed|detect(?:s|ed)|observed|uncovers?|uncovered|indicates?|confirms?|confirmed|demonstrates?|provides?|provided|allow(?:s|ed)?|enabled)\b"),
    _rule(3.0, r"§(?: [\w/&,-]+){0,5}? (?:has|have|had|is|are|was|were) (?:been )?(?:\w+ )?(?:used|obtained|analy[sz]ed|employed|combined|reduced|carried out|performed|collected|taken|conducted|utili[sz]ed|applied|processed)\b"),
    _rule(0.7, r"§(?:[ /-][\w./-]+){0,3} (?:GTO|GO|Cycle|Large Program(?:me)?|Treasury|Legacy|Early Release|DR\d|Data Release|Director)"),
    # mentioned: ahead of its data
    _rule(-4.5, rf"\b{_AHEAD}\b{_SPAN}{{0,80}}§"),
    _rule(-1.5, r"§[^.;]{0,60}\b(?:would|will)\b"),
    _rule(-2.0, rf"\b(?:can|could|may),? (?:in principle,? )?(?:be )?(?:probe|detect|observe|constrain|test|measure|resolve|reach|see)\w*\b{_SPAN}{{0,160}}§"),
    _rule(-2.0, r"\b(?:looking (?:ahead|forward)|in the (?:near )?future|coming (?:years|decades?)|next (?:decade|generation))\b"),
    _rule(-1.5, rf"\b(?:interest|relevan\w+|diagnostics?|useful|valuable|suitable|ideal|promising|important|benchmarks?|resource|critical|guid\w+|inform\w*|implications?) (?:\w+ ){{0,4}}?(?:for|to)\b{_SPAN}{{0,60}}§"),
    _rule(-1.5, r"§(?:['’]s)?(?:[ -][\w-]+){0,2} (?:sensitivity|performance|design|requirements?|band|window|noise)\b"),
    _rule(-2.0, rf"§{_SPAN}{{0,40}}\b(?:{_AHEAD})\b"),
    _rule(-3.0, r"§(?:['’]s)?(?: (?:\w+|[/&,]|¤)){0,5}? (?:will|would|promises?|could|should|might|(?-i:may)|is poised|are poised|can)\b"),
    _rule(-2.5, rf"\b(?:will|would|could|can|may|might|should|to) (?:\w+ )?be\b{_SPAN}{{0,70}}§"),
    _rule(-2.5, rf"\b(?:detectable|observable|testable|accessible|measurable|resolvable|visible|distinguishable|discernible|detectability|observability|reach|prospects?|sensitivity|capabilit\w+)\b{_SPAN}{{0,50}}\b(?:by|with|of|for|to|in|using|from|through)\b{_SPAN}{{0,40}}§"),
    _rule(-2.5, rf"\b(?:targets?|candidates|forecasts?|predictions?|potential|opportunit\w+|strateg\w+) (?:for|to)\b{_SPAN}{{0,50}}§"),
    _rule(-3.0, rf"\b(?:era|advent|launch|age) of\b{_SPAN}{{0,90}}§"),
    _rule(-1.5, rf"\b(?:interpret\w*|explain\w*|understand\w*|reproduc\w*|account for)\b{_SPAN}{{0,40}}§"),
    _rule(-3.0, r"§(?: [\w-]+)?-like\b|§[ -](?:era|like|class|type|quality|detectable)\b|\b(?:pre|post)-§"),
    _rule(-2.5, rf"\b(?:in preparation (?:for|of)|prepar\w+ (?:for|to)|complement\w* (?:to|by|for)|synerg\w+|pav\w+ the way|precursors? (?:to|of|for)|optimi[sz]\w+ for|follow-?up (?:\w+ )?with)\b{_SPAN}{{0,110}}§"),
    _rule(-2.5, r"\bmotivat\w+ (?:by|for)\b[^.;:,§]{0,110}§"),
    _rule(-2.0, rf"\b(?:mock|simulat\w+|synthetic|hypothetical|forecast\w*)\b{_SPAN}{{0,80}}§"),
    # mentioned: what others found
    _rule(-3.0, rf"\b(?:previous(?:ly)?|earlier|past|prior|older|literature|known from|historical)\b{_SPAN}{{0,50}}§"),
    _rule(-2.0, rf"\b(?:consisten\w*|agree\w*|align\w*|compatib\w*|compare[ds]?|comparable|comparison|tension|contrast|similar|unlike|compete\w*|competitive|accord\w*|conflict|match\w*|satisf\w+|reproduce\w*|explain\w*|account for|interpret\w*|in line|favou?red|preferred|allowed|excluded|ruled out|viable|bounds?|limits)\b(?: [\w-]+){{0,4}}? (?:with|to|by|of|from|than)\b{_SPAN}{{0,80}}§"),
    _rule(-2.0, rf"\b(?:match|satisf|reproduc|explain|alleviat|favou?r)\w* (?:\w+ )?(?:the|both|any|all)\b{_SPAN}{{0,45}}§"),
    _rule(-1.5, rf"\b(?:discovered|detected|found|reported|revealed|uncovered|observed|announced|claimed|suggested|inferred|hinted|set|imposed|seen|shown|probed|identified|measured|released|constrained) (?:\w+ )?(?:by|in)\b (?:the )?{_SPAN}{{0,30}}§"),
    _rule(-1.0, rf"\b(?:discover(?:y|ies)|detections?|observations?|measurements?|results?|hints?|evidence|reports?|findings?) (?:\w+ )?by\b{_SPAN}{{0,30}}§"),
    _rule(-2.0, r"§(?:['’]s)?(?: (?!that|which|were|was)(?:[\w/&,-]+|¤|\(\w+\))){0,5}? (?:has|have)(?: \w+)? (?:\w+ed|shown|found|seen|been|made|begun|given|led|brought)\b"),
    _rule(-2.0, rf"\b(?:than|compared (?:to|with)|unlike)\b{_SPAN}{{0,110}}§"),
    _rule(-1.5, rf"\b(?:forecast|predict|expect|anticipate)\w*\b{_SPAN}{{0,200}}§"),
    _rule(-1.0, rf"\b(?:recent(?:ly)?|latest)\b{_SPAN}{{0,50}}§"),
    _rule(-2.0, r"\b(?:in (?:the )?light of|motivated by|inspired by|such as|eg,?|e\.?g,?|unlike|since|beyond|surpass\w*|than|like)\b (?:the |those )?(?:\w+ ){0,3}?§"),
    _rule(-1.5, r"§(?:[- ](?:[\w-]+|¤)){0,2}[- ](?:results?|bounds?|limits?|constraints?|values?|best[- ]fit|discover(?:y|ies)|missions?|collaboration|defined|based catalogs|tension|cosmology|baseline|[ΛL]CDM)\b"),
    _rule(-1.0, r"\b(?:despite|although|while|whereas|however)\b[^,;]{0,60}§"),
)  # fmt: skip
PLACE: dict[Place, float] = {
    "body": 0.4,
    "background": -1.6,
    "title": 0.1,
    "method": 1.0,
}  # where the sentence stands
NAME_OF_OBJECT = -10.0  # of a name that is part of an object's name
CLEAR, DOUBTFUL = 1.5, 0.8  # where nothing is clearly used, what is doubtful is not either
OFTEN = 0.8  # of a name that stands in three sentences or more
# Of titles only: a paper whose title looks ahead to a facility is about it.
TITLE_RULES = (
    _rule(1.5, r"^(?:The |Deep |New )?§(?:[ /-][\w./-]+){0,6}:|: (?:The |A |An )?§|^§"),
    _rule(1.0, r"\b(?:with|from|by|in|using|on|for|through|via|of) (?:the )?(?:[\w-]+ ){0,3}§(?! to\b)"),
    _rule(1.0, rf"§(?:[ /-][\w./()&+~-]+){{0,5}} (?:{_DATA}|view|sample|stars|sources|targets|legacy|field|instrument|telescope|era|perspective|pipeline|detectors?|calibration|project|program(?:me)?|results|clusters?|galaxies|candidates|quasars|constraints|reveals?)\b"),
    _rule(-2.0, rf"\b(?:in (?:the )?light of|implications (?:of|for)|hints? (?:from|of)|after|explain|account for|as|could|future|upcoming|confront\w*|reconcil\w+|motivated by|beyond|era of)\b{_SPAN}{{0,50}}§|from § to|from ¤ to §"),
    _rule(-1.5, r"§(?:[ -][\w-]+){0,2} (?:era|tension|anomal(?:y|ies)|bounds?|discover(?:y|ies))\b|-like\b"),
)  # fmt: skip
METHOD_RULES = (
    _rule(-2.0, rf"\b(?:{_AHEAD}|previous(?:ly)?|earlier|unlike|such as|instead of|beyond|compared (?:to|with)|than)\b{_SPAN}{{0,50}}§"),
    _rule(-2.0, r"§(?:['’]s)?(?: [\w/&,-]+){0,4}? (?:will|would|could|should|might|has|have)\b"),
    _rule(-2.0, rf"\b(?:will|would|could|can|may|might|should) (?:\w+ )?be\b{_SPAN}{{0,60}}§"),
    _rule(1.5, rf"\b(?:we|using|based on|by means of)\b{_SPAN}{{0,80}}§"),
)  # fmt: skip

_OWN_WORK = re.compile(
    r"\b(?:we|our|us|here|in this (?:paper|work|study|letter)|this (?:paper|work|study|letter|article)|(?:new|deep) [\w-]+ (?:observations|imaging)|"
    r"(?:was|were|is|are) (?:obtained|observed|carried out|conducted|performed|made|analy[sz]ed|used|taken|presented|reported|investigated|studied))\b",
    re.IGNORECASE,
)
_ABBREVIATION = re.compile(r"\b(e\.g|i\.e|cf|vs|approx|et al)\.", re.IGNORECASE)
_FULL_STOP = re.compile(r"\.(?! +[A-Z§¤])(?=.)")  # one that ends no sentence: 1.3 mm, e.g., Vera C.
_LISTS = (
    (re.compile(r"¤(?:[ ]?\(?¤\)?)+"), "¤"),
    (re.compile(r"§ ?\(¤\)|¤ ?\(§\)|§ ¤|¤ §|§ ?\(§\)|§/¤|¤/§|¤-§|§-¤"), "§"),
    (re.compile(r"¤(?:['’]s)?(?: [\w-]+){0,2}?(?:,? and(?: the| from the| from)?|,|/| or| &|\+|-) ?(?:the )?§"), "§"),
    (re.compile(r"§(?:,? and(?: the| from the)?|,|/| or| &| \+|\+|-) ?(?:the )?¤"), "§"),
)  # fmt: skip


def begins_own_work(sentences: list[str]) -> int:
    """The number of the first sentence in which the authors speak of their own work."""
    found = (i for i, sentence in enumerate(sentences) if _OWN_WORK.search(sentence))
    return next(found, 0)


def marked(
    sentence: str, name: tuple[int, int], others: list[tuple[int, int]], begin: int = 0
) -> str:
    """The sentence with the name at `name` as § and those at `others` as ¤, lists taken for one.

    It begins at `begin`; all places count from the beginning of the string.
    """
    pieces: list[str] = []
    at = begin
    for start, end in sorted({name, *others}):
        if start < at:
            continue
        pieces += [sentence[at:start], "§" if (start, end) == name else "¤"]
        at = end
    text = _FULL_STOP.sub("", _ABBREVIATION.sub(r"\1", "".join([*pieces, sentence[at:]])))
    for _ in range(4):
        before = text
        for pattern, mark in _LISTS:
            text = pattern.sub(mark, text)
        if text == before:
            break
    return text


@lru_cache(maxsize=1_000)
def weigh(sentence: str, place: Place) -> float:
    """How far a marked sentence says that § was used: the sum of the rules that apply.

    A method that is named is used, unless something near says otherwise.
    """
    rules = {"title": TITLE_RULES, "method": METHOD_RULES}.get(place, RULES)
    first, last = sentence.find("§"), sentence.rfind("§")
    return PLACE[place] + sum(r.weight for r in rules if r.applies(sentence, first, last))
