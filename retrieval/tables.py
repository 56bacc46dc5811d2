"""Names of objects and facilities with their aliases, from data/ and from the user's own table."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

from indexer import config
from indexer.clean import plain_text
from indexer.errors import SourceError
from indexer.tokens import fold, join_notations

_NAME_WORD = re.compile(r"[^\s,;:?!()\"/]+")
_ENDING = re.compile(r"(?:['’]s|[.'’])$")
_LETTERS = re.compile(r"[^\W_]+")

BEGINNING = 6  # letters of a word by which it may begin a name


@dataclass(frozen=True)
class Named:
    """One object or facility: its name, what it is, its other names."""

    name: str
    kind: str
    aliases: tuple[str, ...]
    first_year: int | None = None  # first data of a facility
    not_before: frozenset[str] = frozenset()  # words that make it something else: "Planck mass"

    @property
    def names(self) -> tuple[str, ...]:
        """The name and all aliases."""
        return (self.name, *self.aliases)


@dataclass(frozen=True)
class Mention:
    """A table entry found in a text: where, and in which words."""

    entry: Named
    start: int
    end: int
    words: str


class NameTable:
    """Finds table entries in texts by any of their names, the longest name first."""

    def __init__(self, entries: Sequence[Named]) -> None:
        self.entries = tuple(entries)

    @cached_property
    def _by_form(self) -> dict[str, Named]:
        forms: dict[str, Named] = {}
        for entry in self.entries:
            for name in entry.names:
                forms.setdefault(written_form(name), entry)
        return forms

    @cached_property
    def _longest(self) -> int:
        return max((len(form.split()) for form in self._by_form), default=0)

    @cached_property
    def _reach(self) -> dict[str, int]:
        """The beginnings of all names, and how many words the longest name with that beginning has."""
        reach: dict[str, int] = {}
        for name in (name for entry in self.entries for name in entry.names):
            n_words = max(len(name.split()), len(written_form(name).split()))
            for form in (written_form(name), written_form(name.split()[0])):
                for n in range(1, BEGINNING + 1):
                    reach[form[:n]] = max(reach.get(form[:n], 0), n_words)
        return reach

    def find(self, text: str, *, case_matters: bool = False) -> Iterator[Mention]:
        """Yield the entries named in `text`, left to right, none overlapping.

        With `case_matters` a one-word name must be written with a capital or a digit: `fast` is not
        FAST and `swift` not Swift.
        """
        words = [(m.start(), m.end()) for m in _NAME_WORD.finditer(text)]
        i = 0
        while i < len(words):
            before_number = i + 1 < len(words) and text[words[i + 1][0]].isdigit()  # Messier 87
            first = written_form(text[slice(*words[i])]).partition(" ")[0]
            reach = self._longest if before_number else self._reach.get(first[:BEGINNING], 0)
            if not reach:
                i += 1
                continue
            for n in range(min(reach + 1, len(words) - i), 0, -1):
                start, end = words[i][0], words[i + n - 1][1]
                piece = _ENDING.sub("", text[start:end])
                entry = self._by_form.get(written_form(piece))
                if entry is None:
                    continue
                if entry.not_before and _next_word(text, end) in entry.not_before:
                    break
                if not (case_matters and n == 1 and not _stands_out(piece, entry)):
                    yield Mention(entry, start, start + len(piece), piece)
                    i += n - 1
                    break
            i += 1

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of five letters and more in all names, folded."""
        return frozenset(
            word
            for form in self._by_form
            for word in form.split()
            if len(word) > 4 and word.isalpha()
        )

    def get(self, name: str) -> Named | None:
        """The entry with that name or alias."""
        return self._by_form.get(written_form(name))


def _next_word(text: str, end: int) -> str:
    """The word after a name, without case and punctuation."""
    return "".join(text[end:].split(maxsplit=1)[:1]).strip(".,;:?!()").lower()


def _stands_out(piece: str, entry: Named) -> bool:
    """Whether a one-word name is written as a name: as in the table, or all in capitals there."""
    if any(piece == name for name in entry.names) or any(c.isdigit() for c in piece):
        return True
    if entry.kind != "facility" and len(piece) > 2 and piece.isupper():  # ERIS is no dwarf planet
        return False
    return not piece.islower() and not all(
        name.isupper() for name in entry.names if " " not in name
    )


@lru_cache(maxsize=20_000)
def written_form(name: str) -> str:
    """A name with notations, case, hyphens and spaces folded: `NGC 224`, `ngc-224` -> `ngc224`."""
    return " ".join(_LETTERS.findall(join_notations(fold(plain_text(name)))))


@cache
def objects() -> NameTable:
    """The table of objects, the user's own (WAYFINDER_OBJECTS) before data/objects.csv.

    Raises:
        SourceError: the user's table cannot be read.
    """
    own = config.objects_table()
    rows = [*(_read(own) if own else ()), *_read(config.REPOSITORY / "data" / "objects.csv")]
    return NameTable(
        [
            Named(row["name"], row.get("kind") or "object", _split(row.get("aliases")))
            for row in rows
        ]
    )


@cache
def facilities() -> NameTable:
    """The table of facilities, data/facilities.csv."""
    return NameTable(
        [
            Named(
                row["name"],
                "facility",
                _split(row.get("aliases")),
                int(row["first_data"]) if row.get("first_data") else None,
                frozenset(word.lower() for word in _split(row.get("not_before"))),
            )
            for row in _read(config.REPOSITORY / "data" / "facilities.csv")
        ]
    )


@cache
def kinds() -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
    """Closed classes whose members stand for one another's place, data/kinds.csv: each with its members' words."""
    with (config.REPOSITORY / "data" / "kinds.csv").open(encoding="utf-8", newline="") as stream:
        return tuple(
            (row["kind"], tuple(tuple(member.split("|")) for member in _split(row["members"])))
            for row in csv.DictReader(stream)
        )


def _read(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            rows, columns = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read as a table of names: {error}") from error
    if "name" not in columns:
        raise SourceError(
            f"{path} needs the columns name, kind, aliases (aliases separated by `;`)."
        )
    return [row for row in rows if row["name"]]


def _split(aliases: str | None) -> tuple[str, ...]:
    return tuple(alias.strip() for alias in (aliases or "").split(";") if alias.strip())
