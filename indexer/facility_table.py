"""The tables of facilities and of methods, and where a text names their entries.

data/facilities.csv and data/methods.csv; what each column means is in data/README.md.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property
from itertools import chain
from pathlib import Path

from indexer import config
from indexer.errors import SourceError
from indexer.finder import Finder, Form, Spot, level

NEVER = "never"  # in `needs`: the bare name is no sign of the entry, its aliases are

_AFTER = re.compile(r"(?:['’]s)?[\s\-/]*(([\w+.]+(?:/\w+)?)(?: \w+)?)")
_BEFORE = re.compile(r"([\w.+']+)[\s\-/(]*$")


@dataclass(frozen=True)
class Entry:
    """A facility, an instrument of it, or a method. Years are those of its first and last data.

    `reported` is the name that lists give it where that is not the name of the facility it is a part
    of, or its own: two entries may share one (MUSE), a survey may have its own beside its telescope's.
    """

    name: str
    kind: str
    reported: str = ""
    parent: str = ""
    bands: tuple[str, ...] = ()
    first_year: int | None = None
    last_year: int | None = None
    aliases: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    not_before: frozenset[str] = frozenset()
    not_after: frozenset[str] = frozenset()
    needs: str = ""


@dataclass(frozen=True)
class Named:
    """An entry, by its number, named at a place in a text."""

    start: int
    end: int
    entry: int


class Table:
    """Entries that are looked for in texts."""

    def __init__(self, entries: Sequence[Entry], *, plurals: bool = False) -> None:
        self._plurals = plurals
        self.entries = tuple(entries)
        self.number = {entry.name: i for i, entry in enumerate(self.entries)}

    def get(self, name: str) -> Entry | None:
        """The entry with that name or alias; case, spaces and hyphens do not matter."""
        return self._by_any_name.get(_letters(name))

    def exact(self, name: str) -> Entry | None:
        """The entry of that very name."""
        number = self.number.get(name)
        return None if number is None else self.entries[number]

    def nearest(self, name: str, n: int = 3) -> list[str]:
        """The names nearest to one that is not in the table."""
        close = get_close_matches(_letters(name), self._by_any_name, n=4 * n, cutoff=0.5)
        return list(dict.fromkeys(self._by_any_name[letters].name for letters in close))[:n]

    def chain(self, entry: Entry) -> Iterator[Entry]:
        """The entry, what it is a part of, and so on."""
        yield entry
        while entry.parent:
            entry = self.entries[self.number[entry.parent]]
            yield entry

    def reported(self, entry: Entry) -> str:
        """The name under which lists give the entry: its facility's, unless it has one of its own."""
        chain = list(self.chain(entry))
        return next((one.reported for one in chain if one.reported), chain[-1].name)

    def named(self, text: str, context: str = "") -> list[Named]:
        """Return what `text` names, in order, none inside another.

        `context` is the text that `text` is taken from: what an ambiguous name needs may stand there.
        """
        text = level(text)
        found = [*self._by_form(text, context or text), *self._by_pattern(text, context or text)]
        found.sort(key=lambda f: (f.start, -f.end))
        kept: list[Named] = []
        for one in dict.fromkeys(found):
            last = kept[-1] if kept else None
            if last is None or one.start >= last.end or (one.start, one.end) == (last.start, last.end):  # fmt: skip
                kept.append(one)
        return kept

    @cached_property
    def _finder(self) -> Finder:
        forms = (
            Form(text, i, is_bare=text == entry.name)
            for i, entry in enumerate(self.entries)
            for text in dict.fromkeys((entry.name, *entry.aliases))
        )
        return Finder(forms, plurals=self._plurals)

    @cached_property
    def _patterns(self) -> dict[str, list[tuple[int, re.Pattern[str]]]]:
        """The patterns by the letters that each begins with: where these are not, it need not be tried."""
        found: dict[str, list[tuple[int, re.Pattern[str]]]] = {}
        for i, entry in enumerate(self.entries):
            for pattern in entry.patterns:
                letters = re.match(r"[A-Za-z0-9]*", pattern)
                start = letters[0] if letters else ""
                found.setdefault(start, []).append((i, re.compile(pattern)))
        return found

    @cached_property
    def _needs(self) -> dict[int, re.Pattern[str]]:
        needing = ((i, entry.needs) for i, entry in enumerate(self.entries))
        return {i: re.compile(needs) for i, needs in needing if needs not in ("", NEVER)}

    @cached_property
    def _by_any_name(self) -> dict[str, Entry]:
        known = {_letters(entry.name): entry for entry in reversed(self.entries)}
        for entry in self.entries:
            for alias in entry.aliases:
                known.setdefault(_letters(alias), entry)
        return known

    def _by_form(self, text: str, context: str) -> Iterator[Named]:
        for spot in self._finder.spots(text):
            for form in spot.forms:
                if self._means(text, spot, form, context):
                    yield Named(spot.start, spot.end, form.entry)

    def _means(self, text: str, spot: Spot, form: Form, context: str) -> bool:
        """Whether the words around allow the entry: no anti-pattern, and what a bare name needs."""
        entry = self.entries[form.entry]
        if entry.not_before:
            after = _AFTER.match(text, spot.end)
            if (
                after
                and {after[2].lower().rstrip("."), after[2].lower(), after[1].lower()}
                & entry.not_before
            ):
                return False
        if entry.not_after:
            before = _BEFORE.search(text, max(0, spot.start - 30), spot.start)
            if before and before[1] in entry.not_after:
                return False
        return not (form.is_bare and entry.needs) or self._has_needed(form.entry, context)

    def _has_needed(self, entry: int, context: str) -> bool:
        needed = self._needs.get(entry)
        return needed is not None and needed.search(context) is not None

    def _by_pattern(self, text: str, context: str) -> Iterator[Named]:
        inside = (some for start, some in self._patterns.items() if start in text)
        for entry, pattern in chain.from_iterable(inside):
            for match in pattern.finditer(text):
                needs = self.entries[entry].needs
                is_word = not text[max(0, match.start() - 1) : match.start()].isalnum()
                if is_word and (needs in ("", NEVER) or self._has_needed(entry, context)):
                    yield Named(match.start(), match.end(), entry)


