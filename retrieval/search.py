"""Search: candidates by words and by meaning under the same conditions, fused, weighted, ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer import config
from indexer.errors import EncoderError, PaperNotFound, RemoteError
from indexer.late import shipped
from indexer.store import Index
from retrieval.candidates import Candidates, Floats, Mask, Rows, candidates
from retrieval.clock import Clock
from retrieval.conditions import conditions, passing, which_to_drop
from retrieval.coverage import NEAREST, coverage, nearness
from retrieval.errors import LLMError, QueryError, RerankError
from retrieval.hyde import hyde_vector, hypothetical_abstracts
from retrieval.llm import LLM, configured_llm
from retrieval.names import host_names
from retrieval.pathfinder import pathfinder_score
from retrieval.ranking import Extra, keyword_weight, ranked
from retrieval.records import SearchResult, SearchSettings
from retrieval.rerank import Reranker, Scores, configured_reranker, scores_in_time
from retrieval.simbad import other_names
from retrieval.understand import Understanding, understand
from retrieval.understood import Understood

MAX_QUERY_CHARACTERS = 20_000
MIN_QUERY_CHARACTERS = 2
MIN_KNOWN_SHARE = 0.5  # of a question's words that papers hold
NAMED_WEIGHTS = {"object": 0.1, "facility": 0.03}  # of naming what the question names
TIES = 1e-4  # least share of the order before: it orders what a reranker finds alike
RECENT_WEIGHT = 0.15  # of recency where the question asks for the latest, unless set otherwise


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
    clock = Clock()
    query, degraded = _checked(query)
    meant = _understanding(index, query, settings)
    degraded += meant.notes
    if not settings.offline:
        meant = _with_simbad(meant, degraded)
    required = conditions(index, settings.filters, meant.items)
    allowed = passing(required)
    if allowed is not None and not allowed.any():
        degraded.append(which_to_drop(required))
    pinned = _pinned_rows(index, meant, allowed, degraded)
    clock.stage("understanding")
    meant = _as_papers_write(index, meant)
    text = meant.text if len(meant.text) >= MIN_QUERY_CHARACTERS else _condition_words(meant)
    named = _named(index, meant)
    if settings.preset == "pathfinder":
        settings = replace(settings, mode="dense")
    bm25 = None if settings.mode == "dense" else _word_scores(index, text, named)
    if bm25 is not None and text:
        degraded += _unknown_words(index, text, any_match=bool(bm25.any()))
    clock.stage("words")
    vector = None if settings.mode == "lexical" else _query_vector(index, text, pinned)
    clock.stage("encoding")
    if settings.hyde:
        vector = _with_hyde(index, query, vector, settings, llm, degraded)
        clock.stage("imagining")
    found = candidates(index, vector, bm25, allowed, pinned)
    fused = _fused(found, named, keyword_weight(settings, text, index.manifest.encoder))
    if settings.preset == "pathfinder" and text:
        score = pathfinder_score(index, text, found.rows, found.cosine)
        fused = _fused(replace(found, dense=score.astype(np.float32)), (), 0.0)
    relevance = fused.named(fused.plain)
    if not text and not len(pinned) and len(found.rows):
        relevance = _newest(index, found.rows)
        degraded.append("There are no words to search for: the newest papers come first.")
    near = nearness(index, found, relevance, text) if text else None
    clock.stage("candidates")
    reread = None
    if settings.rerank is not False and text:
        relevance, reread = _reranked(index, text, found, fused, settings, reranker, llm, degraded)
        clock.stage("reranking")
    weights = settings
    if meant.of("recent") and not settings.recency:
        weights = replace(settings, recency=RECENT_WEIGHT)
    hits, displaced = ranked(
        index,
        found,
        relevance,
        weights,
        first=pinned,
        extra=Extra(named=fused.share, reread=reread),
    )
    clock.stage("ranking")
    n_candidates = len(index.papers) if allowed is None else int(allowed.sum())
    return SearchResult(
        query=query,
        words=text,
        understood=meant.items,
        settings=settings,
        hits=hits,
        displaced=displaced,
        best_cosine=found.best_cosine,
        nearness=near,
        coverage=coverage(
            near,
            encoder=index.manifest.encoder,
            n_papers=n_candidates,
            named=_shares_of_best(found, relevance, named),
            by_authors=bool(meant.of("author", "first author", "paper")) and len(found.rows) > 0,
            last_year=int(index.manifest.as_of[:4]),
            since=max(filter(None, (meant.since, settings.filters.since)), default=None),
        ),
        n_candidates=n_candidates,
        n_papers=len(index.papers),
        degraded=tuple(degraded),
        seconds=clock.seconds,
        snapshot=index.manifest.snapshot,
        as_of=index.manifest.as_of,
    )


def _understanding(index: Index, query: str, settings: SearchSettings) -> Understanding:
    if not settings.understand:
        return Understanding(query, ())

    def taken_apart(ignored: tuple[str, ...]) -> Understanding:
        return understand(
            query,
            this_year=int(index.manifest.as_of[:4]),
            is_author=lambda name: len(index.rows_by_author(name)) > 0,
            is_word=lambda word: index.lexical.known_share(word) > 0,
            words=_known_words(),
            n_papers=index.lexical.n_papers_with,
            n_in_all=len(index.papers),
            ignored=frozenset(ignored),
        )

    meant = taken_apart(settings.ignored)
    if settings.ignored:
        known = {item.key for item in (*meant.items, *taken_apart(()).items)}
        unknown = [key for key in settings.ignored if key not in known]
        if unknown:
            note = f"{', '.join(unknown)} cannot be taken away: understood are {', '.join(sorted(known)) or 'no things'}."
            return replace(meant, notes=(*meant.notes, note))
    return meant


def _known_words() -> frozenset[str]:
    """The words that typing errors are put right to; none where their table is missing, which rereading tells of."""
    try:
        return shipped().words
    except EncoderError:
        return frozenset()


def _with_simbad(meant: Understanding, degraded: list[str]) -> Understanding:
    """The understanding with SIMBAD's names for objects that the table does not know, where asked for."""
    if not config.simbad_enabled():
        return meant
    items = list(meant.items)
    for i, item in enumerate(items):
        if item.kind == "object" and len(item.names) == 1:
            try:
                items[i] = replace(item, names=(item.value, *other_names(item.value)))
            except RemoteError as error:
                degraded.append(str(error))
    return replace(meant, items=tuple(items))


