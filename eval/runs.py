"""Runs, qrels and results on disk: TREC files, and one JSON that says what they were made with."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval.measures import Qrels, Run
from eval.questions import MISSING
from eval.ranking import Report
from indexer.config import REPOSITORY
from indexer.errors import StorageError
from indexer.records import Paper
from indexer.store import Index
from indexer.whole_file import write_whole


def conditions(index: Index) -> dict[str, Any]:
    """What a result was measured with: index, encoder, commit, date, machine, command."""
    return {
        "snapshot": index.manifest.snapshot,
        "n_papers": index.manifest.n_papers,
        "encoder": index.manifest.encoder,
        "as_of": index.manifest.as_of,
        "commit": _commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "command": " ".join(sys.argv),
    }


def machine() -> dict[str, Any]:
    """Processor, cores and memory of this machine."""
    import psutil

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [
            line.split(":", 1)[1].strip()
            for line in cpuinfo.read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
    }


def write_report(folder: Path, report: Report, index: Index) -> None:
    """Write `qrels.txt`, `NAME.run` and `result.json` into `folder`.

    Raises:
        StorageError: the folder cannot be written.
    """
    ids = _Ids(index)
    write_text(folder / "qrels.txt", ids.qrels(report.qrels))
    for name, run in report.runs.items():
        tag = name.replace(" ", "_").replace(",", "")
        write_text(folder / f"{tag}.run", ids.run(run, tag))
    rows = [asdict(row) for row in report.rows]
    write_result(folder, {"n_missing": report.n_missing, "rows": rows}, index)


def write_result(folder: Path, result: Mapping[str, Any], index: Index) -> None:
    """Write `result.json` into `folder`: the conditions of the measurement, then `result`.

    Raises:
        StorageError: the folder cannot be written.
    """
    content = {**conditions(index), **result}
    write_text(folder / "result.json", f"{json.dumps(content, indent=1)}\n")


def write_text(path: Path, content: str) -> Path:
    """Write a text file whole or not at all, and return its path.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content.encode())
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from error
    return path


class _Ids:
    """Rows of the index as the identifiers that TREC files name papers by."""

    def __init__(self, index: Index) -> None:
        self._papers = index.papers

    def _name(self, document: str) -> str:
        if document.startswith(MISSING):
            return document.removeprefix(MISSING)
        paper: Paper = self._papers[int(document.removeprefix("row"))]
        return (paper.arxiv_id or paper.id).replace(" ", "_")

    def qrels(self, qrels: Qrels) -> str:
        return "".join(
            f"{q} 0 {self._name(d)} {grade}\n"
            for q, grades in qrels.items()
            for d, grade in grades.items()
        )

    def run(self, run: Run, tag: str) -> str:
        return "".join(self._ranked(q, scores, tag) for q, scores in run.items())

    def _ranked(self, query_id: str, scores: Mapping[str, float], tag: str) -> str:
        return "".join(
            f"{query_id} Q0 {self._name(d)} {rank} {score:g} {tag}\n"
            for rank, (d, score) in enumerate(scores.items(), 1)
        )


def _commit() -> str:
    done = subprocess.run(  # noqa: S603
        [shutil.which("git") or "git", "rev-parse", "--short", "HEAD"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"
