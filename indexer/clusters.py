"""The map in regions: two or three levels of clusters, each a contiguous piece of the map on one subject."""

from __future__ import annotations

import math
import warnings

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Levels = npt.NDArray[np.int32]

PAPERS_A_CLUSTER = 15  # of the finest level, at least on average
FINEST_PER_ROOT = 1.2  # clusters of the finest level: 1.2 sqrt(n)
MOST_AT_TOP = 12  # as many as colours and words that an eye tells apart
CELLS_A_CLUSTER = 8  # small pieces of the map that clusters are made of
CRUMB = 0.3  # of the usual size: a cluster below it goes to its neighbour
CELL_SAMPLE = 50_000  # papers that the pieces are found with
CELL_NEIGHBOURS = 6  # pieces beside a piece, which it may be joined with


def cluster(vectors: npt.NDArray[np.floating], places: Floats, *, seed: int) -> Levels:
    """Return the cluster of each paper at each level, `(n_papers, n_levels)`, coarse to fine; -1 without a place.

    The map is cut into small cells (k-means), and cells that touch are joined by Ward's criterion on their
    mean vectors: clusters are contiguous on the map and alike in meaning, and each lies within one of the
    level above. Clusters are numbered by size, largest first.
    """
    levels = n_clusters(int(np.isfinite(places).all(axis=1).sum()))
    found = np.full((len(places), len(levels)), -1, dtype=np.int32)
    standing = np.flatnonzero(np.isfinite(places).all(axis=1))
    if not len(standing):
        return found
    cells = _cells(places[standing], levels[-1] * CELLS_A_CLUSTER, seed)
    joined = _joined(cells, vectors[standing], places[standing], levels)
    joined = _without_crumbs(joined, cells, places[standing])
    for level in range(len(levels)):
        found[standing, level] = _by_size(joined[cells, level])
    return found


def n_clusters(n_papers: int) -> list[int]:
    """How many clusters each level has, coarse to fine: one level for a handful of papers, else two or three."""
    finest = round(min(n_papers / PAPERS_A_CLUSTER, FINEST_PER_ROOT * math.sqrt(n_papers)))
    if finest < 4:
        return [max(1, finest)]
    top = min(MOST_AT_TOP, max(2, round(finest / 4)))
    middle = round(math.sqrt(finest * top))
    return [top, middle, finest] if finest >= 9 * top else [top, finest]


def _cells(places: Floats, n_cells: int, seed: int) -> npt.NDArray[np.int64]:
    """The small piece of the map that each paper lies in, numbered without gaps."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    rows = np.random.default_rng(seed).permutation(len(places))[:CELL_SAMPLE]
    n_cells = max(1, min(n_cells, len(places) // 2))
    means = KMeans(n_cells, init="random", n_init=1, max_iter=20, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct places than cells
        means.fit(places[rows])
    _, cells = np.unique(means.predict(places), return_inverse=True)
    return np.asarray(cells, dtype=np.int64)


def _joined(
    cells: npt.NDArray[np.int64],
    vectors: npt.NDArray[np.floating],
    places: Floats,
    levels: list[int],
) -> npt.NDArray[np.int64]:
    """The cluster of each cell at each level, `(n_cells, n_levels)`."""
    from sklearn.cluster import ward_tree
    from sklearn.neighbors import kneighbors_graph

    n = int(cells.max()) + 1
    if n < 3:
        return np.zeros((n, len(levels)), dtype=np.int64)
    means = _means(vectors, cells, n)
    graph = kneighbors_graph(_means(places, cells, n), min(CELL_NEIGHBOURS, n - 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # islands are joined by their nearest cells
        joins = ward_tree(means, connectivity=graph)[0]
    return np.column_stack([_cut(joins, n, min(k, n)) for k in levels])


def _cut(joins: npt.NDArray[np.integer], n: int, k: int) -> npt.NDArray[np.int64]:
    """The cluster of each of `n` cells when all but the last k - 1 joins are made."""
    owner = np.arange(n + len(joins))
    for made, pair in enumerate(joins[: n - k]):
        owner[pair] = n + made
    for node in range(len(owner) - 1, -1, -1):  # a join lies after what it joins
        owner[node] = owner[owner[node]]
    return np.unique(owner[:n], return_inverse=True)[1].astype(np.int64)


def _without_crumbs(
    joined: npt.NDArray[np.int64], cells: npt.NDArray[np.int64], places: Floats
) -> npt.NDArray[np.int64]:
    """The clusters of the cells, those of crumbs taken from the nearest cell that is in none, at all levels."""
    sizes = np.bincount(joined[cells, -1])
    crumbs = (sizes < CRUMB * sizes.mean())[joined[:, -1]]
    if not crumbs.any() or crumbs.all():
        return joined
    centres = _means(places, cells, len(joined))
    others = np.flatnonzero(~crumbs)
    for cell in np.flatnonzero(crumbs):
        nearest = others[np.linalg.norm(centres[others] - centres[cell], axis=1).argmin()]
        joined[cell] = joined[nearest]
    return joined


def _means(
    values: npt.NDArray[np.floating], groups: npt.NDArray[np.int64], n: int
) -> npt.NDArray[np.float64]:
    """The mean of the rows of each group, `(n, columns)`."""
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(n))
    sums = np.add.reduceat(values[order].astype(np.float64), starts, axis=0)
    return np.asarray(sums / np.bincount(groups, minlength=n)[:, None])


def _by_size(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """The labels numbered anew by size, largest first; of equal ones the first seen."""
    names, first, counts = np.unique(labels, return_index=True, return_counts=True)
    number = np.empty(int(names.max()) + 1, dtype=np.int32)
    number[names[np.lexsort((first, -counts))]] = np.arange(len(names), dtype=np.int32)
    return number[labels]