def _pinned_rows(
    index: Index, meant: Understanding, allowed: Mask | None, degraded: list[str]
) -> Rows:
    """The rows of the papers whose identifiers the question gives, in its order, if they pass the conditions."""
    rows: list[int] = []
    for item in meant.of("paper"):
        try:
            row = index.row_of(item.value)
        except PaperNotFound:
            rest = "; what follows is like the rest of the question" if meant.text else ""
            degraded.append(f"{item.value} is not in this index{rest}.")
            continue
        if allowed is None or allowed[row]:
            rows.append(row)
        else:
            degraded.append(f"{item.value} is in this index and does not pass the conditions.")
    return np.array(list(dict.fromkeys(rows)), dtype=np.int64)


def _condition_words(meant: Understanding) -> str:
    """What to rank by when a question is all conditions: the words of its fields."""
    return " ".join(item.value for item in meant.of("title", "abstract"))


def _as_papers_write(index: Index, meant: Understanding) -> Understanding:
    """The text with each planet as most papers spell it: HD 209458 b or HD 209458b, so that both ask the same."""
    text = meant.text
    for item in meant.of("object"):
        if host_names(item.value):
            spellings = (item.value, f"{item.value[:-2]}{item.value[-1]}", item.words)
            counts = [len(index.lexical.rows_with_all(name)) for name in spellings]
            if max(counts):
                text = text.replace(item.words, spellings[counts.index(max(counts))])
    return replace(meant, text=text)


