"""Who cites whom, as far as the papers' reference lists say: one sorted table, memory-mapped."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.records import normalise_arxiv_id, normalise_doi

Rows = npt.NDArray[np.int64]


def identifier_hash(identifier: str) -> int:
    """64 bits of an identifier's sha256, case folded: what the tables on disk are sorted by."""
    return int.from_bytes(hashlib.sha256(identifier.lower().encode()).digest()[:8], "little")


_LINK = np.dtype([("hash", "<u8"), ("row", "<i4")])


class LinkWriter:
    """Collects (hash of an identifier, row) pairs in compact columns; `save` writes them sorted."""

    def __init__(self) -> None:
        self._hashes, self._rows = array("Q"), array("i")

    def add(self, row: int, identifiers: Iterable[str]) -> None:
        """Take what the paper at `row` is found by."""
        for identifier in identifiers:
            self._hashes.append(identifier_hash(identifier))
            self._rows.append(row)

    def add_references(self, row: int, references: Iterable[str]) -> None:
        """Take the references of the paper at `row`."""
        self.add(row, dict.fromkeys(map(_form, references)))

    def save(self, path: Path) -> None:
        """Write the table: (hash, row), sorted by hash, then row."""
        table = np.empty(len(self._rows), dtype=_LINK)
        table["hash"], table["row"] = self._hashes, self._rows
        np.save(path, table[np.lexsort((table["row"], table["hash"]))])


class CitationGraph:
    """The references of an index's papers, looked up by what they refer to."""

    def __init__(self, path: Path) -> None:
        self._links = np.load(path, mmap_mode="r")

    def __bool__(self) -> bool:
        return len(self._links) > 0

    def citing(self, identifiers: Iterable[str]) -> Rows:
        """Return the rows of the papers whose references hold any of the identifiers, ascending."""
        found = [self._rows(identifier) for identifier in identifiers]
        return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)

    def shared(self, references: Iterable[str]) -> tuple[Rows, Rows]:
        """Return the rows of papers that hold any of these references, and how many of them each holds."""
        found = [self._rows(reference) for reference in dict.fromkeys(map(_form, references))]
        if not found:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        rows, counts = np.unique(np.concatenate(found), return_counts=True)
        return rows, counts.astype(np.int64)

    def edges(self, ids: npt.NDArray[np.void]) -> tuple[Rows, Rows]:
        """Return (citing, cited), the rows of all pairs of which both are in the index, each pair once.

        `ids` is the table of identifiers, (hash, row), sorted by hash.
        """
        start = np.searchsorted(ids["hash"], self._links["hash"], side="left")
        n_found = np.searchsorted(ids["hash"], self._links["hash"], side="right") - start
        citing = np.repeat(self._links["row"].astype(np.int64), n_found)
        first = np.repeat(start - (np.cumsum(n_found) - n_found), n_found)
        cited = ids["row"][first + np.arange(len(citing))].astype(np.int64)
        n = int(ids["row"].max(initial=0)) + 1
        pairs = np.unique(citing * n + cited)
        return pairs // n, pairs % n

    @property
    def rows_with_references(self) -> Rows:
        """The rows of papers whose references are known, ascending."""
        return np.unique(self._links["row"]).astype(np.int64)

    def _rows(self, identifier: str) -> Rows:
        key = np.uint64(identifier_hash(_form(identifier)))
        start, end = (np.searchsorted(self._links["hash"], key, side=s) for s in ("left", "right"))
        return self._links["row"][start:end].astype(np.int64)


def _form(identifier: str) -> str:
    """An arXiv id without prefix and version, a DOI without its resolver, a bibcode as it is."""
    text = identifier.strip()
    return normalise_doi(text) if "10." in text and "/" in text else normalise_arxiv_id(text)
