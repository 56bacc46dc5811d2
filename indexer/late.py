"""Late interaction over a table of word pieces: how well a paper answers a question, piece by piece.

Each piece of the question looks for the nearest piece of the paper; the score is the mean of the cosines found, weighted
by how much each piece of the question matters (ColBERT: Khattab & Zaharia 2020, arXiv:2004.12832). A piece's vector is
its row of the table with a share of its neighbours' rows, so that no network runs: fifty papers take milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.encoder import TABLE
from indexer.onnx_model import TOKENIZER, check_weights

MOST_PIECES = 256  # of a text that are read
KEPT_TEXTS = 16_384  # whose pieces are kept: some 20 MB

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]


@dataclass(frozen=True)
class LateTable:
    """What training leaves, for `n` word pieces."""

    rows: Floats  # (n, dimension)
    asked: Floats  # (n,), above 0: what a piece of the question counts for
    given: Floats  # (n,): added to the cosine of a piece of the paper
    neighbours: Floats  # (4,): shares of the row before and after, in the question and in the paper


class LateInteraction:
    """The table in `folder` with its tokenizer.

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
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.enable_truncation(MOST_PIECES)
        self._tokenizer.no_padding()
        self._products = ThreadpoolController()
        self._pieces = lru_cache(KEPT_TEXTS)(self._read)

    def scores(self, question: str, texts: Sequence[str]) -> Floats:
        """Return the score of each text for the question, `(len(texts),)`; 0 where either has no words."""
        asked = self._read(question)
        pieces = [self._pieces(text) for text in texts]
        lengths = np.array([len(ids) for ids in pieces])
        found = np.zeros(len(texts), dtype=np.float32)
        if not len(asked) or not lengths.any():
            return found
        table = self._table
        flat = np.concatenate(pieces)
        starts = np.cumsum(lengths) - lengths
        of_question = self._vectors(asked, np.zeros(1, np.int64), table.neighbours[:2])
        of_papers = self._vectors(flat, starts[lengths > 0], table.neighbours[2:])
        with self._products.limit(
            limits=1, user_api="blas"
        ):  # woken threads spin: dearer than the product
            near = of_question @ of_papers.T
        nearest = np.maximum.reduceat(near + table.given[flat], starts[lengths > 0], axis=1)
        weight = table.asked[asked]
        found[lengths > 0] = (weight / weight.sum()) @ nearest
        return found

    def _read(self, text: str) -> Ids:
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int32)

    def _vectors(self, ids: Ids, starts: npt.NDArray[np.int64], neighbours: Floats) -> Floats:
        """Unit vectors of the pieces of texts that begin at `starts`: no text's end sees the next one's beginning."""
        rows = self._table.rows[ids]
        before, after = np.roll(rows, 1, axis=0), np.roll(rows, -1, axis=0)
        before[starts] = 0
        after[starts - 1] = 0  # -1 is the last piece of the last text
        mixed = rows + neighbours[0] * before + neighbours[1] * after
        unit: Floats = mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-12)
        return unit
