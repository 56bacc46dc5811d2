"""kill -9 at any moment of a build or an update, then the same command again. Run: pytest tests/indexer/test_resume.py"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from indexer.store import open_index
from tests.papers import write_jsonl

KILLS = 20
# A process that has imported everything forks one for each run: with the command's own start-up, a second and more
# each time, twenty kills of a build and of an update would take minutes. The encoder is small and real.
SCRIPT = """
import hashlib, json, os, sys, time, traceback
from datetime import date
from pathlib import Path
import numpy as np
import indexer.vectors as vectors
from indexer.build import BuildOptions, build_index, update_index

class HashEncoder:
    id, dimension, weights_sha256 = "hash", 16, "0" * 64
    def __init__(self, log):
        self.log = log
    def encode(self, texts):
        with open(self.log, "a") as log:
            log.writelines(hashlib.sha256(t.encode()).hexdigest() + "\\n" for t in texts)
        time.sleep(0.01)
        rows = [np.random.default_rng(list(hashlib.sha256(t.encode()).digest())).normal(size=16) for t in texts]
        v = np.array(rows, dtype=np.float32)
        return v / np.linalg.norm(v, axis=1, keepdims=True)

def run(verb, source, out, log, cache):
    os.environ["WAYFINDER_CACHE"] = cache
    vectors.BATCH_TEXTS = 16
    options = BuildOptions(as_of=date(2026, 6, 30), keep=2)
    if verb == "build":
        build_index([source], Path(out), encoder=HashEncoder(log), options=options)
    else:
        update_index(Path(out), [source], encoder=HashEncoder(log), options=options)

for line in sys.stdin:
    child = os.fork()
    if not child:
        try:
            run(*json.loads(line))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.fixture(scope="module")
def parent() -> Iterator[subprocess.Popen[str]]:
    """The process that forks."""
    started = subprocess.Popen([sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
    yield started
    started.communicate()


def paper(i: int, **more: object) -> dict[str, object]:
    words = ("disc", "halo", "burst", "planet", "cluster", "nova", "quasar", "jet")
    text = " ".join(words[(i * k) % 8] for k in range(1, 12))
    return {"arxiv_id": f"24{i // 1000:02d}.{i:05d}", "title": f"Study number {i} of the {words[i % 8]} {i}",
            "abstract": f"{text} {i}.", "authors": [f"Author{i % 37}, A."], "year": 2024, **more}  # fmt: skip


def content(directory: Path) -> dict[str, str]:
    """The sha256 of every file of an index."""
    return {
        str(p.relative_to(directory)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(directory.rglob("*"))
        if p.is_file()
    }


class Runs:
    """Builds and updates as processes of their own, with a cache and an encoding log of their own."""

    def __init__(
        self, parent: subprocess.Popen[str], folder: Path, like: Path | None = None
    ) -> None:
        self.parent, self.folder = parent, folder
        if like is None:
            folder.mkdir()
        else:
            shutil.copytree(like, folder)
        self.out, self.log = folder / "index", folder / "encoded.log"

    def start(self, verb: str, source: Path) -> int:
        """Begin; return the number of the process, whose status the parent says when it has ended."""
        words = [verb, str(source), str(self.out), str(self.log), str(self.folder / "cache")]
        assert self.parent.stdin is not None
        self.parent.stdin.write(json.dumps(words) + "\n")
        self.parent.stdin.flush()
        return self._said()

    def finish(self, verb: str, source: Path) -> float:
        began = time.monotonic()
        self.start(verb, source)
        assert self._said() == 0
        return time.monotonic() - began

    def kill_after(self, verb: str, source: Path, seconds: float) -> None:
        process = self.start(verb, source)
        time.sleep(seconds)
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(process, signal.SIGKILL)
        assert self._said() in (0, signal.SIGKILL)

    def _said(self) -> int:
        assert self.parent.stdout is not None
        return int(self.parent.stdout.readline())

    def encoded(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("verb", ["build", "update"])
def test_twenty_kills_then_a_resume_give_the_undisturbed_index(
    parent: subprocess.Popen[str], tmp_path: Path, verb: str
) -> None:
    first = write_jsonl(tmp_path / "first.jsonl", [paper(i) for i in range(240)])
    changed = [paper(i, abstract=f"Changed text {i}.", bibcode=f"2024ApJ...900.{i:04d}A") for i in range(0, 60, 3)]  # fmt: skip
    second = write_jsonl(
        tmp_path / "second.jsonl", [*changed, *(paper(i) for i in range(240, 400))]
    )
    undisturbed = Runs(parent, tmp_path / "undisturbed")
    undisturbed.finish("build", first)
    before, base = content(undisturbed.out), tmp_path / "base"
    shutil.copytree(undisturbed.folder, base)
    source, seconds = second, 0.0
    if verb == "update":
        seconds = undisturbed.finish("update", second)
    else:
        source = first
        shutil.rmtree(undisturbed.folder)
        undisturbed = Runs(parent, tmp_path / "undisturbed")
        seconds = undisturbed.finish("build", first)
    expected = content(undisturbed.out)

    moments = random.Random(7)
    n_new = len(undisturbed.encoded())
    for number in range(KILLS):
        runs = Runs(parent, tmp_path / f"kill-{number}", like=base if verb == "update" else None)
        runs.kill_after(verb, source, moments.uniform(0, seconds * 1.05))
        if verb == "update":
            assert content(runs.out) in (before, expected), "the snapshot is the old or the new one"
            assert len(open_index(runs.out).papers) in (240, 400)
        runs.finish(verb, source)
        assert content(runs.out) == expected
        encoded = runs.encoded()
        assert set(encoded) == set(undisturbed.encoded())
        assert len(encoded) - n_new <= 16, "at most one batch is encoded twice"
        assert not list(runs.folder.glob(".index.building*"))
        shutil.rmtree(runs.folder)


def test_a_rebuild_encodes_only_what_is_new(parent: subprocess.Popen[str], tmp_path: Path) -> None:
    runs = Runs(parent, tmp_path / "runs")
    runs.finish("build", write_jsonl(tmp_path / "a.jsonl", [paper(i) for i in range(40)]))
    assert len(runs.encoded()) == 40
    runs.finish("build", write_jsonl(tmp_path / "b.jsonl", [paper(i) for i in range(20, 60)]))
    assert len(runs.encoded()) == 60


def test_an_update_takes_vectors_from_the_index_where_the_cache_is_gone(
    parent: subprocess.Popen[str], tmp_path: Path
) -> None:
    runs = Runs(parent, tmp_path / "runs")
    runs.finish("build", write_jsonl(tmp_path / "a.jsonl", [paper(i) for i in range(40)]))
    vectors = np.load(runs.out / "vectors.npy")
    shutil.rmtree(runs.folder / "cache")
    runs.finish("update", write_jsonl(tmp_path / "b.jsonl", [paper(i) for i in range(38, 43)]))
    assert len(runs.encoded()) == 43
    np.testing.assert_array_equal(np.load(runs.out / "vectors.npy")[:40], vectors)
    manifest = json.loads((runs.out / "manifest.json").read_text())
    assert manifest["counts"] == {"read": 45, "indexed": 43, "merged": 2, "skipped": {}}
