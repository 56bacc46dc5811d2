"""Question files: JSON lines of a question and the papers that answer it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.errors import PaperNotFound, QueryError
from indexer.store import Index

ALL = "all"


@dataclass(frozen=True)
class Question:
    """One question and the identifier of the one paper that answers it."""

    query_id: str
    text: str
    paper: str  # arXiv id or bibcode
    style: str


@dataclass(frozen=True)
class QuestionSet:
    """The questions of a file, with the row of each right paper that the index holds."""

    questions: tuple[Question, ...]
    rows: dict[str, int]  # query_id -> row

    @property
    def missing(self) -> tuple[Question, ...]:
        """Questions whose paper is not in the index."""
        return tuple(q for q in self.questions if q.query_id not in self.rows)

    @property
    def styles(self) -> list[str]:
        """The styles that occur, in order of first appearance."""
        return list(dict.fromkeys(q.style for q in self.questions if q.style))


def read_questions(path: Path) -> tuple[Question, ...]:
    """Read lines `{"query_id", "question", "arxiv_id" or "bibcode", "style"?}`.

    Raises:
        QueryError: the file cannot be read, or a line is not such a question; the line is named.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"{path} cannot be read as UTF-8 text: {error}") from error
    questions = [_question(path, n, line) for n, line in enumerate(lines, 1) if line.strip()]
    if not questions:
        raise QueryError(f"{path} holds no question.")
    seen: set[str] = set()
    for question in questions:
        if question.query_id in seen:
            raise QueryError(
                f"{path} has query_id {question.query_id!r} twice: give each question its own."
            )
        seen.add(question.query_id)
    return tuple(questions)


def locate(questions: tuple[Question, ...], index: Index) -> QuestionSet:
    """Find each question's paper in the index; those that are not there are left out of `rows`."""
    rows = {}
    for question in questions:
        try:
            rows[question.query_id] = index.row_of(question.paper)
        except PaperNotFound:
            continue
    return QuestionSet(questions, rows)


def _question(path: Path, number: int, line: str) -> Question:
    wanted = '{"query_id", "question", "arxiv_id" or "bibcode"}'
    try:
        value: Any = json.loads(line)
        paper = value.get("arxiv_id") or value["bibcode"]
        question = Question(
            str(value["query_id"]),
            str(value["question"]).strip(),
            str(paper),
            str(value.get("style") or ""),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise QueryError(
            f"{path}, line {number}: expected {wanted}, found {line[:80]!r}."
        ) from error
    if not question.text:
        raise QueryError(f"{path}, line {number}: the question is empty.")
    return question
