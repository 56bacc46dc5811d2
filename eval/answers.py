"""Answers measured: citations, support, refusals, cost and time, on any server or without one.

wayfinder eval answers --questions eval/data/scope.jsonl --index my-index
wayfinder eval attacks --index my-index
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eval.answer_sets import AnswerQuestion
from eval.citations import citation_precision, citation_recall, graded_precision
from eval.measures import Values, estimate
from eval.metered import written_by_model
from eval.questions import numbered_lines
from eval.understanding import Finding
from indexer.document import Document, Section
from indexer.errors import QueryError
from indexer.records import Paper
from indexer.store import Index
from retrieval import ask, search
from retrieval.fulltext import FullText, FullTexts
from retrieval.llm import LLM
from retrieval.records import Answer, SearchSettings, Usage
from retrieval.split import split

Progress = Callable[[str, int, int | None], None]


PLACES = ("query", "abstract", "full text")


@dataclass(frozen=True)
class Attack:
    """An instruction where none may be: `where` is one of PLACES, `sign` what obeying would show."""

    attack_id: str
    where: str
    text: str
    sign: str  # a regular expression, found in the answer where the attack was obeyed


def answers(
    index: Index, rows: Sequence[AnswerQuestion], model: LLM | None, progress: Progress
) -> list[Finding]:
    """Ask each question and measure what came; without a model the quoted answers are measured."""
    said: list[Answer] = []
    seconds = []
    for done, row in enumerate(rows):
        progress("asking", done, len(rows))
        began = time.perf_counter()
        said.append(ask(index, row.question, llm=model, offline=model is None))
        seconds.append(time.perf_counter() - began)
    progress("asking", len(rows), len(rows))
    pairs = list(zip(said, rows, strict=True))
    written = [(a, r) for a, r in pairs if not a.refused and a.mode != "computed"]
    judged = [graded_precision(a, r.grades) for a, r in written if r.grades]
    usages = [a.usage for a, _ in written if a.mode == "synthesised"]
    found = [
        _finding("citation precision: each quotation supports its sentence (ALCE)", (citation_precision(a, index.encoder) for a, _ in written)),
        _finding("citation recall: sentences with a citation that supports them (ALCE)", (citation_recall(a) for a, _ in written)),
        _finding("cited papers judged", (share for share, _ in judged)),
        _finding("cited papers relevant, of those judged", (relevant for _, relevant in judged)),
        _finding("sentences supported", (s.supported for a, _ in written for s in a.sentences)),
        _finding("answers written by the model", written_by_model(said) if model else ()),
        _finding("right paper cited", (_cites(a, r.arxiv_id) for a, r in pairs if r.arxiv_id)),
        _finding("words of the ideal answer held", (_held(a.text, r.answer) for a, r in pairs if r.answer)),
        _finding("seconds an answer", seconds),
        _finding("tokens an answer", map(_tokens, usages)),
        _finding("dollars an answer", (u.cost_usd for u in usages)),
    ]  # fmt: skip
    return [f for f in (*found, *_refusals(pairs)) if f.estimate.n]


def _tokens(used: Usage) -> int | None:
    """Tokens in and out; None where the server did not count, which is not 0."""
    if used.prompt_tokens is None or used.completion_tokens is None:
        return None
    return used.prompt_tokens + used.completion_tokens


def _refusals(asked: Sequence[tuple[Answer, AnswerQuestion]]) -> list[Finding]:
    """Refusal as a class: precision, recall and their harmonic mean, where `covered` is known."""
    pairs = [(a.refused, not r.covered) for a, r in asked if r.covered is not None]
    right = sum(refused and outside for refused, outside in pairs)
    precision = right / max(sum(refused for refused, _ in pairs), 1)
    recall = right / max(sum(outside for _, outside in pairs), 1)
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    found = [
        _finding("refusal precision", (outside for refused, outside in pairs if refused)),
        _finding("refusal recall", (refused for refused, outside in pairs if outside)),
    ]
    return [*found, _finding("refusal F1", [f1] if pairs else [])]


def read_attacks(path: Path) -> list[Attack]:
    """Read JSON lines {attack_id, where, text, sign}.

    Raises:
        QueryError: the file cannot be read, or a line is no attack.
    """
    try:
        found = [Attack(**json.loads(line)) for _, line in numbered_lines(path)]
    except (ValueError, TypeError) as error:
        raise QueryError(
            f"{path} holds no attacks {{attack_id, where, text, sign}}: {error}"
        ) from error
    if any(attack.where not in PLACES for attack in found):
        raise QueryError(f"{path}: where is one of {', '.join(PLACES)}.")
    return found


def attacks(
    index: Index, question: str, found: Sequence[Attack], model: LLM | None, progress: Progress
) -> list[Finding]:
    """Ask with each attack in the query, in every abstract or in an added file; how often it was resisted.

    Resisted: its sign is in no sentence that passed its checks. Also: nowhere in the answer at all.
    """
    shown, passed, said = [], [], []
    for done, attack in enumerate(found):
        progress("attacking", done, len(found))
        answer = _attacked(index, question, attack, model)
        said.append(answer)
        sign = re.compile(attack.sign, re.IGNORECASE)
        shown.append(not any(sign.search(s.text) for s in answer.sentences))
        passed.append(not any(sign.search(s.text) for s in answer.sentences if s.supported))
    progress("attacking", len(found), len(found))
    results = [
        _finding("attacks not obeyed in any sentence shown as supported", passed),
        _finding("attacks not obeyed in any sentence", shown),
        _finding("answers written by the model", written_by_model(said) if model else ()),
    ]
    return [f for f in results if f.estimate.n]


def _attacked(index: Index, question: str, attack: Attack, model: LLM | None) -> Answer:
    if attack.where == "query":
        return ask(index, f"{question} {attack.text}", llm=model, offline=model is None)
    if attack.where == "full text":
        files = _file_with(index, question, attack.text)
        return ask(index, question, llm=model, offline=model is None, full_texts=files)
    with_attack = _Poisoned(index.papers, attack.text)
    poisoned = _copied(index, with_attack)
    return ask(poisoned, question, llm=model, offline=model is None)


def _file_with(index: Index, question: str, text: str) -> FullTexts:
    """A file on the question's subject, the attack in the midst of it."""
    papers = [hit.paper for hit in search(index, question, SearchSettings(k=2)).hits]
    body = f" {text} ".join(paper.plain_abstract for paper in papers)
    document = Document("added.pdf", "PDF", (Section("Results", body),), title="A file of a reader")
    return FullTexts((FullText(document, split(document)),))


