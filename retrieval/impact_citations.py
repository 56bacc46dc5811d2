"""Citations of a set of papers: totals, h-index, within two and five years, against papers like them.

Totals are the sources' citation counts, known for some papers only. Citations within N years are counted
from the reference lists that the index holds, so only among its papers, and only where most of the papers
that could cite have a list; else they are unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from indexer.store import Index
from indexer.weights import UNKNOWN_CITATIONS, UNKNOWN_YEAR

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

N_TOP = 10
N_RESAMPLES, SEED = 1_000, 0
FEWEST_ALIKE = 20  # papers of the same year and category that a mean needs; else the year's papers
LEAST_COVERED = (
    0.5  # of the papers that could cite within N years, the share whose references are known
)


@dataclass(frozen=True)
class Within:
    """Citations within some years of publication by papers of this index.

    `mean` and `expected` (of papers of the same year and category) are None where too few reference
    lists are known: `covered` says of how many of the possible citing papers.
    """

    years: int
    n: int  # papers that are old enough
    covered: float | None
    mean: float | None = None
    expected: float | None = None
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cited:
    """Citations of a set of papers. Everything is None where no count is known."""

    n_known: int
    n_unknown: int
    total: int | None
    median: float | None
    h_index: int | None
    h_rows: tuple[int, ...]  # the papers that make the h-index
    ratio: float | None  # mean count over the mean of papers of the same year and category
    ratio_low: float | None
    ratio_high: float | None
    n_compared: int
    n_without_category: int  # compared with the whole year instead
    within: tuple[Within, ...]


def citations_of(index: Index, rows: Rows) -> Cited:
    """The citations of the papers at `rows`."""
    counts = np.asarray(index.citations)[rows].astype(np.int64)
    known = rows[counts != UNKNOWN_CITATIONS]
    ratio, low, high, n_compared = _against_alike(index, known)
    values = np.sort(np.asarray(index.citations)[known].astype(np.int64))[::-1]
    h = int(np.sum(values >= np.arange(1, len(values) + 1)))
    order = known[np.argsort(-np.asarray(index.citations)[known].astype(np.int64), kind="stable")]
    return Cited(
        n_known=len(known),
        n_unknown=len(rows) - len(known),
        total=int(values.sum()) if len(known) else None,
        median=float(np.median(values)) if len(known) else None,
        h_index=h if len(known) else None,
        h_rows=tuple(map(int, order[:h])),
        ratio=ratio,
        ratio_low=low,
        ratio_high=high,
        n_compared=n_compared,
        n_without_category=int((index.papers.first_category[known] < 0).sum()),
        within=tuple(_within(index, rows, years) for years in (2, 5)),
    )


def top_cited(index: Index, rows: Rows) -> tuple[int, ...]:
    """The N_TOP most cited papers whose count is known."""
    counts = np.asarray(index.citations)[rows].astype(np.int64)
    order = np.argsort(-counts, kind="stable")[:N_TOP]
    return tuple(int(rows[i]) for i in order if counts[i] != UNKNOWN_CITATIONS)


def _against_alike(
    index: Index, known: Rows
) -> tuple[float | None, float | None, float | None, int]:
    """Mean citations over those expected of papers of the same year and category, and its bootstrap interval."""
    expected = _expected(index, "total")[known]
    usable = ~np.isnan(expected)
    counts = np.asarray(index.citations)[known].astype(np.float64)[usable]
    expected = expected[usable]
    if not len(counts) or not expected.sum():
        return None, None, None, 0
    drawn = np.random.default_rng(SEED).multinomial(
        len(counts), np.full(len(counts), 1 / len(counts)), N_RESAMPLES
    )
    sums = np.maximum(drawn @ expected, 1e-9)
    low, high = np.percentile((drawn @ counts) / sums, [2.5, 97.5])
    return float(counts.sum() / expected.sum()), float(low), float(high), len(counts)


def _within(index: Index, rows: Rows, years: int) -> Within:
    old_enough = index.decimal_year[rows] <= index.manifest.as_of_year - years
    old = rows[old_enough]
    if not len(old):
        return Within(years, 0, None)
    covered = _coverage(index, years)[old]
    share = float(np.nanmean(covered)) if not np.isnan(covered).all() else 0.0
    if share < LEAST_COVERED:
        return Within(years, len(old), share)
    counts = _counts_within(index, years)
    expected = _expected(index, str(years))[old]
    return Within(
        years, len(old), share, float(counts[old].mean()), float(np.nanmean(expected)),
        tuple(map(int, old)),
    )  # fmt: skip


def _expected(index: Index, what: str) -> Floats:
    """The mean count of the papers like each one, `(n_papers,)`; NaN where none is known."""
    return _per_snapshot(index, f"expected {what}", lambda: _mean_of_alike(index, what))


def _mean_of_alike(index: Index, what: str) -> Floats:
    year = np.asarray(index.year)
    if what == "total":
        counts = np.asarray(index.citations).astype(np.float64)
        known = (counts != UNKNOWN_CITATIONS) & (year != UNKNOWN_YEAR)
    else:
        counts = _counts_within(index, int(what)).astype(np.float64)
        known = (index.decimal_year <= index.manifest.as_of_year - int(what)) & (year != UNKNOWN_YEAR)  # fmt: skip
    category = index.papers.first_category
    groups = (year.astype(np.int64) + 1) * (int(category.max(initial=0)) + 2) + category + 1
    by_group, n_group = _means(groups, counts, known)
    by_year, n_year = _means(year.astype(np.int64), counts, known)
    enough = (n_group >= FEWEST_ALIKE) & (category >= 0)
    return np.where(enough, by_group, np.where(n_year > 0, by_year, np.nan))


def _means(
    groups: npt.NDArray[np.integer], counts: Floats, known: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Of each paper's group the mean of known counts and how many are known."""
    size = int(groups.max(initial=0)) + 1
    n = np.bincount(groups[known], minlength=size).astype(np.float64)
    total = np.bincount(groups[known], weights=counts[known], minlength=size)
    mean = np.divide(total, n, out=np.full(size, np.nan), where=n > 0)
    return mean[groups], n[groups]


