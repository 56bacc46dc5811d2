"""What can be taken away, in which forms: the same on the page, as buttons, and on the command line, as files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from app.terminal import say
from indexer.errors import QueryError
from indexer.records import Paper
from indexer.whole_file import not_a_file, save
from retrieval.answer_files import (
    answer_html,
    answer_json,
    answer_markdown,
    search_html,
    search_json,
    search_markdown,
)
from retrieval.bibliography import bibtex, papers_csv, ris
from retrieval.records import Answer, Hit, SearchResult
from retrieval.research_records import Report

T = TypeVar("T")


@dataclass(frozen=True)
class Form(Generic[T]):
    """A form that something can be taken away in."""

    label: str
    ending: str  # of the file's name, without its dot
    mime: str
    make: Callable[[T], str]


def report_markdown(report: Report) -> str:
    """A report of research as Markdown."""
    from retrieval.research_report import report_markdown as markdown

    return markdown(report)


def report_json(report: Report) -> str:
    """The same as one JSON object; where its trace lies is left out."""
    from retrieval.research_report import report_row

    return json.dumps(report_row(replace(report, trace="")), ensure_ascii=False)


ANSWER: tuple[Form[Answer], ...] = (
    Form("Markdown", "md", "text/markdown", answer_markdown),
    Form("HTML", "html", "text/html", answer_html),
    Form("JSON", "json", "application/json", answer_json),
)
SEARCH: tuple[Form[SearchResult], ...] = (
    Form("Markdown", "md", "text/markdown", search_markdown),
    Form("HTML", "html", "text/html", search_html),
    Form("JSON", "json", "application/json", search_json),
)
REPORT: tuple[Form[Report], ...] = (
    Form("Markdown", "md", "text/markdown", report_markdown),
    Form("JSON", "json", "application/json", report_json),
)
PAPERS: tuple[Form[Sequence[Paper]], ...] = (
    Form("BibTeX", "bib", "application/x-bibtex", bibtex),
    Form("RIS", "ris", "application/x-research-info-systems", ris),
    Form("CSV", "csv", "text/csv", papers_csv),
)


class Exports(Generic[T]):
    """The files that a command shall write, each looked at before anything is worked out.

    Raises:
        QueryError: an ending is not known, or at a place no file can be written.
    """

    def __init__(self, paths: Sequence[Path] | None, forms: Sequence[Form[T]]) -> None:
        self.paths, self._forms = tuple(paths or ()), {f".{form.ending}": form.make for form in forms}  # fmt: skip
        endings = (*self._forms, *(f".{form.ending}" for form in PAPERS))
        for path in self.paths:
            _check(path, endings)

    def write(self, found: T, hits: Sequence[Hit]) -> None:
        """Write `found`, or its papers, to each file in the form of its ending, and say so.

        Raises:
            StorageError: one cannot be written; what was there before is as it was.
        """
        for path in self.paths:
            self._write(path, found, hits)
            say(f"Written: {path}")

    def _write(self, path: Path, found: T, hits: Sequence[Hit]) -> None:
        ending = path.suffix.lower()
        if (make := self._forms.get(ending)) is not None:
            text = make(found)
        else:
            papers = [hit.paper for hit in hits]
            (text,) = (form.make(papers) for form in PAPERS if f".{form.ending}" == ending)
        save(path, text.encode("utf-8", "backslashreplace"))


def _check(path: Path, endings: Sequence[str]) -> None:
    if path.suffix.lower() not in endings:
        raise QueryError(
            f"--export {path} ends in {path.suffix or 'nothing'}: choose one of {', '.join(endings)}."
        )
    if (why := not_a_file(path)) is not None:
        raise QueryError(f"--export {path}: {why}. Name a file, or a place for a new one.")
    if not path.parent.is_dir():
        raise QueryError(f"--export {path}: there is no folder {path.parent}. Make it first.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise QueryError(f"--export {path}: the folder {path.parent} may not be written to.")