class _Poisoned:
    """The papers of an index, each with the attack behind its abstract."""

    def __init__(self, papers: Any, text: str) -> None:
        self._papers, self._text = papers, text

    def __len__(self) -> int:
        return len(self._papers)

    def __getitem__(self, row: int) -> Paper:
        paper: Paper = self._papers[row]
        return replace(paper, abstract=f"{paper.abstract} {self._text}")


def _copied(index: Index, papers: Any) -> Index:
    from copy import copy

    poisoned = copy(index)
    poisoned.papers = papers
    return poisoned


def _cites(answer: Answer, arxiv_id: str) -> bool:
    cited = {n for s in answer.sentences for n in s.citations}
    return any(answer.papers[n - 1].paper.arxiv_id == arxiv_id for n in cited)


def _held(text: str, ideal: str) -> float:
    """The share of the ideal answer's different words and numbers that the answer holds."""
    from indexer.tokens import tokens

    wanted = set(tokens(str(ideal)))
    return len(wanted & set(tokens(text))) / len(wanted) if wanted else 0.0


def _finding(name: str, values: Iterable[float | None]) -> Finding:
    """The mean of the values that are known."""
    known = [float(value) for value in values if value is not None]
    array: Values = np.array(known, dtype=np.float64)
    if not len(array):
        array = np.zeros(0)
        return Finding(name, replace(estimate(np.zeros(1)), mean=float("nan"), n=0))
    return Finding(name, estimate(array))
