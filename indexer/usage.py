"""Whether a sentence says that a facility or method was used, or only mentions it: cues with weights.

A sentence is read with the name as `§`, other names as `¤`, lists of names taken for one. Cues add up: rules
that apply, where the sentence stands, what kind of paper it is in. Above zero it says that § was used. The weights
are those of data/usage.csv, fitted by `wayfinder eval facility-weights` to labelled papers, close to the guesses here.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from indexer import config
from indexer.errors import SourceError

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
    """A pattern over a marked sentence; `side` of § is where it looks, `guess` its weight as set by hand."""

    name: str
    guess: float
    pattern: re.Pattern[str]
    side: Literal["before", "after", "both"]

    def applies(self, sentence: str, first: int, last: int) -> bool:
        """Whether it applies to a sentence whose first and last § are at these places."""
        start = first if self.side == "after" else max(0, first - REACH)
        end = last + 1 if self.side == "before" else len(sentence)
        return self.pattern.search(sentence, start, end) is not None


def _rule(name: str, guess: float, pattern: str) -> Rule:
    side: Literal["before", "after", "both"] = "both"
    if "|" not in re.sub(r"\[[^]]*\]", "", _without_groups(pattern)):
        side = "before" if pattern.endswith("§") else "after" if pattern.startswith("§") else "both"
    return Rule(name, guess, re.compile(pattern, re.IGNORECASE), side)


def _without_groups(pattern: str) -> str:
    """The pattern without what stands in parentheses, the innermost first."""
    inner = re.compile(r"\((?:\\.|[^()\\])*\)")
    while (shorter := inner.sub("", pattern)) != pattern:
        pattern = shorter
    return pattern


RULES = (
    # used
    _rule("we use", 2.0, rf"\b(?:we|I|authors?|researchers|team)\b(?: \w+){{0,3}} {_MAKING}\b(?! that)(?:(?!\b(?:consistent|agree\w*|align\w*|compar\w+|similar|than|which|whether)\b){_SPAN}){{0,160}}§"),
    _rule("using", 1.5, rf"\b(?:using|use of|utili[sz]ing|employing|combining|exploiting|leveraging|analy[sz]ing|analysis of|stacking|applied to|applying)\b{_SPAN}{{0,110}}§"),
    _rule("done with", 1.5, rf"\b{_DONE} (?:\w+ ){{0,4}}(?:with|by|from|at|using|on|in|during|as part of|within|through)\b{_SPAN}{{0,70}}§"),
    _rule("data from", 1.0, rf"\b{_DATA} (?:\w+ ){{0,4}}?(?:with|from|by|at|of|using|in|on)\b{_SPAN}{{0,60}}§"),
    _rule("name data", 1.0, rf"§(?:['’]s)?(?:[ /-](?!and\b|or\b|will\b|would\b|has\b|have\b)[\w./()&+~-]+){{0,5}} {_DATA}\b"),
    _rule("from name data", 1.0, rf"\b(?:based on|from|thanks to|with)\b (?:\w+ ){{0,6}}§(?:[ /-][\w./-]+){{0,4}} {_DATA}\b"),
    _rule("our own", 1.0, rf"\b(?:this (?:paper|work|study|letter)|here|our|new(?:ly)?|deep|archival|public|publicly available|simultaneous|multi-?epoch)\b{_SPAN}{{0,90}}§"),
    _rule("shows", 1.0, r"§(?:[ /-][\w./-]+){0,4} (?:reveals?|shows?|showed|detect(?:s|ed)|observed|uncovers?|uncovered|indicates?|confirms?|confirmed|demonstrates?|provides?|provided|allow(?:s|ed)?|enabled)\b"),
    _rule("has been used", 3.0, r"§(?: [\w/&,-]+){0,5}? (?:has|have|had|is|are|was|were) (?:been )?(?:\w+ )?(?:used|obtained|analy[sz]ed|employed|combined|reduced|carried out|performed|collected|taken|conducted|utili[sz]ed|applied|processed)\b"),
    _rule("data release", 0.7, r"§(?:[ /-][\w./-]+){0,3} (?:GTO|GO|Cycle|Large Program(?:me)?|Treasury|Legacy|Early Release|DR\d|Data Release|Director)"),
    _rule("tried on", 1.5, rf"\b(?:validat|test|train|calibrat|evaluat|benchmark|assess|demonstrat|verif|appl|appli)\w*\b{_SPAN}{{0,90}}\b(?:on|against|with|to|by|using|from|for)\b{_SPAN}{{0,60}}§"),
    _rule("new data", 1.0, rf"\b(?:new|recent(?:ly)?|latest) (?:[\w-]+ ){{0,3}}{_DATA}\b{_SPAN}{{0,60}}§"),
    _rule("catalogue", 1.0, r"§(?:[ /-][\w./-]+){0,3} (?:sample|catalog(?:ue)?|survey|program(?:me)?|dataset|data ?base|archive)\b"),
    # mentioned: ahead of its data
    _rule("ahead", -4.5, rf"\b{_AHEAD}\b{_SPAN}{{0,80}}§"),
    _rule("would near", -1.5, r"§[^.;]{0,60}\b(?:would|will)\b"),
    _rule("could probe", -2.0, rf"\b(?:can|could|may),? (?:in principle,? )?(?:be )?(?:probe|detect|observe|constrain|test|measure|resolve|reach|see)\w*\b{_SPAN}{{0,160}}§"),
    _rule("in future", -2.0, r"\b(?:looking (?:ahead|forward)|in the (?:near )?future|coming (?:years|decades?)|next (?:decade|generation))\b"),
    _rule("useful for", -1.5, rf"\b(?:interest|relevan\w+|diagnostics?|useful|valuable|suitable|ideal|promising|important|benchmarks?|resource|critical|guid\w+|inform\w*|implications?) (?:\w+ ){{0,4}}?(?:for|to)\b{_SPAN}{{0,60}}§"),
    _rule("sensitivity of", -1.5, r"§(?:['’]s)?(?:[ -][\w-]+){0,2} (?:sensitivity|performance|design|requirements?|band|window|noise)\b"),
    _rule("name ahead", -2.0, rf"§{_SPAN}{{0,40}}\b(?:{_AHEAD})\b"),
    _rule("will", -3.0, r"§(?:['’]s)?(?: (?:\w+|[/&,]|¤)){0,5}? (?:will|would|promises?|could|should|might|(?-i:may)|is poised|are poised|can)\b"),
    _rule("to be", -2.5, rf"\b(?:will|would|could|can|may|might|should|to) (?:\w+ )?be\b{_SPAN}{{0,70}}§"),
    _rule("detectable by", -2.5, rf"\b(?:detectable|observable|testable|accessible|measurable|resolvable|visible|distinguishable|discernible|detectability|observability|reach|prospects?|sensitivity|capabilit\w+)\b{_SPAN}{{0,50}}\b(?:by|with|of|for|to|in|using|from|through)\b{_SPAN}{{0,40}}§"),
    _rule("targets for", -2.5, rf"\b(?:targets?|candidates|forecasts?|predictions?|potential|opportunit\w+|strateg\w+) (?:for|to)\b{_SPAN}{{0,50}}§"),
    _rule("era of", -3.0, rf"\b(?:era|advent|launch|age) of\b{_SPAN}{{0,90}}§"),
    _rule("explain", -1.5, rf"\b(?:interpret\w*|explain\w*|understand\w*|reproduc\w*|account for)\b{_SPAN}{{0,40}}§"),
    _rule("-like", -3.0, r"§(?: [\w-]+)?-like\b|§[ -](?:era|like|class|type|quality|detectable)\b|\b(?:pre|post)-§"),
    _rule("complement to", -2.5, rf"\b(?:in preparation (?:for|of)|prepar\w+ (?:for|to)|complement\w* (?:to|by|for)|synerg\w+|pav\w+ the way|precursors? (?:to|of|for)|optimi[sz]\w+ for)\b{_SPAN}{{0,110}}§"),
    _rule("motivated by", -2.5, r"\bmotivat\w+ (?:by|for)\b[^.;:,§]{0,110}§"),
    _rule("simulated", -2.0, rf"\b(?:mock|simulat\w+|synthetic|hypothetical|forecast\w*)\b{_SPAN}{{0,80}}§"),
    # mentioned: what others found
    _rule("akin to", -2.0, rf"\b(?:akin to|analogous to|such as|similar to|representative of|resembling|mimic\w*|designed for|dedicated to|case of|scenario|typical of|expected for)\b{_SPAN}{{0,40}}§|§(?:- and ¤)?[- ]like\b"),
    _rule("agrees with", -2.0, rf"\b(?:agree\w*|accord\w*|consisten\w*|compatib\w*|compar\w*|match\w*) (?:[\w-]+ )?(?:with|to|of) {_SPAN}{{0,60}}\b(?:from|by|of|in|with)\b{_SPAN}{{0,30}}§"),
    _rule("filter", -1.5, r"§[^.;]{0,30}\b(?:filters?|class(?:es)?|flares?|bands?|magnitudes?|system)\b|\b[ugriz]['′]?-§"),
    _rule("is planned", -1.5, r"\b(?:is|are|being) (?:\w+ )?(?:planned|projected|predicted|expected|designed|proposed|detectable|sensitive)\b"),
    _rule("signals for", -1.0, rf"\b(?:signals?|sources?|signatures?|shapes?|prospects?|implications?) (?:\w+ )?(?:for|in|with|by)\b{_SPAN}{{0,20}}§"),
    _rule("previous", -3.0, rf"\b(?:previous(?:ly)?|earlier|past|prior|older|literature|known from|historical)\b{_SPAN}{{0,50}}§"),
    _rule("comparable with", -2.0, rf"\b(?:consisten\w*|agree\w*|align\w*|compatib\w*|compare[ds]?|comparable|comparison|tension|contrast|similar|unlike|compete\w*|competitive|accord\w*|conflict|match\w*|satisf\w+|reproduce\w*|explain\w*|account for|interpret\w*|in line|favou?red|preferred|allowed|excluded|ruled out|viable|bounds?|limits)\b(?: [\w-]+){{0,4}}? (?:with|to|by|of|from|than)\b{_SPAN}{{0,80}}§"),
    _rule("satisfies", -2.0, rf"\b(?:match|satisf|reproduc|explain|alleviat|favou?r)\w* (?:\w+ )?(?:the|both|any|all)\b{_SPAN}{{0,45}}§"),
    _rule("found by", -1.5, rf"\b(?:discovered|detected|found|reported|revealed|uncovered|observed|announced|claimed|suggested|inferred|hinted|set|imposed|seen|shown|probed|identified|measured|released|constrained) (?:\w+ )?(?:by|in)\b (?:the )?{_SPAN}{{0,30}}§"),
    _rule("discovery by", -1.0, rf"\b(?:discover(?:y|ies)|detections?|observations?|measurements?|results?|hints?|evidence|reports?|findings?) (?:\w+ )?by\b{_SPAN}{{0,30}}§"),
    _rule("has shown", -2.0, r"§(?:['’]s)?(?: (?!that|which|were|was)(?:[\w/&,-]+|¤|\(\w+\))){0,5}? (?:has|have)(?: \w+)? (?:\w+ed|shown|found|seen|been|made|begun|given|led|brought)\b"),
    _rule("than", -2.0, rf"\b(?:than|compared (?:to|with)|unlike)\b{_SPAN}{{0,110}}§"),
    _rule("predicted", -1.5, rf"\b(?:forecast|predict|expect|anticipate)\w*\b{_SPAN}{{0,200}}§"),
    _rule("recent", -1.0, rf"\b(?:recent(?:ly)?|latest)\b{_SPAN}{{0,50}}§"),
    _rule("such as", -2.0, r"\b(?:in (?:the )?light of|motivated by|inspired by|such as|eg,?|e\.?g,?|unlike|since|beyond|surpass\w*|than|like)\b (?:the |those )?(?:\w+ ){0,3}?§"),
    _rule("result of", -1.5, r"§(?:[- ](?:[\w-]+|¤)){0,2}[- ](?:results?|bounds?|limits?|constraints?|values?|best[- ]fit|discover(?:y|ies)|missions?|collaboration|defined|based catalogs|tension|cosmology|baseline|[ΛL]CDM)\b"),
    _rule("despite", -1.0, r"\b(?:despite|although|while|whereas|however)\b[^,;]{0,60}§"),
)  # fmt: skip
# What is no pattern of a sentence: where it stands, and what the paper is like.
PLACE: dict[Place, float] = {"body": 0.4, "background": -1.6, "title": 0.1, "method": 1.0}
OF_PAPER = {
    "named twice": 0.0,  # in two sentences
    "named often": 0.8,  # in three or more
    "planned": 0.0,  # it has no data yet
    "planned, in the title": 0.0,
    "called future": 0.0,  # in some sentence
}
THEORY = "share of theory"  # in the paper's words, less USUAL_THEORY
USUAL_THEORY = 0.3
FEW_WORDS = 3  # of a text with few such words little is known
NAME_OF_OBJECT = -10.0  # of a name that is part of an object's name
# Of titles only: a paper whose title looks ahead to a facility is about it.
TITLE_RULES = (
    _rule("title: name", 1.5, r"^(?:The |Deep |New )?§(?:[ /-][\w./-]+){0,6}:|: (?:The |A |An )?§|^§"),
    _rule("title: with", 1.0, r"\b(?:with|from|by|in|using|on|for|through|via|of) (?:the )?(?:[\w-]+ ){0,3}§(?! to\b)"),
    _rule("title: name data", 1.0, rf"§(?:[ /-][\w./()&+~-]+){{0,5}} (?:{_DATA}|view|sample|stars|sources|targets|legacy|field|instrument|telescope|era|perspective|pipeline|detectors?|calibration|project|program(?:me)?|results|clusters?|galaxies|candidates|quasars|constraints|reveals?)\b"),
    _rule("title: in light of", -2.0, rf"\b(?:in (?:the )?light of|implications (?:of|for)|hints? (?:from|of)|after|explain|account for|as|could|future|upcoming|confront\w*|reconcil\w+|motivated by|beyond|era of)\b{_SPAN}{{0,50}}§|from § to|from ¤ to §"),
    _rule("title: tension", -1.5, r"§(?:[ -][\w-]+){0,2} (?:era|tension|anomal(?:y|ies)|bounds?|discover(?:y|ies))\b|-like\b"),
)  # fmt: skip
METHOD_RULES = (
    _rule("method: ahead", -2.0, rf"\b(?:{_AHEAD}|previous(?:ly)?|earlier|unlike|such as|instead of|beyond|compared (?:to|with)|than)\b{_SPAN}{{0,50}}§"),
    _rule("method: will", -2.0, r"§(?:['’]s)?(?: [\w/&,-]+){0,4}? (?:will|would|could|should|might|has|have)\b"),
    _rule("method: to be", -2.0, rf"\b(?:will|would|could|can|may|might|should) (?:\w+ )?be\b{_SPAN}{{0,60}}§"),
    _rule("method: we use", 1.5, rf"\b(?:we|using|based on|by means of)\b{_SPAN}{{0,80}}§"),
)  # fmt: skip

_OWN_WORK = re.compile(
    r"\b(?:we|our|us|here|in this (?:paper|work|study|letter)|this (?:paper|work|study|letter|article)|(?:new|deep) [\w-]+ (?:observations|imaging)|"
    r"(?:was|were|is|are) (?:obtained|observed|carried out|conducted|performed|made|analy[sz]ed|used|taken|presented|reported|investigated|studied))\b",
    re.IGNORECASE,
)
_THEORY = re.compile(
    r"\b(?:simulat\w+|theor\w+|lagrangian|inflation\w*|n-body|hydrodynamic\w*|forecast\w*|fisher|mock\w*|analytic\w*|numerical\w*|"
    r"scalar field|monte carlo|semi-analytic|magnetohydrodynamic\w*|predict\w*|scenarios?|mechanism|potential)\b"
)
_DATA_WORD = re.compile(
    r"\b(?:observations?|observed|spectra|spectroscop\w+|photometr\w+|light curves?|imaging|catalog\w*|archival|detected|detections?|"
    r"sample|data|measured|dataset)\b"
)
_ABBREVIATION = re.compile(r"\b(e\.g|i\.e|cf|vs|approx|et al)\.", re.IGNORECASE)
_COLON = re.compile(r"(?<=\w\ws): ?(?=(?:the )?[§¤])")  # four space telescopes: Gaia, Swift
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
    text = _COLON.sub(" ", "".join([*pieces, sentence[at:]]))
    text = _FULL_STOP.sub("", _ABBREVIATION.sub(r"\1", text))
    for _ in range(4):
        before = text
        for pattern, mark in _LISTS:
            text = pattern.sub(mark, text)
        if text == before:
            break
    return text


@lru_cache(maxsize=1_000)
def cues(sentence: str, place: Place) -> tuple[str, ...]:
    """The names of what speaks for or against a use in a marked sentence.

    A method that is named is used, unless something near says otherwise.
    """
    rules = {"title": TITLE_RULES, "method": METHOD_RULES}.get(place, RULES)
    first, last = sentence.find("§"), sentence.rfind("§")
    return (place, *(r.name for r in rules if r.applies(sentence, first, last)))


def theory(text: str) -> float:
    """How much more than usual a paper speaks of models, not data: a share of such words, about -0.3 to 0.7."""
    text = text.lower()
    n_theory, n_data = len(_THEORY.findall(text)), len(_DATA_WORD.findall(text))
    n_words = n_theory + n_data
    return (n_theory - USUAL_THEORY * n_words) / (n_words + FEW_WORDS)


def weigh(
    of_sentence: Iterable[str], theory: float, weights: Mapping[str, float] | None = None
) -> float:
    """How far cues say that § was used, as log odds: the sum of their weights."""
    weights = fitted_weights() if weights is None else weights
    return weights[THEORY] * theory + sum(weights[cue] for cue in of_sentence)


def guessed_weights() -> dict[str, float]:
    """The weights of all cues as they were set by hand, which the fitted ones stay close to."""
    rules = (*RULES, *TITLE_RULES, *METHOD_RULES)
    return {**{r.name: r.guess for r in rules}, **PLACE, **OF_PAPER, THEORY: 0.0}


@cache
def fitted_weights() -> dict[str, float]:
    """The weights of data/usage.csv."""
    return read_weights(config.REPOSITORY / "data" / "usage.csv")


def read_weights(path: Path) -> dict[str, float]:
    """Read the weights of all cues.

    Raises:
        SourceError: it cannot be read, or lacks a cue.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            weights = {row["cue"]: float(row["weight"]) for row in csv.DictReader(stream)}
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read as a table of cue and weight: {error}") from error
    if missing := guessed_weights().keys() - weights.keys():
        raise SourceError(f"{path} lacks the cues {', '.join(sorted(missing))}: run `wayfinder eval facility-weights`.")  # fmt: skip
    return weights
