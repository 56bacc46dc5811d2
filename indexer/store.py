"""An index opened from its snapshot directory, memory-mapped: papers, vectors, words, columns.

    DIR/manifest.json     schema, encoder, counts, sources, as-of date, size and sha256 of every part
    DIR/papers.arrow      the papers, Arrow IPC
    DIR/plain.arrow       their titles and abstracts as plain text, where that differs
    DIR/authors.arrow     family name and initial -> rows, sorted by name
    DIR/origins.arrow     for papers of several records: each record's source, identifiers and title
    DIR/ids.npy           hash of each bibcode, arXiv id, DOI and alias -> row, sorted by hash
    DIR/references.npy    hash of each reference -> row of the paper that cites it, sorted by hash
    DIR/keys.npy          sha256 of each paper's text: whose vector is whose
    DIR/vectors.npy       unit vectors, fp16
    DIR/dense.faiss       the FAISS index over them
    DIR/lexical/          the BM25 index and the papers' tokens
    DIR/pieces/           the papers' word pieces for the reranker: see `indexer.piece_part`
    DIR/columns/*.npy     year, decimal_year, citations, impact, source
    DIR/facilities/       which facilities and methods each paper used or mentions: see `indexer.facility_part`
    DIR/map/              the map, where there is one: see `indexer.landscape`

`indexer.writer` writes it, `indexer.manifest` checks it, `indexer.snapshots` swaps it in.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.authors import AuthorTable
from indexer.dense import DenseIndex
from indexer.encoder import Encoder, load_encoder_of
from indexer.errors import IndexCorrupt, IndexIncompatible, IndexMissing, PaperNotFound
from indexer.facility_part import FacilityIndex, read_facilities
from indexer.graph import CitationGraph, identifier_hash
from indexer.landscape import Landscape, read_landscape
from indexer.lexical import LexicalIndex
from indexer.manifest import (
    MANIFEST,
    SCHEMA_VERSION,
    Manifest,
    how_to_rebuild,
    read_manifest,
    text_version,
    verify_parts,
)
from indexer.origins import Origins
from indexer.piece_part import PART as PIECES
from indexer.piece_part import PieceIndex
from indexer.records import normalise_arxiv_id, normalise_doi
from indexer.table import PaperTable

__all__ = ["MANIFEST", "SCHEMA_VERSION", "Index", "Manifest", "check_encoder", "open_index", "read_manifest", "verify_parts"]  # fmt: skip

SAMPLE_ROWS = 1000  # papers that stand for all where a query is compared with papers at large
ATTEMPTS = 5  # a snapshot swapped in while it is opened is opened anew


class Index:
    """An opened snapshot. Thread-safe: nothing in it changes after opening."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self.papers = PaperTable(
            path / "papers.arrow", plain=manifest.text_version == text_version()
        )
        self.vectors: npt.NDArray[np.float16] = np.load(path / "vectors.npy", mmap_mode="r")
        self.dense = DenseIndex(path / "dense.faiss")
        self.lexical = LexicalIndex(path / "lexical")
        self.year, self.decimal_year, self.citations, self.impact = (
            np.load(path / "columns" / f"{name}.npy", mmap_mode="r")
            for name in ("year", "decimal_year", "citations", "impact")
        )
        self.graph = CitationGraph(path / "references.npy")
        self._ids = np.load(path / "ids.npy", mmap_mode="r")
        self._authors = AuthorTable(path / "authors.arrow")
        self.origins = Origins(path / "origins.arrow")
        self.source = np.load(path / "columns" / "source.npy", mmap_mode="r")
        self.keys = np.load(path / "keys.npy", mmap_mode="r")
        self.pieces = PieceIndex(path) if (path / PIECES).is_dir() else None

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of this index, loaded on first use.

        Raises:
            IndexIncompatible: the encoder found here is not the one that made the vectors.
        """
        return check_encoder(self.manifest, load_encoder_of(self.manifest.encoder))

    @cached_property
    def centre(self) -> npt.NDArray[np.float32]:
        """The mean of the vectors of SAMPLE_ROWS papers, `(dimension,)`: its cosine is that of papers at large."""
        step = max(1, len(self.vectors) // SAMPLE_ROWS)
        return np.asarray(self.vectors[::step], dtype=np.float32).mean(axis=0)

    @cached_property
    def uses(self) -> FacilityIndex | None:
        """Facilities and methods of the papers, opened on first use; None where the index has none."""
        return read_facilities(self.path)

    @cached_property
    def landscape(self) -> Landscape | None:
        """The map, opened on first use; None where the index has none."""
        return read_landscape(self.path)

    @cached_property
    def citation_edges(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(citing, cited): the rows of papers of this index that cite each other, as far as references are known."""
        return self.graph.edges(self._ids)

    def row_of(self, identifier: str) -> int:
        """Return the row of the paper with that bibcode, arXiv id or DOI.

        Raises:
            PaperNotFound: no paper has it.
        """
        wanted = {identifier.strip(), normalise_arxiv_id(identifier), normalise_doi(identifier)}
        for form in wanted:
            key = identifier_hash(form)
            for i in range(int(np.searchsorted(self._ids["hash"], key)), len(self._ids)):
                if self._ids["hash"][i] != key:
                    break
                row = int(self._ids["row"][i])
                if form.lower() in {known.lower() for known in self.papers[row].identifiers}:
                    return row
        raise PaperNotFound(
            f"No paper with identifier {identifier!r} is among the {len(self.papers):,} of this index: "
            "give a bibcode, an arXiv id or a DOI."
        )

    def rows_of(self, identifiers: Iterable[str]) -> tuple[npt.NDArray[np.int64], list[str]]:
        """Return the rows of the papers with these bibcodes, arXiv ids or DOIs, and which have none.

        Many at a time: found by the hash of 64 bits alone.
        """
        known, rows = self._ids["hash"], self._ids["row"]
        found: list[int] = []
        missing = []
        for identifier in identifiers:
            forms = {identifier.strip(), normalise_arxiv_id(identifier), normalise_doi(identifier)}
            for key in map(identifier_hash, forms):
                place = int(np.searchsorted(known, np.uint64(key)))
                if place < len(known) and int(known[place]) == key:
                    found.append(int(rows[place]))
                    break
            else:
                missing.append(identifier)
        return np.array(found, dtype=np.int64), missing

    def rows_by_author(self, name: str) -> npt.NDArray[np.int64]:
        """Return the rows of papers by an author, "Riess" or "Riess, A"; ascending, maybe none."""
        return self._authors.rows(name)


