"""`wayfinder eval ...`: one command per benchmark; measures what is served, on your own index."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Measure search and answers on question files.", no_args_is_help=True)


@app.callback()
def evaluate() -> None:
    """Measure search and answers on question files."""


@app.command()
def single(
    questions: Annotated[
        Path,
        typer.Option(help='Lines {"query_id", "question", "arxiv_id" or "bibcode", "style"?}.'),
    ],
    index: Annotated[
        Path | None,
        typer.Option(help="Index directory. Default: WAYFINDER_INDEX.", show_default=False),
    ] = None,
    baselines: Annotated[
        bool, typer.Option(help="Also measure BM25, dense, rank fusion and Pathfinder's formulas.")
    ] = True,
    out: Annotated[
        Path | None, typer.Option(help="Folder for runs, qrels and the result.", show_default=False)
    ] = None,
    json_output: Annotated[
        bool, typer.Option("--json", help="One JSON object per system and group.")
    ] = False,
) -> None:
    """How often is the one right paper found: success@1/10/100 and reciprocal rank@10."""
    from eval.questions import locate, read_questions
    from eval.runs import conditions, write_report
    from eval.single import run_single, table
    from indexer import config
    from indexer.errors import IndexMissing
    from retrieval import load_index

    asked = read_questions(questions)
    directory = index or config.index_dir()
    if directory is None:
        raise IndexMissing("No index is named: give --index DIR, or set WAYFINDER_INDEX.")
    opened = load_index(directory)
    report = run_single(opened, locate(asked, opened), baselines=baselines, progress=_progress)
    if out is not None:
        write_report(out, report, opened)
    if json_output:
        facts = conditions(opened)
        for row in report.rows:
            sys.stdout.write(
                json.dumps(
                    {**asdict(row), "snapshot": facts["snapshot"], "commit": facts["commit"]}
                )
                + "\n"
            )
    else:
        sys.stdout.write(table(report) + "\n")


def _progress(stage: str, done: int, total: int | None) -> None:
    if done == total:
        sys.stderr.write(f"{stage}: {done} questions\n")
