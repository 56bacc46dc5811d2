"""Columns that weight a paper: its age and how its citations compare with its own year's papers.

recency = 0.5 ** (age / half_life_years), with the age in years from the corpus date.
impact = share of the papers of the same year cited less often, ties counted half (the mid-rank
percentile of bibliometrics: Bornmann, Leydesdorff & Mutz 2013, J. Informetrics 7, 158). A paper
whose count or date is unknown gets 0.5: neutral.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

NEUTRAL = 0.5
UNKNOWN_CITATIONS = -1
UNKNOWN_YEAR = 0
FEWEST_IN_YEAR = 5  # known counts a year needs before its percentiles mean anything

Floats = npt.NDArray[np.float32]


def recency(decimal_year: Floats, *, as_of: float, half_life_years: float) -> Floats:
    """Return recency in [0, 1] of papers of `decimal_year` (NaN unknown); the future counts as now."""
    age = np.maximum(as_of - decimal_year.astype(np.float64), 0.0)
    weight = np.exp2(-age / half_life_years)
    return np.where(np.isnan(weight), NEUTRAL, weight).astype(np.float32)


def impact(year: npt.NDArray[np.int16], citations: npt.NDArray[np.int32]) -> Floats:
    """Return each paper's citation percentile in [0, 1] within its year; see the module's formula."""
    result = np.full(len(year), NEUTRAL, dtype=np.float32)
    known = (citations != UNKNOWN_CITATIONS) & (year != UNKNOWN_YEAR)
    for one_year in np.unique(year[known]):
        rows = np.flatnonzero(known & (year == one_year))
        if len(rows) >= FEWEST_IN_YEAR:
            result[rows] = (rankdata(citations[rows]) - 0.5) / len(rows)
    return result
