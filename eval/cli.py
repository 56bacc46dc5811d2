"""`wayfinder eval ...`: one command per benchmark; measures what is served, on your own index."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Measure search and answers on question files.", no_args_is_help=True)

QuestionsOption = Annotated[
    Path, typer.Option(help="JSON lines of questions with their papers, or Pathfinder's JSON.")
]
QrelsOption = Annotated[
    Path | None,
    typer.Option(help="TREC qrels of these questions: query_id 0 paper grade.", show_default=False),
]
IndexOption = Annotated[
    Path | None,
    typer.Option(help="Index directory. Default: WAYFINDER_INDEX.", show_default=False),
]
BaselinesOption = Annotated[
    bool,
    typer.Option(help="Also measure BM25, dense, rank fusion and Pathfinder's formulas."),
]
OutOption = Annotated[
    Path | None,
    typer.Option(help="Folder for runs, qrels and the result.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object per system and group.")]


@app.command()
def single(
    questions: QuestionsOption,
    index: IndexOption = None,
    baselines: BaselinesOption = True,
    out: OutOption = None,
    json_output: JsonOption = False,
) -> None:
    """One right paper a question: success@1/10/100 and reciprocal rank@10."""
    from eval.measures import SINGLE

    _measure(questions, None, index, SINGLE, baselines=baselines, out=out, json_output=json_output)


@app.command()
def multi(
    questions: QuestionsOption,
    qrels: QrelsOption = None,
    index: IndexOption = None,
    baselines: BaselinesOption = True,
    out: OutOption = None,
    json_output: JsonOption = False,
) -> None:
    """Several right papers a question, graded or not: nDCG@10, recall@100, judged share@10."""
    from eval.measures import MULTI

    _measure(questions, qrels, index, MULTI, baselines=baselines, out=out, json_output=json_output)


@app.command()
def citations(
    questions: QuestionsOption,
    index: IndexOption = None,
    baselines: BaselinesOption = True,
    out: OutOption = None,
    json_output: JsonOption = False,
) -> None:
    """The cited papers of a citing one, asked for by its title: nDCG@10, recall@10/100."""
    from eval.measures import CITATIONS

    _measure(
        questions, None, index, CITATIONS, baselines=baselines, out=out, json_output=json_output
    )


def _measure(
    questions: Path,
    qrels: Path | None,
    index: Path | None,
    measures: Sequence[object],
    *,
    baselines: bool,
    out: Path | None,
    json_output: bool,
) -> None:
    from eval.baselines import systems
    from eval.questions import locate, read_questions
    from eval.ranking import DEPTH, run_benchmark, table
    from eval.runs import conditions, write_report
    from indexer import config
    from indexer.errors import IndexMissing
    from retrieval import load_index

    asked = read_questions(questions, qrels=qrels)
    directory = index or config.index_dir()
    if directory is None:
        raise IndexMissing("No index is named: give --index DIR, or set WAYFINDER_INDEX.")
    opened = load_index(directory)
    named = systems(opened, DEPTH, baselines=baselines)
    report = run_benchmark(named, locate(asked, opened), measures, progress=_progress)
    if out is not None:
        write_report(out, report, opened)
    if json_output:
        facts = conditions(opened)
        for row in report.rows:
            line = {**asdict(row), "snapshot": facts["snapshot"], "commit": facts["commit"]}
            sys.stdout.write(json.dumps(line) + "\n")
    else:
        sys.stdout.write(table(report) + "\n")


def _progress(stage: str, done: int, total: int | None) -> None:
    if done == total:
        sys.stderr.write(f"{stage}: {done} questions\n")
