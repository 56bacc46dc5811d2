"""Columns that weight a paper: its age and how its citations compare with its own year's papers.

recency = 0.5 ** (age / half_life_years), with the age in years from the index's as-of date.
impact = share of the papers of the same year (and of the same first arXiv category, where that has
enough) that are cited less often, ties counted half: the mid-rank percentile of bibliometrics
(Bornmann, Leydesdorff & Mutz 2013, J. Informetrics 7, 158). A paper whose count or date is unknown
gets 0.5: neutral.

`pathfinder_recency` and `pathfinder_impact` are the published formulas of Pathfinder (Iyer et al. 2024,
ApJS 275, 38, and its code), for comparison: `wayfinder eval` measures them as `pathfinder-all`.
docs/weights.md shows all four side by side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NEUTRAL = 0.5
UNKNOWN_CITATIONS = -1
UNKNOWN_YEAR = 0
FEWEST_IN_YEAR = 5  # known counts a year needs before its percentiles mean anything

FEWEST_IN_CATEGORY = 50  # known counts that a category needs within a year to be compared by itself

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]


def recency(decimal_year: Floats, *, as_of: float, half_life_years: float) -> Floats:
    """Return recency in [0, 1] of papers of `decimal_year` (NaN unknown); the future counts as now."""
    age = np.maximum(as_of - decimal_year.astype(np.float64), 0.0)
    weight = np.exp2(-age / half_life_years)
    return np.where(np.isnan(weight), NEUTRAL, weight).astype(np.float32)


def impact(
    year: npt.NDArray[np.int16],
    citations: npt.NDArray[np.int32],
    category: npt.NDArray[np.int16] | None = None,
) -> Floats:
    """Return each paper's citation percentile in [0, 1]; see the module's formula.

    `category` is each paper's first category as a number, -1 where it has none. Papers are compared
    within year and category where that group has FEWEST_IN_CATEGORY known counts, else within the year.
    """
    result = np.full(len(year), NEUTRAL, dtype=np.float32)
    known = (citations != UNKNOWN_CITATIONS) & (year != UNKNOWN_YEAR)
    for rows in _groups(year, known):
        if len(rows) < FEWEST_IN_YEAR:
            continue
        result[rows] = _percentile(citations[rows])
        if category is not None:
            for inner in _groups(category[rows], category[rows] >= 0):
                if len(inner) >= FEWEST_IN_CATEGORY:
                    result[rows[inner]] = _percentile(citations[rows[inner]])
    return result


def pathfinder_recency(age_years: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Pathfinder's time weight, 1 / (1 + exp(age / 0.7)), age in years; `(n,)` in, `(n,)` out."""
    return 1.0 / (1.0 + np.exp(np.clip(age_years, -50.0, 500.0) / 0.7))


def pathfinder_impact(citations: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Pathfinder's citation weight, 1 / (1 + exp((300 - min(c, 300)) / 42)); `(n,)` in, `(n,)` out."""
    return 1.0 / (1.0 + np.exp((300.0 - np.minimum(citations, 300.0)) / 42.0))


def _groups(values: npt.NDArray[np.int16], known: npt.NDArray[np.bool_]) -> list[Rows]:
    """The rows of each value, among those known."""
    rows = np.flatnonzero(known)
    order = rows[np.argsort(values[rows], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(values[order])) + 1) if len(order) else []


def _percentile(counts: npt.NDArray[np.int32]) -> Floats:
    """The share of the counts below each one, ties counted half."""
    _, place, n_equal = np.unique(counts, return_inverse=True, return_counts=True)
    below = np.cumsum(n_equal) - n_equal
    share: Floats = ((below + n_equal / 2)[place] / len(counts)).astype(np.float32)
    return share
