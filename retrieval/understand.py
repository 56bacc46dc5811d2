"""What a question asks for besides its words: years, eras, objects, facilities, authors, fields, ids.

By rules and tables, without a model. What is polite or leads ("isn't it obvious that") is not searched
for. Everything found is shown and can be taken away again. Years,
authors and fields narrow: they are conditions, and their words are not searched for. Objects and
facilities boost: papers that name them by any alias rise, and nothing is lost when a paper does not.
A pasted text is no question: only fields written as fields narrow it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from retrieval.dates import recent, years
from retrieval.fields import fields, identifiers
from retrieval.names import authors, corrected, named_facilities, named_objects
from retrieval.presumption import calmed
from retrieval.spelling import spelled
from retrieval.understood import Found, Kind, Understood

MOST_WORDS = 40  # of a question; what is longer is a pasted text


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
    words: Collection[str] = (),
    n_papers: Callable[[str], int] = lambda word: 0,
    n_in_all: int = 0,
    ignored: frozenset[str] = frozenset(),
) -> Understanding:
    """Take a question apart. `is_author` says whether the index has papers by a name, `is_word` knows its words.

    Typing errors are put right to one of `words`, of which `n_papers` says how many of `n_in_all` papers hold it.

    Items whose key is in `ignored` are left in the question as plain words.
    """
    taken = _Taken(query, ignored)
    taken.take(fields(query))
    if len(query.split()) <= MOST_WORDS:
        taken.text = calmed(taken.text)
        taken.text, items = corrected(taken.text, is_word, ignored)
        taken.keep(items)
        taken.text, items = spelled(taken.text, words, n_papers, n_in_all, ignored)
        taken.keep(items)
        taken.take(identifiers(taken.text))
        taken.take(years(taken.text, this_year))
        taken.take(authors(taken.text, is_author))
        taken.keep(recent(taken.text))
    taken.keep(named_objects(taken.text))
    taken.keep(named_facilities(taken.text))
    return Understanding(" ".join(taken.text.split()), tuple(taken.items), tuple(taken.notes))


class _Taken:
    """A question being taken apart."""

    def __init__(self, text: str, ignored: frozenset[str]) -> None:
        self.text = text
        self.items: list[Understood] = []
        self.notes: list[str] = []
        self._ignored = ignored
        self._known: set[tuple[str, str]] = set()

    def keep(self, items: Iterator[Understood] | list[Understood]) -> None:
        """Note items whose words stay in the text; each thing once, under its first label."""
        for item in items:
            thing = (item.kind, item.value or item.label)
            if item.key not in self._ignored and thing not in self._known:
                self._known.add(thing)
                self.items.append(item)

    def take(self, found: Iterator[Found]) -> None:
        """Move pieces of the text to the items; of pieces that overlap the first, longest one."""
        pieces: list[Found] = []
        for piece in sorted(found, key=lambda p: (p.start, -p.end)):
            if any(item.key in self._ignored for item in piece.items):
                continue
            if not pieces or piece.start >= pieces[-1].end:
                pieces.append(piece)
        for piece in pieces:
            self.keep(list(piece.items))
            if piece.note:
                self.notes.append(piece.note)
        for piece in reversed(pieces):
            self.text = f"{self.text[: piece.start]} {self.text[piece.end :]}"