@dataclass(frozen=True)
class _Named:
    """An object or facility of the question, and the rows of the papers that name it in any way."""

    item: Understood
    rows: Rows


def _named(index: Index, meant: Understanding) -> list[_Named]:
    found = []
    for item in meant.of("object", "facility"):
        rows = [index.lexical.rows_with_all(name) for name in {item.words, *item.names}]
        if not any(map(len, rows)):
            rows += [index.lexical.rows_with_all(name) for name in host_names(item.value)]
        found.append(_Named(item, np.unique(np.concatenate(rows)).astype(np.int64)))
    return found


def _word_scores(index: Index, text: str, named: Sequence[_Named]) -> Floats:
    """BM25 of the text, where a paper may call the question's objects by any of their names.

    A paper that uses another name scores for it what papers with the question's own name typically
    score; so a long alias is worth no more than a short one.
    """
    scores = index.lexical.scores(text)
    for name in named:
        words = next((n for n in (name.item.words, *name.item.names) if n in text), name.item.words)
        own = index.lexical.scores(words)
        usual = own[index.lexical.rows_with_all(words)]
        typical = np.median(usual) if len(usual) else own.max(initial=0.0)
        scores[name.rows] += np.maximum(typical - own[name.rows], 0.0)
    return scores


def _unknown_words(index: Index, text: str, *, any_match: bool) -> list[str]:
    """A note where most of the question's words are in no paper: typing errors, or another language."""
    if not any_match:
        return ["None of the question's words is in any paper: found by meaning alone."]
    if index.lexical.known_share(text) < MIN_KNOWN_SHARE:
        return [
            "Most of the question's words are in no paper of this index: is it in the papers' language?"
        ]
    return []


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


def _newest(index: Index, rows: Rows) -> Floats:
    """Relevance in [0, 1] of papers that no word is to rank: by date, unknown ones last."""
    dates = np.nan_to_num(index.decimal_year[rows].astype(np.float64), nan=-np.inf)
    not_newer = np.searchsorted(np.sort(dates), dates, side="right")
    return (not_newer / max(len(rows), 1)).astype(np.float32)


def _shares_of_best(
    found: Candidates, relevance: Floats, named: Sequence[_Named]
) -> dict[str, float | None]:
    """By name in the question, the share of the best candidates that bear it; None of an object nowhere named."""
    best = found.rows[np.argsort(-relevance, kind="stable")[:NEAREST]]
    return {
        name.item.value: None
        if name.item.kind == "object" and not len(name.rows)
        else float(np.isin(best, name.rows).sum() / max(len(best), 1))
        for name in named
    }


@dataclass(frozen=True)
class _Fused:
    """How well each candidate fits, `(n_candidates,)` each."""

    plain: Floats  # by words and meaning, in [0, 1]
    bonus: Floats  # of bearing what the question names
    most: float  # that both make together
    share: Floats  # of the question's names that it bears, in [0, 1]

    def named(self, plain: Floats) -> Floats:
        """Relevance in [0, 1]: `plain`, as it is or as a reranker left it, with what names are worth."""
        relevance: Floats = (plain + self.bonus) / np.float32(self.most)
        return relevance


def _fused(found: Candidates, named: Sequence[_Named], keywords: float) -> _Fused:
    """Words and meaning as one, and what the question's names are worth."""
    plain: Floats = (1.0 - keywords) * found.dense + keywords * found.lexical
    bonus, share = np.zeros_like(plain), np.zeros_like(plain)
    most = 1.0
    for kind, weight in NAMED_WEIGHTS.items():
        alike = [name for name in named if name.item.kind == kind]
        for name in alike:
            bears = np.isin(found.rows, name.rows)
            bonus += np.float32(weight / len(alike)) * bears
            share += bears / np.float32(len(named))
        most += weight if alike else 0.0
    return _Fused(plain, bonus, most, share)


