"""Passages of full texts, and papers that are read with them: what evidence may be quoted from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from indexer.records import Paper


@dataclass(frozen=True)
class Passage:
    """Some sentences of a full text in its own words; `section` is empty where it has no name."""

    section: str
    text: str


@dataclass(frozen=True)
class ReadPaper(Paper):
    """A paper with the passages of its full text that are read beside its abstract."""

    passages: tuple[Passage, ...] = ()
    file: str = ""  # the name of the file that a reader added
    own: bool = False  # not of the index: all that is known of it is in the file

    def evidence_text(self) -> str:
        """Everything that may be quoted: title, abstract and passages."""
        return " ".join([self.text(), *(passage.text for passage in self.passages)])


def read_with(paper: Paper, passages: tuple[Passage, ...], file: str) -> ReadPaper:
    """The paper of an index with passages of its full text."""
    facts: dict[str, Any] = {field.name: getattr(paper, field.name) for field in fields(Paper)}
    return ReadPaper(**facts, passages=passages, file=file)


def passages_of(paper: Paper) -> tuple[Passage, ...]:
    """The passages that are read of a paper; none where only its abstract is known."""
    return paper.passages if isinstance(paper, ReadPaper) else ()


def evidence_text(paper: Paper) -> str:
    """Everything that may be quoted of a paper."""
    return paper.evidence_text() if isinstance(paper, ReadPaper) else paper.text()


def in_full(papers: Iterable[Paper]) -> list[ReadPaper]:
    """The papers that are read with a full text, in their order."""
    return [paper for paper in papers if isinstance(paper, ReadPaper)]