def _counts_within(index: Index, years: int) -> Floats:
    """Citations of each paper within `years` of its date by papers of the index, `(n_papers,)`."""

    def count() -> Floats:
        citing, cited = index.citation_edges
        dates = np.asarray(index.decimal_year).astype(np.float64)
        age = dates[citing] - dates[cited]
        soon = age <= years  # NaN, a date unknown, is not
        return np.bincount(cited[soon], minlength=len(dates)).astype(np.float64)

    return _per_snapshot(index, f"within {years}", count)


def _coverage(index: Index, years: int) -> Floats:
    """Of the papers that could cite each one within `years`, the share whose references are known."""

    def share() -> Floats:
        dates = np.asarray(index.decimal_year).astype(np.float64)
        order = np.argsort(dates, kind="stable")
        dated = dates[order][: int((~np.isnan(dates)).sum())]
        has = np.zeros(len(dates))
        has[index.graph.rows_with_references] = 1
        running = np.concatenate([[0.0], np.cumsum(has[order][: len(dated)])])
        start = np.searchsorted(dated, dates, side="left")
        end = np.searchsorted(dated, dates + years, side="right")
        n = np.maximum(end - start, 0)
        found: Floats = np.divide(running[end] - running[start], n, out=np.full(len(dates), np.nan), where=n > 0)  # fmt: skip
        return found

    return _per_snapshot(index, f"coverage {years}", share)


@lru_cache(maxsize=4)
def _store(snapshot: str) -> dict[str, Floats]:
    return {}


def _per_snapshot(index: Index, what: str, make: Callable[[], Floats]) -> Floats:
    """A column over all papers, made once per snapshot and date of its ages."""
    store = _store(f"{index.path}|{index.manifest.snapshot}")
    if what not in store:
        store[what] = make()
    return store[what]
