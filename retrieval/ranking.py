"""From candidates with their relevance to ranked hits: weights, diversity, reviews first, what moved."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.encoder import ASTRO_ID
from indexer.records import Paper
from indexer.store import Index
from indexer.weights import recency
from retrieval.candidates import Candidates, Floats, Rows
from retrieval.records import Hit, ScoreParts, SearchSettings

DIVERSITY_POOL = 100  # best papers that diversity chooses from, or k where that is more
REVIEWS_AMONG = 100  # best papers whose reviews come first on request

# encoder -> what words count for against meaning in a question and in bare words: chosen on training questions
KEYWORD_WEIGHTS = {ASTRO_ID: (0.25, 0.3)}
USUAL_KEYWORD_WEIGHTS = (0.5, 0.6)  # chosen with all-MiniLM-L6-v2

_QUESTION = re.compile(
    r"(?:what|how|why|when|where|which|who|whose|is|are|was|were|do|does|did|can|could|should|would|will|has|have|if)\b",
    re.IGNORECASE,
)
_REVIEW_JOURNALS = frozenset(
    ["ara&a", "arev", "a&arv", "lrr", "lrsp", "ssrv", "phr", "rvmp", "rpph", "newar", "nrvph", "natas review"]
)  # fmt: skip
_REVIEW_TITLE = re.compile(
    r"(?:^|[:.;,] )(?:an? )?(?:\w+ ){0,2}(?:review|overview|primer)(?: (?:of|on)\b|[.:]?$)"
    r"|\breview (?:of|on|and)\b|\bprogress in\b|\bpast, present,? and future\b|\bannual reviews?\b",
    re.IGNORECASE,
)
_REVIEW_ABSTRACT = re.compile(
    r"\b(?:this|the present|our) (?:\w+ )?(?:review|chapter)\b|\bwe (?:briefly |critically |also |first )?review\b|\bis reviewed\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Extra:
    """Parts of a score that only some searches have, each `(n_candidates,)` in [0, 1]."""

    named: Floats | None = None
    reread: Floats | None = None
    shared_references: Floats | None = None
    citations: Floats | None = None


def keyword_weight(settings: SearchSettings, text: str, encoder: str) -> float:
    """How much words count against meaning: as set, else by whether the text is a question."""
    if settings.mode != "hybrid":
        return 0.0 if settings.mode == "dense" else 1.0
    if settings.keyword_weight is not None:
        return settings.keyword_weight
    asks = text.rstrip().endswith("?") or bool(_QUESTION.match(text.lstrip()))
    question, words = KEYWORD_WEIGHTS.get(encoder, USUAL_KEYWORD_WEIGHTS)
    return question if asks else words


def ranked(
    index: Index,
    found: Candidates,
    relevance: Floats,
    settings: SearchSettings,
    *,
    first: Rows | None = None,
    extra: Extra | None = None,
) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
    """Rank by relevance + a·recency + b·impact, ties by cosine, then row; `first` come first, in their order.

    Returns the k hits, and the papers that would be among them without the two weights.
    """
    rows = found.rows
    places = {int(row): place for place, row in enumerate(() if first is None else first)}
    pinned = np.array([places.get(int(row), len(places)) for row in rows], dtype=np.int64)
    fresh = recency(
        index.decimal_year[rows],
        as_of=index.manifest.as_of_year,
        half_life_years=settings.half_life_years,
    )
    cited = index.impact[rows]
    score = relevance + settings.recency * fresh + settings.impact * cited
    order = np.lexsort((rows, -found.cosine, -score, pinned))
    unweighted = np.lexsort((rows, -found.cosine, -relevance, pinned))
    rank, plain_rank = _places(order), _places(unweighted)
    if settings.reviews_first:
        order = _reviews_first(index, rows, order)
    if settings.diversity:
        order = _diverse(index, rows, score, order, settings)
    extra = extra or Extra()

    def hit(i: int, at: int) -> Hit:
        return Hit(
            paper=index.papers[int(rows[i])],
            row=int(rows[i]),
            rank=at,
            plain_rank=int(plain_rank[i]),
            score=float(score[i]),
            parts=ScoreParts(
                dense=float(found.dense[i]),
                lexical=float(found.lexical[i]),
                relevance=float(relevance[i]),
                recency=float(fresh[i]),
                impact=float(cited[i]),
                reread=_at(extra.reread, i),
                named=_at(extra.named, i),
                shared_references=_at(extra.shared_references, i),
                citations=_at(extra.citations, i),
            ),
        )

    shown = order[: settings.k]
    lost = np.setdiff1d(unweighted[: settings.k], order[: settings.k])
    if not (settings.recency or settings.impact) or settings.diversity or settings.reviews_first:
        lost = lost[:0]
    displaced = sorted((hit(int(i), int(rank[i])) for i in lost), key=lambda h: h.plain_rank)
    return tuple(hit(int(i), at) for at, i in enumerate(shown, 1)), tuple(displaced)


def is_review(paper: Paper) -> bool:
    """Whether a paper is a review, by its document type, journal, title or abstract."""
    if (paper.doctype or "").lower() == "review":
        return True
    if (paper.journal or "").lower().strip(" .") in _REVIEW_JOURNALS:
        return True
    return bool(
        _REVIEW_TITLE.search(paper.plain_title) or _REVIEW_ABSTRACT.search(paper.plain_abstract)
    )


def _places(order: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The place from 1 of each candidate in an order."""
    places = np.empty_like(order)
    places[order] = np.arange(1, len(order) + 1)
    return places


def _reviews_first(index: Index, rows: Rows, order: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The order with the reviews among its first REVIEWS_AMONG moved to the top."""
    head = order[:REVIEWS_AMONG]
    reviews = np.array([is_review(index.papers[int(rows[i])]) for i in head], dtype=np.bool_)
    return np.concatenate([head[reviews], head[~reviews], order[REVIEWS_AMONG:]])


def _diverse(
    index: Index,
    rows: Rows,
    score: Floats,
    order: npt.NDArray[np.intp],
    settings: SearchSettings,
) -> npt.NDArray[np.intp]:
    """The first k by maximal marginal relevance (Carbonell & Goldstein 1998, SIGIR), then the rest.

    Each next paper maximises (1 - d)·score - d·(its highest cosine with a paper taken before).
    """
    pool = list(order[: max(DIVERSITY_POOL, settings.k)])
    vectors = index.vectors[rows[pool]].astype(np.float32)
    values = (1.0 - settings.diversity) * score[pool]
    nearest = np.zeros(len(pool), dtype=np.float32)
    taken: list[int] = []
    free = np.ones(len(pool), dtype=np.bool_)
    for _ in range(min(settings.k, len(pool))):
        worth = np.where(free, values - settings.diversity * nearest, -np.inf)
        best = 0 if not taken else int(np.argmax(worth))
        taken.append(best)
        free[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    chosen = [pool[i] for i in taken]
    return np.array(chosen + [i for i in order if i not in set(chosen)], dtype=np.intp)


def _at(values: Floats | None, i: int) -> float:
    return 0.0 if values is None else float(values[i])
