"""What a question takes for granted, and the question without it, so that leading words lead nowhere.

"Since all fast radio bursts come from magnetars, which ones make them?" is searched for as the same
question without its stress; what it presumes is searched for too, and said before the answer with the
passage nearest to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from indexer.records import Paper
from indexer.sentences import split_sentences
from indexer.tokens import tokens
from retrieval.quantities import quantities
from retrieval.records import Presumed
from retrieval.statement import PREPOSITIONS, VERBS, declared, unasked

WORDS_HELD = 0.8  # of the presumption's words in a passage, for it to be shown
MOST_WORDS = 60  # of a question; what is longer is a pasted text
MOST_OF_WHY = 12  # words of a why-question's clause

_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|do|does|did|can|cannot|will|must|"
    + "|".join(sorted(f"{verb}(?:s|es|d|ed)?" for verb in VERBS))
    + r"|made|found|proven|shown|came|drove|built|held|led|knew|known)\b",
    re.IGNORECASE,
)
_FRAMES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"as\s+(?P<p>[^,?]+ (?:is|are|was|were|has|have|had|come|comes|alone) [^,?]+),\s*(?P<q>.+)",
        r"(?:since|because|given(?: that)?|now that|knowing that|considering(?: that)?|assuming(?: that)?|seeing that)\s+(?P<p>[^,?]+),\s*(?P<q>.+)",
        r"(?:(?:is|was)n['’]t it|(?:is|was) it not)\s+(?:\w+ )?(?:obvious|clear|true|certain|proven|settled|known|evident|a fact|established|undeniable) that (?P<p>.+?)(?P<q>)",
        r"(?:everyone|everybody|we all|all astronomers|all experts|it is (?:well )?(?:known|obvious|clear|established|proven))(?: (?:knows?|agrees?))? that (?P<p>.+?)(?:,\s*(?:so |but |and )?(?P<q>.*))?",
    )
)
_TAG = re.compile(r",\s*(?:right|correct|no|(?:is|are|was|were|has|have|had|do|does|did|can|will)n['’]t (?:it|they|there|he|she))$", re.IGNORECASE)  # fmt: skip
_REASON = re.compile(r"^(?:since|as|because)\b[^,]*,\s*", re.IGNORECASE)
_NOUNS = re.compile(r"\b(?:the|an?|of|since|its|first) \w+", re.IGNORECASE)
_NEGATIVE = re.compile(r"(is|are|was|were|do|does|did|has|have|had|can|could|will)n['’]t (.+)", re.IGNORECASE)  # fmt: skip
_WHY = re.compile(r"why\s+((?:is|are|was|were|do|does|did|has|have|had|can) .+)", re.IGNORECASE)  # fmt: skip
_SHOWN = re.compile(r"^[\w*.\- ]{2,40}? (?:has|have|had)? ?(?:shown|proven|proved|demonstrated|found) that ", re.IGNORECASE)  # fmt: skip
_STRONG = re.compile(
    r"\b(?:proven|proved|proves?|disproved?|disproven|refuted?|debunked|ruled out|certain(?:ly)?|definitely|obvious(?:ly)?|undoubtedly"
    r"|only|alone|all|every|settled|solved|harmless|impossible)\b",
    re.IGNORECASE,
)
_WHY_NUMBER = re.compile(
    r"why (?P<be>is|are|was|were) (?P<what>[^,\d]*[^,\d\s]) (?P<number>(?:(?:about|around|only|just|exactly|nearly|roughly) )*[~≈]?-?\d.*)",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:(?:in|at|by|of|for|on|to|from|since) )?(?:what|which|who|whom|whose|when|where|why|how)\b",
    re.IGNORECASE,
)
_STRESS = re.compile(
    r"\b(?:obvious(?:ly)?|clear(?:ly)?|certain(?:ly)?|definitely|undoubtedly|of course|(?:been )?(?:proven|proved) to|proven|(?:well[- ])?known to|known|settled|really|completely)\b",
    re.IGNORECASE,
)
_STRONG_WORD = re.compile(r"\b(?:all|every|each|only|alone|sole|never|always|no|not|same)\b")
_STRENGTH = {"every": "all", "each": "all", "alone": "only", "sole": "only"}  # fmt: skip


@dataclass(frozen=True)
class Presumption:
    """What is taken for granted, and the words to search for instead of the question's."""

    text: str
    neutral: str  # the question itself where only its grammar presumes


