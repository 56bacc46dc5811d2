"""A question to an answer whose every sentence can be checked: the main path of Wayfinder.

search -> enough to answer from? -> write (or quote) -> check each sentence -> answer
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from indexer.store import Index
from retrieval.bibliometrics import count
from retrieval.coverage import Coverage
from retrieval.errors import QueryError
from retrieval.evidence import POOL, balanced
from retrieval.followup import Context, with_kept
from retrieval.fulltext import FullTexts, with_full_texts
from retrieval.llm import LLM, configured_llm
from retrieval.naming import not_named
from retrieval.offline import settings_offline
from retrieval.passages import in_full
from retrieval.presumption import Presumption, nearest, presumption
from retrieval.question_type import Routed, route
from retrieval.records import (
    MAX_K,
    Answer,
    AnswerMode,
    Checking,
    Hit,
    SearchResult,
    SearchSettings,
    Sentence,
    Table,
    Usage,
)
from retrieval.search import enough_evidence, search
from retrieval.statement import Statement, as_statement
from retrieval.synthesis import AnswerStyle
from retrieval.values import DEPTH, asked_quantity, values_table
from retrieval.writing import AnswerEvent, OnEvent, Writing, weighed

PAPERS_READ = 8
ON_PRESUMED = 4  # one paper in so many is on what a leading question presumes
PAPERS_WEIGHED = 15  # for a verdict, unless another number is asked for


def ask(
    index: Index,
    question: str,
    settings: SearchSettings | None = None,
    *,
    llm: LLM | None = None,
    offline: bool = False,
    style: AnswerStyle | None = None,
    kind: str | None = None,
    checking: Checking = Checking(),  # noqa: B008 - frozen
    n_papers: int = PAPERS_READ,
    thread: Context | None = None,
    full_texts: FullTexts | None = None,
    balance: bool = True,
    statement: str | None = None,
    on_event: OnEvent = lambda event: None,
) -> Answer:
    """Answer `question` from the `n_papers` best papers of `index`; see `Answer`.

    Without `llm` the one that the environment configures is used; `offline`, or none configured,
    quotes the papers instead. A model that fails is replaced by quotation, and the answer says so.
    Sentences that fail their checks are written once more, then marked or dropped (`checking`).
    `kind` is one of question_type.TYPES, None to find out; bibliometric questions are counted.
    A debate is judged on `statement`, else on the one made of the question (statement.as_statement).
    With a `thread` its papers are read too; make the question whole first (followup.made_whole).
    With `balance` near-duplicates and further papers of one team make room for others (evidence.balanced).
    `full_texts` are read beside the abstracts (fulltext.read_full_texts), whether or not they are in the index.

    Raises:
        QueryError: the question is empty or a single character, or a setting is out of range.
    """
    began = time.perf_counter()
    if statement is not None and not statement.strip():
        raise QueryError("The statement is empty: write what papers could support or contradict.")
    kind = "consensus" if statement and kind is None else kind
    n_papers = _n_papers(question, kind, n_papers)
    pool = min(MAX_K, POOL * n_papers) if balance else n_papers
    settings = replace(settings or SearchSettings(), k=pool)
    notes: list[str] = []
    if offline:
        settings, notes = settings_offline(settings)
    on_event(AnswerEvent("searching"))
    presumed = presumption(question)
    result = search(index, question, settings, llm=llm)
    found = tuple(hit.row for hit in result.hits)
    result = balanced(index, result, n_papers) if balance else result
    if presumed is not None:
        result = _with_presumed(index, result, presumed, llm)
    result, covered = _with_the_readers(index, result, thread, full_texts)
    searched = time.perf_counter() - began
    on_event(AnswerEvent("reading", search=result))
    model = None if offline else (llm or configured_llm())
    routed = route(result.query, asked_for=kind)
    refusal = enough_evidence(result)
    if refusal and covered is not None and covered.level != "not":
        notes.append(
            f"{refusal.split(':')[0].rstrip('.')}. Answered from the files that you added."
        )
        own = tuple(hit for hit in result.hits if in_full([hit.paper]))
        result, refusal = replace(result, hits=own, coverage=covered), None
    if routed.by == "default" and not refusal:
        routed = route(result.query, model=model)
    if routed.kind == "bibliometric":
        return _counted(index, result, routed, began)
    if refusal:
        return _answer(
            result, routed, "refused", (), notes, Usage(), {"search": searched}, reason=refusal
        )
    if unnamed := not_named(result, routed.kind):
        result = replace(result, degraded=(unnamed, *result.degraded))
    if routed.kind == "time-sensitive":
        result = replace(result, hits=_newest_first(result.hits))
    if result.coverage is not None and result.coverage.level == "thinly":
        notes.append(result.coverage.reason)
    told = nearest(presumed, [hit.paper for hit in result.hits]) if presumed else None
    style = style or AnswerStyle()
    writing = Writing(index, result, routed.kind, style, checking, notes, on_event, found)
    judged = Statement(statement.strip(), "user") if statement else None
    answer = _written(writing, model, routed, judged)
    seconds = {"search": searched, "write": time.perf_counter() - began - searched}
    return replace(answer, seconds=seconds, presumed=told)


def _with_the_readers(
    index: Index, result: SearchResult, thread: Context | None, full_texts: FullTexts | None
) -> tuple[SearchResult, Coverage | None]:
    """The result with the thread's papers and the reader's files, and how far these files cover it."""
    if thread is not None:
        result = with_kept(index, result, thread)
    return (result, None) if full_texts is None else with_full_texts(index, result, full_texts)


def _with_presumed(
    index: Index, result: SearchResult, presumed: Presumption, llm: LLM | None
) -> SearchResult:
    """The result with papers on the presumption itself, for and against it, in its last places."""
    asked = replace(result.settings, hyde=False)
    other = search(index, f"Is it true that {presumed.text}?", asked, llm=llm).hits
    rows = {hit.row for hit in result.hits}
    new = [hit for hit in other if hit.row not in rows][: len(result.hits) // ON_PRESUMED]
    kept = result.hits[: len(result.hits) - len(new)]
    last = kept[-1].score if kept else 0.0
    moved = [
        replace(hit, rank=len(kept) + n, score=min(hit.score, last)) for n, hit in enumerate(new, 1)
    ]
    return replace(result, hits=(*kept, *moved))


def _newest_first(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """The papers as they are read and numbered where time matters; each keeps its rank."""
    return tuple(sorted(hits, key=lambda hit: -(hit.paper.decimal_year or 0.0)))


def _n_papers(question: str, kind: str | None, n_papers: int) -> int:
    """How many papers are read: more for a verdict, unless another number than usual is asked for."""
    asked = route(question, asked_for=kind).kind
    usual = n_papers == PAPERS_READ
    return max(1, min(PAPERS_WEIGHED if usual and asked == "consensus" else n_papers, MAX_K))


def _written(
    writing: Writing, model: LLM | None, routed: Routed, judged: Statement | None
) -> Answer:
    """The answer by a model, or quoted where there is none or it fails; with verdict and values."""
    result, notes = writing.result, writing.degraded
    sentences: list[Sentence] = []
    dropped: list[Sentence] = []
    usage = Usage()
    if model is not None:
        sentences, dropped, usage = writing.written(model)
    mode: AnswerMode = "synthesised" if sentences else "extractive"
    if not sentences:
        sentences = writing.quoted(needs_model=model is None)
    tables: tuple[Table, ...] = ()
    if routed.kind == "consensus":
        judged = judged or as_statement(result.query, model)
        verdict, tables, more = weighed(model, judged, result, notes, writing.index.encoder)
        usage += more
        sentences = [*verdict, *sentences]
    answer = _answer(result, routed, mode, sentences, notes, usage, {}, dropped=dropped)
    return replace(
        answer,
        tables=(*tables, *_values(writing.index, result)),
        statement=judged.text if judged else "",
        statement_by=judged.by if judged else "",
    )


def _values(index: Index, result: SearchResult) -> tuple[Table, ...]:
    """The table of values, where a question asks for a quantity; read from more papers than are cited."""
    if asked_quantity(result.query) is None:
        return ()
    deeper = replace(result.settings, k=DEPTH, hyde=False, rerank=False)
    table = values_table(result.query, search(index, result.query, deeper))
    return () if table is None else (table,)


def _counted(index: Index, result: SearchResult, routed: Routed, began: float) -> Answer:
    """A bibliometric question, counted in the index: no model is asked, whatever its coverage."""
    counted = count(index, result.query, result)
    answer = _answer(
        result,
        routed,
        "computed",
        counted.sentences,
        [],
        Usage(),
        {"search and count": time.perf_counter() - began},
    )
    return replace(answer, papers=counted.papers, tables=(counted.table,))


def _answer(
    result: SearchResult,
    routed: Routed,
    mode: AnswerMode,
    sentences: Sequence[Sentence],
    degraded: Sequence[str],
    usage: Usage,
    seconds: dict[str, float],
    *,
    reason: str = "",
    dropped: Sequence[Sentence] = (),
) -> Answer:
    return Answer(
        question=result.query,
        mode=mode,
        sentences=tuple(sentences),
        papers=result.hits,
        refused=mode == "refused",
        reason=reason,
        degraded=tuple(note for note in (*result.degraded, *degraded) if note != reason),
        usage=usage,
        seconds=seconds,
        search=result,
        kind=routed.kind,
        kind_by=routed.by,
        dropped=tuple(dropped),
    )