@cache
def facility_table() -> Table:
    """The facilities of data/facilities.csv."""
    return read_table(config.REPOSITORY / "data" / "facilities.csv")


@cache
def method_table() -> Table:
    """The methods of data/methods.csv."""
    return read_table(config.REPOSITORY / "data" / "methods.csv", plurals=True)


def read_table(path: Path, *, plurals: bool = False) -> Table:
    """Read a table of facilities or methods; the names of its entries may have a plural.

    Raises:
        SourceError: it cannot be read, a parent is not in it, or a year is no number.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            entries = [_entry(row) for row in csv.DictReader(stream) if row.get("name")]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read as a table of facilities: {error}") from error
    names = {entry.name for entry in entries}
    orphans = [entry.name for entry in entries if entry.parent and entry.parent not in names]
    if orphans:
        raise SourceError(f"{path}: the parents of {', '.join(orphans)} are not in the table.")
    return Table(entries, plurals=plurals)


def _entry(row: dict[str, str]) -> Entry:
    return Entry(
        name=row["name"],
        kind=row["kind"],
        reported=row.get("reported") or "",
        parent=row.get("parent") or "",
        bands=_split(row.get("band")),
        first_year=_year(row.get("first_data")),
        last_year=_year(row.get("end")),
        aliases=_split(row.get("aliases")),
        patterns=_split(row.get("patterns")),
        not_before=frozenset(word.lower() for word in _split(row.get("not_before"))),
        not_after=frozenset(_split(row.get("not_after"))),
        needs=row.get("needs") or "",
    )


def _year(value: str | None) -> int | None:
    return int(value) if value else None


def _split(values: str | None) -> tuple[str, ...]:
    return tuple(value.strip() for value in (values or "").split(";") if value.strip())


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
