"""Where on the map the papers of a subject lie, and which clusters it turned to and from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.landscape import Cluster, Landscape
from indexer.store import Index
from indexer.weights import UNKNOWN_YEAR
from retrieval.impact_terms import split_year_of
from retrieval.shares import difference, together

Rows = npt.NDArray[np.int64]

LEVEL = 1  # of the clusters compared, where the map has three; else its finest
FEWEST_EACH = 5  # papers of either period, before shares are compared
FEWEST_IN = 10  # papers of a cluster, before its shares are


@dataclass(frozen=True)
class Moved:
    """A cluster of the map and the papers of the subject in it, before the split and since.

    `change` is the share since less the share before; [low, high] holds it with 95 % for all compared clusters
    together. All three are None where a period has fewer than FEWEST_EACH papers or the cluster fewer than FEWEST_IN.
    """

    cluster: Cluster
    early: Rows
    late: Rows
    change: float | None
    low: float | None
    high: float | None

    @property
    def n(self) -> int:
        """Its papers of both periods."""
        return len(self.early) + len(self.late)

    @property
    def direction(self) -> str:
        """Gained or lost where the interval leaves out 0; else empty."""
        if self.low is not None and self.low > 0:
            return "gained"
        return "lost" if self.high is not None and self.high < 0 else ""


@dataclass(frozen=True)
class Places:
    """The papers of a subject that have a place on the map and a year, in two periods of about as many papers.

    `clusters`: gained first, then lost, each with the greatest change first, then the others with most papers first.
    """

    split_year: int | None  # first of the later period; None where all papers are of one year
    early: Rows
    late: Rows
    n_without_place: int
    n_year_unknown: int  # of those with a place
    clusters: tuple[Moved, ...]

    def share(self, rows: Rows, *, late: bool) -> float | None:
        """The share that `rows` are of the papers of a period."""
        n = len(self.late if late else self.early)
        return len(rows) / n if n else None


def places_of(index: Index, used: Rows) -> Places | None:
    """Where the papers at `used` lie and where they moved; None where the index has no map."""
    landscape = index.landscape
    if landscape is None:
        return None
    placed = on_map(landscape, used)
    dated = placed[index.year[placed] != UNKNOWN_YEAR]
    split = split_year_of(index.year[used][index.year[used] != UNKNOWN_YEAR])
    is_late = index.year[dated] >= split if split is not None else np.zeros(len(dated), np.bool_)
    early, late = dated[~is_late], dated[is_late]
    return Places(
        split_year=split,
        early=early,
        late=late,
        n_without_place=len(used) - len(placed),
        n_year_unknown=len(placed) - len(dated),
        clusters=_moved(landscape, early, late),
    )


def on_map(landscape: Landscape, rows: Rows) -> Rows:
    """Those of the rows that have a place on the map."""
    places = np.asarray(landscape.places[rows], dtype=np.float64).reshape(-1, 2)
    return rows[np.isfinite(places).all(axis=1)]


def _moved(landscape: Landscape, early: Rows, late: Rows) -> tuple[Moved, ...]:
    if not landscape.n_levels:
        return ()
    level = min(LEVEL, landscape.n_levels - 1)
    number = np.asarray(landscape.clusters[:, level])
    held = np.unique(number[np.concatenate([early, late])])
    chosen = [landscape.level(level)[int(n)] for n in held if n >= 0]
    halves = [tuple(rows[number[rows] == one.number] for rows in (early, late)) for one in chosen]
    enough = min(len(early), len(late)) >= FEWEST_EACH
    compared = [enough and len(before) + len(since) >= FEWEST_IN for before, since in halves]
    z = together(sum(compared))
    found = []
    for cluster, (before, since), fit in zip(chosen, halves, compared, strict=True):
        counts = (len(since), len(late), len(before), len(early))
        change = len(since) / len(late) - len(before) / len(early) if fit else None
        low, high = difference(*counts, z) if fit else (None, None)
        found.append(Moved(cluster, before, since, change, low, high))
    return tuple(sorted(found, key=_order))


def _order(moved: Moved) -> tuple[int, float, int]:
    kind = ("gained", "lost", "").index(moved.direction)
    return (kind, -abs(moved.change or 0.0) if kind < 2 else -moved.n, moved.cluster.number)
