"""Fields as ADS writes them, and identifiers: parsed, not guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from retrieval.understood import Found, Kind, Understood, narrowing, span

_KNOWN = "author, ^first, year, abs, title, bibcode, arXiv, doi, bibstem"
_FIELD = re.compile(
    r"(?<!\S)(?P<not>(?:NOT\s+|-))?(?P<name>[A-Za-z_]{2,20}):(?P<value>\"[^\"]{1,300}\"|\([^()]{1,300}\)|[^\s\"()]\S*)"
)
_FIRST = re.compile(r"(?<!\S)\^([A-Z][\w'’-]+)(?!\S)")
_UNFINISHED = re.compile(
    r"(?<!\S)(author|first_author|title|abs|abstract|bibstem|year|bibcode|arxiv|doi):(?:\"\"|\"(?=[^\"]*$)|(?=\s|$))",
    re.IGNORECASE,
)
_OPERATOR = re.compile(r"(?<!\S)(?:AND|OR|NOT)(?!\S)")
_FIELD_KINDS: dict[str, Kind] = {
    "author": "author", "first_author": "first author", "title": "title", "abs": "abstract", "abstract": "abstract",
    "bibstem": "journal", "bibcode": "paper", "arxiv": "paper", "doi": "paper", "identifier": "paper",
}  # fmt: skip


def fields(text: str) -> Iterator[Found]:
    """Yield the conditions that fields are, and notes on what cannot be read as one."""
    any_field = False
    for match in _FIELD.finditer(text):
        value = match["value"].strip('"() ').rstrip(",;")
        if match["name"].lower() in ("http", "https") or not value:
            continue
        found = _field(match, value)
        if found is not None:
            any_field = True
            yield found
    for match in _FIRST.finditer(text):
        any_field = True
        yield Found(match.start(), match.end(), (narrowing("first author", match[1], match[0]),))
    for match in _UNFINISHED.finditer(text):
        note = f"{match[1]}: has no value, or a quotation mark is missing: its words were searched for."
        yield Found(match.start(), match.end(), note=note)
    for match in _OPERATOR.finditer(text) if any_field else ():
        note = (
            "" if match[0] == "AND" else f"{match[0]} is not understood: all conditions must hold."
        )
        yield Found(match.start(), match.end(), note=note)


def _field(match: re.Match[str], value: str) -> Found | None:
    name, words = match["name"].lower(), match[0]
    known = name in _FIELD_KINDS or name == "year"
    if match["not"] and known:
        note = f"“{words}” was left out: conditions that exclude are not understood."
        return Found(match.start(), match.end(), note=note)
    if name == "year":
        item, note = _year(value, words)
        return Found(match.start(), match.end(), (item,) if item else (), note)
    if name == "author" and value.startswith("^"):
        return Found(match.start(), match.end(), (narrowing("first author", value[1:], words),))
    if known:
        kind = _FIELD_KINDS[name]
        item = pinned(value, words) if kind == "paper" else narrowing(kind, value, words)
        return Found(match.start(), match.end(), (item,))
    if match["name"][1:].islower() and not value[0].isdigit():
        note = f"The field {name}: is not known; its words were searched for. Known: {_KNOWN}."
        return Found(match.start(), match.start("value"), note=note)
    return None


def _year(value: str, words: str) -> tuple[Understood | None, str]:
    match = re.fullmatch(r"(\d{4})?(-)?(\d{4})?", value)
    if not match or not (match[1] or match[3]):
        return None, f"year:{value} is not a year: write year:2020, year:2015-2020 or year:2015-."
    since = int(match[1]) if match[1] else None
    until = int(match[3]) if match[3] else (None if match[2] else since)
    if since is not None and until is not None and since > until:
        return None, f"{words} holds no year: the first is after the last."
    return span(since, until, words), ""


# The bare form of an arXiv id has a month and, from 2015 on, five digits: 1187.2345 s is none.
_ARXIV_ID = r"(?:0[7-9]|1[0-4])(?:0[1-9]|1[0-2])\.\d{4}|(?:1[5-9]|[2-4]\d)(?:0[1-9]|1[0-2])\.\d{5}"
_IDENTIFIERS = (
    re.compile(r"(?:https?://)?(?:www\.)?arxiv\.org/(?:abs|pdf|html)/([a-z-]+(?:\.[A-Z]{2})?/\d{7}|\d{4}\.\d{4,5})(?:v\d+)?\S*"),
    re.compile(r"(?:https?://)?(?:ui\.|www\.)?adsabs\.harvard\.edu/(?:abs|full)/([^\s/]+)\S*"),
    re.compile(r"(?:https?://)?(?:dx\.)?doi\.org/(10\.\d{4,9}/\S+)"),
    re.compile(rf"(?<![\w.])(?:arXiv:)?({_ARXIV_ID})(?:v\d+)?(?![\w.]*\d)", re.IGNORECASE),
    re.compile(r"(?<![\w.])(?:arXiv:)?((?:astro-ph|gr-qc|hep-[a-z]{2,3}|physics|nucl-[a-z]{2}|cond-mat|quant-ph)/\d{7})(?:v\d+)?(?!\w)", re.IGNORECASE),
    re.compile(r"(?<![\w&.])((?:1[89]|20)\d\d[A-Za-z][\w&.]{13}[A-Z.])(?![\w&])"),
    re.compile(r"(?<![\w./])(10\.\d{4,9}/[^\s\"<>]+[^\s\"<>.,;)])"),
)  # fmt: skip


def identifiers(text: str) -> Iterator[Found]:
    """Yield the papers that a text points at, by arXiv id, bibcode, DOI or link."""
    for pattern in _IDENTIFIERS:
        for match in pattern.finditer(text):
            yield Found(match.start(), match.end(), (pinned(unquote(match[1]), match[0]),))


def identifiers_in(text: str) -> Iterator[str]:
    """Yield the arXiv ids, bibcodes and DOIs that a text holds, bare or as links, each once."""
    yield from dict.fromkeys(item.value for found in identifiers(text) for item in found.items)


def pinned(value: str, words: str) -> Understood:
    """A paper that the question points at."""
    value = re.sub(r"(\d)v\d+$", r"\1", value)
    return Understood("paper", f"paper {value}", "first", words, value)
