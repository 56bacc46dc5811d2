"""Search: candidates by words and by meaning under the same filters, fused, weighted, ranked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.errors import EncoderError, PaperNotFound
from indexer.store import Index
from indexer.weights import recency
from retrieval.conditions import conditions, passing, which_to_drop
from retrieval.errors import LLMError, QueryError
from retrieval.hyde import hyde_vector, hypothetical_abstract
from retrieval.llm import LLM, configured_llm
from retrieval.records import Hit, ScoreParts, SearchResult, SearchSettings
from retrieval.rerank import RERANK_DEPTH, Reranker, configured_reranker
from retrieval.understand import Understanding, Understood, understand

CANDIDATES = 1000  # papers that each leg brings to the fusion
MAX_QUERY_CHARACTERS = 20_000
MIN_QUERY_CHARACTERS = 2
NAMED_WEIGHTS = {"object": 0.1, "facility": 0.03}  # of naming what the question names
MOST_LISTED = 5000  # papers ranked when a question is all conditions and no words
MIN_COSINE_EVIDENCE = 0.3  # a question whose best paper is less near than this is not answered
SAMPLE_ROWS = 1000  # papers whose cosines say how near the query is to papers at large

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Candidates:
    """The rows that the legs bring, and each row's score from both legs in [0, 1]."""

    rows: Rows
    dense: Floats
    lexical: Floats
    cosine: Floats  # breaks ties where the dense score is cut at 0
    best_cosine: float | None  # None where meaning was not asked for


def search(
    index: Index,
    query: str,
    settings: SearchSettings | None = None,
    *,
    llm: LLM | None = None,
    reranker: Reranker | None = None,
) -> SearchResult:
    """Return the papers of `index` that answer `query`, best first; the same each time.

    What the question says of years, authors and fields narrows, objects and facilities boost, and an
    identifier's paper comes first. HyDE uses `llm` and reranking `reranker`, else those that the
    environment configures. What was asked for and could not be done is in the result's `degraded`.

    Raises:
        QueryError: the query is empty or a single character.
    """
    settings = settings or SearchSettings()
    clock = _Clock()
    query, degraded = _checked(query)
    meant = _understanding(index, query, settings)
    degraded += meant.notes
    required = conditions(index, settings.filters, meant.items)
    allowed = passing(required)
    if allowed is not None and not allowed.any():
        degraded.append(which_to_drop(required))
    pinned = _pinned_rows(index, meant, degraded)
    clock.stage("understanding")
    text = meant.text if len(meant.text) >= MIN_QUERY_CHARACTERS else _condition_words(meant)
    named = _named(index, meant)
    bm25 = None if settings.mode == "dense" else _word_scores(index, text, named)
    if bm25 is not None and text and not bm25.any():
        degraded.append("None of the question's words is in any paper: found by meaning alone.")
    clock.stage("words")
    vector = None if settings.mode == "lexical" else _query_vector(index, text, pinned)
    clock.stage("encoding")
    if settings.hyde and vector is not None:
        vector = _with_hyde(index, query, vector, llm, degraded)
        clock.stage("imagining")
    candidates = _candidates(index, vector, bm25, allowed, pinned)
    relevance, share = _fused(candidates, named, settings)
    clock.stage("candidates")
    if settings.rerank is not False:
        relevance = _reranked(index, query, candidates, relevance, settings, reranker, degraded)
        clock.stage("reranking")
    hits = _ranked(index, candidates, relevance, settings, share=share, pinned=pinned)
    clock.stage("ranking")
    best = candidates.best_cosine
    return _result(index, query, settings, hits, best, allowed, degraded, clock, meant.items)


