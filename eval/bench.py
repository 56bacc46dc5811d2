"""Speed and memory on this machine, side by side with Pathfinder's way in one run (`make bench`).

    python -m eval.bench --index my-index --corpus papers.jsonl.gz --questions questions.jsonl

Encoding and building are measured when --corpus is given; opening, memory and search need an index.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from eval.questions import read_questions
from eval.runs import machine
from indexer import config
from indexer.build import build_index
from indexer.encoder import load_encoder, minilm_folder
from indexer.errors import IndexMissing
from indexer.records import IngestReport
from indexer.sources import read_source
from indexer.store import Index
from retrieval import ask, load_index, search
from retrieval.pathfinder import citation_weight, keyword_weight, similarity, time_weight

WARM_UP = 5
N_ENCODED = 256
N_ASKED = 20

_OPENING = """
import json, sys, time
from pathlib import Path
from retrieval import load_index
began = time.perf_counter(); load_index(Path(sys.argv[1])); print(time.perf_counter() - began)
"""
_MEMORY = """
import json, sys
from pathlib import Path
import psutil
from retrieval import load_index, search
index = load_index(Path(sys.argv[1]))
for question in json.load(open(sys.argv[2])): search(index, question)
print(psutil.Process().memory_info().rss / 2**20)
"""


@dataclass(frozen=True)
class Measurement:
    """One number, what it was measured as, and what it has to reach where there is such a number."""

    name: str
    value: str
    target: str = ""


def main(
    index: Annotated[
        Path | None, typer.Option(help="Index directory. Default: WAYFINDER_INDEX.")
    ] = None,
    questions: Annotated[
        Path, typer.Option(help="Question file for the search times.")
    ] = config.REPOSITORY / "eval" / "data" / "questions_single_dev.jsonl",
    corpus: Annotated[
        Path | None, typer.Option(help="Source to measure encoding and building with.")
    ] = None,
) -> None:
    """Measure and print a Markdown table."""
    directory = index or config.index_dir()
    if directory is None:
        raise IndexMissing("No index is named: give --index DIR, or set WAYFINDER_INDEX.")
    asked = [question.text for question in read_questions(questions)]
    opened = load_index(directory)
    facts = machine()
    _out(
        f"{facts['processor']}, {facts['cores']} cores, Python {facts['python']}; {len(opened.papers):,} papers, {len(asked)} questions\n"
    )
    _out("| measured | value | to reach |\n| --- | --- | --- |")
    steps: list[Callable[[], list[Measurement]]] = [
        lambda: opening(directory),
        lambda: memory(directory, asked),
        lambda: search_times(opened, asked),
        lambda: answer_times(opened, asked[:N_ASKED]),
    ]
    if corpus is not None:
        steps += [lambda: encoding(corpus), lambda: building(corpus)]
    for step in steps:
        for m in step():
            _out(f"| {m.name} | {m.value} | {m.target} |")


def opening(directory: Path) -> list[Measurement]:
    """Seconds to open the index in a fresh process, checksums known from before: median of five."""
    seconds = [float(_python(_OPENING, str(directory))) for _ in range(5)]
    return [Measurement("opening the index", f"{np.median(seconds) * 1000:.0f} ms", "1 s")]


def memory(directory: Path, asked: Sequence[str]) -> list[Measurement]:
    """Resident memory of a fresh process that opened the index and searched every question."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(list(asked), file)
        file.flush()
        return [
            Measurement(
                "resident memory while searching",
                f"{float(_python(_MEMORY, str(directory), file.name)):.0f} MiB",
                "1 GB",
            )
        ]


