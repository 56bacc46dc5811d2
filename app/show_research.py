"""What the command line prints of a research report for people."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from app.show import WIDTH, hit_lines
from retrieval.records import Sentence
from retrieval.research_records import Report
from retrieval.research_report import look_text, searched_text, section_note


def report_page(report: Report) -> str:
    """A report as plain text: short answer, sections, disagreements, what was not found, papers."""
    lines = [*textwrap.wrap(report.question, WIDTH), ""]
    lines += _block("Short answer", report.short_answer)
    for section in report.sections:
        lines += _block(section.question, section.sentences, section_note(section))
    lines += _block("Where the papers disagree", report.disagreements)
    if report.not_found:
        lines += ["WHAT WAS NOT FOUND", *(_item(text) for text in report.not_found), ""]
    lines += ["WHAT WAS SEARCHED", textwrap.fill(searched_text(report), WIDTH)]
    lines += [_item(look_text(look)) for look in report.looks]
    if report.papers:
        lines += [
            "",
            "PAPERS",
            *(hit_lines(hit, number=n) for n, hit in enumerate(report.papers, 1)),
        ]
    return "\n".join(lines)


def _block(heading: str, sentences: Sequence[Sentence], note: str = "") -> list[str]:
    if not sentences and not note:
        return []
    lines = [heading.upper() if len(heading) < 30 else heading]
    if note:
        lines.append(textwrap.fill(note, WIDTH))
    for sentence in sentences:
        lines.append(_item(sentence.text_with_citations()))
        if not sentence.supported:
            lines.append(f"    ! not supported: {'; '.join(sentence.problems)}")
    return [*lines, ""]


def _item(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  - ", subsequent_indent="    ")
