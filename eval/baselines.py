"""Rankings to compare with, over the same index: each leg alone, rank fusion, Pathfinder's formulas.

Pathfinder (Iyer et al. 2024, ApJS 275, 38; arXiv:2408.01556) ranks by 1/L2² between unit vectors, times
weights that are each divided by their maximum: keywords 0.1 + 0.1 per match, time
1/(1 + exp(age/0.7)), citations 1/(1 + exp((300 - min(c, 300))/42)).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from indexer.store import Index
from indexer.weights import pathfinder_impact, pathfinder_recency
from retrieval import search
from retrieval.records import SearchSettings

Ranking = list[tuple[int, float]]  # (row, score), best first
System = Callable[[str], Ranking]
Floats = npt.NDArray[np.float64]

RRF_K = 60
PATHFINDER_CANDIDATES = 1000
SHORTEST_KEYWORD = 4
SMALLEST_DISTANCE = 1e-6  # an exact match would divide by zero


def served(index: Index, settings: SearchSettings) -> System:
    """What `wayfinder search` serves with these settings."""
    return lambda question: [(hit.row, hit.score) for hit in search(index, question, settings).hits]


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


def pathfinder(index: Index, k: int, *, weights: bool) -> System:
    """Pathfinder's order: similarity alone (its default switches), or with all three weights on."""

    def rank(question: str) -> Ranking:
        vector = index.encoder.encode([question])[0]
        rows, cosine = index.dense.search(vector, PATHFINDER_CANDIDATES)
        score = similarity(cosine.astype(np.float64))
        if weights:
            age = index.manifest.as_of_year - index.decimal_year[rows].astype(np.float64)
            count = np.maximum(index.citations[rows], 0).astype(np.float64)
            texts = [index.papers[int(row)].text() for row in rows]
            score = (
                score
                * keyword_weight(question, texts)
                * time_weight(np.nan_to_num(age))
                * citation_weight(count)
            )
        order = np.lexsort((rows, -score))[:k]
        return [(int(rows[i]), float(score[i])) for i in order]

    return rank


def systems(index: Index, k: int, *, baselines: bool) -> dict[str, System]:
    """The systems to measure by name; the first is the one that is served."""
    settings = SearchSettings(k=k)
    named = {"wayfinder": served(index, settings)}
    if baselines:
        named |= {
            **{name: served(index, replace(leg, k=k)) for name, leg in _legs().items()},
            "rrf": reciprocal_rank_fusion(index, k),
            "pathfinder": pathfinder(index, k, weights=False),
            "pathfinder-all": pathfinder(index, k, weights=True),
        }
    return named


def _legs() -> dict[str, SearchSettings]:
    """Each leg alone, nothing understood of the question and nothing reranked."""
    plain = SearchSettings(understand=False, rerank=False)
    return {"bm25": replace(plain, mode="lexical"), "dense": replace(plain, mode="dense")}


def similarity(cosine: Floats) -> Floats:
    """1/L2² of unit vectors, over its maximum; L2² = 2 - 2 cosine."""
    return _over_maximum(1.0 / np.maximum(2.0 - 2.0 * cosine, SMALLEST_DISTANCE))


def keyword_weight(question: str, texts: Sequence[str]) -> Floats:
    """0.1 + 0.1 per question word of four letters or more found in the text, over its maximum."""
    wanted = {
        word for word in re.findall(r"\w+", question.lower()) if len(word) >= SHORTEST_KEYWORD
    }
    return _over_maximum(
        np.array([0.1 + 0.1 * sum(w in text.lower() for w in wanted) for text in texts])
    )


def time_weight(age_years: Floats) -> Floats:
    """1/(1 + exp(age/0.7)), over its maximum."""
    return _over_maximum(pathfinder_recency(age_years))


def citation_weight(citations: Floats) -> Floats:
    """1/(1 + exp((300 - min(c, 300))/42)), over its maximum."""
    return _over_maximum(pathfinder_impact(citations))


def _over_maximum(weight: Floats) -> Floats:
    return weight / max(float(weight.max(initial=0.0)), 1e-300)