def similar(index: Index, identifier: str, settings: SearchSettings | None = None) -> SearchResult:
    """Return the papers most like the one with that bibcode, arXiv id or DOI, by their vectors.

    Raises:
        PaperNotFound: the index does not hold it.
    """
    settings = settings or SearchSettings()
    clock = _Clock()
    row = index.row_of(identifier)
    allowed = passing(conditions(index, settings.filters))
    others = np.ones(len(index.papers), dtype=np.bool_) if allowed is None else allowed.copy()
    others[row] = False
    clock.stage("filters")
    candidates = _candidates(index, index.vectors[row].astype(np.float32), None, others)
    clock.stage("candidates")
    hits = _ranked(index, candidates, candidates.dense, settings)
    clock.stage("ranking")
    return _result(
        index,
        index.papers[row].plain_title,
        settings,
        hits,
        candidates.best_cosine,
        others,
        [],
        clock,
    )


def _understanding(index: Index, query: str, settings: SearchSettings) -> Understanding:
    if not settings.understand:
        return Understanding(query, ())
    return understand(
        query,
        this_year=int(index.manifest.as_of[:4]),
        is_author=lambda name: len(index.rows_by_author(name)) > 0,
        ignored=frozenset(settings.ignored),
    )


def _pinned_rows(index: Index, meant: Understanding, degraded: list[str]) -> Rows:
    """The rows of the papers whose identifiers the question gives, in its order."""
    rows: list[int] = []
    for item in meant.of("paper"):
        try:
            rows.append(index.row_of(item.value))
        except PaperNotFound:
            degraded.append(
                f"{item.value} is not in this index; what follows is like the rest of the question."
            )
    return np.array(list(dict.fromkeys(rows)), dtype=np.int64)


def _condition_words(meant: Understanding) -> str:
    """What to rank by when a question is all conditions: the words of its fields."""
    return " ".join(item.value for item in meant.of("title", "abstract"))


@dataclass(frozen=True)
class _Named:
    """An object or facility of the question, and the rows of the papers that name it in any way."""

    item: Understood
    rows: Rows


def _named(index: Index, meant: Understanding) -> list[_Named]:
    found = []
    for item in meant.of("object", "facility"):
        rows = [index.lexical.rows_with_all(name) for name in {item.words, *item.names}]
        found.append(_Named(item, np.unique(np.concatenate(rows)).astype(np.int64)))
    return found


def _word_scores(index: Index, text: str, named: Sequence[_Named]) -> Floats:
    """BM25 of the text, where a paper may call the question's objects by any of their names.

    A paper that uses another name scores for it what papers with the question's own name typically
    score; so a long alias is worth no more than a short one.
    """
    scores = index.lexical.scores(text)
    for name in named:
        own = index.lexical.scores(name.item.words)
        usual = own[index.lexical.rows_with_all(name.item.words)]
        typical = np.median(usual) if len(usual) else own.max(initial=0.0)
        scores[name.rows] += np.maximum(typical - own[name.rows], 0.0)
    return scores


def _query_vector(index: Index, text: str, pinned: Rows) -> Floats | None:
    """The question's unit vector; that of the paper it points at when it says nothing else."""
    if text:
        return index.encoder.encode([text])[0]
    if len(pinned):
        return np.asarray(index.vectors[pinned[0]], dtype=np.float32)
    return None


def _checked(query: str) -> tuple[str, list[str]]:
    text = " ".join(query.encode("utf-8", "replace").decode().split())
    if len(text) < MIN_QUERY_CHARACTERS:
        raise QueryError(
            f"The question is {'empty' if not text else f'only {text!r}'}: "
            "ask in a few words, or paste a title or an abstract."
        )
    if len(text) > MAX_QUERY_CHARACTERS:
        return text[:MAX_QUERY_CHARACTERS], [
            f"The question has {len(text):,} characters; the first {MAX_QUERY_CHARACTERS:,} were used."
        ]
    return text, []


