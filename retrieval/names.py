"""Names in a question: authors, objects by any designation, facilities; misspelt ones put right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache

from retrieval.dates import PAPERS
from retrieval.tables import NameTable, facilities, objects, written_form
from retrieval.understood import Found, Understood, narrowing, span

CLOSE_ENOUGH = 0.84  # of two spellings, by difflib's ratio: one letter in seven may differ
MOST_CORRECTIONS = 5

_PARTICLES = r"(?:(?:van|von|de|der|den|di|da|la|le|del|ter) ){0,3}"
_FAMILY = rf"{_PARTICLES}[A-ZÀ-Þ][\w'’-]+"
_NAME = rf"(?:[A-ZÀ-Þ][\w'’.-]* ){{0,3}}{_FAMILY}"
_DATE = r"(?:,? (?:in )?\(?((?:19|20)\d\d)[a-z]?\)?)?"
_AFTER = r"(?=\s*(?:[?.!,;)]|$|\b(?:on|about|in|since|after|before|from|that|who|and|with|for|using|say|says|said|find|found|show|report|to|at)\b))"
_BY = re.compile(
    rf"\b(?:(?:{PAPERS} )?by|according to) ({_NAME}(?:, [A-Z]\.?)?)"
    rf"(?: et al\.?| and (?:collaborators|coauthors|colleagues))?{_DATE}{_AFTER}"
)
_ET_AL = re.compile(rf"\b({_FAMILY})(?: et al\.?{_DATE}|\+ ?((?:19|20)\d\d)\b)")
_GROUP = re.compile(r"Collaboration|Consortium|Team|Group", re.IGNORECASE)

# A catalogue and what its numbers look like: "SDSS 16" or "SN 2 sigma" name nothing.
_DESIGNATION = re.compile(
    r"\b(?:"
    r"(?:NGC|IC|UGC|PGC|HD|HIP|HR|GJ|KOI|TIC|Abell|Mrk|Arp|PKS|3C|4C|RX|LHS|GX|4U|1E|PDS|GRS|PSR|KELT|WASP|HAT-P|Kepler)[ -]?[JB]?\d[\d.]*(?:[+-]\d[\d.]*)?[A-Za-z]{0,2}"
    r"|(?:SDSS|MAXI|XTE|GRO|IGR|CXOU|XMMU|HESS)[ -]?[JB]\d[\d.]*(?:[+-]\d[\d.]*)?[A-Za-z]?"
    r"|(?:SN|AT)[ -]?(?:18|19|20)\d\d[A-Za-z]{1,4}"
    r"|(?:GRB|FRB|GW)[ -]?\d{6,8}[A-Za-z]?"
    r"|TOI-\d{3,5}|TOI ?\d{3,5}(?:\.\d\d| ?[b-h]\b)|K2-\d{1,4}"
    r"|[A-Z][A-Za-z]{2,}-\d{1,4} ?[b-h]"  # a planet of any catalogue
    r")\b(?: [b-h](?![\w'’-]|\.\w))?"
)
_PLANET = re.compile(r"(?P<host>.*\d|.+(?= )) ?(?P<letter>[b-h])")
_PLANET_AFTER = re.compile(r" ([b-h])(?![\w'’-]|\.\w)")
_TRANSIENT = re.compile(r"(?:SN|AT|GRB|FRB|GW)\b|(?:SN|AT|GRB|FRB|GW)\d")


def authors(text: str, is_author: Callable[[str], bool]) -> Iterator[Found]:
    """Yield the authors asked for: "by Riess", "Riess et al. 2022", "Riess+2022".

    A name that `is_author` does not know is noted where "et al." says that it is one. Several
    such names are a list of references and no condition.
    """
    for match in _BY.finditer(text):
        name = match[1]
        known = objects().get(name) is None and facilities().get(name) is None
        if known and not _GROUP.search(name) and is_author(name):
            yield _author(match, name, match[2])
    cited = [m for m in _ET_AL.finditer(text) if not _GROUP.search(m[1])]
    for match in cited if len(cited) == 1 else ():
        if is_author(match[1]):
            yield _author(match, match[1], match[2] or match[3])
        else:
            note = f"No paper of this index is by {match[1]}; the name was searched for as a word."
            yield Found(match.start(), match.start(), note=note)


def _author(match: re.Match[str], name: str, year: str | None) -> Found:
    items = [narrowing("author", name, match[0])]
    if year is not None:
        items.append(span(int(year), int(year), match[0]))
    return Found(match.start(), match.end(), tuple(items))


def named_objects(text: str) -> Iterator[Understood]:
    """Yield the objects named in a text, by table or by designation."""
    known: set[tuple[int, int]] = set()
    for mention in objects().find(text, case_matters=True):
        entry = mention.entry
        after = _PLANET_AFTER.match(text, mention.end)
        words = mention.words + after[0] if after and entry.kind == "star" else mention.words
        known.add((mention.start, mention.start + len(words)))
        if entry.kind == "star" and (planet := _PLANET.fullmatch(words)):
            yield _planet(words, entry.name, entry.names, planet["letter"])
            continue
        other = next(
            (a for a in entry.aliases if written_form(a) != written_form(mention.words)), ""
        )
        label = f"{entry.name} ({other})" if other else entry.name
        yield Understood("object", label, "boosts", mention.words, entry.name, entry.names)
    for match in _DESIGNATION.finditer(text):
        if any(start < match.end() and match.start() < end for start, end in known):
            continue
        planet = None if _TRANSIENT.match(match[0]) else _PLANET.fullmatch(match[0])
        if planet:
            star = objects().get(planet["host"])
            names = star.names if star else (planet["host"],)
            yield _planet(match[0], names[0], names, planet["letter"])
        else:
            yield Understood("object", match[0], "boosts", match[0], match[0], (match[0],))


def _planet(words: str, host: str, hosts: Sequence[str], letter: str) -> Understood:
    """A planet under each name of its star, written with a space and without: papers and questions do either."""
    stars = [name for name in hosts if not re.search(r"(?: [b-h]|planet|star)$", name)]
    names = (f"{name}{space}{letter}" for name in stars or [host] for space in (" ", ""))
    name = f"{host} {letter}"
    return Understood("object", name, "boosts", words, name, tuple(dict.fromkeys((name, *names))))


def host_names(planet: str) -> tuple[str, ...]:
    """The names of the star of "HD 209458 b"; none where the name is no planet's."""
    found = None if _TRANSIENT.match(planet) else _PLANET.fullmatch(planet)
    if found is None:
        return ()
    star = objects().get(found["host"])
    return star.names if star and star.kind == "star" else (found["host"],)


