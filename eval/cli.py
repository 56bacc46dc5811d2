"""`wayfinder eval ...`: one command per benchmark; measures what is served, on your own index."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval import cli_answers, cli_facilities, cli_load
from eval.options import IndexOption, JsonOption, opened_index, progress

if TYPE_CHECKING:
    from eval.ranking import Report
    from eval.understanding import Finding
    from indexer.store import Index

app = typer.Typer(help="Measure search and answers on question files.", no_args_is_help=True)
app.add_typer(cli_answers.app)
app.add_typer(cli_facilities.app)
app.add_typer(cli_load.app)

QuestionsOption = Annotated[
    Path, typer.Option(help="JSON lines of questions with their papers, or Pathfinder's JSON.")
]
QrelsOption = Annotated[
    Path | None,
    typer.Option(help="TREC qrels of these questions: query_id 0 paper grade.", show_default=False),
]
BaselinesOption = Annotated[
    bool,
    typer.Option(help="Also measure BM25, dense, rank fusion and Pathfinder's formulas."),
]
AgainstOption = Annotated[
    Path | None,
    typer.Option(
        help="Another index of the same papers to compare with, as by another encoder.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(help="Folder for runs, qrels and the result.", show_default=False),
]


@app.command()
def single(
    questions: QuestionsOption,
    index: IndexOption = None,
    baselines: BaselinesOption = True,
    against: AgainstOption = None,
    out: OutOption = None,
    json_output: JsonOption = False,
) -> None:
    """One right paper a question: success@1/10/100 and reciprocal rank@10."""
    from eval.measures import SINGLE

    _measure(
        questions,
        None,
        index,
        SINGLE,
        baselines=baselines,
        against=against,
        out=out,
        json_output=json_output,
    )


@app.command()
def multi(
    questions: QuestionsOption,
    qrels: QrelsOption = None,
    index: IndexOption = None,
    baselines: BaselinesOption = True,
    against: AgainstOption = None,
    out: OutOption = None,
    json_output: JsonOption = False,
) -> None:
    """Several right papers a question, graded or not: nDCG@10, recall@100, judged share@10."""
    from eval.measures import MULTI

    _measure(
        questions,
        qrels,
        index,
        MULTI,
        baselines=baselines,
        against=against,
        out=out,
        json_output=json_output,
    )


@app.command()
def citations(
    questions: QuestionsOption,
    index: IndexOption = None,
    baselines: BaselinesOption = True,
    against: AgainstOption = None,
    out: OutOption = None,
    json_output: JsonOption = False,
) -> None:
    """The cited papers of a citing one, asked for by its title: nDCG@10, recall@10/100."""
    from eval.measures import CITATIONS

    _measure(
        questions,
        None,
        index,
        CITATIONS,
        baselines=baselines,
        against=against,
        out=out,
        json_output=json_output,
    )


@app.command()
def ablation(
    questions: Annotated[
        list[Path],
        typer.Option(help="Question file; the qrels of NAME.jsonl are NAME.qrels beside it."),
    ],
    index: IndexOption = None,
    out: OutOption = None,
    json_output: JsonOption = False,
) -> None:
    """Every switch on and off, on every question file given."""
    from eval.ablation import measures_for, switches
    from eval.questions import locate, read_questions
    from eval.ranking import DEPTH, run_benchmark

    opened = opened_index(index)
    named = switches(opened, DEPTH)
    for path in questions:
        qrels = path.with_suffix(".qrels")
        asked = read_questions(path, qrels=qrels if qrels.is_file() else None)
        report = run_benchmark(named, locate(asked, opened), measures_for(asked), progress=progress)
        sys.stdout.write("" if json_output else f"{path}\n")
        _print(report, opened, out / path.stem if out else None, json_output=json_output)


@app.command()
def temporal(
    questions: QuestionsOption,
    index: IndexOption = None,
    out: OutOption = None,
    json_output: JsonOption = False,
) -> None:
    """Years and wishes for recent papers in questions, with negatives: precision, recall, effect."""
    from eval import understanding

    rows = understanding.read_set(questions, "since", "until", "recent", "as_of")
    opened = opened_index(index)
    found = understanding.temporal(opened, rows, progress)
    _print_findings(found, opened, out, json_output=json_output)


@app.command()
def aliases(
    questions: QuestionsOption,
    index: IndexOption = None,
    out: OutOption = None,
    json_output: JsonOption = False,
) -> None:
    """Objects and facilities by their many names, with negatives: precision, recall, effect."""
    from eval import understanding

    rows = understanding.read_set(questions, "name")
    opened = opened_index(index)
    found = understanding.aliases(opened, rows, progress)
    _print_findings(found, opened, out, json_output=json_output)


@app.command()
def scope(
    questions: QuestionsOption,
    index: IndexOption = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            help="Instead of measuring, fit: a file of questions that are answered, against those of --questions.",
            show_default=False,
        ),
    ] = None,
    out: OutOption = None,
    json_output: JsonOption = False,
) -> None:
    """Questions that the index does not cover, told from those it does: precision and recall."""
    from eval import understanding

    rows = understanding.read_set(questions, "covered")
    opened = opened_index(index)
    if calibrate is not None:
        inside = [row["question"] for row in understanding.read_set(calibrate)]
        outside = [row["question"] for row in rows if not row["covered"]]
        weights = understanding.calibrate(opened, inside, outside)
        fit = {"encoder": opened.manifest.encoder, "weights": weights}
        sys.stdout.write(json.dumps(fit) + "\n")
        return
    _print_findings(
        understanding.scope(opened, rows, progress), opened, out, json_output=json_output
    )


@app.command()
def latency(
    questions: QuestionsOption, index: IndexOption = None, json_output: JsonOption = False
) -> None:
    """Milliseconds of searches and quoted answers, by what is switched on."""
    from eval.latency import latencies, table
    from eval.questions import read_questions

    asked = [question.text for question in read_questions(questions)]
    found = latencies(opened_index(index), asked, progress)
    if json_output:
        for row in found:
            sys.stdout.write(json.dumps(asdict(row)) + "\n")
    else:
        sys.stdout.write(table(found) + "\n")


@app.command("api")
def api_command(
    questions: QuestionsOption,
    index: IndexOption = None,
    workers: Annotated[str, typer.Option(help="Numbers of server processes to try.")] = "1,2",
    connections: Annotated[int, typer.Option(help="Requests under way at once.", min=1)] = 8,
    seconds: Annotated[float, typer.Option(help="How long each is measured.", min=1)] = 20.0,
    json_output: JsonOption = False,
) -> None:
    """Searches a second that `wayfinder api` answers, and their processor time."""
    from eval.api_load import loads, table
    from eval.questions import read_questions
    from indexer.errors import QueryError

    asked = [question.text for question in read_questions(questions)]
    numbers = [int(number) for number in workers.split(",") if number.strip().isdecimal()]
    if not numbers or min(numbers) < 1:
        raise QueryError(f"--workers is {workers!r}: give numbers of processes, such as 1,2.")
    directory = opened_index(index).path
    found = []
    for row in loads(directory, asked, workers=numbers, connections=connections, seconds=seconds):
        found.append(row)
        sys.stderr.write(f"{row.name}: {row.per_second:.1f} a second\n")
    if json_output:
        for row in found:
            sys.stdout.write(json.dumps(asdict(row)) + "\n")
    else:
        sys.stdout.write(table(found) + "\n")


@app.command("map")
def map_command(
    index: IndexOption = None,
    umap: Annotated[
        bool,
        typer.Option(
            "--umap", help="Also lay the papers out by UMAP's defaults (needs umap-learn)."
        ),
    ] = False,
    out: OutOption = None,
    json_output: JsonOption = False,
) -> None:
    """The map: neighbours that the layout keeps, and labels measured on papers they were not made from."""
    from eval import landscape
    from eval.runs import write_result

    opened = opened_index(index)
    maps = landscape.layouts(opened, umap=umap, progress=progress)
    parts = (
        landscape.layout_findings(opened, maps, progress),
        landscape.label_findings(opened, progress),
    )
    if out is not None:
        write_result(out, {"findings": [asdict(f) for found in parts for f in found]}, opened)
    for found in parts:
        if json_output:
            for finding in found:
                sys.stdout.write(json.dumps(asdict(finding)) + "\n")
        else:
            sys.stdout.write(landscape.table(found) + "\n\n")


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="Folder for report.md, runs, qrels and results.")],
    index: IndexOption = None,
    citations: Annotated[
        Path | None,
        typer.Option(help="Also measure on this file of citing papers.", show_default=False),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with question files of the same names. Default: Wayfinder's own.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Every benchmark and every switch, in one report.md."""
    from eval.report import DATA, write

    opened = opened_index(index)
    path = write(opened, out, progress, data=data or DATA, citations=citations)
    sys.stdout.write(f"{path}\n")


