"""Pathfinder's ranking by its published formulas, for comparison (`--preset pathfinder`).

Pathfinder (Iyer et al. 2024, ApJS 275, 38; arXiv:2408.01556) ranks by 1/L2² between unit vectors, times
weights that are each divided by their maximum: keywords 0.1 + 0.1 per match, time
1/(1 + exp(age/0.7)), citations 1/(1 + exp((300 - min(c, 300))/42)).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from indexer.store import Index
from indexer.weights import pathfinder_impact, pathfinder_recency

SHORTEST_KEYWORD = 4
SMALLEST_DISTANCE = 1e-6  # an exact match would divide by zero

Floats = npt.NDArray[np.float64]


def pathfinder_score(
    index: Index, question: str, rows: npt.NDArray[np.int64], cosine: npt.NDArray[np.float32]
) -> Floats:
    """Return the product of similarity and all three weights, in [0, 1], of the papers at `rows`, `(n,)`.

    An unknown date counts as now and an unknown citation count as 0, as they do there.
    """
    age = index.manifest.as_of_year - index.decimal_year[rows].astype(np.float64)
    count = np.maximum(index.citations[rows], 0).astype(np.float64)
    texts = [index.papers[int(row)].text() for row in rows]
    return (
        similarity(cosine.astype(np.float64))
        * keyword_weight(question, texts)
        * time_weight(np.nan_to_num(age))
        * citation_weight(count)
    )


def similarity(cosine: Floats) -> Floats:
    """1/L2² of unit vectors, over its maximum; L2² = 2 - 2 cosine."""
    return _over_maximum(1.0 / np.maximum(2.0 - 2.0 * cosine, SMALLEST_DISTANCE))


def keyword_weight(question: str, texts: Sequence[str]) -> Floats:
    """0.1 + 0.1 per question word of four letters or more found in the text, over its maximum."""
    wanted = {
        word for word in re.findall(r"\w+", question.lower()) if len(word) >= SHORTEST_KEYWORD
    }
    return _over_maximum(
        np.array([0.1 + 0.1 * sum(w in text.lower() for w in wanted) for text in texts])
    )


def time_weight(age_years: Floats) -> Floats:
    """1/(1 + exp(age/0.7)), over its maximum."""
    return _over_maximum(pathfinder_recency(age_years))


def citation_weight(citations: Floats) -> Floats:
    """1/(1 + exp((300 - min(c, 300))/42)), over its maximum."""
    return _over_maximum(pathfinder_impact(citations))


def _over_maximum(weight: Floats) -> Floats:
    return weight / max(float(weight.max(initial=0.0)), 1e-300)
