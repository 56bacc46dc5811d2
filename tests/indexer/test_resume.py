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
from pathlib import Path

import numpy as np
import pytest

from indexer.store import open_index
from tests.papers import write_jsonl

KILLS = 20
# Twenty kills of a build and of an update with the command's own start-up (a second and more each)
# would take minutes; a small real encoder and a process that has imported everything keep it short.
SCRIPT = """
import sys, time
from datetime import date
from pathlib import Path
import numpy as np
import indexer.vectors as vectors
from indexer.build import BuildOptions, build_index, update_index

class HashEncoder:
    id, dimension, weights_sha256 = "hash", 16, "0" * 64
    def encode(self, texts):
        import hashlib
        with open(sys.argv[4], "a") as log:
            log.writelines(hashlib.sha256(t.encode()).hexdigest() + "\\n" for t in texts)
        time.sleep(0.01)
        rows = [np.random.default_rng(list(hashlib.sha256(t.encode()).digest())).normal(size=16) for t in texts]
        v = np.array(rows, dtype=np.float32)
        return v / np.linalg.norm(v, axis=1, keepdims=True)

print("ready", flush=True)
vectors.BATCH_TEXTS = 16
options = BuildOptions(as_of=date(2026, 6, 30), keep=2)
if sys.argv[1] == "build":
    build_index([sys.argv[2]], Path(sys.argv[3]), encoder=HashEncoder(), options=options)
else:
    update_index(Path(sys.argv[3]), [sys.argv[2]], encoder=HashEncoder(), options=options)
print("done", flush=True)
"""


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

    def __init__(self, folder: Path, like: Path | None = None) -> None:
        self.folder = folder
        if like is None:
            folder.mkdir()
        else:
            shutil.copytree(like, folder)
        self.out, self.log = folder / "index", folder / "encoded.log"
        self.environment = {**os.environ, "WAYFINDER_CACHE": str(folder / "cache")}

    def start(self, verb: str, source: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SCRIPT, verb, str(source), str(self.out), str(self.log)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=self.environment, start_new_session=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def finish(self, verb: str, source: Path) -> float:
        began = time.monotonic()
        process = self.start(verb, source)
        ready = time.monotonic()
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
        return time.monotonic() - max(began, ready)

    def kill_after(self, verb: str, source: Path, seconds: float) -> None:
        process = self.start(verb, source)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def encoded(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("verb", ["build", "update"])
def test_twenty_kills_then_a_resume_give_the_undisturbed_index(tmp_path: Path, verb: str) -> None:
    first = write_jsonl(tmp_path / "first.jsonl", [paper(i) for i in range(240)])
    changed = [paper(i, abstract=f"Changed text {i}.", bibcode=f"2024ApJ...900.{i:04d}A") for i in range(0, 60, 3)]  # fmt: skip
    second = write_jsonl(
        tmp_path / "second.jsonl", [*changed, *(paper(i) for i in range(240, 400))]
    )
    undisturbed = Runs(tmp_path / "undisturbed")
    undisturbed.finish("build", first)
    before, base = content(undisturbed.out), tmp_path / "base"
    shutil.copytree(undisturbed.folder, base)
    source, seconds = second, 0.0
    if verb == "update":
        seconds = undisturbed.finish("update", second)
    else:
        source = first
        shutil.rmtree(undisturbed.folder)
        undisturbed = Runs(tmp_path / "undisturbed")
        seconds = undisturbed.finish("build", first)
    expected = content(undisturbed.out)

    moments = random.Random(7)
    n_new = len(undisturbed.encoded())
    for number in range(KILLS):
        runs = Runs(tmp_path / f"kill-{number}", like=base if verb == "update" else None)
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


def test_a_rebuild_encodes_only_what_is_new(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs")
    runs.finish("build", write_jsonl(tmp_path / "a.jsonl", [paper(i) for i in range(40)]))
    assert len(runs.encoded()) == 40
    runs.finish("build", write_jsonl(tmp_path / "b.jsonl", [paper(i) for i in range(20, 60)]))
    assert len(runs.encoded()) == 60


def test_an_update_takes_vectors_from_the_index_where_the_cache_is_gone(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs")
    runs.finish("build", write_jsonl(tmp_path / "a.jsonl", [paper(i) for i in range(40)]))
    vectors = np.load(runs.out / "vectors.npy")
    shutil.rmtree(runs.folder / "cache")
    runs.finish("update", write_jsonl(tmp_path / "b.jsonl", [paper(i) for i in range(38, 43)]))
    assert len(runs.encoded()) == 43
    np.testing.assert_array_equal(np.load(runs.out / "vectors.npy")[:40], vectors)
    manifest = json.loads((runs.out / "manifest.json").read_text())
    assert manifest["counts"] == {"read": 45, "indexed": 43, "merged": 2, "skipped": {}}
