"""One report of every benchmark on the project's own question files: `report.md`, runs and results.

wayfinder eval report --index my-index --out report
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from eval import latency, ranking, understanding
from eval.ablation import measures_for, switches
from eval.baselines import System, systems
from eval.questions import locate, read_questions
from eval.runs import conditions, write_report, write_result, write_text
from indexer.config import REPOSITORY
from indexer.store import Index

DATA = REPOSITORY / "eval" / "data"

Progress = ranking.Progress


@dataclass(frozen=True)
class Section:
    """One benchmark of the report: what it is, and its table as text."""

    title: str
    table: str


def write(
    index: Index,
    folder: Path,
    progress: Progress,
    *,
    data: Path = DATA,
    citations: Path | None = None,
) -> Path:
    """Run everything, write runs, qrels and results below `folder` and `report.md` into it; return its path.

    `data` holds the question files by their names in eval/data; `citations` is one more file.

    Raises:
        QueryError: a question file is missing or wrong.
        StorageError: the folder cannot be written.
    """
    facts = conditions(index)
    lines = ["# Wayfinder, measured", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    for section in _sections(index, folder, data, citations, progress):
        lines += ["", f"## {section.title}", "", "```", section.table, "```"]
    return write_text(folder / "report.md", "\n".join(lines) + "\n")


def _sections(
    index: Index, folder: Path, data: Path, citations: Path | None, progress: Progress
) -> Iterator[Section]:
    files = [data / "questions_single_dev.jsonl", data / "topics_dev.jsonl"]
    files += [citations] if citations else []
    for path in files:
        compared = systems(index, ranking.DEPTH, baselines=True)
        yield _ranking(index, path, compared, folder / path.stem, progress)
    for path in files:
        turned = switches(index, ranking.DEPTH)
        section = _ranking(index, path, turned, folder / f"{path.stem}-ablation", progress)
        yield Section(f"{section.title}, every switch", section.table)
    for name, fields, measure in (
        ("temporal", ("since", "until", "recent", "as_of"), understanding.temporal),
        ("aliases", ("name",), understanding.aliases),
        ("scope", ("covered",), understanding.scope),
    ):
        rows = understanding.read_set(data / f"{name}.jsonl", *fields)
        found = measure(index, rows, progress)
        write_result(folder / name, {"findings": [asdict(f) for f in found]}, index)
        yield Section(name.capitalize(), understanding.table(found))
    asked = [question.text for question in read_questions(files[0])]
    yield Section("Latency", latency.table(latency.latencies(index, asked, progress)))


def _ranking(
    index: Index, path: Path, compared: dict[str, System], folder: Path, progress: Progress
) -> Section:
    qrels = path.with_suffix(".qrels")
    asked = read_questions(path, qrels=qrels if qrels.is_file() else None)
    report = ranking.run_benchmark(
        compared, locate(asked, index), measures_for(asked), progress=progress
    )
    write_report(folder, report, index)
    return Section(path.stem, ranking.table(report))
