"""A question to an answer whose every sentence can be checked: the main path of Wayfinder.

search -> enough to answer from? -> write (or quote) -> check each sentence -> answer
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from indexer.store import Index
from retrieval.bibliometrics import count
from retrieval.errors import LLMError
from retrieval.extract import extract
from retrieval.llm import LLM, Reply, configured_llm
from retrieval.question_type import QuestionType, Routed, route
from retrieval.records import (
    MAX_K,
    Answer,
    AnswerMode,
    Checking,
    SearchResult,
    SearchSettings,
    Sentence,
    Usage,
)
from retrieval.repair import repaired
from retrieval.search import enough_evidence, search
from retrieval.synthesis import SENTENCES_SCHEMA, AnswerStyle, prompts, read_drafts, read_to_the_end
from retrieval.verify import Draft, check_sentence

PAPERS_READ = 8

Stage = Literal["searching", "reading", "writing", "repairing"]


@dataclass(frozen=True)
class AnswerEvent:
    """What just happened, for a page that shows an answer in the making."""

    stage: Stage
    search: SearchResult | None = None  # with "reading": what was found
    sentence: Sentence | None = None  # with "writing": the next sentence, checked


OnEvent = Callable[[AnswerEvent], None]


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
    on_event: OnEvent = lambda event: None,
) -> Answer:
    """Answer `question` from the `n_papers` best papers of `index`; see `Answer`.

    Without `llm` the one that the environment configures is used; `offline`, or none configured,
    quotes the papers instead. A model that fails is replaced by quotation, and the answer says so.
    Sentences that fail their checks are written once more, then marked or dropped (`checking`).
    `kind` is one of question_type.TYPES, None to find out; bibliometric questions are counted.

    Raises:
        QueryError: the question is empty or a single character, or a setting is out of range.
    """
    began = time.perf_counter()
    settings = replace(settings or SearchSettings(), k=max(1, min(n_papers, MAX_K)))
    if offline:
        settings = replace(settings, hyde=False)
    style = style or AnswerStyle()
    on_event(AnswerEvent("searching"))
    result = search(index, question, settings, llm=llm)
    searched = time.perf_counter()
    on_event(AnswerEvent("reading", search=result))
    routed = route(result.query, asked_for=kind)
    if routed.kind == "bibliometric":
        return _counted(index, result, routed, began)
    if reason := enough_evidence(result):
        return _answer(
            result, routed, "refused", (), [], Usage(), {"search": searched - began}, reason=reason
        )

    model = None if offline else (llm or configured_llm())
    if routed.by == "default" and model is not None:
        routed = route(result.query, model=model)
        if routed.kind == "bibliometric":
            return _counted(index, result, routed, began)
    degraded: list[str] = []
    if result.coverage is not None and result.coverage.level == "thinly":
        degraded.append(result.coverage.reason)
    sentences: list[Sentence] = []
    usage = Usage()
    mode: AnswerMode = "extractive"
    dropped: list[Sentence] = []
    if model is not None:
        writing = _Writing(index, result, routed.kind, style, checking, degraded, on_event)
        sentences, dropped, usage = writing.written(model)
        mode = "synthesised" if sentences else "extractive"
    elif not style.is_default:
        degraded.append(
            "Style, audience and language need a language model: the papers are quoted as they are."
        )
    if not sentences:
        for sentence in extract(result.query, result.hits, index.encoder):
            sentences.append(sentence)
            on_event(AnswerEvent("writing", sentence=sentence))
    seconds = {"search": searched - began, "write": time.perf_counter() - searched}
    return _answer(result, routed, mode, sentences, degraded, usage, seconds, dropped=dropped)


@dataclass(frozen=True)
class _Writing:
    """A model's answer in the making."""

    index: Index
    result: SearchResult
    kind: QuestionType
    style: AnswerStyle
    checking: Checking
    degraded: list[str]
    on_event: OnEvent

    def written(self, model: LLM) -> tuple[list[Sentence], list[Sentence], Usage]:
        """The model's sentences, checked, those left out, and the cost; none if it failed at once."""
        first, second = Reply(), Reply()
        sentences = self._first(model, first)
        if self.checking.repair and any(not s.supported for s in sentences):
            self.on_event(AnswerEvent("repairing"))
            papers = [hit.paper for hit in self.result.hits]
            try:
                sentences = repaired(model, sentences, papers, self.style, second, self._checked)
            except LLMError as error:
                self.degraded.append(f"Sentences that failed could not be repaired: {error}")
        dropped = [s for s in sentences if not s.supported] if self.checking.drop else []
        if dropped:
            sentences = [s for s in sentences if s.supported]
            self.degraded.append(f"{len(dropped)} sentences failed their checks and were left out.")
        if sentences and not any(s.supported for s in sentences):
            self.degraded.append(
                "No sentence of this answer passed its checks: read the papers themselves."
            )
        return sentences, dropped, first.usage + second.usage

    def _first(self, model: LLM, reply: Reply) -> list[Sentence]:
        papers = [hit.paper for hit in self.result.hits]
        system, user = prompts(self.result.query, papers, self.style, kind=self.kind)
        sentences: list[Sentence] = []
        pieces: Iterator[str] = model.stream(system, user, reply, schema=SENTENCES_SCHEMA)
        try:
            for draft in read_drafts(pieces):
                sentences.append(self._checked(draft))
                self.on_event(AnswerEvent("writing", sentence=sentences[-1]))
        except LLMError as error:
            what = (
                "the answer below is incomplete" if sentences else "the papers are quoted instead"
            )
            self.degraded.append(f"{error} For now {what}.")
        else:
            self.degraded.extend(_complaints(sentences, reply))
        return sentences

    def _checked(self, draft: Draft) -> Sentence:
        english = self.style.language.casefold() == "english"
        papers = [hit.paper for hit in self.result.hits]
        return check_sentence(draft, papers, self.index.encoder if english else None)


def _complaints(sentences: Sequence[Sentence], reply: Reply) -> list[str]:
    if not sentences:
        return ["The language model gave no usable answer: the papers are quoted instead."]
    notes = []
    if not read_to_the_end(len(sentences), sum(map(len, reply.pieces))):
        notes.append(
            "The language model did not come to an end: the rest of its answer was left out."
        )
    elif not reply.finish_reason:
        notes.append("The language model's server broke off: the answer may be incomplete.")
    if reply.finish_reason == "length":
        notes.append("The language model's answer was cut off at its length limit.")
    return notes


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
