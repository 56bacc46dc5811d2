"""One thing understood of a question, and the piece of the text it was found in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
    "spelling",
]


@dataclass(frozen=True)
class Understood:
    """One thing understood: shown as a chip, removable by its key."""

    kind: Kind
    label: str  # for people: "since 2022", "M 31 (Andromeda galaxy)"
    effect: Literal["narrows", "boosts", "first", "corrects"]
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
class Found:
    """Items, or a note, and the piece of the text that they take out."""

    start: int
    end: int
    items: tuple[Understood, ...] = ()
    note: str = ""


def narrowing(kind: Kind, value: str, words: str) -> Understood:
    """A condition on papers by a name."""
    return Understood(kind, f"{kind} {value}", "narrows", words, value)


def span(since: int | None, until: int | None, words: str) -> Understood:
    """A condition on the year of papers, both ends inclusive."""
    if since is not None and until is not None:
        label = str(since) if since == until else f"{since} to {until}"
    else:
        label = f"since {since}" if since is not None else f"until {until}"
    return Understood("years", label, "narrows", words, since=since, until=until)
