"""Makes the map of an index: layout, clusters and labels; later papers are placed among their nearest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.clusters import cluster
from indexer.labels import SPELLING_PAPERS, TERMS, Term, TermCounts, distinctive, sampled, spellings
from indexer.landscape import Cluster, Landscape, Namer
from indexer.layout import SEED, Floats, Progress, layout, place
from indexer.lexical import LexicalIndex
from indexer.table import PaperTable

NO_LABEL = "…"


@dataclass(frozen=True)
class Corpus:
    """What a map is made from: the parts of one snapshot."""

    vectors: npt.NDArray[np.float16]
    papers: PaperTable
    lexical: LexicalIndex
    keys: npt.NDArray[np.uint8]  # sha256 of each paper's text


@dataclass(frozen=True)
class Earlier:
    """The map of the snapshot before, and whose places are in it."""

    landscape: Landscape
    vectors: npt.NDArray[np.float16]
    keys: npt.NDArray[np.uint8]


def read_corpus(folder: Path) -> Corpus:
    """What the snapshot in `folder` holds for its map."""
    return Corpus(
        vectors=np.load(folder / "vectors.npy", mmap_mode="r"),
        papers=PaperTable(folder / "papers.arrow"),
        lexical=LexicalIndex(folder / "lexical"),
        keys=np.load(folder / "keys.npy", mmap_mode="r"),
    )


def make_landscape(
    corpus: Corpus,
    *,
    seed: int = SEED,
    progress: Progress = lambda stage, done, total: None,
    namer: Namer | None = None,
) -> Landscape:
    """Lay all papers out anew, cluster and label them; the same for the same papers and seed.

    `namer` gives the clusters other names than their labels.
    """
    places = layout(corpus.vectors, seed=seed, progress=progress)
    progress("clustering", 0, None)
    clusters = cluster(corpus.vectors, places, seed=seed)
    progress("labelling", 0, None)
    regions = label(corpus, places, clusters, seed=seed)
    if namer is not None:
        members = [np.flatnonzero(clusters[:, r.level] == r.number).tolist() for r in regions]
        names = namer(regions, members)
        regions = tuple(replace(r, name=n) for r, n in zip(regions, names, strict=True))
    placed = np.zeros(len(places), dtype=np.bool_)
    return Landscape(places, clusters, regions, "t-SNE", seed, len(places), placed)


def continue_landscape(corpus: Corpus, earlier: Earlier) -> Landscape:
    """The map of before with new papers placed into it; papers whose text is as it was stay where they are.

    Labels stay too; a new paper lies in the clusters of its nearest paper.
    """
    before = earlier.landscape
    rows: dict[bytes, list[int]] = {}
    for row, key in enumerate(earlier.keys):
        rows.setdefault(key.tobytes(), []).append(row)
    kept = [_next_row(rows.get(key.tobytes())) for key in corpus.keys]
    from_row = np.array(kept, dtype=np.int64)
    old = from_row >= 0
    places = np.full((len(from_row), 2), np.nan, dtype=np.float32)
    clusters = np.full((len(from_row), before.n_levels), -1, dtype=np.int32)
    places[old], clusters[old] = before.places[from_row[old]], before.clusters[from_row[old]]
    new = np.flatnonzero(~old)
    if len(new):
        places[new], nearest = place(corpus.vectors[new], earlier.vectors, before.places)
        clusters[new[nearest >= 0]] = before.clusters[nearest[nearest >= 0]]
    regions = tuple(
        replace(r, n_papers=int((clusters[:, r.level] == r.number).sum())) for r in before.regions
    )
    placed: npt.NDArray[np.bool_] = np.asarray(np.isfinite(places).all(axis=1))
    of_before, first = np.unique(from_row, return_index=True)  # a second one of equal text is new
    stayed = of_before >= 0
    placed[first[stayed]] = before.placed[of_before[stayed]]
    return replace(before, places=places, clusters=clusters, regions=regions, placed=placed)


def _next_row(rows: list[int] | None) -> int:
    """The row of a text: papers of equal text take theirs in order, the last one more than once."""
    if not rows:
        return -1
    return rows.pop(0) if len(rows) > 1 else rows[0]


def label(
    corpus: Corpus, places: Floats, clusters: npt.NDArray[np.int32], *, seed: int
) -> tuple[Cluster, ...]:
    """The clusters with labels from terms that their papers hold and others do not."""
    counts = TermCounts(corpus.lexical, sampled(clusters, seed=seed))
    chosen = terms_by_level(counts, clusters)
    wanted = {term for level in chosen for terms in level for term in terms}
    step = max(1, len(counts.rows) // SPELLING_PAPERS)
    texts = (corpus.papers[int(row)].text() for row in counts.rows[::step])
    written = spellings(counts, wanted, texts)
    regions = []
    for level, clusters_terms in enumerate(chosen):
        for number, terms in enumerate(clusters_terms):
            members = np.flatnonzero(clusters[:, level] == number)
            parent = int(clusters[members[0], level - 1]) if level else -1
            words = tuple(written[term] for term in terms if term in written)[:TERMS]
            x, y = _densest(places[members])
            text = " · ".join(words) or NO_LABEL
            regions.append(Cluster(level, number, parent, len(members), text, words, x, y))
    return tuple(regions)


def terms_by_level(counts: TermCounts, clusters: npt.NDArray[np.int32]) -> list[list[list[Term]]]:
    """The terms of each cluster of each level; no cluster repeats the terms of the one that holds it."""
    chosen: list[list[list[Term]]] = []
    for level in range(clusters.shape[1]):
        labels = clusters[counts.rows, level]
        n = int(clusters[:, level].max(initial=-1)) + 1
        taken: list[set[Term]] = [set() for _ in range(n)]
        if level:
            for number in range(n):
                row = int(np.argmax(clusters[:, level] == number))
                parent = int(clusters[row, level - 1])
                taken[number] = set(chosen[level - 1][parent][:TERMS])
        chosen.append(distinctive(counts, labels, n, taken))
    return chosen


def _densest(places: Floats) -> tuple[float, float]:
    """Of the papers of a cluster, the place of one in the middle of where most of them lie."""
    at = np.median(places, axis=0)
    for _ in range(5):
        reach = np.linalg.norm(places - at, axis=1)
        near = places[reach <= np.median(reach)]
        at = near.mean(axis=0)
    nearest = places[np.linalg.norm(places - at, axis=1).argmin()]
    return round(float(nearest[0]), 5), round(float(nearest[1]), 5)