def search_times(index: Index, asked: Sequence[str]) -> list[Measurement]:
    """Milliseconds a question, encoding included: what is served and Pathfinder's way, in turn."""
    theirs = _pathfinders_way(index)
    ours_ms: list[float] = []
    theirs_ms: list[float] = []
    for place, question in enumerate([*asked[:WARM_UP], *asked]):
        a = _milliseconds(lambda q=question: search(index, q))  # type: ignore[misc]
        b = _milliseconds(lambda q=question: theirs(q))  # type: ignore[misc]
        if place >= WARM_UP:
            ours_ms.append(a)
            theirs_ms.append(b)
    ratio = np.median(theirs_ms) / np.median(ours_ms)
    return [
        Measurement("hybrid search, median", f"{np.median(ours_ms):.1f} ms", "40 ms"),
        Measurement(
            "hybrid search, 95th percentile", f"{np.percentile(ours_ms, 95):.1f} ms", "80 ms"
        ),
        Measurement("Pathfinder's way, median", f"{np.median(theirs_ms):.1f} ms"),
        Measurement("Pathfinder's way, 95th percentile", f"{np.percentile(theirs_ms, 95):.1f} ms"),
        Measurement("Pathfinder's way / hybrid search, medians", f"{ratio:.1f}"),
    ]


def answer_times(index: Index, asked: Sequence[str]) -> list[Measurement]:
    """Milliseconds of a quoted answer, search included."""
    ms = [_milliseconds(lambda q=question: ask(index, q, offline=True)) for question in asked]  # type: ignore[misc]
    return [
        Measurement("quoted answer, median", f"{np.median(ms):.0f} ms"),
        Measurement("quoted answer, slowest", f"{max(ms):.0f} ms"),
    ]


def encoding(corpus: Path) -> list[Measurement]:
    """Abstracts a second of the served encoder, and of the same model in PyTorch fp32."""
    from sentence_transformers import SentenceTransformer

    texts = [paper.text() for paper in islice(read_source(str(corpus), IngestReport()), N_ENCODED)]
    served = load_encoder("astro")
    served.encode(texts[:8])
    torch_model = SentenceTransformer(str(minilm_folder()), device="cpu")
    torch_model.max_seq_length = 256
    torch_model.encode(texts[:8])
    ours = len(texts) / (_milliseconds(lambda: served.encode(texts)) / 1000)
    theirs = len(texts) / (_milliseconds(lambda: torch_model.encode(texts, batch_size=32)) / 1000)
    return [
        Measurement("encoding", f"{ours:.0f} abstracts/s", "30"),
        Measurement("encoding in PyTorch fp32", f"{theirs:.0f} abstracts/s"),
        Measurement("encoding / PyTorch fp32", f"{ours / theirs:.1f}"),
    ]


def building(corpus: Path) -> list[Measurement]:
    """Seconds to build the index of the corpus once its vectors are in the cache."""
    encoder = load_encoder("astro")
    with tempfile.TemporaryDirectory() as folder:
        build_index([str(corpus)], Path(folder) / "first", encoder=encoder)
        seconds = (
            _milliseconds(
                lambda: build_index([str(corpus)], Path(folder) / "second", encoder=encoder)
            )
            / 1000
        )
    return [Measurement("building the index from cached vectors", f"{seconds:.0f} s", "60 s")]


def _pathfinders_way(index: Index) -> Callable[[str], object]:
    """Flat float32 L2 search, weights from a pandas table, as in its published code."""
    import faiss
    import pandas as pd

    flat = faiss.IndexFlatL2(index.manifest.dimension)
    flat.add(np.asarray(index.vectors, dtype=np.float32))
    papers = pd.DataFrame(
        {
            "text": [paper.text() for paper in index.papers],
            "age": index.manifest.as_of_year
            - np.nan_to_num(index.decimal_year, nan=index.manifest.as_of_year),
            "citations": np.maximum(index.citations, 0),
        }
    )

    def rank(question: str) -> object:
        distance, rows = flat.search(index.encoder.encode([question]), 1000)
        table = papers.iloc[rows[0]].copy()
        table["score"] = similarity(1.0 - distance[0].astype(np.float64) / 2.0)
        table["score"] *= keyword_weight(question, list(table["text"]))
        table["score"] *= time_weight(table["age"].to_numpy(dtype=np.float64))
        table["score"] *= citation_weight(table["citations"].to_numpy(dtype=np.float64))
        return table.sort_values("score", ascending=False).head(10)

    return rank


def _milliseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _python(code: str, *arguments: str) -> str:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    ).stdout


def _out(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