def _candidates(
    index: Index,
    vector: Floats | None,
    bm25: Floats | None,
    allowed: Mask | None,
    pinned: Rows | None = None,
) -> _Candidates:
    """Bring the best rows of each leg, and those pinned, and score all of them by both."""
    rows = np.zeros(0, dtype=np.int64) if pinned is None else pinned
    if vector is None and (bm25 is None or not bm25.any()) and allowed is not None:
        rows = np.union1d(rows, np.flatnonzero(allowed)[:MOST_LISTED])  # all conditions, no words
    if vector is not None:
        nearest, _ = index.dense.search(vector, CANDIDATES, allowed=allowed)
        rows = np.union1d(rows, nearest)
    if bm25 is not None:
        rows = np.union1d(rows, _best_rows(bm25, allowed))
    rows = np.sort(rows)
    nothing = np.zeros(len(rows), dtype=np.float32)
    cosine = nothing if vector is None else index.vectors[rows].astype(np.float32) @ vector
    best = None if vector is None else float(cosine.max(initial=-1.0))
    dense = nothing if vector is None else _dense_score(index, vector, cosine)
    lexical = nothing if bm25 is None else _lexical_score(bm25, rows)
    return _Candidates(rows=rows, dense=dense, lexical=lexical, cosine=cosine, best_cosine=best)


def _best_rows(bm25: Floats, allowed: Mask | None) -> Rows:
    """The rows of the highest BM25 scores above 0, at most CANDIDATES, among those allowed."""
    scores = bm25 if allowed is None else np.where(allowed, bm25, 0.0)
    n_best = min(CANDIDATES, int(np.count_nonzero(scores)))
    if n_best == 0:
        return np.zeros(0, dtype=np.int64)
    return np.argpartition(-scores, n_best - 1)[:n_best].astype(np.int64)


