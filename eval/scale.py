"""How an index grows: build time, memory, size, opening and search at several sizes (`make scale`).

    python -m eval.scale --titles titles.jsonl.gz --docs docs

Texts are real titles. Vectors are real where a cache has them; the others are real vectors of other
papers moved by noise of a fixed length (SCATTER), since encoding all would take hours of two cores.
Builds, openings and searches are processes of their own; encoding is left aside.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from eval.questions import read_questions
from eval.runs import machine
from indexer import config
from indexer.encoder import load_encoder
from indexer.records import IngestReport
from indexer.sources import read_source
from indexer.vectors import text_key, vector_folder

SIZES = (10_000, 42_385, 200_000, 687_880)
SCATTER = (
    0.6  # length of the noise added to a unit vector: a cosine of about 0.86 to where it came from
)
ROWS_AT_ONCE = 20_000

_SEARCHES = """
import json, sys, time
from pathlib import Path
began = time.perf_counter()
from retrieval import load_index, search
imported = time.perf_counter()
index = load_index(Path(sys.argv[1]))
opened = time.perf_counter()
import psutil
questions = json.load(open(sys.argv[2]))
for question in questions[:5]: search(index, question)
ms = []
for question in questions:
    start = time.perf_counter(); search(index, question); ms.append((time.perf_counter() - start) * 1000)