def _measure(
    questions: Path,
    qrels: Path | None,
    index: Path | None,
    measures: Sequence[object],
    *,
    baselines: bool,
    against: Path | None,
    out: Path | None,
    json_output: bool,
) -> None:
    from eval.baselines import systems
    from eval.questions import locate, read_questions
    from eval.ranking import DEPTH, run_benchmark

    asked = read_questions(questions, qrels=qrels)
    opened = opened_index(index)
    other = opened_index(against) if against else None
    named = systems(opened, DEPTH, baselines=baselines, against=other)
    report = run_benchmark(named, locate(asked, opened), measures, progress=progress)
    _print(report, opened, out, json_output=json_output)


def _print(report: Report, index: Index, out: Path | None, *, json_output: bool) -> None:
    from eval.ranking import table
    from eval.runs import conditions, write_report

    if out is not None:
        write_report(out, report, index)
    if json_output:
        facts = conditions(index)
        for row in report.rows:
            line = {**asdict(row), "snapshot": facts["snapshot"], "commit": facts["commit"]}
            sys.stdout.write(json.dumps(line) + "\n")
    else:
        sys.stdout.write(table(report) + "\n")


def _print_findings(
    found: Sequence[Finding], index: Index, out: Path | None, *, json_output: bool
) -> None:
    from eval.runs import write_result
    from eval.understanding import table

    if out is not None:
        write_result(out, {"findings": [asdict(finding) for finding in found]}, index)
    if json_output:
        for finding in found:
            sys.stdout.write(json.dumps(asdict(finding)) + "\n")
    else:
        sys.stdout.write(table(found) + "\n")
