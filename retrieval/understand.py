"""What a question asks for besides its words: years, eras, objects, facilities, authors, fields, ids.

By rules and tables, without a model. Everything found is shown and can be taken away again. Years,
authors and fields narrow: they are conditions, and their words are not searched for. Objects and
facilities boost: papers that name them by any alias rise, and nothing is lost when a paper does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

from retrieval.tables import facilities, objects, written_form

Kind = Literal[
    "years",
    "recent",
    "object",
    "facility",
    "author",
    "first author",
    "title",
    "abstract",
    "journal",
    "paper",
]

_NUMBER_WORDS = {
    w: i for i, w in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"])
} | {"fifteen": 15, "twenty": 20, "thirty": 30, "a couple of": 2, "a few": 3, "few": 3, "several": 5}  # fmt: skip
_YEAR = r"((?:18|19|20)\d\d)(?![\w-])"
_PAPERS = r"(?:papers?|articles?|works?|studies|stud(?:y|ied)|literature|publications?|published|publish|research|results)"
MOST_YEARS_BACK = 40


@dataclass(frozen=True)
class Understood:
    """One thing understood: shown as a chip, removable by its key."""

    kind: Kind
    label: str  # for people: "since 2022", "M 31 (Andromeda galaxy)"
    effect: Literal["narrows", "boosts", "first"]
    words: str  # as the question has them
    value: str = ""  # the name looked for
    names: tuple[str, ...] = ()  # of objects and facilities: all names that papers may use
    since: int | None = None
    until: int | None = None

    @property
    def key(self) -> str:
        """Names this item among the others of a question."""
        return f"{self.kind}:{self.label}"


@dataclass(frozen=True)
class Understanding:
    """A question taken apart: the words to search for, and what else was understood."""

    text: str  # the question without the words of conditions
    items: tuple[Understood, ...]
    notes: tuple[str, ...] = ()  # what could not be understood, in words

    @property
    def since(self) -> int | None:
        """The first year asked for."""
        return max((i.since for i in self.items if i.since is not None), default=None)

    @property
    def until(self) -> int | None:
        """The last year asked for."""
        return min((i.until for i in self.items if i.until is not None), default=None)

    def of(self, *kinds: Kind) -> tuple[Understood, ...]:
        """The items of these kinds."""
        return tuple(item for item in self.items if item.kind in kinds)


def understand(
    query: str,
    *,
    this_year: int,
    is_author: Callable[[str], bool] = lambda name: False,
    is_word: Callable[[str], bool] = lambda word: True,
    ignored: frozenset[str] = frozenset(),
) -> Understanding:
    """Take a question apart. `is_author` says whether the index has papers by a name, `is_word` knows its words.

    Items whose key is in `ignored` are left in the question as plain words.
    """
    text, items, notes = query, list[Understood](), list[str]()
    text = _corrected(text, is_word, items, ignored)
    for step in (_fields, _identifiers, _years, lambda t, y, a: _authors(t, a)):
        text = _take(text, step(text, this_year, is_author), items, notes, ignored)
    for item in (*_recent(text), *_objects(text), *_facilities(text)):
        known = {i.key for i in items} | {f"{i.kind}={i.value}" for i in items if i.value}
        if item.key not in ignored | known and f"{item.kind}={item.value}" not in known:
            items.append(item)
    return Understanding(" ".join(text.split()), tuple(items), tuple(notes))


@dataclass(frozen=True)
class _Found:
    """An item, or a note, and the piece of the text it takes out."""

    start: int
    end: int
    item: Understood | None = None
    note: str = ""


def _take(
    text: str,
    found: Iterator[_Found],
    items: list[Understood],
    notes: list[str],
    ignored: frozenset[str],
) -> str:
    """Move what was found from the text to the items; later pieces first, so that places stay true."""
    kept: list[_Found] = []
    for piece in sorted(found, key=lambda p: (p.start, -p.end)):
        if piece.item is not None and piece.item.key in ignored:
            continue
        if not kept or piece.start >= kept[-1].end:
            kept.append(piece)
    for piece in kept:
        if piece.item is not None and piece.item.key not in {i.key for i in items}:
            items.append(piece.item)
        if piece.note:
            notes.append(piece.note)
    for piece in reversed(kept):
        text = f"{text[: piece.start]} {text[piece.end :]}"
    return text


# --- fields, as ADS writes them ---------------------------------------------------------------

_FIELD = re.compile(r"(?<!\S)([A-Za-z_]{2,20}):(\"[^\"]{1,300}\"|\([^()]{1,300}\)|[^\s\"()]\S*)")
_FIRST = re.compile(r"(?<!\S)\^([A-Z][\w'’-]+)(?!\S)")
_FIELD_KINDS: dict[str, Kind] = {
    "author": "author", "first_author": "first author", "title": "title", "abs": "abstract", "abstract": "abstract",
    "bibstem": "journal", "bibcode": "paper", "arxiv": "paper", "doi": "paper", "identifier": "paper",
}  # fmt: skip


def _fields(text: str, this_year: int, is_author: Callable[[str], bool]) -> Iterator[_Found]:
    for match in _FIELD.finditer(text):
        name, value = match[1].lower(), match[2].strip('"() ').rstrip(",;")
        if name in ("http", "https") or not value:
            continue
        if name == "year":
            yield _Found(match.start(), match.end(), *_year_field(value, match[0]))
        elif name == "author" and value.startswith("^"):
            yield _Found(
                match.start(), match.end(), _narrowing("first author", value[1:], match[0])
            )
        elif name in _FIELD_KINDS:
            kind = _FIELD_KINDS[name]
            item = (
                _pinned(value, match[0]) if kind == "paper" else _narrowing(kind, value, match[0])
            )
            yield _Found(match.start(), match.end(), item)
        elif match[1].islower() and not value[0].isdigit():
            note = f"The field {name}: is not known; its words were searched for. Known: author, ^first, year, abs, title, bibcode, arXiv, doi, bibstem."
            yield _Found(match.start(), match.start(2), None, note)
    for match in _FIRST.finditer(text):
        yield _Found(match.start(), match.end(), _narrowing("first author", match[1], match[0]))


def _year_field(value: str, words: str) -> tuple[Understood | None, str]:
    match = re.fullmatch(r"(\d{4})?(-)?(\d{4})?", value)
    if not match or not (match[1] or match[3]):
        return None, f"year:{value} is not a year: write year:2020, year:2015-2020 or year:2015-."
    since = int(match[1]) if match[1] else None
    until = int(match[3]) if match[3] else (None if match[2] else since)
    return _span(since, until, words), ""


def _narrowing(kind: Kind, value: str, words: str) -> Understood:
    return Understood(kind, f"{kind} {value}", "narrows", words, value)


# --- identifiers and pasted links --------------------------------------------------------------

_IDENTIFIERS = (
    re.compile(r"(?:https?://)?(?:www\.)?arxiv\.org/(?:abs|pdf|html)/([a-z-]+(?:\.[A-Z]{2})?/\d{7}|\d{4}\.\d{4,5})(?:v\d+)?\S*"),
    re.compile(r"(?:https?://)?(?:ui\.|www\.)?adsabs\.harvard\.edu/(?:abs|full)/([^\s/]+)\S*"),
    re.compile(r"(?:https?://)?(?:dx\.)?doi\.org/(10\.\d{4,9}/\S+)"),
    re.compile(r"(?<![\w.])(?:arXiv:)?(\d{4}\.\d{4,5})(?:v\d+)?(?![\w.]*\d)", re.IGNORECASE),
    re.compile(r"(?<![\w.])(?:arXiv:)?((?:astro-ph|gr-qc|hep-[a-z]{2,3}|physics|nucl-[a-z]{2}|cond-mat|quant-ph)/\d{7})(?:v\d+)?(?!\w)", re.IGNORECASE),
    re.compile(r"(?<![\w&.])((?:1[89]|20)\d\d[A-Za-z][\w&.]{13}[A-Z.])(?![\w&])"),
    re.compile(r"(?<![\w./])(10\.\d{4,9}/[^\s\"<>]+[^\s\"<>.,;)])"),
)  # fmt: skip


def _identifiers(text: str, this_year: int, is_author: Callable[[str], bool]) -> Iterator[_Found]:
    from urllib.parse import unquote

    for pattern in _IDENTIFIERS:
        for match in pattern.finditer(text):
            yield _Found(match.start(), match.end(), _pinned(unquote(match[1]), match[0]))


def identifiers_in(text: str) -> Iterator[str]:
    """Yield the arXiv ids, bibcodes and DOIs that a text holds, bare or as links, each once."""
    found = [p.item.value for p in _identifiers(text, 0, lambda name: False) if p.item]
    yield from dict.fromkeys(found)


def _pinned(value: str, words: str) -> Understood:
    value = re.sub(r"(\d)v\d+$", r"\1", value)
    return Understood("paper", f"paper {value}", "first", words, value)


# --- years and eras -----------------------------------------------------------------------------

_ERA = re.compile(
    r"\b(?P<rel>before|prior to|after|since|pre|post)(?:[ -](?:the )?(?:launch of |advent of |era of )?)"
    r"(?P<name>[A-Z][\w./-]*(?: [A-Z][\w-]*){0,3}?)(?P<era>(?:['’]s)? (?:era|launch|days|times|first data))?(?=[\s?.,;!)]|$)"
)
_RELEASE = re.compile(r" E?DR\d")  # a data release comes years after the first data
_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], int], tuple[int | None, int | None]]], ...] = (
    (re.compile(rf"\b(?:{_PAPERS} )?since {_YEAR}(?: or so)?", re.I), lambda m, y: (int(m[1]), None)),
    (re.compile(rf"\b(?:{_PAPERS} )?since the (?:early |mid-|late )?((?:18|19|20)\d0)s\b", re.I), lambda m, y: (int(m[1]), None)),
    (re.compile(r"\b(?:an? )?((?:18|19|20)\d\d) (?:papers?|articles?|publications?|stud(?:y|ies)) (?=on|of|about|by)", re.I), lambda m, y: (int(m[1]), int(m[1]))),
    (re.compile(rf"\b(?:{_PAPERS} )?after {_YEAR}", re.I), lambda m, y: (int(m[1]) + 1, None)),
    (re.compile(rf"\b(?:from |in )?{_YEAR} (?:onwards?|or later|and later)\b", re.I), lambda m, y: (int(m[1]), None)),
    (re.compile(rf"\b(?:{_PAPERS} )?(?:before|prior to|older than) {_YEAR}", re.I), lambda m, y: (None, int(m[1]) - 1)),
    (re.compile(rf"\b(?:{_PAPERS} )?(?:until|up to|through) {_YEAR}", re.I), lambda m, y: (None, int(m[1]))),
    (
        re.compile(rf"\b{_PAPERS} (?:that (?:appeared|came out) )?(?:in|of|from|between|during) {_YEAR}(?:\s*(?:-|–|to|and|until)\s*{_YEAR})?", re.I),
        lambda m, y: (int(m[1]), int(m[2] or m[1])),
    ),
    (re.compile(rf"\b{_PAPERS} (?:in|of|from|during) the ((?:18|19|20)\d0)s\b", re.I), lambda m, y: (int(m[1]), int(m[1]) + 9)),
    (
        re.compile(
            r"\b(?:in|over|within|from|during|of) the (?:last|past|previous) "
            r"(\d{1,2}|a couple of|a few|few|several|[a-z]+) years?\b(?! of| ago| before)", re.I,
        ),
        lambda m, y: _years_back(m[1], y),
    ),
    (re.compile(r"\b(?:in|over|within|from|during|of) the (?:last|past) decade\b", re.I), lambda m, y: (y - 10, None)),
    (re.compile(r"\b(?:in|from|during|of) the (?:last|past) year\b", re.I), lambda m, y: (y - 1, None)),
    (re.compile(rf"\b(?:{_PAPERS} (?:from |of |in )?)?(?:this year|this year's)\b(?! at)", re.I), lambda m, y: (y, None)),
    (re.compile(rf"\b{_PAPERS} (?:from |of |in )?last year\b", re.I), lambda m, y: (y - 1, y - 1)),
)  # fmt: skip


def _years_back(number: str, this_year: int) -> tuple[int | None, int | None]:
    n = int(number) if number.isdigit() else _NUMBER_WORDS.get(number.lower(), 0)
    return (this_year - n, None) if 0 < n <= MOST_YEARS_BACK else (None, None)


def _years(text: str, this_year: int, is_author: Callable[[str], bool]) -> Iterator[_Found]:
    for pattern, span in _RULES:
        for match in pattern.finditer(text):
            since, until = span(match, this_year)
            if since is not None or until is not None:
                yield _Found(match.start(), match.end(), _span(since, until, match[0]))
    for match in _ERA.finditer(text):
        facility = facilities().get(match["name"])
        if facility is None or facility.first_year is None:
            continue
        if _RELEASE.match(text, match.end("name")):
            continue
        year = facility.first_year
        before = match["rel"].lower() in ("before", "prior to", "pre")
        item = _span(None, year - 1, match[0]) if before else _span(year, None, match[0])
        label = f"{'before' if before else 'since'} {facility.name} ({year})"
        yield _Found(match.start(), match.end(), replace(item, label=label))


def _span(since: int | None, until: int | None, words: str) -> Understood:
    if since is not None and until is not None:
        label = str(since) if since == until else f"{since} to {until}"
    else:
        label = f"since {since}" if since is not None else f"until {until}"
    return Understood("years", label, "narrows", words, since=since, until=until)


_RECENT = re.compile(
    r"\b(?:the )?(?:very )?(?:latest|newest|most recent|recent|up[- ]to[- ]date|state[- ]of[- ]the[- ]art) (?:[\w-]+ ){0,2}?"
    r"(?:results?|constraints?|measurements?|papers?|work|works|studies|progress|developments?|advances|literature|"
    r"reviews?|findings|limits|news|publications?|evidence|discoveries|insights|determinations?|values?)\b",
    re.IGNORECASE,
)


def _recent(text: str) -> Iterator[Understood]:
    """ "the latest constraints on ..." asks for recent papers first; "recent star formation" does not."""
    if match := _RECENT.search(text):
        yield Understood("recent", "recent papers first", "boosts", match[0])


# --- authors ------------------------------------------------------------------------------------

_FAMILY = r"[A-ZÀ-Þ][\w'’-]+"
_NAME = rf"(?:[A-ZÀ-Þ][\w'’.-]* ){{0,3}}{_FAMILY}"
_BY = re.compile(
    rf"\b(?:(?:{_PAPERS} )?by|according to) ({_NAME}(?:, [A-Z]\.?)?)(?: et al\.?| and (?:collaborators|coauthors|colleagues))?(?=\s*(?:[?.!,;]|$|\b(?:on|about|in|since|after|before|from|that|who)\b))"
)
_ET_AL = re.compile(rf"\b({_FAMILY}) et al\.?(?: \(?((?:19|20)\d\d)[a-z]?\)?)?")


def _authors(text: str, is_author: Callable[[str], bool]) -> Iterator[_Found]:
    for match in _BY.finditer(text):
        if _is_a_name(match[1]) and is_author(match[1]):
            yield _Found(match.start(), match.end(), _narrowing("author", match[1], match[0]))
    for match in _ET_AL.finditer(text):
        if is_author(match[1]):
            item = _narrowing("author", match[1], match[0])
            yield _Found(match.start(), match.end(), _dated(item, match[2]))


def _dated(item: Understood, year: str | None) -> Understood:
    """The item with the year of "Riess et al. 2022", if one stands there."""
    if year is None:
        return item
    return replace(item, label=f"{item.label} {year}", since=int(year), until=int(year))


def _is_a_name(name: str) -> bool:
    return objects().get(name) is None and facilities().get(name) is None


# --- objects and facilities ---------------------------------------------------------------------

_DESIGNATION = re.compile(
    r"\b(?:NGC|IC|UGC|PGC|HD|HIP|HR|GJ|TOI|WASP|HAT-P|KELT|Kepler|K2|KOI|TIC|PSR|GRB|FRB|GW|SN|AT|Abell|Mrk|Arp|PKS|3C|4C|RX|SDSS|MAXI|LHS|XTE|GRO|GRS|IGR|GX|CXOU|XMMU|HESS|4U|1E|PDS)"
    r"[ -]?(?:[JB]?\d[\d.]*(?:[+-]\d[\d.]*)?[A-Za-z]{0,4})\b(?: [b-h]\b)?"
    r"|\b[A-Z][A-Za-z]{2,}-\d{1,4} ?[b-h]\b"  # a planet of any catalogue
)


def _objects(text: str) -> Iterator[Understood]:
    known: set[tuple[int, int]] = set()
    for mention in objects().find(text, case_matters=True):
        known.add((mention.start, mention.end))
        entry = mention.entry
        other = next(
            (a for a in entry.aliases if written_form(a) != written_form(mention.words)), ""
        )
        label = f"{entry.name} ({other})" if other else entry.name
        yield Understood("object", label, "boosts", mention.words, entry.name, entry.names)
    for match in _DESIGNATION.finditer(text):
        if not any(start < match.end() and match.start() < end for start, end in known):
            yield Understood("object", match[0], "boosts", match[0], match[0], (match[0],))


CLOSE_ENOUGH = 0.84  # of two spellings, by difflib's ratio: one letter in seven may differ


def _corrected(
    text: str, is_word: Callable[[str], bool], items: list[Understood], ignored: frozenset[str]
) -> str:
    """The text with misspelt names of known objects and facilities put right, each one an item."""
    for match in re.finditer(r"[^\W\d_]{6,}", text):
        word = match[0]
        if is_word(word) or word.casefold() in objects().words | facilities().words:
            continue
        for table, kind in ((objects(), "object"), (facilities(), "facility")):
            close = get_close_matches(word.casefold(), table.words, n=1, cutoff=CLOSE_ENOUGH)
            if not close:
                continue
            right = close[0].capitalize()
            mended = f"{text[: match.start()]}{right}{text[match.end() :]}"
            for mention in table.find(mended):
                if mention.start <= match.start() < mention.end:
                    entry = mention.entry
                    item = Understood(
                        "object" if kind == "object" else "facility",
                        f"{entry.name} (for {word})", "boosts", mention.words, entry.name, entry.names,
                    )  # fmt: skip
                    if item.key not in ignored:
                        items.append(item)
                        return _corrected(mended, is_word, items, ignored)
    return text


def _facilities(text: str) -> Iterator[Understood]:
    for mention in facilities().find(text, case_matters=True):
        entry = mention.entry
        yield Understood("facility", entry.name, "boosts", mention.words, entry.name, entry.names)
