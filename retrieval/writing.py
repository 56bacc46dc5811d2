"""An answer in the making: a model's sentences checked as they come, or the papers' own quoted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from indexer.encoder import Encoder
from indexer.records import Paper
from indexer.store import Index
from retrieval.consensus import Stance, stances, tables, verdict_sentence
from retrieval.errors import LLMError, LLMTooLong
from retrieval.extract import extract
from retrieval.language import in_english, is_in_another_language
from retrieval.llm import LLM, Reply
from retrieval.naming import objects_of
from retrieval.presumption import presumption
from retrieval.question_type import QuestionType
from retrieval.records import Checking, SearchResult, Sentence, Table, Usage
from retrieval.repair import repaired
from retrieval.reword import not_in, reworded
from retrieval.statement import Statement
from retrieval.synthesis import (
    SENTENCES_SCHEMA,
    AnswerStyle,
    prompts,
    read_drafts,
    read_to_the_end,
)
from retrieval.themes import themed
from retrieval.verify import Draft, check_sentence, located

_IN_THEIR_ORDER: tuple[QuestionType, ...] = ("fact", "definition", "time-sensitive")  # no themes
_FIRST_WRITTEN = (AnswerStyle().audience, AnswerStyle().language)

Stage = Literal["searching", "reading", "writing", "repairing"]


@dataclass(frozen=True)
class AnswerEvent:
    """What just happened, for a page that shows an answer in the making."""

    stage: Stage
    search: SearchResult | None = None  # with "reading": what was found
    sentence: Sentence | None = None  # with "writing": the next sentence, checked
    words: str = ""  # with "writing": what there is of the sentence being written, not yet checked


OnEvent = Callable[[AnswerEvent], None]


@dataclass(frozen=True)
class Writing:
    """An answer in the making; `degraded` collects what was not done."""

    index: Index
    result: SearchResult
    kind: QuestionType
    style: AnswerStyle
    checking: Checking
    degraded: list[str]
    on_event: OnEvent
    found: tuple[int, ...] = ()  # rows of all papers that the search found, read or not

    def written(self, model: LLM) -> tuple[list[Sentence], list[Sentence], Usage]:
        """The model's sentences, checked, those left out, and the cost; none if it failed at once."""
        first, second = Reply(), Reply()
        sentences, usage = self._in_english(model, self._first(model, first))
        if self.checking.repair and any(not s.supported for s in sentences):
            self.on_event(AnswerEvent("repairing"))
            papers = [hit.paper for hit in self.result.hits]
            try:
                sentences = repaired(model, sentences, papers, AnswerStyle(), second, self._checked)
            except LLMError as error:
                self.degraded.append(f"Sentences that failed could not be repaired: {error}")
        dropped = [s for s in sentences if not s.supported] if self.checking.drop else []
        if dropped:
            sentences = [s for s in sentences if s.supported]
            self.degraded.append(f"{len(dropped)} sentences failed their checks and were left out.")
        if sentences and (self.style.audience, self.style.language) != _FIRST_WRITTEN:
            judge = self.index.encoder if in_english(self.style.language) else None
            sentences, more = self._said_again(model, sentences, self.style, judge)
            usage += more
            if judge is None:
                self.degraded.append(
                    f"In {self.style.language} numbers, names and citations were checked; whether the meaning "
                    "stayed the same was not."
                )
        if sentences and not any(s.supported for s in sentences):
            self.degraded.append(
                "No sentence of this answer passed its checks: read the papers themselves."
            )
        return sentences, dropped, first.usage + second.usage + usage

    def quoted(self, *, needs_model: bool) -> list[Sentence]:
        """Sentences of the papers that answer; notes say what a model would have done."""
        if needs_model:
            self.degraded.extend(_left_out(self.kind, self.style))
        question, hits = self.result.query, self.result.hits
        objects = objects_of(self.result.understood, self.kind)
        sentences = list(
            extract(question, hits, self.index.encoder, kind=self.kind, objects=objects)
        )
        if self.kind not in _IN_THEIR_ORDER:
            sentences = themed(question, sentences, hits, self.index, self.found)
        for sentence in sentences:
            self.on_event(AnswerEvent("writing", sentence=sentence))
        return sentences

    def _first(self, model: LLM, reply: Reply) -> list[Sentence]:
        """The model's first version; where all papers are too long for it, of half as many, and so on."""
        papers = [hit.paper for hit in self.result.hits]
        while True:
            sentences: list[Sentence] = []
            try:
                for draft in read_drafts(self._pieces(model, papers, reply), self._words):
                    sentences.append(self._checked(draft))
                    self.on_event(AnswerEvent("writing", sentence=sentences[-1]))
            except LLMTooLong as error:
                if len(papers) > 1 and not sentences:
                    papers = papers[: len(papers) // 2]
                    continue
                self.degraded.append(f"{error} For now the papers are quoted instead.")
                return sentences
            except LLMError as error:
                what = "the answer below is incomplete" if sentences else "the papers are quoted instead"  # fmt: skip
                self.degraded.append(f"{error} For now {what}.")
                return sentences
            if len(papers) < len(self.result.hits):
                self.degraded.append(
                    f"The {len(self.result.hits)} papers together are too long for {model.config.model!r}: "
                    f"it read the first {len(papers)}."
                )
            self.degraded.extend(_complaints(sentences, reply))
            return sentences

    def _pieces(self, model: LLM, papers: Sequence[Paper], reply: Reply) -> Iterator[str]:
        plain = AnswerStyle(style=self.style.style)  # other readers and languages come after
        presumed = presumption(self.result.query)
        system, user = prompts(
            self.result.query,
            papers,
            plain,
            kind=self.kind,
            presumes=presumed.text if presumed else "",
        )
        return model.stream(system, user, reply, schema=SENTENCES_SCHEMA)

    def _in_english(self, model: LLM, sentences: list[Sentence]) -> tuple[list[Sentence], Usage]:
        """The first draft, said again in English where it came in another language, and checked anew."""
        if not is_in_another_language([s.text for s in sentences], "English"):
            return sentences, Usage()
        self.on_event(AnswerEvent("repairing"))
        english, usage = self._said_again(model, sentences, AnswerStyle())
        wrong = is_in_another_language([s.text for s in english], "English")
        checked = []
        for sentence in english:
            quotes = tuple((item.n, item.quote) for item in sentence.evidence)
            anew = self._checked(Draft(sentence.text, sentence.citations, quotes))
            problems = (*anew.problems, *((not_in("English"),) if wrong else ()))
            checked.append(replace(anew, supported=not problems, problems=problems))
        return checked, usage

    def _said_again(
        self,
        model: LLM,
        sentences: list[Sentence],
        style: AnswerStyle,
        encoder: Encoder | None = None,
    ) -> tuple[list[Sentence], Usage]:
        """The sentences for another reader or in another language; asked for twice where the language is wrong."""
        usage = Usage()
        said = sentences
        for again in (False, True):
            reply = Reply()
            try:
                said = reworded(model, sentences, style, reply, again=again, encoder=encoder)
            except LLMError as error:
                self.degraded.append(
                    f"The answer could not be said for this reader or in this language: {error}"
                )
                return said, usage + reply.usage
            usage += reply.usage
            if not any(not_in(style.language) in s.problems for s in said):
                return said, usage
        self.degraded.append(
            f"The language model did not write in {style.language}, though asked to twice."
        )
        return said, usage

    def _words(self, words: str) -> None:
        self.on_event(AnswerEvent("writing", words=words))

    def _checked(self, draft: Draft) -> Sentence:
        papers = [hit.paper for hit in self.result.hits]
        return check_sentence(draft, papers, self.index.encoder)


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


def _left_out(kind: QuestionType, style: AnswerStyle) -> list[str]:
    """What needs a language model and is not done without one."""
    notes = []
    if not style.is_default:
        notes.append(
            "Style, audience and language need a language model: the papers are quoted as they are."
        )
    if kind in ("what-if", "compositional"):
        notes.append(
            "To put the parts together needs a language model: the papers are quoted only."
        )
    return notes


def weighed(
    model: LLM | None,
    statement: Statement,
    result: SearchResult,
    degraded: list[str],
    encoder: Encoder,
) -> tuple[list[Sentence], tuple[Table, ...], Usage]:
    """The verdict on a statement with its tables; without a model a note that it needs one."""
    if model is None:
        degraded.append(
            "A verdict needs a language model to read each paper's stance: the papers are quoted only."
        )
        return [], (), Usage()
    reply = Reply()
    papers = [hit.paper for hit in result.hits]
    try:
        found = _stances_of_most(model, statement.text, papers, reply, encoder)
    except LLMError as error:
        degraded.append(f"There is no verdict: {error}")
        return [], (), reply.usage
    if all(stance.stand == "silent" for stance in found):
        degraded.append(
            "There is no verdict: no stance with a true quotation that speaks of the statement was read."
        )
        return [], (), reply.usage
    sentence = verdict_sentence(found, statement.text)
    where = [located(e.n, e.quote, result.hits[e.n - 1].paper) for e in sentence.evidence]
    sentence = replace(sentence, evidence=tuple(where))
    return [sentence], tables(found, result.hits), reply.usage


def _stances_of_most(
    model: LLM, statement: str, papers: Sequence[Paper], reply: Reply, encoder: Encoder
) -> list[Stance]:
    """The stances of as many of the first papers as the model reads at once."""
    while True:
        try:
            return stances(model, statement, papers, reply, encoder)
        except LLMTooLong:
            if len(papers) < 2:
                raise
            papers = papers[: len(papers) // 2]