def check_encoder(manifest: Manifest, encoder: Encoder) -> Encoder:
    """Return `encoder` if it is the one that made the index.

    Raises:
        IndexIncompatible: naming both.
    """
    made = (manifest.encoder, manifest.dimension, manifest.weights_sha256)
    here = (encoder.id, encoder.dimension, encoder.weights_sha256)
    if made != here:
        raise IndexIncompatible(
            f"The index was made with encoder {made[0]!r} ({made[1]} dimensions, weights {made[2][:12] or 'unknown'}), "
            f"but here is {here[0]!r} ({here[1]} dimensions, weights {here[2][:12] or 'unknown'}): "
            "rebuild it with `wayfinder index build`, or install the encoder it was made with."
        )
    return encoder


def open_index(path: Path) -> Index:
    """Open the index at `path`, its parts checked against the manifest.

    Raises:
        IndexMissing, IndexIncompatible: see `read_manifest`.
        IndexCorrupt: a part is missing or altered; the message names it.
    """
    for attempt in range(1, ATTEMPTS + 1):
        manifest = read_manifest(path)
        try:
            verify_parts(path, manifest)
            index = Index(path, manifest)
        except (OSError, ValueError, RuntimeError, KeyError, IndexCorrupt) as error:
            if attempt < ATTEMPTS and _replaced(path, manifest):
                continue
            if isinstance(error, IndexCorrupt):
                raise
            raise IndexCorrupt(
                f"{path} cannot be opened ({error}): {how_to_rebuild(path)}"
            ) from error
        if attempt == ATTEMPTS or not _replaced(path, manifest):
            return index
    raise AssertionError("the last attempt returns or raises")


def _replaced(path: Path, manifest: Manifest) -> bool:
    """Whether another snapshot has taken the place since `manifest` was read."""
    try:
        return read_manifest(path).snapshot != manifest.snapshot
    except (IndexMissing, IndexCorrupt):
        return True