def named_facilities(text: str) -> Iterator[Understood]:
    """Yield the facilities named in a text."""
    for mention in facilities().find(text, case_matters=True):
        entry = mention.entry
        yield Understood("facility", entry.name, "boosts", mention.words, entry.name, entry.names)


def corrected(
    text: str, is_word: Callable[[str], bool], ignored: frozenset[str]
) -> tuple[str, list[Understood]]:
    """Return the text with misspelt names of known objects and facilities put right, and these as items.

    A word that `is_word` knows is none; items whose key is in `ignored` stay as they were written.
    """
    items: list[Understood] = []
    for word in dict.fromkeys(re.findall(r"[^\W\d_]{6,}", text)):
        if len(items) == MOST_CORRECTIONS or is_word(word):
            continue
        for table, kind in ((objects(), "object"), (facilities(), "facility")):
            right = _close(table, word.casefold())
            mended = re.sub(rf"\b{word}\b", right.capitalize(), text) if right else text
            mention = next((m for m in table.find(mended) if right.capitalize() in m.words), None)
            if not right or mention is None:
                continue
            item = replace(
                Understood(
                    "object" if kind == "object" else "facility",
                    f"{mention.entry.name} (for {word})", "boosts", mention.words,
                ),
                value=mention.entry.name, names=mention.entry.names,
            )  # fmt: skip
            if item.key not in ignored:
                items.append(item)
                text = mended
            break
    return text, items


@lru_cache(maxsize=10_000)
def _close(table: NameTable, word: str) -> str:
    """The word of the table's names that a word nearly spells, or nothing."""
    if word in table.words:
        return ""
    return next(iter(get_close_matches(word, table.words, n=1, cutoff=CLOSE_ENOUGH)), "")
