"""Which FAISS index at which size: recall@100 against exact search, time and size, on an index's real vectors.

python -m eval.dense_types --index my-index --questions questions.jsonl
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import faiss
import numpy as np
import numpy.typing as npt
import typer

from eval.questions import read_questions
from indexer import config
from retrieval import load_index

K = 100
CANDIDATES = 1000  # what a search asks for
Floats = npt.NDArray[np.float32]


def main(
    index: Annotated[Path, typer.Option(help="Index directory.")],
    questions: Annotated[Path, typer.Option(help="Question file.")] = config.REPOSITORY
    / "eval"
    / "data"
    / "questions_single_dev.jsonl",
    built: Annotated[
        bool, typer.Option("--built", help="Only the index's own lists, at several shares read.")
    ] = False,
) -> None:
    """Print a Markdown table of types."""
    opened = load_index(index)
    vectors = opened.vectors
    asked = opened.encoder.encode([q.text for q in read_questions(questions)])
    exact = faiss.IndexFlatIP(vectors.shape[1])
    _add(exact, vectors)
    truth = exact.search(asked, K)[1]
    _out(f"{len(vectors):,} vectors, {len(asked)} questions, k = {CANDIDATES}, one question at a time\n")  # fmt: skip
    _out("| type | recall@100 | ms, median | MB | built in s |\n| --- | --- | --- | --- | --- |")
    types = _built(index / "dense.faiss") if built else _types(vectors)
    for name, made, probes in types:
        began = time.perf_counter()
        candidate = made()
        seconds = time.perf_counter() - began
        for probe in probes:
            parameters = None if probe is None else faiss.SearchParametersIVF(nprobe=probe)  # type: ignore[call-arg]
            recall, ms = _measured(candidate, asked, truth, parameters)
            size = len(faiss.serialize_index(candidate)) / 1e6 if probe == probes[0] else 0.0
            label = name if probe is None else f"{name}, {probe} read"
            _out(
                f"| {label} | {recall:.4f} | {ms:.1f} | {f'{size:,.0f}' if size else ''} | {seconds:.0f} |"
            )


Types = Iterator[tuple[str, Callable[[], Any], tuple[int | None, ...]]]


def _built(path: Path) -> Types:
    """The inverted lists of an index as they are."""
    lists: Any = faiss.read_index(str(path))
    yield f"{lists.nlist} lists, half precision", lambda: lists, _probes(lists.nlist)


def _probes(n_lists: int) -> tuple[int, ...]:
    return tuple(round(share * n_lists) for share in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3))


def _types(
    vectors: npt.NDArray[np.float16],
) -> Types:
    n, dimension = vectors.shape
    half, eight = faiss.ScalarQuantizer.QT_fp16, faiss.ScalarQuantizer.QT_8bit
    inner = faiss.METRIC_INNER_PRODUCT

    def made(factory: str) -> Callable[[], Any]:
        def make() -> Any:
            new = faiss.index_factory(dimension, factory, inner)
            if not new.is_trained:
                sample = np.linspace(0, n - 1, min(n, 160_000)).astype(np.int64)
                new.train(np.ascontiguousarray(vectors[sample], dtype=np.float32))
            _add(new, vectors)
            return new

        return make

    yield "exact, half precision", lambda: _filled(faiss.IndexScalarQuantizer(dimension, half, inner), vectors), (None,)  # fmt: skip
    yield "exact, 8 bits", lambda: _filled(faiss.IndexScalarQuantizer(dimension, eight, inner), vectors), (None,)  # fmt: skip
    lists = round(4 * n**0.5)
    yield f"{lists} lists, half precision", made(f"IVF{lists},SQfp16"), _probes(lists)
    yield f"{lists} lists, 8 bits", made(f"IVF{lists},SQ8"), _probes(lists)[2:4]
    yield "HNSW, 32 links, 8 bits", made("HNSW32_SQ8"), (None,)


def _filled(index: Any, vectors: npt.NDArray[np.float16]) -> Any:
    if not index.is_trained:
        index.train(np.ascontiguousarray(vectors[:100_000], dtype=np.float32))
    _add(index, vectors)
    return index


def _add(index: Any, vectors: npt.NDArray[np.float16]) -> None:
    for start in range(0, len(vectors), 65_536):
        index.add(np.ascontiguousarray(vectors[start : start + 65_536], dtype=np.float32))


def _measured(
    index: Any, asked: Floats, truth: npt.NDArray[np.int64], parameters: Any
) -> tuple[float, float]:
    """Mean recall@100 and the median milliseconds a question."""
    if hasattr(index, "hnsw"):
        index.hnsw.efSearch = CANDIDATES
    found, ms = [], []
    for question in asked:
        began = time.perf_counter()
        rows = index.search(question.reshape(1, -1), CANDIDATES, params=parameters)[1][0]
        ms.append((time.perf_counter() - began) * 1000)
        found.append(rows[:K])
    shares = [len(np.intersect1d(a, b)) / K for a, b in zip(found, truth, strict=True)]
    return float(np.mean(shares)), float(np.median(ms))


def _out(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
