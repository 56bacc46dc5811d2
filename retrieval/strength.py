"""Whether a sentence claims more than its evidence: "all" where it says "30% of all", "proven" where it says "may"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_ALL = re.compile(r"\b(?:all|every|always|entirely|exclusively|solely)\b", re.IGNORECASE)
# "30% of all", "not all", "few of all": a part, though the word is there. So is "too low for all".
_PART = re.compile(
    r"(?:%|\b(?:percent|part|fraction|share|some|few|half|most|not|rather than|too \w+ for|cannot (?:\w+ ){0,3}for)) (?:of )?all\b",
    re.IGNORECASE,
)
_PROVEN = re.compile(
    r"\b(?:proven|proves?|proved|certain(?:ly)?|undoubtedly|definitively|beyond doubt)\b",
    re.IGNORECASE,
)
_AS_STRONG = re.compile(
    r"\b(?:prov(?:e|es|ed|en|ing)|certain\w*|definitive\w*|conclusive\w*|unambiguous\w*|establish\w*|confirm\w*|beyond doubt|demonstrat\w*)\b",
    re.IGNORECASE,
)  # fmt: skip
_COUNTED = re.compile(r"\b(?:at|above|after|first of|in|once and for|not) all\b", re.IGNORECASE)


def strength_problems(text: str, quotes: Sequence[str]) -> Iterator[str]:
    """What a sentence claims of all cases, or as proven, and its quotations do not."""
    own = _PART.sub(" ", _COUNTED.sub(" ", text))
    said = _ALL.search(own)
    if said and not any(_ALL.search(_PART.sub(" ", quote)) for quote in quotes):
        yield f"it says “{said[0].casefold()}”, and the quoted evidence does not"
    said = _PROVEN.search(text)
    if said and not any(_AS_STRONG.search(quote) for quote in quotes):
        yield f"it says “{said[0].casefold()}”, and the quoted evidence does not"
