"""What the models learn from: written questions with their papers, and lighter pairs from the papers themselves.

The split is by paper: a paper whose arXiv id hashes to `HELD_BACK` is never trained on with a question. Its
questions choose between settings, so that the development questions of eval/ choose nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.errors import QueryError
from indexer.sentences import split_sentences
from indexer.store import Index

HELD_BACK = "0"  # first hexadecimal digit of the sha256 of the arXiv id: one paper in sixteen


@dataclass(frozen=True)
class Asked:
    """A written question and the row of the paper that answers it."""

    question: str
    style: str
    arxiv_id: str
    row: int


def asked(files: Iterable[Path], index: Index, *, but_not: Iterable[Path] = ()) -> list[Asked]:
    """The questions of `files` whose paper is in the index, less those on papers that `but_not` asks for.

    Raises:
        QueryError: a file cannot be read or a line is no such question.
    """
    kept_out = {record["arxiv_id"] for path in but_not for record in _records(path)}
    found: dict[str, Asked] = {}
    for record in (record for path in files for record in _records(path)):
        rows, _ = index.rows_of([record["arxiv_id"]])
        if record["arxiv_id"] in kept_out or not len(rows):
            continue
        found[record["question"]] = Asked(
            record["question"], record["style"], record["arxiv_id"], int(rows[0])
        )
    return list(found.values())


def held_back(arxiv_id: str) -> bool:
    """Whether a paper's questions are for choosing and not for training."""
    return hashlib.sha256(arxiv_id.encode()).hexdigest().startswith(HELD_BACK)


def split(questions: Sequence[Asked]) -> tuple[list[Asked], list[Asked]]:
    """Those to train on, and those held back."""
    return (
        [q for q in questions if not held_back(q.arxiv_id)],
        [q for q in questions if held_back(q.arxiv_id)],
    )


def light_pairs(index: Index) -> Iterator[tuple[str, str]]:
    """Title with abstract, and the abstract's last sentence with the rest of it, of each paper, asked for or not."""
    for paper in index.papers:
        title, abstract = paper.plain_title, paper.plain_abstract
        yield title, abstract
        *rest, last = split_sentences(abstract) or [""]
        if rest and last:
            yield last, f"{title}. {' '.join(rest)}"


def _records(path: Path) -> Iterator[dict[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise QueryError(f"{path} cannot be read ({error.strerror}).") from error
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            yield {key: str(record[key]) for key in ("question", "arxiv_id", "style")}
        except (ValueError, KeyError, TypeError) as error:
            raise QueryError(f"{path}, line {number} is no question with its paper.") from error
