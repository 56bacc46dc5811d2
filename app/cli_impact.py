"""`wayfinder impact`: what a facility, a method or a topic contributed, as text, JSON, CSV, charts or a report."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.terminal import JsonOption, QuietOption, index_directory, out, say
from indexer.errors import QueryError, SourceError
from indexer.whole_file import save

if TYPE_CHECKING:
    from indexer.store import Index
    from retrieval.impact import Impact

MOST_YEARS = 15  # shown as text; --json and --csv have all

PlotOption = Annotated[
    Path | None,
    typer.Option(help="Also write the chart of shares: FILE.svg or FILE.png.", show_default=False),
]


def impact(
    name: Annotated[str, typer.Argument(metavar="FACILITY", help="A facility by any of its names; see --method, --topic.", show_default=False)],
    compare: Annotated[list[str] | None, typer.Option(help="Another one, side by side. Repeatable.", show_default=False)] = None,
    method: Annotated[bool, typer.Option("--method", help="The names are methods.")] = False,
    topic: Annotated[bool, typer.Option("--topic", help="The names are topics: title or abstract holds all words.")] = False,
    query: Annotated[str, typer.Option(help="Only papers whose title or abstract holds all these words.", show_default=False)] = "",
    since: Annotated[int | None, typer.Option(help="Only papers of this year and later.", show_default=False)] = None,
    until: Annotated[int | None, typer.Option(help="Only papers of this year and earlier.", show_default=False)] = None,
    papers: Annotated[Path | None, typer.Option(help="Only papers whose identifiers stand in this file, one a line.", show_default=False)] = None,
    index: Annotated[Path | None, typer.Option("--index", help="Index directory. Default: WAYFINDER_INDEX, else the starter corpus.", show_default=False)] = None,
    json_output: JsonOption = False,
    csv_output: Annotated[bool, typer.Option("--csv", help="One long table on stdout.")] = False,
    report: Annotated[Path | None, typer.Option(help="Also write a printable report: FILE.html.", show_default=False)] = None,
    plot: PlotOption = None,
    quiet: QuietOption = False,
) -> None:  # fmt: skip
    """Say what a facility contributed: papers and shares a year, citations, company, growth, terms.

    Every number has its definition and its papers in --json, --csv and --report.
    """
    from retrieval import load_index
    from retrieval.impact import Scope
    from retrieval.impact import compare as compared

    if method and topic:
        raise QueryError(
            "The names are methods or topics, not both: leave --method or --topic out."
        )
    if since is not None and until is not None and since > until:
        raise QueryError(f"--since {since} is after --until {until}: exchange them.")
    if json_output and csv_output:
        raise QueryError("Results are JSON or CSV, not both: leave --json or --csv out.")
    chosen = _identifiers(papers) if papers else None
    opened = load_index(index_directory(index, quiet))
    kind = "method" if method else "topic" if topic else "facility"
    found = compared(opened, [name, *(compare or [])], kind, Scope(query, since, until, chosen))  # type: ignore[arg-type]
    _write(opened, found, json_output=json_output, csv_output=csv_output)
    if report is not None:
        from app.impact_report import report as page

        save(report, page(opened, found).encode())
        say(f"{report} written")
    if plot is not None:
        from app import charts

        charts.save(charts.share_chart(found), plot)
        say(f"{plot} written")


def _write(index: Index, found: list[Impact], *, json_output: bool, csv_output: bool) -> None:
    from retrieval.impact_rows import impact_row

    if json_output:
        for one in found:
            out(json.dumps(impact_row(index, one), ensure_ascii=False))
    elif csv_output:
        sys.stdout.write(as_csv(index, found))
    else:
        for one in found:
            out(page_of(index, one))


def as_csv(index: Index, found: list[Impact]) -> str:
    """The impacts as one CSV table."""
    from retrieval.impact_rows import CSV_COLUMNS, csv_rows
    from retrieval.spreadsheet import csv_text

    return csv_text(CSV_COLUMNS, (row for one in found for row in csv_rows(index, one)))


def page_of(index: Index, found: Impact) -> str:
    """An impact for people."""
    from app.impact_report import moved, moved_words, numbers, terms
    from retrieval.impact_rows import top_rows

    where = f" {found.scope.label}" if found.scope.label else ""
    lines = [f"{found.name}{where}, as of {found.as_of}"]
    lines += [f"  {label:<55}{value}" for label, value in numbers(found)]
    shown = found.years[-MOST_YEARS:]
    lines += ["  year    used  mentioned   share of the year's papers"] if shown else []
    for year in shown:
        share = "" if year.share is None else f"{year.share:7.2%} [{year.low:.2%}, {year.high:.2%}] of {year.papers:,}"  # fmt: skip
        lines.append(f"  {year.year}{year.used:>8,}{year.mentioned:>11,}   {share}")
    if found.together:
        lines.append("  used together with " + ", ".join(f"{one.name} ({len(one.rows):,})" for one in found.together))  # fmt: skip
    for text, before, after, z in terms(found):
        lines.append(f"  term {text}: {before} of titles before {found.terms.split_year}, {after} since (z {z})")  # fmt: skip
    if found.places is not None and len(found.used):
        lines.append(f"  map: {moved_words(found.places)}")
        for cluster, papers, before, after, change, direction in moved(found.places):
            if direction:
                lines.append(f"    {direction} {cluster}: {before} to {after} of its papers, {change} % points, {papers} papers")  # fmt: skip
    for paper in top_rows(index, found)[:5]:
        lines.append(f"  {paper['citation_count']:>6,} citations  {paper['authors']}, {paper['year'] or 'year unknown'}: {paper['title'][:70]} · {paper['id']}")  # fmt: skip
    if not found.scope.label:
        lines.append("  Counts are of this index, which is a part of the literature.")
    return "\n".join(lines)


def _identifiers(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read as a list of identifiers: {error}") from error
    found = tuple(line.strip() for line in lines if line.strip())
    if not found:
        raise SourceError(f"{path} holds no identifier: give a bibcode, arXiv id or DOI a line.")
    return found
