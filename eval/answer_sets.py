"""Question files for answers: closed-book sets of question, ideal answer and arXiv id, as JSON lines or CSV.

Sets of others name these in their own ways; the names known are in NAMES. Grades of papers come from
TREC qrels beside the file.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from eval.feedback import is_feedback, judged
from eval.questions import Grades, read_qrels
from indexer.errors import QueryError

NAMES = {
    "question": ("question", "query", "prompt", "Question"),
    "answer": ("answer", "ideal", "ideal_answer", "reference", "reference_answer", "Answer"),
    "arxiv_id": ("arxiv_id", "arxiv", "paper_id", "arXiv", "arxiv_ids"),
}
NO = ("false", "0", "no")


@dataclass(frozen=True)
class AnswerQuestion:
    """A question and what is known of its answer: None or empty where the set does not say."""

    question: str
    covered: bool | None = None  # whether the index has papers on it
    answer: str | None = None  # the ideal one
    arxiv_id: str | None = None  # the paper that answers
    grades: Grades = field(default_factory=dict)  # of papers judged, by identifier


def read_answer_questions(path: Path, *, qrels: Path | None = None) -> list[AnswerQuestion]:
    """Read JSON lines, CSV with a header line, or readers' feedback; `qrels` needs a `query_id` in each row.

    Raises:
        QueryError: the file cannot be read or a line holds no question.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"{path} cannot be read as UTF-8 text: {error}") from error
    if is_feedback(text):
        return [AnswerQuestion(asked, grades=grades) for _, asked, grades in judged(text)]
    graded = read_qrels(qrels) if qrels else {}
    rows = _csv(text) if path.suffix.casefold() == ".csv" else _lines(text)
    found = [_question(path, number, row, graded) for number, row in rows]
    if not found:
        raise QueryError(f"{path} holds no question.")
    return found


def _question(
    path: Path, number: int, row: Any, graded: Mapping[str, Grades]
) -> AnswerQuestion:  # fmt: skip
    text = _first(row, "question") if isinstance(row, Mapping) else None
    if not text:
        raise QueryError(f"{path}, line {number}: expected an object with a question.")
    covered = row.get("covered")
    return AnswerQuestion(
        text,
        None if covered in (None, "") else str(covered).casefold() not in NO,
        _first(row, "answer"),
        _first(row, "arxiv_id"),
        graded.get(str(row.get("query_id")), {}),
    )


def _first(row: Mapping[str, Any], name: str) -> str | None:
    value = next((row[known] for known in NAMES[name] if row.get(known)), None)
    if isinstance(value, list):
        value = next(iter(value), None)
    return None if value is None else str(value).strip() or None


def _lines(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError:
                yield number, None


def _csv(text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(StringIO(text, newline=""))
    for row in reader:
        yield reader.line_num, row