print(json.dumps({"open": opened - imported, "ms": ms, "rss": psutil.Process().memory_info().rss / 1e9, "dense": index.dense.kind}))
"""


@dataclass(frozen=True)
class Growth:
    """What was measured at one size; seconds, GB and milliseconds."""

    n: int
    build_s: float
    build_gb: float
    disk_gb: float
    open_s: float
    median_ms: float
    p95_ms: float
    search_gb: float
    dense: str


def main(
    titles: Annotated[Path, typer.Option(help="JSON lines of titles with year and author.")],
    docs: Annotated[Path, typer.Option(help="Folder for the plot.")] = config.REPOSITORY / "docs",
    real: Annotated[
        list[Path] | None, typer.Option(help="Further caches with real vectors. Repeatable.")
    ] = None,
    sizes: Annotated[str, typer.Option(help="Numbers of papers.")] = ",".join(map(str, SIZES)),
    keep: Annotated[Path | None, typer.Option(help="Keep the indexes in this folder.")] = None,
) -> None:
    """Measure, print a Markdown table and draw the plot."""
    questions = [
        q.text
        for q in read_questions(config.REPOSITORY / "eval" / "data" / "questions_single_dev.jsonl")
    ]
    with tempfile.TemporaryDirectory(dir=keep) as scratch:
        folder = keep or Path(scratch)
        n_real = _fill_cache(titles, folder / "cache", [config.cache_dir(), *(real or [])])
        facts = machine()
        _out(f"{facts['processor']}, {facts['cores']} cores; {n_real:,} real vectors, the rest scattered around them\n")  # fmt: skip
        _out("| papers | build s | build GB | on disk GB | open s | search median ms | 95 % ms | resident GB | dense |")  # fmt: skip
        _out("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        found = []
        for n in map(int, sizes.split(",")):
            found.append(_measured(titles, n, folder, questions))
            one = found[-1]
            _out(
                f"| {one.n:,} | {one.build_s:.1f} | {one.build_gb:.2f} | {one.disk_gb:.2f} | {one.open_s:.2f} | {one.median_ms:.1f} "
                f"| {one.p95_ms:.1f} | {one.search_gb:.2f} | {one.dense} |"
            )
    _plot(found, docs / "growth.svg")


def _fill_cache(titles: Path, cache: Path, sources: list[Path]) -> int:
    """Give every title a vector in `cache`; return how many real ones there were to draw from."""
    encoder = load_encoder("astro")
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "models").exists():
        (cache / "models").symlink_to((config.cache_dir() / "models").resolve())
    keys, vectors = _real(encoder, sources)
    target = vector_folder(encoder, cache / "vectors")
    target.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    known = set(keys)
    with (target / "vectors.f16").open("wb") as vector_file, (target / "keys.bin").open("wb") as key_file:  # fmt: skip
        vector_file.write(vectors.tobytes())
        key_file.write(b"".join(keys))
        wanted: list[bytes] = []
        for paper in read_source(str(titles), IngestReport(), title_only=True):
            key = text_key(paper.text())
            if key not in known:
                known.add(key)
                wanted.append(key)
            if len(wanted) == ROWS_AT_ONCE:
                _scatter(rng, vectors, wanted, vector_file, key_file)
                wanted = []
        _scatter(rng, vectors, wanted, vector_file, key_file)
    return len(keys)


def _real(encoder: Any, caches: list[Path]) -> tuple[list[bytes], npt.NDArray[np.float16]]:
    keys: dict[bytes, None] = {}
    parts = []
    for cache in caches:
        folder = vector_folder(encoder, cache / "vectors")
        if not (folder / "keys.bin").is_file():
            continue
        content = (folder / "keys.bin").read_bytes()
        here = [content[i : i + 32] for i in range(0, len(content) // 32 * 32, 32)]
        stored = np.fromfile(folder / "vectors.f16", np.float16).reshape(-1, encoder.dimension)
        new = [i for i, key in enumerate(here) if key not in keys and i < len(stored)]
        parts.append(stored[new])
        keys.update(dict.fromkeys(here[i] for i in new))
    return list(keys), np.concatenate(parts)


def _scatter(
    rng: np.random.Generator, real: Any, keys: list[bytes], vector_file: Any, key_file: Any
) -> None:
    noise = rng.normal(size=(len(keys), real.shape[1])).astype(np.float32)
    noise *= SCATTER / np.maximum(np.linalg.norm(noise, axis=1, keepdims=True), 1e-9)
    moved = real[rng.integers(len(real), size=len(keys))].astype(np.float32) + noise
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    vector_file.write(moved.astype(np.float16).tobytes())
    key_file.write(b"".join(keys))


def _measured(titles: Path, n: int, folder: Path, questions: list[str]) -> Growth:
    source, out = folder / f"titles-{n}.jsonl", folder / f"index-{n}"
    _sample(titles, n, source)
    wayfinder = str(Path(sys.executable).with_name("wayfinder"))
    command = [wayfinder, "index", "build", "--from", str(source), "--title-only", "--out", str(out), "-q"]  # fmt: skip
    environment = {**os.environ, "WAYFINDER_CACHE": str(folder / "cache")}
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    asked = folder / "questions.json"
    asked.write_text(json.dumps(questions), encoding="utf-8")
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _SEARCHES, str(out), str(asked)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    n_bytes = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
    return Growth(
        n,
        seconds,
        usage.ru_maxrss * 1024 / 1e9,
        n_bytes / 1e9,
        found["open"],
        float(np.median(found["ms"])),
        float(np.percentile(found["ms"], 95)),
        found["rss"],
        found["dense"].partition(",")[0],
    )


def _sample(titles: Path, n: int, out: Path) -> None:
    """`n` of the titles, spread over the whole file."""
    with gzip.open(titles, "rb") as stream:
        total = sum(1 for _ in stream)
    wanted = set(np.linspace(0, total - 1, min(n, total)).astype(int).tolist())
    with gzip.open(titles, "rb") as stream, out.open("wb") as sample:
        sample.writelines(line for i, line in enumerate(stream) if i in wanted)


def _plot(found: list[Growth], path: Path) -> None:
    """Build time, size and search time over the number of papers, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    n = np.array([one.n for one in found], dtype=np.float64)
    for label, values in (
        ("build, s", [one.build_s for one in found]),
        ("on disk, MB", [one.disk_gb * 1000 for one in found]),
        ("search median, ms", [one.median_ms for one in found]),
    ):
        axes.loglog(n, values, "o-", label=label)
    reference = n * np.log(n) / (n[0] * np.log(n[0])) * found[0].build_s
    axes.loglog(n, reference, ":", color="grey", label="n log n, from the first build time")
    axes.set_xlabel("papers")
    axes.legend()
    figure.savefig(path)
    for first, second in pairwise(found):
        power = np.log(second.build_s / first.build_s) / np.log(second.n / first.n)
        sys.stderr.write(f"{first.n:,} to {second.n:,}: build time grows as n^{power:.2f}\n")


def _out(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
