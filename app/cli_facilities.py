"""`wayfinder facilities`: which observatories and methods papers used, and which they only mention."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from app.terminal import JsonOption, QuietOption, out, say
from indexer.facilities import Detection, Evidence
from indexer.records import IngestReport, Paper

MOST_SHOWN = 110  # letters of a sentence in the table

SourceOption = Annotated[
    list[str],
    typer.Option(
        "--from",
        help="A file (.jsonl, .jsonl.gz, .csv, .parquet, .bib), `ads:QUERY`, `arxiv:CATEGORY` or `starter`. Repeatable.",
    ),
]


def facilities(
    sources: SourceOption, json_output: JsonOption = False, quiet: QuietOption = False
) -> None:
    """Say which facilities and methods each paper used, which it only mentions, and which sentence shows it.

    A facility's instruments and surveys count for it; they are listed apart. ADS's facility and bibgroup
    fields win over the words of the abstract.
    """
    from indexer.facility_scan import detect_all

    report = IngestReport(tell=_silent if quiet else say)
    for paper, detection in detect_all(_papers(sources, report)):
        if json_output:
            out(json.dumps(facilities_row(paper, detection), ensure_ascii=False))
        else:
            out(_page(paper, detection))
    for reason, n in report.skipped.items():
        say(f"{n:,} records kept out: {reason} (such as {report.examples[reason]})")


def facilities_row(paper: Paper, detection: Detection) -> dict[str, Any]:
    """One paper as a JSON object."""
    return {
        "id": paper.id,
        "bibcode": paper.bibcode,
        "arxiv_id": paper.arxiv_id,
        "doi": paper.doi,
        "title": paper.plain_title,
        "used": detection.used,
        "mentioned": detection.mentioned,
        "evidence": [_evidence_row(one) for one in detection.facilities],
        "instruments": [_evidence_row(one) for one in detection.instruments],
        "methods": [_evidence_row(one) for one in detection.methods],
    }


def _evidence_row(one: Evidence) -> dict[str, Any]:
    row: dict[str, Any] = {"name": one.name, "status": one.status, "sentence": one.sentence}
    return row | ({"by_source": True} if one.by_source else {})


def _papers(sources: list[str], report: IngestReport) -> Iterator[Paper]:
    from indexer.sources import read_source

    for source in sources:
        yield from read_source(source, report, title_only=True)


def _page(paper: Paper, detection: Detection) -> str:
    lines = [f"{paper.plain_title}\n  {paper.author_label}, {paper.year or 'year unknown'} · {paper.id}"]  # fmt: skip
    for one in detection.facilities:
        lines.append(f"  {one.status:<10}{one.name:<22}{_short(one.sentence)}")
    for status in ("used", "mentioned"):
        names = [one.name for one in detection.methods if one.status == status]
        lines += [f"  methods {status}: {', '.join(names)}"] if names else []
    if len(lines) == 1:
        lines.append("  no facility or method named")
    return "\n".join(lines)


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= MOST_SHOWN else f"{sentence[: MOST_SHOWN - 1]}…"


def _silent(text: str) -> None:
    return