def _dense_score(index: Index, vector: Floats, cosine: Floats) -> Floats:
    """(cosine - mean) / (best - mean), cut at 0.

    1 is the paper nearest in meaning, 0 a paper no nearer than papers at large.
    """
    sample = index.vectors[:: max(1, len(index.vectors) // SAMPLE_ROWS)].astype(np.float32)
    mean = float((sample @ vector).mean())
    best = float(cosine.max(initial=mean))
    score: Floats = np.clip((cosine - mean) / max(best - mean, 1e-6), 0.0, 1.0)
    return score


def _lexical_score(bm25: Floats, rows: Rows) -> Floats:
    """BM25 over its highest value among `rows`: 1 is the best match by words."""
    score: Floats = bm25[rows] / max(float(bm25[rows].max(initial=0.0)), 1e-6)
    return score


def _fused(
    candidates: _Candidates, named: Sequence[_Named], settings: SearchSettings
) -> tuple[Floats, Floats]:
    """The relevance of each candidate, and the share of the question's names that it bears, in [0, 1]."""
    keywords = {"hybrid": settings.keyword_weight, "dense": 0.0, "lexical": 1.0}[settings.mode]
    relevance: Floats = (1.0 - keywords) * candidates.dense + keywords * candidates.lexical
    share = np.zeros(len(relevance), dtype=np.float32)
    total = 1.0
    for kind, weight in NAMED_WEIGHTS.items():
        alike = [name for name in named if name.item.kind == kind]
        for name in alike:
            bears = np.isin(candidates.rows, name.rows)
            relevance += np.float32(weight / len(alike)) * bears
            share += bears / np.float32(len(named))
        total += weight if alike else 0.0
    return relevance / np.float32(total), share


def _with_hyde(
    index: Index, query: str, vector: Floats, llm: LLM | None, degraded: list[str]
) -> Floats:
    """The query's vector moved towards an imagined abstract; unmoved, and said so, without a model."""
    model = llm or configured_llm()
    if model is None:
        degraded.append("HyDE was not done: it needs a language model (set OPENAI_API_KEY).")
        return vector
    try:
        abstract = hypothetical_abstract(query, model)
    except LLMError as error:
        degraded.append(f"HyDE was not done: {error}")
        return vector
    return hyde_vector(vector, abstract, index.encoder) if abstract else vector


def _reranked(
    index: Index,
    query: str,
    candidates: _Candidates,
    relevance: Floats,
    settings: SearchSettings,
    reranker: Reranker | None,
    degraded: list[str],
) -> Floats:
    """Relevance with the first RERANK_DEPTH papers in the reranker's order, above all others."""
    try:
        chosen = reranker or configured_reranker()
    except EncoderError as error:
        degraded.append(f"Reranking was not done: {error}")
        return relevance
    if chosen is None:
        if settings.rerank:
            degraded.append("Reranking was not done: no reranker is set (WAYFINDER_RERANKER).")
        return relevance
    top = np.lexsort((candidates.rows, -candidates.cosine, -relevance))[:RERANK_DEPTH]
    scores = chosen.rank(query, [index.papers[int(candidates.rows[i])] for i in top])
    if scores.shape != top.shape or not np.isfinite(scores).all():
        degraded.append(f"Reranking was not done: {chosen.name!r} gave no finite score per paper.")
        return relevance
    floor = float(np.delete(relevance, top).max(initial=0.0))
    place = np.empty(len(top))
    place[np.argsort(-scores, kind="stable")] = np.linspace(1.0, floor, len(top), endpoint=False)
    result = relevance.copy()
    result[top] = place
    return result


def _ranked(
    index: Index,
    candidates: _Candidates,
    relevance: Floats,
    settings: SearchSettings,
    *,
    share: Floats | None = None,
    pinned: Rows | None = None,
) -> tuple[Hit, ...]:
    """Weight and rank: score = relevance + a·recency + b·impact, ties by cosine, then row.

    Pinned rows come first, whatever their score.
    """
    first = np.isin(candidates.rows, [] if pinned is None else pinned)
    names = np.zeros(len(candidates.rows)) if share is None else share
    rows = candidates.rows
    fresh = recency(
        index.decimal_year[rows],
        as_of=index.manifest.as_of_year,
        half_life_years=settings.half_life_years,
    )
    cited = index.impact[rows]
    score = relevance + settings.recency * fresh + settings.impact * cited
    order = np.lexsort((rows, -candidates.cosine, -score, ~first))[: settings.k]
    return tuple(
        Hit(
            paper=index.papers[int(rows[i])],
            row=int(rows[i]),
            rank=rank,
            score=float(score[i]),
            parts=ScoreParts(
                dense=float(candidates.dense[i]),
                lexical=float(candidates.lexical[i]),
                relevance=float(relevance[i]),
                recency=float(fresh[i]),
                impact=float(cited[i]),
                named=float(names[i]),
            ),
        )
        for rank, i in enumerate(order, 1)
    )


def _result(
    index: Index,
    query: str,
    settings: SearchSettings,
    hits: Sequence[Hit],
    best_cosine: float | None,
    allowed: Mask | None,
    degraded: Sequence[str],
    clock: _Clock,
    understood: tuple[Understood, ...] = (),
) -> SearchResult:
    return SearchResult(
        query=query,
        understood=understood,
        settings=settings,
        hits=tuple(hits),
        best_cosine=best_cosine,
        n_candidates=len(index.papers) if allowed is None else int(allowed.sum()),
        n_papers=len(index.papers),
        degraded=tuple(degraded),
        seconds=clock.seconds,
        snapshot=index.manifest.snapshot,
        as_of=index.manifest.as_of,
    )


class _Clock:
    """Seconds spent in each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


def enough_evidence(result: SearchResult) -> str | None:
    """Return why these hits are too little to answer from, in words, or None when they suffice."""
    if not result.n_candidates:
        return next(note for note in result.degraded if note.startswith("No paper passes"))
    if not result.hits:
        return "No paper of this index matches the question: try other words."
    if result.best_cosine is not None and result.best_cosine < MIN_COSINE_EVIDENCE:
        return (
            f"None of the {result.n_papers:,} papers in this index is close enough to the question to answer "
            "from it: it may lie outside astronomy or outside this index. The nearest papers are below."
        )
    return None