def presumption(question: str) -> Presumption | None:
    """Return what a question takes for granted by its words, or None.

    Framed ("since ...", "isn't it obvious that ...", "..., right?") it always counts; a why-question's
    clause counts where it is stressed ("all", "only", "disproved") or gives a number, else every why would be one.
    """
    text = " ".join(unasked(question).split()).rstrip(" ?.!")
    if not text or len(text.split()) > MOST_WORDS:
        return None
    text, tagged = _TAG.subn("", text)
    if tagged:
        text = _REASON.sub("", text)
    for frame in _FRAMES:
        match = frame.fullmatch(text)
        if (
            match is None
            or _ASKS.match(match["p"])
            or not _VERB.search(_NOUNS.sub("  ", match["p"]).split(" ", 1)[-1])
        ):
            continue
        taken = _SHOWN.sub("", match["p"].strip())
        return Presumption(taken, _calm(f"{taken} {match['q'] or ''}"))
    if tagged and _VERB.search(text) and not _ASKS.match(text):
        taken = _SHOWN.sub("", text)
        return Presumption(taken, _calm(taken))
    if (match := _NEGATIVE.fullmatch(text)) and (said := declared(f"{match[1]} {match[2]}?")):
        return Presumption(said, _calm(said))
    match = _WHY.fullmatch(text)
    said = declared(f"{match[1]}?") if match else None
    stressed = said if said and _STRONG.search(said) else _number_in_why(text)
    if (said := stressed) and len(said.split()) <= MOST_OF_WHY:
        return Presumption(said, _calm(said))
    return None


def _number_in_why(text: str) -> str | None:
    """`the Hubble constant is 45 km/s/Mpc` of a why-question that gives something a number with a unit."""
    match = _WHY_NUMBER.fullmatch(text)
    if match is None or match["what"].split()[-1].lower() in PREPOSITIONS:
        return None
    numbers = quantities(match["number"])
    if not numbers or not numbers[0].unit.dimensions:
        return None  # a designation, or a count that another word is about
    return f"{match['what']} {match['be'].lower()} {match['number']}"


def calmed(question: str) -> str:
    """The question as it is searched for: without politeness, frames and stress."""
    found = presumption(question)
    return found.neutral if found else unasked(question)


def nearest(presumed: Presumption, papers: Sequence[Paper]) -> Presumed:
    """The passage of the papers that says most of the presumption's words, for the reader to judge.

    Rules and encoder cannot tell a passage that states it from one that only speaks of it (docs/results.md), so
    nothing here calls it true; where no passage has most of its words, none says so.
    """
    wanted = _words(presumed.text)
    best, n, quote = 0.0, 0, ""
    for number, paper in enumerate(papers, 1):
        for passage in split_sentences(f"{paper.plain_title}. {paper.plain_abstract}"):
            held = len(wanted & _words(passage)) / max(len(wanted), 1)
            if held > best:
                best, n, quote = held, number, passage
    return Presumed(presumed.text, n, quote) if best >= WORDS_HELD else Presumed(presumed.text)


def _words(text: str) -> set[str]:
    """The words that count, and those that make a statement strong, in one form."""
    strong = {_STRENGTH.get(w, w) for w in _STRONG_WORD.findall(text.casefold())}
    return set(tokens(text)) | strong


def _calm(text: str) -> str:
    return " ".join(_STRESS.sub(" ", text).split()) + "?"
