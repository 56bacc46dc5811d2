"""Writes the parts of a snapshot: papers one by one, each seen once, then vectors and what is sorted."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer import weights
from indexer.authors import AuthorWriter
from indexer.dense import build_dense
from indexer.graph import LinkWriter
from indexer.lexical import LexicalBuilder
from indexer.origins import Origin, OriginWriter
from indexer.piece_part import PieceBuilder
from indexer.records import Paper
from indexer.table import PaperWriter

VECTORS = ("vectors.npy", "dense.faiss")


class SnapshotWriter:
    """Writes a snapshot's parts into a folder; the manifest is the caller's."""

    def __init__(self, folder: Path, lexical: LexicalBuilder, pieces: PieceBuilder) -> None:
        self._folder = folder
        self._lexical, self._pieces = lexical, pieces
        self._papers = PaperWriter(folder / "papers.arrow")
        self._origins = OriginWriter(folder / "origins.arrow")
        self._authors = AuthorWriter()
        self._ids, self._references = LinkWriter(), LinkWriter()
        self._columns = _Columns()

    @property
    def n_papers(self) -> int:
        """Papers written so far."""
        return len(self._columns)

    def add(self, paper: Paper, origins: Sequence[Origin]) -> None:
        """Write the next paper; its words are the caller's to add, by `add_words` or `take_words`."""
        row = self.n_papers
        self._papers.add_paper(paper)
        self._authors.add(row, paper)
        self._ids.add(row, paper.identifiers)
        self._references.add_references(row, paper.references)
        self._columns.add(paper, origins[0].source)
        if len(origins) > 1:
            self._origins.add_origins(row, list(origins))

    def add_words(self, text: str) -> None:
        """Read the words and word pieces of the next paper's text."""
        self._lexical.add(text)
        self._pieces.add(text)

    def take_words(self, row: int, text: Callable[[], str]) -> None:
        """Take those of the unchanged paper at `row` of the index being updated; `text` gives its text where it is needed."""
        self._lexical.take(row)
        self._pieces.take(row, text)

    def close_papers(self) -> None:
        """After the last paper: write what is sorted over all of them."""
        self._papers.close()
        self._origins.close()
        self._authors.save(self._folder / "authors.arrow")
        self._ids.save(self._folder / "ids.npy")
        self._references.save(self._folder / "references.npy")
        self._columns.save(self._folder / "columns")

    def write_words(self) -> None:
        """Write the lexical index and the word pieces."""
        self._lexical.save(self._folder / "lexical")
        self._pieces.save()

    def write_vectors(self, keys: Sequence[bytes], vectors: npt.NDArray[np.float16]) -> None:
        """Write the vectors `(n_papers, dimension)`, whose they are, and the FAISS index."""
        table = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), -1)
        np.save(self._folder / "keys.npy", table)
        write_vectors(vectors, self._folder)

    def sync(self) -> None:
        """Have the disk hold the parts before a manifest says that they are whole."""
        sync_folder(self._folder)


def write_vectors(vectors: npt.NDArray[np.float16], folder: Path) -> None:
    """Write the files `VECTORS` of a snapshot."""
    np.save(folder / "vectors.npy", vectors)
    build_dense(vectors, folder / "dense.faiss")


def sync_folder(folder: Path) -> None:
    """Have the disk hold the files of a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())


class _Columns:
    """The numbers of each paper that filters and weights read."""

    def __init__(self) -> None:
        self._year, self._decimal_year = array("h"), array("f")
        self._citations, self._source, self._category = array("i"), array("h"), array("h")
        self._categories: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._year)

    def add(self, paper: Paper, source: int) -> None:
        known, decimal = self._categories, paper.decimal_year
        self._year.append(weights.UNKNOWN_YEAR if paper.year is None else paper.year)
        self._decimal_year.append(float("nan") if decimal is None else decimal)
        count = paper.citation_count
        self._citations.append(weights.UNKNOWN_CITATIONS if count is None else count)
        self._source.append(source)
        category = paper.categories[0] if paper.categories else ""
        self._category.append(known.setdefault(category, len(known)) if category else -1)

    def save(self, folder: Path) -> None:
        folder.mkdir()
        year = np.asarray(self._year, dtype=np.int16)
        citations = np.asarray(self._citations, dtype=np.int32)
        category = np.asarray(self._category, dtype=np.int16)
        values: dict[str, npt.NDArray[Any]] = {
            "year": year,
            "decimal_year": np.asarray(self._decimal_year, dtype=np.float32),
            "citations": citations,
            "impact": weights.impact(year, citations, category),
            "source": np.asarray(self._source, dtype=np.int16),
        }
        for name, column in values.items():
            np.save(folder / f"{name}.npy", column)
