"""Years, eras and wishes for recent papers in a question, by rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from retrieval.tables import facilities
from retrieval.understood import Found, Understood, span

_NUMBER_WORDS = {
    w: i for i, w in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"])
} | {"fifteen": 15, "twenty": 20, "thirty": 30, "a couple of": 2, "couple of": 2, "a few": 3, "few": 3, "several": 5}  # fmt: skip
_YEAR = r"((?:18|19|20)\d\d)(?![\w-])"
PAPERS = r"(?:papers?|articles?|works?|studies|stud(?:y|ied)|literature|publications?|published|publish|research|results)"
MOST_YEARS_BACK = 40

_ERA = re.compile(
    r"\b(?P<rel>before|prior to|after|since|pre|post)(?:[ -](?:the )?(?:launch of |advent of |era of )?)"
    r"(?P<name>[A-Z][\w./-]*(?: [A-Z][\w-]*){0,3}?)(?P<era>(?:['’]s)? (?:era|launch|days|times|first data))?(?=[\s?.,;!)]|$)"
)
_RELEASE = re.compile(r" E?DR\d")  # a data release comes years after the first data
_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], int], tuple[int | None, int | None]]], ...] = (
    (re.compile(rf"\b(?:{PAPERS} )?since {_YEAR}(?: or so)?", re.I), lambda m, y: (int(m[1]), None)),
    (re.compile(rf"\b(?:{PAPERS} )?since the (?:early |mid-|late )?((?:18|19|20)\d0)s\b", re.I), lambda m, y: (int(m[1]), None)),
    (re.compile(r"\b(?:an? )?((?:18|19|20)\d\d) (?:papers?|articles?|publications?|stud(?:y|ies)) (?=on|of|about|by)", re.I), lambda m, y: (int(m[1]), int(m[1]))),
    (re.compile(rf"\b(?:{PAPERS} )?after {_YEAR}", re.I), lambda m, y: (int(m[1]) + 1, None)),
    (re.compile(rf"\b(?:from |in )?{_YEAR} (?:onwards?|or later|and later)\b", re.I), lambda m, y: (int(m[1]), None)),
    (re.compile(rf"\b(?:{PAPERS} )?(?:before|prior to|older than) {_YEAR}", re.I), lambda m, y: (None, int(m[1]) - 1)),
    (re.compile(rf"\b(?:{PAPERS} )?(?:until|up to|through) {_YEAR}", re.I), lambda m, y: (None, int(m[1]))),
    (
        re.compile(rf"\b{PAPERS} (?:that (?:appeared|came out) )?(?:in|of|from|between|during) {_YEAR}(?:\s*(?:-|–|to|and|until)\s*{_YEAR})?(?! or later| and later| onwards?)", re.I),
        lambda m, y: (int(m[1]), int(m[2] or m[1])),
    ),
    (re.compile(rf"\b{PAPERS} (?:in|of|from|during) the ((?:18|19|20)\d0)s\b", re.I), lambda m, y: (int(m[1]), int(m[1]) + 9)),
    (
        re.compile(
            r"\b(?:in|over|within|from|during|of) the (?:last|past|previous) "
            r"(\d{1,2}|(?:a )?couple of|a few|few|several|[a-z]+) years?\b(?! of| ago| before)", re.I,
        ),
        lambda m, y: _years_back(m[1], y),
    ),
    (re.compile(r"\b(?:in|over|within|from|during|of) the (?:last|past) decade\b", re.I), lambda m, y: (y - 10, None)),
    (re.compile(r"\b(?:in|from|during|of) the (?:last|past) year\b", re.I), lambda m, y: (y - 1, None)),
    (re.compile(rf"\b(?:{PAPERS} (?:from |of |in )?)?(?:this year|this year's)\b(?! at)", re.I), lambda m, y: (y, None)),
    (re.compile(rf"\b{PAPERS} (?:from |of |in )?last year\b", re.I), lambda m, y: (y - 1, y - 1)),
)  # fmt: skip


def _years_back(number: str, this_year: int) -> tuple[int | None, int | None]:
    n = int(number) if number.isdigit() else _NUMBER_WORDS.get(number.lower(), 0)
    return (this_year - n, None) if 0 < n <= MOST_YEARS_BACK else (None, None)


def years(text: str, this_year: int) -> Iterator[Found]:
    """Yield the years that papers shall be of; "since 2022", "before JWST", "in the last five years"."""
    for pattern, ends in _RULES:
        for match in pattern.finditer(text):
            since, until = ends(match, this_year)
            if since is not None or until is not None:
                yield Found(match.start(), match.end(), (span(since, until, match[0]),))
    for match in _ERA.finditer(text):
        facility = facilities().get(match["name"])
        if facility is None or facility.first_year is None:
            continue
        if _RELEASE.match(text, match.end("name")):
            continue
        year = facility.first_year
        before = match["rel"].lower() in ("before", "prior to", "pre")
        item = span(None, year - 1, match[0]) if before else span(year, None, match[0])
        label = f"{'before' if before else 'since'} {facility.name} ({year})"
        yield Found(match.start(), match.end(), (replace(item, label=label),))


_RECENT = re.compile(
    r"\b(?:the )?(?:very )?(?:latest|newest|most recent|recent|up[- ]to[- ]date|state[- ]of[- ]the[- ]art) (?:[\w-]+ ){0,2}?"
    r"(?:results?|constraints?|measurements?|papers?|work|works|studies|progress|developments?|advances|literature|"
    r"reviews?|findings|limits|news|publications?|evidence|discoveries|insights|determinations?|values?)\b",
    re.IGNORECASE,
)


def recent(text: str) -> Iterator[Understood]:
    """ "the latest constraints on ..." asks for recent papers first; "recent star formation" does not."""
    if match := _RECENT.search(text):
        yield Understood("recent", "recent papers first", "boosts", match[0])
