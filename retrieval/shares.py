"""Intervals of shares: of one, of the ratio of two and of the difference of two."""

from __future__ import annotations

import math
from statistics import NormalDist

Z95 = 1.959964  # of the normal distribution, 95 % two-sided


def wilson(k: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's interval of a share of `k` among `n`, at 95 % (Wilson 1927, JASA 22, 209)."""
    middle = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(k * (n - k) / n + z * z / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def ratio(a: int, n: int, b: int, m: int) -> tuple[float | None, float | None, float | None]:
    """The share of `a` among `n` over that of `b` among `m`, with its interval at 95 %; None where a count is 0.

    Katz's interval (Katz et al. 1978, Biometrics 34, 469): log-normal with variance 1/a - 1/n + 1/b - 1/m.
    """
    if not (a and b):
        return None, None, None
    value = (a / n) / (b / m)
    spread = Z95 * math.sqrt(1 / a - 1 / n + 1 / b - 1 / m)
    return value, value * math.exp(-spread), value * math.exp(spread)


def difference(a: int, n: int, b: int, m: int, z: float = Z95) -> tuple[float, float]:
    """The interval of the share of `a` among `n` less that of `b` among `m`, at 95 %.

    Newcombe's (1998, Statistics in Medicine 17, 873, method 10), made of Wilson's intervals of both.
    """
    here, there = a / n, b / m
    (low_here, high_here), (low_there, high_there) = wilson(a, n, z), wilson(b, m, z)
    below = math.hypot(here - low_here, high_there - there)
    above = math.hypot(high_here - here, there - low_there)
    return here - there - below, here - there + above


def together(n_compared: int) -> float:
    """The z at which `n_compared` intervals all hold with 95 % (Bonferroni)."""
    return NormalDist().inv_cdf(1 - 0.025 / max(1, n_compared))
