"""Leading questions: does an answer agree with what the question presumes, or say what the papers say?

wayfinder eval leading --index my-index
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.measures import Values, estimate
from eval.metered import written_by_model
from eval.questions import numbered_lines
from eval.stability import cited, jaccard, likeness, rank_biased_overlap
from eval.understanding import Finding
from indexer.errors import QueryError
from indexer.sentences import split_sentences
from indexer.store import Index
from retrieval import ask
from retrieval.consensus import level_in
from retrieval.llm import LLM
from retrieval.records import Answer, Sentence

Progress = Callable[[str, int, int | None], None]

# A sentence with one of these does not agree with a presumption, whatever else it says.
_DENIES = re.compile(
    r"\b(?:not|no|never|neither|nor|without|cannot|hardly|unlikely|whether|if|may|might|could|would|can|suggest\w*"
    r"|rul\w+ out|exclud\w+|disfavou?r\w*|disput\w+|debat\w+|controvers\w+|challeng\w+|claim\w*|hypothes\w+|assum\w+"
    r"|question\w*|contrary|myth|unclear|unknown|candidates?|possib\w+|potential\w*|inconsistent|search\w*|limits?)\b|n['’]t\b|\?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Leading:
    """A neutral question, versions that presume something, and what the literature says of it."""

    leading_id: str
    question: str
    leading: tuple[str, ...]
    presumes: str
    asserts: str  # a regular expression: a sentence that it finds, without a denial, agrees
    literature: str


def read_leading(path: Path) -> list[Leading]:
    """Read JSON lines {leading_id, question, leading, presumes, asserts, literature}.

    Raises:
        QueryError: the file cannot be read, or a line is no such object; the line is named.
    """
    found = []
    for number, line in numbered_lines(path):
        try:
            row = json.loads(line)
            row["leading"] = tuple(map(str, row["leading"]))
            found.append(Leading(**row))
            re.compile(found[-1].asserts)
        except (ValueError, TypeError, KeyError, re.error) as error:
            wanted = "{leading_id, question, leading, presumes, asserts, literature}"
            raise QueryError(f"{path}, line {number}: expected {wanted}: {error}") from error
    if not found:
        raise QueryError(f"{path} holds no question.")
    return found


def leading(
    index: Index, asked: Sequence[Leading], model: LLM | None, progress: Progress
) -> list[Finding]:
    """Compare the answers to leading versions with that to the neutral question; means by question."""
    values: dict[str, list[float]] = {}
    written: list[float] = []
    for done, row in enumerate(asked):
        progress("asking", done, len(asked))
        neutral = ask(index, row.question, llm=model, offline=model is None)
        answers = [ask(index, text, llm=model, offline=model is None) for text in row.leading]
        seen: dict[str, list[float]] = {}
        written += map(float, written_by_model([neutral, *answers]))
        for name, value in _of_one("neutral", row, neutral, index):
            seen.setdefault(name, []).append(value)
        for answer in answers:
            for name, value in (*_of_one("leading", row, answer, index), *_moved(neutral, answer, index)):  # fmt: skip
                seen.setdefault(name, []).append(value)
        for name, several in seen.items():
            values.setdefault(name, []).append(float(np.mean(several)))
    progress("asking", len(asked), len(asked))
    if model is not None and written:
        values["answers written by the model"] = written
    return [Finding(name, estimate(_array(several))) for name, several in values.items()]


def agrees(sentence: Sentence, asserts: re.Pattern[str]) -> bool:
    """Whether a sentence states the presumption: it matches, and nothing in it denies or hedges."""
    return any(
        asserts.search(part) and not _DENIES.search(part) for part in split_sentences(sentence.text)
    )


def _of_one(
    version: str, row: Leading, answer: Answer, index: Index
) -> Iterator[tuple[str, float]]:
    """Of one answer: whether it agrees, and how near what it read and wrote is to the literature."""
    asserts = re.compile(row.asserts, re.IGNORECASE)
    agreeing = [s for s in answer.sentences if agrees(s, asserts)]
    yield (
        f"{version}: presumption stated in no sentence shown as supported",
        float(not any(s.supported for s in agreeing)),
    )
    yield f"{version}: presumption stated in no sentence", float(not agreeing)
    if answer.refused:
        return
    if version == "leading":
        told = answer.presumed
        yield "leading: presumption found and said", float(told is not None)
        if told is not None:
            yield "leading: presumption said, with a passage near it", float(told.n > 0)
    wanted, *vectors = index.encoder.encode([row.literature, *(s.text for s in answer.sentences)])
    if vectors:
        nearest = max(float(wanted @ vector) for vector in vectors)
        yield f"{version}: nearest sentence to what the literature says (cosine)", nearest


def _moved(neutral: Answer, answer: Answer, index: Index) -> Iterator[tuple[str, float]]:
    """How far the leading version moved the answer away from that to the neutral question."""
    yield "both answered, or both refused", float(neutral.refused == answer.refused)
    first, other = ([hit.paper.id for hit in a.papers] for a in (neutral, answer))
    if neutral.refused or answer.refused:
        return
    yield "papers read shared (Jaccard)", jaccard(first, other)
    yield "papers read, rank-biased overlap@10", rank_biased_overlap(first, other)
    yield "papers cited shared (Jaccard)", jaccard(cited(neutral), cited(answer))
    levels = [level_in(a.sentences) for a in (neutral, answer)]
    if all(levels):
        yield "same verdict", float(levels[0] == levels[1])
    if neutral.sentences and answer.sentences:
        yield "likeness of the answers (cosine)", likeness(neutral, answer, index.encoder)


def _array(values: Sequence[float]) -> Values:
    return np.array(values, dtype=np.float64)
