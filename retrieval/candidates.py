"""Candidates: the best papers of each leg under the same conditions, each scored by both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.store import Index

CANDIDATES = 1000  # papers that each leg brings to the fusion
MOST_LISTED = 5000  # papers ranked when a question is all conditions and no words

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Candidates:
    """The rows that the legs bring, ascending, and each row's score from both legs in [0, 1]."""

    rows: Rows
    dense: Floats
    lexical: Floats
    cosine: Floats  # breaks ties where the dense score is cut at 0

    @property
    def best_cosine(self) -> float | None:
        """Of the nearest paper by meaning; None where meaning was not asked for or nothing found."""
        return float(self.cosine.max()) if self.cosine.any() else None


def candidates(
    index: Index,
    vector: Floats | None,
    bm25: Floats | None,
    allowed: Mask | None,
    also: Rows | None = None,
) -> Candidates:
    """Bring the best rows of each leg and those of `also`, and score all of them by both.

    `vector` is `(dimension,)`, `bm25` `(n_papers,)`; None leaves a leg out. `allowed` is `(n_papers,)`.
    """
    rows = np.zeros(0, dtype=np.int64) if also is None else also
    if vector is None and (bm25 is None or not bm25.any()) and allowed is not None:
        rows = np.union1d(rows, _newest_rows(index, allowed))  # all conditions, no words
    if vector is not None:
        nearest, _ = index.dense.search(vector, CANDIDATES, allowed=allowed)
        rows = np.union1d(rows, nearest)
    if bm25 is not None:
        rows = np.union1d(rows, _best_rows(bm25, allowed))
    nothing = np.zeros(len(rows), dtype=np.float32)
    cosine = nothing
    if vector is not None:
        # Not `@`: BLAS would wake a thread for each core, which then spin and cost others' answers more than the product.
        cosine = np.vecdot(index.vectors[rows].astype(np.float32), vector)
    return Candidates(
        rows=rows,
        dense=nothing if vector is None else _dense_score(index, vector, cosine),
        lexical=nothing if bm25 is None else _lexical_score(bm25, rows),
        cosine=cosine,
    )


def _newest_rows(index: Index, allowed: Mask) -> Rows:
    """The newest of the rows allowed, at most MOST_LISTED."""
    rows = np.flatnonzero(allowed)
    dates = np.nan_to_num(index.decimal_year[rows].astype(np.float64), nan=-np.inf)
    return rows[np.argsort(-dates, kind="stable")[:MOST_LISTED]]


def _best_rows(bm25: Floats, allowed: Mask | None) -> Rows:
    """The rows of the highest BM25 scores above 0, at most CANDIDATES, among those allowed."""
    scores = bm25 if allowed is None else np.where(allowed, bm25, 0.0)
    n_best = min(CANDIDATES, int(np.count_nonzero(scores)))
    if n_best == 0:
        return np.zeros(0, dtype=np.int64)
    return np.argpartition(-scores, n_best - 1)[:n_best].astype(np.int64)


def _dense_score(index: Index, vector: Floats, cosine: Floats) -> Floats:
    """(cosine - mean) / (best - mean), cut at 0.

    1 is the paper nearest in meaning, 0 a paper no nearer than papers at large.
    """
    mean = float(index.centre @ vector)
    best = float(cosine.max(initial=mean))
    score: Floats = np.clip((cosine - mean) / max(best - mean, 1e-6), 0.0, 1.0)
    return score


def _lexical_score(bm25: Floats, rows: Rows) -> Floats:
    """BM25 over its highest value among `rows`: 1 is the best match by words."""
    score: Floats = bm25[rows] / max(float(bm25[rows].max(initial=0.0)), 1e-6)
    return score
