"""Measures of rankings by ir-measures, with bootstrap intervals and paired tests by scipy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ir_measures
import numpy as np
import numpy.typing as npt
from ir_measures import RR, Judged, R, Success, nDCG
from scipy.stats import binomtest, bootstrap, permutation_test

SINGLE = (Success @ 1, Success @ 10, Success @ 100, RR @ 10)
MULTI = (nDCG @ 10, R @ 100, RR @ 10, Judged @ 10)
CITATIONS = (nDCG @ 10, R @ 10, R @ 100)
RESAMPLES = 10_000
SEED = 20_240_801
FEWEST_FOR_INTERVAL = 5

Qrels = Mapping[str, Mapping[str, int]]  # query_id -> paper id -> grade
Run = Mapping[str, Mapping[str, float]]  # query_id -> paper id -> score
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean over questions with its 95 % interval: bootstrap, or Wilson for a share."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def interval(self) -> str:
        """The interval for people; of fewer than five values none is worth its name."""
        return f"[{self.low:.3f}, {self.high:.3f}]" if self.n >= FEWEST_FOR_INTERVAL else "–"


def per_question(measures: Sequence[object], qrels: Qrels, run: Run) -> dict[str, Values]:
    """Return each measure's value per question of `qrels`, in its order; questions without results get 0."""
    position = {query_id: i for i, query_id in enumerate(qrels)}
    values = {str(measure): np.zeros(len(qrels)) for measure in measures}
    for metric in ir_measures.iter_calc(list(measures), qrels, run):
        values[str(metric.measure)][position[metric.query_id]] = metric.value
    return values


def estimate(values: Values) -> Estimate:
    """Return the mean of per-question values with its percentile bootstrap interval over questions."""
    mean = float(values.mean())
    if len(values) < 2 or np.ptp(values) == 0:
        return Estimate(mean, mean, mean, len(values))
    interval = bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return Estimate(mean, float(interval.low), float(interval.high), len(values))


def share(values: Sequence[bool]) -> Estimate:
    """Return the share that is true with its Wilson score interval, which is no point where all are true."""
    if not values:
        return Estimate(float("nan"), 0.0, 1.0, 0)
    interval = binomtest(sum(values), len(values)).proportion_ci(method="wilson")
    return Estimate(
        sum(values) / len(values), float(interval.low), float(interval.high), len(values)
    )


def paired_p_value(first: Values, second: Values) -> float:
    """Two-sided p-value that the systems are one: sign-flip permutations of paired differences."""
    if len(first) < 2 or np.array_equal(first, second):
        return 1.0
    test = permutation_test(
        (first, second),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(SEED),
    )
    return float(test.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979, Scand. J. Stat. 6, 65), in their order."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected = [0.0] * len(p_values)
    running = 0.0
    for place, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - place) * p_values[i]))
        corrected[i] = running
    return corrected
