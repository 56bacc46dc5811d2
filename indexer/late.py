"""Late interaction over a table of word pieces: how well a paper answers a question, piece by piece.

Each piece of the question looks for the nearest piece of the paper; the score is the mean of the cosines found, weighted
by how much each piece of the question matters (ColBERT: Khattab & Zaharia 2020, arXiv:2004.12832). A piece's vector is
its row of the table with a share of its neighbours' rows, so that no network runs: a hundred papers take milliseconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer import config
from indexer.encoder import TABLE
from indexer.onnx_model import TOKENIZER, check_weights

MOST_PIECES = 256  # of a text that are read
SHA256 = "d58a36e1697b1b9522ac34aa9e72138f954755220c3e0a1bd3c3e23c82898542"  # of what ships

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.integer]


@dataclass(frozen=True)
class LateTable:
    """What training leaves, for `n` word pieces."""

    rows: Floats  # (n, dimension)
    asked: Floats  # (n,), above 0: what a piece of the question counts for
    given: Floats  # (n,): added to the cosine of a piece of the paper
    neighbours: Floats  # (4,): shares of the row before and after, in the question and in the paper


@dataclass(frozen=True)
class Pieces:
    """The word pieces of texts, one text after the other: all that scoring them needs."""

    ids: Ids  # (n_pieces,)
    lengths: npt.NDArray[np.float16]  # (n_pieces,): of each piece's row with its neighbours'
    counts: npt.NDArray[np.integer]  # (n_texts,): pieces of each text


class LateInteraction:
    """The table in `folder` with its tokenizer; `version` changes with either.

    Raises:
        EncoderError: the files are missing or are not those of `sha256`.
    """

    def __init__(self, folder: Path, *, sha256: str) -> None:
        from threadpoolctl import ThreadpoolController
        from tokenizers import Tokenizer

        check_weights(folder / TABLE, sha256)
        with np.load(folder / TABLE) as kept:
            self._table = LateTable(
                rows=kept["rows"].astype(np.float32) * kept["scale"][:, None],
                asked=kept["asked"],
                given=kept["given"],
                neighbours=kept["neighbours"],
            )
        self.kind: np.dtype[Any] = np.dtype(
            np.uint16 if len(self._table.rows) <= 2**16 else np.int32
        )  # of an id
        text = (folder / TOKENIZER).read_bytes()
        self.version = hashlib.sha256(f"{sha256} {MOST_PIECES} ".encode() + text).hexdigest()[:16]
        self._tokenizer = Tokenizer.from_buffer(text)
        self._tokenizer.enable_truncation(MOST_PIECES)
        self._tokenizer.no_padding()
        self._products = ThreadpoolController()

    @cached_property
    def words(self) -> frozenset[str]:
        """The words that are a piece by themselves: common English ones, and those that are frequent in astronomy."""
        return frozenset(word for word in self._tokenizer.get_vocab() if word.isalpha())

    def read(self, texts: Sequence[str]) -> Pieces:
        """Return the pieces of the texts, in their order."""
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        counts = np.array([len(one.ids) for one in encoded], dtype=np.int64)
        ids = np.array([i for one in encoded for i in one.ids], dtype=self.kind)
        mixed = self._mixed(ids, _starts(counts), self._table.neighbours[2:])
        return Pieces(ids, np.linalg.norm(mixed, axis=1).astype(np.float16), counts)

    def scores(self, question: str, texts: Pieces) -> Floats:
        """Return the score of each text for the question, `(n_texts,)`; 0 where either has no words."""
        found = np.zeros(len(texts.counts), dtype=np.float32)
        asked = np.array(self._tokenizer.encode(question, add_special_tokens=False).ids, np.int64)
        if not len(asked) or not len(texts.ids):
            return found
        table = self._table
        starts = _starts(texts.counts)
        of_question = self._mixed(asked, np.zeros(1, np.int64), table.neighbours[:2])
        of_question /= np.maximum(np.linalg.norm(of_question, axis=1, keepdims=True), 1e-12)
        used, at = _once(texts.ids, len(table.rows))
        with self._products.limit(
            limits=1, user_api="blas"
        ):  # woken threads spin: dearer than the product
            of_rows = table.rows[used] @ of_question.T
        # A product with a row and shares of its neighbours is the sum of the products: few rows, many places.
        near = _with_neighbours(of_rows[at], starts, table.neighbours[2:])
        near /= np.maximum(texts.lengths.astype(np.float32), 1e-6)[:, None]
        near += table.given[texts.ids][:, None]
        weight = table.asked[asked]
        nearest = np.maximum.reduceat(near, starts, axis=0)
        found[texts.counts > 0] = nearest @ (weight / weight.sum())
        return found

    def _mixed(self, ids: Ids, starts: npt.NDArray[np.int64], neighbours: Floats) -> Floats:
        return _with_neighbours(self._table.rows[ids], starts, neighbours)


@cache
def shipped() -> LateInteraction:
    """The table that ships, read once.

    Raises:
        EncoderError: its files are missing or others.
    """
    return LateInteraction(config.RERANKER_FOLDER, sha256=SHA256)


def _starts(counts: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Where each text that has pieces begins."""
    starts: npt.NDArray[np.int64] = (np.cumsum(counts) - counts)[counts > 0]
    return starts


def _with_neighbours(
    rows: Floats, starts: npt.NDArray[np.int64], neighbours: Floats
) -> npt.NDArray[np.float32]:
    """Each row with shares of those before and after it: no text's end sees the next one's beginning."""
    mixed = rows.copy()
    mixed[1:] += neighbours[0] * rows[:-1]
    mixed[:-1] += neighbours[1] * rows[1:]
    first, last = starts[1:], starts[1:] - 1
    mixed[first] -= neighbours[0] * rows[last]
    mixed[last] -= neighbours[1] * rows[first]
    return mixed


def _once(ids: Ids, n: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """The ids below `n` that occur, ascending, and each id's place among them."""
    occurs = np.zeros(n, dtype=np.bool_)
    occurs[ids] = True
    used = np.flatnonzero(occurs)
    place = np.empty(n, dtype=np.int32)
    place[used] = np.arange(len(used), dtype=np.int32)
    return used, place[ids]