def _with_hyde(
    index: Index,
    query: str,
    vector: Floats | None,
    settings: SearchSettings,
    llm: LLM | None,
    degraded: list[str],
) -> Floats | None:
    """The query's vector moved towards imagined abstracts; unmoved, and said so, without a model."""
    if vector is None:
        degraded.append("HyDE was not done: it is for search by meaning.")
        return None
    model = llm or configured_llm()
    if model is None:
        degraded.append("HyDE was not done: it needs a language model (set OPENAI_API_KEY).")
        return vector
    try:
        abstracts = hypothetical_abstracts(query, model, settings.hyde_abstracts)
    except LLMError as error:
        degraded.append(f"HyDE was not done: {error}")
        return vector
    if len(abstracts) < settings.hyde_abstracts:
        degraded.append(
            f"HyDE: the language model imagined {len(abstracts)} of {settings.hyde_abstracts} abstracts."
        )
    return hyde_vector(vector, abstracts, index.encoder, settings.hyde_weight)


def _reranked(
    index: Index,
    text: str,
    found: Candidates,
    fused: _Fused,
    settings: SearchSettings,
    reranker: Reranker | None,
    llm: LLM | None,
    degraded: list[str],
) -> tuple[Floats, Floats | None]:
    """Relevance with the papers that the reranker reads above all others, and its scores in [0, 1] where it read.

    What names are worth is added after it: it does not know that M31 is Andromeda.
    """
    relevance = fused.named(fused.plain)
    if not len(found.rows):
        return relevance, None
    try:
        whole = settings.mode == "hybrid" and settings.preset == "wayfinder"
        chosen = reranker or configured_reranker(llm, wanted=settings.rerank or whole)
        if chosen is None:
            if settings.rerank:
                degraded.append(
                    "Reranking was not done: it is switched off here (WAYFINDER_RERANKER=none)."
                )
            return relevance, None
        top = np.lexsort((found.rows, -found.cosine, -relevance))[: chosen.depth]
        seconds = config.reranker_config().seconds
        scores = scores_in_time(chosen, text, index, found.rows[top], seconds)
    except (EncoderError, RerankError) as error:
        degraded.append(f"Reranking was not done: {error}")
        return relevance, None
    plain, reread = fused.plain.copy(), np.zeros_like(relevance)
    floor = min(float(np.delete(plain, top).max(initial=0.0)), float(plain[top].min()))
    plain[top] = _blended(plain[top], scores, chosen.share, floor)
    reread[top] = (scores - scores.min()) / max(float(np.ptp(scores)), 1e-12)
    return fused.named(plain), reread


def _blended(relevance: Floats, scores: Scores, share: float, floor: float) -> Floats:
    """Relevance and the reranker's scores, each in its standard deviations, with `share` of the say for the scores.

    In [floor, the best relevance]: no paper that was read falls below the rest, and weights and names keep their meaning.
    """
    mixed = share * _standard(scores) + max(1.0 - share, TIES) * _standard(relevance)
    spread = float(np.ptp(mixed))
    if not spread:
        return relevance
    best = float(relevance.max())
    blended: Floats = (floor + (best - floor) * (mixed - mixed.min()) / spread).astype(np.float32)
    return blended


def _standard(values: Floats | Scores) -> Scores:
    values = values.astype(np.float64)
    standard: Scores = (values - values.mean()) / max(float(values.std()), 1e-12)
    return standard


def enough_evidence(result: SearchResult) -> str | None:
    """Return why these hits are too little to answer from, in words, or None when they suffice."""
    if not result.n_candidates:
        return next(note for note in result.degraded if note.startswith("No paper passes"))
    if not result.hits:
        missing = [note for note in result.degraded if "is not in this index" in note]
        return (
            missing[0]
            if missing
            else "No paper of this index matches the question: try other words."
        )
    if not result.words and not any(item.kind == "paper" for item in result.understood):
        return "The question has conditions and no subject: say in a few words what you want to know. The newest papers that pass are below."
    if result.coverage is not None and result.coverage.level == "not":
        return f"{result.coverage.reason} The nearest papers are below."
    return None
