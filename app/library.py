"""A visitor's own list of papers: kept by identifier, so that it outlives a new index.

It lives in the memory of the visit, and where the host keeps libraries also in a file (app/library_file.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from app.library_file import MOST_PAPERS, Entries, LibraryFile
from indexer.records import Paper
from indexer.store import Index

MOST_AUTHORS = 60  # kept of a paper that the index lacks


@dataclass
class Library:
    """Papers in the order in which they were added; of those that an index holds only the identifier is kept."""

    entries: Entries = field(default_factory=dict)
    kept: LibraryFile | None = None  # where the host keeps it
    _held: tuple[str, dict[str, int]] | None = (
        None  # snapshot, and `rows` of it; None after a change
    )

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, paper: Paper) -> bool:
        return paper.id in self.entries

    def add(self, papers: Iterable[Paper], *, indexed: bool = True) -> tuple[int, int]:
        """Add papers; return how many are new, and how many found no room among MOST_PAPERS."""
        before, full = len(self.entries), 0
        for paper in papers:
            if paper.id in self.entries:
                continue
            if len(self.entries) >= MOST_PAPERS:
                full += 1
                continue
            known = indexed and bool(paper.identifiers)
            self.entries[paper.id] = None if known else _light(paper)
        n_new = len(self.entries) - before
        self.refresh()
        return n_new, full

    def remove(self, ids: Iterable[str]) -> None:
        """Take papers out; what is not in it is passed over."""
        for identifier in ids:
            self.entries.pop(identifier, None)
        self.refresh()

    def clear(self) -> None:
        """Take all papers out."""
        self.remove(list(self.entries))

    def delete(self) -> None:
        """Delete what the host keeps of it, and take all papers out."""
        if self.kept is not None:
            self.kept.delete(self.entries)
            self._held = None

    def refresh(self) -> None:
        """Keep what was changed, where the host keeps it, and take up what other visits of its owner changed."""
        self._held = None
        if self.kept is not None:
            self.kept.meet(self.entries)

    def rows(self, index: Index) -> dict[str, int]:
        """The row of each paper that the index holds, by its identifier here."""
        if self._held is None or self._held[0] != index.manifest.snapshot:
            ids = list(self.entries)
            found, missing = index.rows_of(ids)
            lacking = set(missing)
            held = [identifier for identifier in ids if identifier not in lacking]
            rows = {identifier: int(row) for identifier, row in zip(held, found, strict=True)}
            self._held = (index.manifest.snapshot, rows)
        return self._held[1]

    def papers(self, index: Index, most: int | None = None) -> list[Paper]:
        """Its papers, the first `most` or all, those that the index lacks as they were given."""
        rows = self.rows(index)
        return [
            index.papers[rows[identifier]] if identifier in rows else _known(identifier, paper)
            for identifier, paper in list(self.entries.items())[:most]
        ]

    def among(self, index: Index) -> tuple[str, ...]:
        """The identifiers of its papers that the index holds: what a search can be held to."""
        return tuple(self.rows(index))

    def row_numbers(self, index: Index) -> npt.NDArray[np.int64]:
        """The rows of its papers that the index holds, each once."""
        return np.unique(np.fromiter(self.rows(index).values(), np.int64))


def _light(paper: Paper) -> Paper:
    """A paper without what a list has no use for."""
    return replace(
        paper, abstract="", authors=paper.authors[:MOST_AUTHORS], references=(), keywords=(), concepts=(), objects=()
    )  # fmt: skip


def _known(identifier: str, paper: Paper | None) -> Paper:
    """A paper that the index does not hold (any more): as it was given, else its identifier alone."""
    return paper or Paper(title=identifier, abstract="", aliases=(identifier,))
