"""Where each paper lies on the map: a plane in which papers near in meaning are near.

t-SNE (van der Maaten & Hinton 2008) by openTSNE, begun from the first two principal components (Kobak &
Berens 2019), over nearest neighbours that FAISS finds, all neighbours alike. Chosen over UMAP and over a
perplexity by measurement, see docs/results.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from indexer.dense import neighbours

Floats = npt.NDArray[np.float32]
Progress = Callable[[str, int, int | None], None]

SEED = 20260101
NEIGHBOURS = 15  # of each paper, that its place depends on, all alike
EARLY_ROUNDS = 250  # with early exaggeration, which lets papers find their neighbourhood
ROUNDS = 500
EARLY_EXAGGERATION = 12.0
ROUNDS_A_REPORT = 50
PLACE_NEIGHBOURS = 10  # papers on the map that a new one is placed among
FEW = 5_000  # papers up to which repulsion is summed over a tree, and beyond on a grid
FEWEST = 8  # papers that t-SNE is for; fewer lie as their principal components say


def layout(
    vectors: npt.NDArray[np.floating],
    *,
    seed: int = SEED,
    progress: Progress = lambda stage, done, total: None,
) -> Floats:
    """Return coordinates `(n_papers, 2)` in [-1, 1] of unit vectors `(n_papers, dimension)`.

    The same for the same vectors and seed. A paper whose vector is not finite gets NaN.
    """
    places = np.full((len(vectors), 2), np.nan, dtype=np.float32)
    usable = np.isfinite(vectors).all(axis=1)
    n = int(usable.sum())
    if n:
        places[usable] = _framed(_laid(vectors[usable], seed, progress))
    progress("laying out", n, n)
    return places


def place(
    new: npt.NDArray[np.floating],
    known: npt.NDArray[np.floating],
    places: Floats,
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return the coordinates of `new` vectors in a map that does not move, and the nearest known row of each.

    `known` `(n, dimension)` lie at `places` `(n, 2)`. A new paper lies at the mean of its nearest papers'
    places that are near the nearest one's, weighted by cosine: neighbours in other corners of the map do
    not pull it into the void between. NaN, and -1, where a vector is not finite or nothing is known.
    """
    found = np.full((len(new), 2), np.nan, dtype=np.float32)
    nearest = np.full(len(new), -1, dtype=np.int64)
    usable = np.flatnonzero(np.isfinite(new).all(axis=1))
    standing = np.flatnonzero(np.isfinite(places).all(axis=1))
    if not len(usable) or not len(standing):
        return found, nearest
    rows, cosines = neighbours(new[usable], PLACE_NEIGHBOURS, among=known[standing])
    rows = standing[rows]
    near = places[rows]  # (n_new, k, 2)
    reach = np.linalg.norm(near - near[:, :1], axis=2)
    weights = np.maximum(cosines, 1e-3) * (reach <= np.median(reach, axis=1, keepdims=True))
    found[usable] = (near * weights[..., None]).sum(axis=1) / weights.sum(axis=1, keepdims=True)
    nearest[usable] = rows[:, 0]
    return found, nearest


def principal_components(vectors: npt.NDArray[np.floating], n_components: int) -> Floats:
    """Return the scores `(n, n_components)` on the first principal components; zeros where there are fewer."""
    centred = np.asarray(vectors, dtype=np.float32) - vectors.mean(axis=0, dtype=np.float32)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :n_components]
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])] < 0, -1, 1)
    scores = np.zeros((len(vectors), n_components), dtype=np.float32)
    scores[:, : axes.shape[1]] = centred @ axes
    return scores


def _laid(vectors: npt.NDArray[np.floating], seed: int, progress: Progress) -> Floats:
    n = len(vectors)
    start = principal_components(vectors, 2)
    spread = float(start[:, 0].std())
    if n < FEWEST or spread < 1e-6:  # a handful, or all alike: there is no neighbourhood to keep
        return start
    progress("finding neighbours", 0, n)
    rows, cosines = neighbours(vectors, min(NEIGHBOURS, n - 1))
    distances = np.sqrt(np.maximum(2.0 - 2.0 * cosines, 1e-12)).astype(np.float64)
    return _optimised(rows, distances, start / spread * 1e-4, seed, progress)


def _optimised(
    rows: npt.NDArray[np.int64],
    distances: npt.NDArray[np.float64],
    start: Floats,
    seed: int,
    progress: Progress,
) -> Floats:
    from openTSNE import TSNEEmbedding, affinity, nearest_neighbors

    n, k = rows.shape
    total = EARLY_ROUNDS + ROUNDS
    known = nearest_neighbors.PrecomputedNeighbors(rows, distances)
    jobs = -1 if n > FEW else 1  # threads wait for one another longer than a few papers take
    affinities = affinity.Uniform(knn_index=known, k_neighbors=k, n_jobs=jobs)
    jitter = np.random.default_rng(seed).normal(scale=1e-8, size=start.shape)
    laid = TSNEEmbedding(
        start.astype(np.float64) + jitter,
        affinities,
        negative_gradient_method="fft" if n > FEW else "bh",
        n_jobs=jobs,
        random_state=seed,
    )
    for done in range(0, total, ROUNDS_A_REPORT):
        early = done < EARLY_ROUNDS
        laid.optimize(
            n_iter=ROUNDS_A_REPORT,
            exaggeration=EARLY_EXAGGERATION if early else 1.0,
            momentum=0.5 if early else 0.8,
            inplace=True,
        )
        progress("laying out", done + ROUNDS_A_REPORT, total)
    return np.asarray(laid, dtype=np.float32)


def _framed(places: Floats) -> Floats:
    """Centred on the middle and scaled into [-1, 1], shapes kept."""
    low, high = places.min(axis=0), places.max(axis=0)
    half = float((high - low).max()) / 2
    return ((places - (low + high) / 2) / half if half > 0 else places * 0).astype(np.float32)
