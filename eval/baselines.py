"""Rankings to compare with, over the same index: each leg alone, rank fusion, Pathfinder's formulas.

Pathfinder's default switches rank by similarity alone; with all three weights on by retrieval/pathfinder.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from indexer.store import Index
from retrieval import search
from retrieval.pathfinder import similarity
from retrieval.records import SearchSettings
from retrieval.rerank import AstroCrossReranker, Reranker

Ranking = list[tuple[int, float]]  # (row, score), best first
System = Callable[[str], Ranking]

RRF_K = 60
_PLAIN = SearchSettings(understand=False, rerank=False)


def served(index: Index, settings: SearchSettings, reranker: Reranker | None = None) -> System:
    """What `wayfinder search` serves with these settings, by another reranker where one is given."""
    return lambda question: [
        (hit.row, hit.score) for hit in search(index, question, settings, reranker=reranker).hits
    ]


def elsewhere(index: Index, other: Index, settings: SearchSettings) -> System:
    """What is served from another index of the same papers, in the rows of `index`; others are left out."""

    def rank(question: str) -> Ranking:
        hits = search(other, question, settings).hits
        found = [(index.rows_of(hit.paper.identifiers)[0], hit.score) for hit in hits]
        return [(int(rows[0]), score) for rows, score in found if len(rows)]

    return rank


def reciprocal_rank_fusion(index: Index, k: int) -> System:
    """Sum of 1/(60 + rank) over the two legs (Cormack, Clarke & Büttcher 2009, SIGIR)."""
    legs = [served(index, replace(settings, k=1000)) for settings in _legs().values()]

    def rank(question: str) -> Ranking:
        score: dict[int, float] = {}
        for leg in legs:
            for place, (row, _) in enumerate(leg(question), 1):
                score[row] = score.get(row, 0.0) + 1.0 / (RRF_K + place)
        return sorted(score.items(), key=lambda item: (-item[1], item[0]))[:k]

    return rank


def similarity_alone(index: Index, k: int) -> System:
    """Pathfinder's order with its default switches: 1/L2² between unit vectors."""

    def rank(question: str) -> Ranking:
        rows, cosine = index.dense.search(index.encoder.encode([question])[0], k)
        return list(zip(rows.tolist(), similarity(cosine.astype(np.float64)).tolist(), strict=True))

    return rank


def systems(
    index: Index, k: int, *, baselines: bool, against: Index | None = None
) -> dict[str, System]:
    """The systems to measure by name; the first is the one that is served.

    `against` is another index of the same papers, as by another encoder: what it serves not reranked.
    """
    settings = SearchSettings(k=k)
    named = {"wayfinder": served(index, settings)}
    if against is not None:
        named["against"] = elsewhere(index, against, replace(settings, rerank=False))
    if baselines:
        named |= {
            "not reranked": served(index, replace(settings, rerank=False)),
            "cross-encoder": served(index, settings, AstroCrossReranker()),
            **{name: served(index, replace(leg, k=k)) for name, leg in _legs().items()},
            "rrf": reciprocal_rank_fusion(index, k),
            "pathfinder": similarity_alone(index, k),
            "pathfinder-all": served(index, replace(_PLAIN, preset="pathfinder", k=k)),
        }
    return named


def _legs() -> dict[str, SearchSettings]:
    """Each leg alone, nothing understood of the question and nothing reranked."""
    return {"bm25": replace(_PLAIN, mode="lexical"), "dense": replace(_PLAIN, mode="dense")}
