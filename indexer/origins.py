"""Which records became a paper: kept for papers of several records, so that merging can be explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from indexer.records import Paper
from indexer.table import RowWriter, open_batches

_SCHEMA = pa.schema(
    [
        ("row", pa.int32()),
        ("source", pa.int32()),
        ("identifiers", pa.large_list(pa.large_string())),
        ("title", pa.large_string()),
        ("authors", pa.large_list(pa.large_string())),
        ("year", pa.int16()),
    ]
)


@dataclass(frozen=True)
class Origin:
    """One record of a paper: the number of its harvest in the manifest, and what tells it from others."""

    source: int
    identifiers: tuple[str, ...]
    title: str
    authors: tuple[str, ...] = ()
    year: int | None = None

    @staticmethod
    def of(paper: Paper, source: int) -> Origin:
        """The origin of a record."""
        return Origin(source, paper.identifiers, paper.title, paper.authors[:1], paper.year)

    def as_paper(self) -> Paper:
        """The record as far as it is kept, to be compared with others."""
        return Paper(self.title, "", aliases=self.identifiers, authors=self.authors, year=self.year)


class OriginWriter(RowWriter):
    """Writes the origins of papers in the order of their rows."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA)

    def add_origins(self, row: int, origins: list[Origin]) -> None:
        """Take the records of the paper at `row`."""
        for origin in origins:
            self.add((row, *(getattr(origin, name) for name in _SCHEMA.names[1:])))


class Origins:
    """The table on disk, memory-mapped."""

    def __init__(self, path: Path) -> None:
        self._batches = open_batches(path)

    def of(self, row: int) -> list[Origin]:
        """The records of the paper at `row`; empty where it came from one alone."""
        return list(self._found(row))

    def _found(self, row: int) -> Iterator[Origin]:
        for batch in self._batches:
            rows = batch.column("row").to_numpy()
            start, end = (int(np.searchsorted(rows, row, side=s)) for s in ("left", "right"))
            for values in batch.slice(start, end - start).to_pylist():
                values.pop("row")
                lists = {name: tuple(values[name]) for name in ("identifiers", "authors")}
                yield Origin(**{**values, **lists})
