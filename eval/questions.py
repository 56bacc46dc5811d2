"""Question files: each question with the papers that answer it, graded where the file grades them.

Read as they are: Wayfinder's JSON lines, TREC qrels, Pathfinder's two published JSON formats, and the file of
readers' feedback.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.feedback import is_feedback, judged
from indexer.errors import PaperNotFound, QueryError
from indexer.store import Index

ALL = "all"
PATHFINDER_SINGLE = ("question_abstract", "question_conclusion")

Grades = dict[str, int]  # identifier or document -> grade; 0 is judged and not relevant


@dataclass(frozen=True)
class Question:
    """One question and the grade of each paper judged for it, by arXiv id or bibcode."""

    query_id: str
    text: str
    grades: Grades
    style: str = ""


@dataclass(frozen=True)
class QuestionSet:
    """Questions with their papers located in an index; documents are `rowN`, or `missing:ID`."""

    questions: tuple[Question, ...]
    documents: dict[str, Grades]  # query_id -> document -> grade

    def qrels(self, *, in_corpus_only: bool) -> dict[str, Grades]:
        """The judgements; with `in_corpus_only`, of papers in the index and questions that have one."""
        if not in_corpus_only:
            return self.documents
        held = {
            query_id: {d: g for d, g in grades.items() if not d.startswith(MISSING)}
            for query_id, grades in self.documents.items()
        }
        return {query_id: grades for query_id, grades in held.items() if any(grades.values())}

    @property
    def n_missing(self) -> int:
        """Relevant papers, over all questions, that are not in the index."""
        return sum(
            g > 0 and d.startswith(MISSING) for gs in self.documents.values() for d, g in gs.items()
        )

    @property
    def styles(self) -> list[str]:
        """The styles that occur, in order of first appearance."""
        return list(dict.fromkeys(q.style for q in self.questions if q.style))


MISSING = "missing:"


def document(row: int) -> str:
    """The name of a paper of the index in runs and qrels."""
    return f"row{row}"


def read_questions(path: Path, *, qrels: Path | None = None) -> tuple[Question, ...]:
    """Read questions; their papers come from `qrels` (TREC: query_id 0 paper grade) where it is given.

    A JSON line has query_id, question and one of arxiv_id, bibcode (one right paper) or relevant (a
    list of papers). A JSON object is read as Pathfinder published its questions, feedback as `eval.feedback` says.

    Raises:
        QueryError: the file cannot be read, or a line is not such a question; the line is named.
    """
    text = _text(path)
    graded = read_qrels(qrels) if qrels else None
    questions = tuple(_questions(path, text, graded))
    if not questions:
        raise QueryError(f"{path} holds no question.")
    seen: set[str] = set()
    for question in questions:
        if question.query_id in seen:
            raise QueryError(f"{path} has query_id {question.query_id!r} twice: give each its own.")
        seen.add(question.query_id)
    return questions


def locate(questions: tuple[Question, ...], index: Index) -> QuestionSet:
    """Find the papers of every question in the index."""
    return QuestionSet(questions, {q.query_id: dict(_located(q.grades, index)) for q in questions})


def _located(grades: Mapping[str, int], index: Index) -> Iterator[tuple[str, int]]:
    for identifier, grade in grades.items():
        try:
            yield document(index.row_of(identifier)), grade
        except PaperNotFound:
            yield f"{MISSING}{identifier}", grade


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a text file that hold something, with their numbers from 1.

    Raises:
        QueryError: it cannot be read.
    """
    lines = _text(path).split("\n")
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"{path} cannot be read as UTF-8 text: {error}") from error


def read_qrels(path: Path) -> dict[str, Grades]:
    """The grades of a TREC file, by query_id and paper.

    Raises:
        QueryError: it cannot be read, or a line is no judgement.
    """
    qrels: dict[str, Grades] = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            query_id, _, paper, grade = line.split()
            qrels.setdefault(query_id, {})[paper] = int(grade)
        except ValueError as error:
            raise QueryError(
                f"{path}, line {number}: expected `query_id 0 paper grade`, found {line[:80]!r}."
            ) from error
    return qrels


def _questions(path: Path, text: str, graded: Mapping[str, Grades] | None) -> Iterator[Question]:
    if is_feedback(text):
        for query_id, question, grades in judged(text):
            if any(grades.values()):  # votes against papers alone name no right one
                yield Question(query_id, question, grades, "feedback")
    elif _is_one_object(text):
        yield from _pathfinder(path, text)
    else:
        yield from _lines(path, text, graded)


def _lines(path: Path, text: str, graded: Mapping[str, Grades] | None) -> Iterator[Question]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield _question(path, number, line, graded)


def _question(path: Path, number: int, line: str, graded: Mapping[str, Grades] | None) -> Question:
    try:
        value: Any = json.loads(line)
        query_id = str(value["query_id"])
        grades = graded[query_id] if graded is not None else _grades(value)
        question = Question(
            query_id, str(value["question"]).strip(), grades, str(value.get("style") or "")
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        wanted = '{"query_id", "question"} and "arxiv_id", "bibcode" or "relevant", or its papers in --qrels'
        raise QueryError(
            f"{path}, line {number}: expected {wanted}, found {line[:80]!r}."
        ) from error
    if not question.text:
        raise QueryError(f"{path}, line {number}: the question is empty.")
    return question


def _grades(value: Mapping[str, Any]) -> Grades:
    if "relevant" in value:
        return {str(paper): 1 for paper in value["relevant"]}
    return {str(value.get("arxiv_id") or value["bibcode"]): 1}


def _is_one_object(text: str) -> bool:
    """Whether the file is one JSON object and not a line per question."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and "query_id" not in value


def _pathfinder(path: Path, text: str) -> Iterator[Question]:
    """`{arxiv_id: {"question_abstract": text}}`, or `{id: {"question": text, "arxiv": [ids]}}`."""
    for name, value in json.loads(text).items():
        found = False
        if (
            isinstance(value, dict)
            and value.get("question")
            and isinstance(value.get("arxiv"), list)
        ):
            found = True
            yield Question(str(name), str(value["question"]), {str(p): 1 for p in value["arxiv"]})
        for field in PATHFINDER_SINGLE if isinstance(value, dict) and not found else ():
            if value.get(field):
                found = True
                style = field.removeprefix("question_")
                yield Question(f"{name}-{style}", str(value[field]), {str(name): 1}, style)
        if not found:
            raise QueryError(
                f"{path}, entry {name!r}: expected question_abstract or question_conclusion, or question and arxiv."
            )
