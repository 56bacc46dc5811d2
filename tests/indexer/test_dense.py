"""The dense index at both sizes: recall, filters, the GPU's self-test. Run: pytest tests/indexer/test_dense.py"""

from __future__ import annotations

import time
from pathlib import Path

import faiss
import numpy as np
import pytest

from indexer import dense
from indexer.dense import DenseIndex, build_dense, self_test

N, DIMENSION = 4000, 32


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(40, DIMENSION))
    made = centres[rng.integers(40, size=N)] + 0.5 * rng.normal(size=(N, DIMENSION))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float16)


@pytest.fixture(params=["exact", "lists"])
def index(
    request: pytest.FixtureRequest,
    vectors: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> DenseIndex:
    monkeypatch.setattr(dense, "EXACT_UP_TO", N if request.param == "exact" else 100)
    monkeypatch.setattr(dense, "PROBE_SHARE", 0.25)
    build_dense(vectors, tmp_path / "dense.faiss")
    opened = DenseIndex(tmp_path / "dense.faiss")
    assert opened.kind.startswith({"exact": "exact", "lists": "inverted file"}[request.param])
    return opened


def brute(vectors: np.ndarray, question: np.ndarray, k: int, allowed: np.ndarray) -> set[int]:
    cosines = np.where(allowed, vectors.astype(np.float32) @ question, -2.0)
    return set(np.argsort(-cosines)[:k].tolist())


def test_recall_without_filters(index: DenseIndex, vectors: np.ndarray) -> None:
    everything = np.ones(N, dtype=bool)
    shares = []
    for question in vectors[::200].astype(np.float32):
        rows, cosines = index.search(question, 100)
        assert (np.diff(cosines) <= 1e-6).all()
        shares.append(len(set(rows.tolist()) & brute(vectors, question, 100, everything)) / 100)
    assert np.mean(shares) >= 0.98


def test_a_search_costs_no_other_thread_time_and_leaves_their_number(
    index: DenseIndex, vectors: np.ndarray
) -> None:
    number = faiss.omp_get_max_threads()
    question = vectors[0].astype(np.float32)
    time.sleep(0.2)  # threads of what went before stop spinning
    whole, own = time.process_time(), time.thread_time()
    for _ in range(100):
        index.search(question, 10)
    own = time.thread_time() - own
    assert time.process_time() - whole < 1.5 * own + 0.01
    assert faiss.omp_get_max_threads() == number


@pytest.mark.parametrize("share", [0.5, 0.05, 0.002])
def test_filters_hold_inside_the_search(
    index: DenseIndex, vectors: np.ndarray, share: float
) -> None:
    allowed = np.random.default_rng(2).random(N) < share
    shares = []
    for question in vectors[::400].astype(np.float32):
        rows, _ = index.search(question, 50, allowed=allowed)
        assert allowed[rows].all()
        assert len(rows) == min(50, allowed.sum())
        expected = brute(vectors, question, len(rows), allowed)
        shares.append(len(set(rows.tolist()) & expected) / len(rows))
    assert np.mean(shares) >= 0.95


def test_nothing_allowed_and_more_asked_than_there_are(
    index: DenseIndex, vectors: np.ndarray
) -> None:
    question = vectors[0].astype(np.float32)
    assert len(index.search(question, 10, allowed=np.zeros(N, dtype=bool))[0]) == 0
    assert sorted(index.search(question, 2 * N)[0].tolist()) == list(range(N))


def test_the_same_vectors_give_the_same_file(
    vectors: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense, "EXACT_UP_TO", 100)
    for name in ("a", "b"):
        build_dense(vectors, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_accelerator_that_finds_other_papers_is_not_trusted(vectors: np.ndarray) -> None:
    right, wrong = (faiss.IndexFlatIP(DIMENSION) for _ in range(2))
    right.add(vectors.astype(np.float32))
    wrong.add(vectors[::-1].astype(np.float32).copy())
    same = faiss.IndexScalarQuantizer(
        DIMENSION, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    same.add(vectors.astype(np.float32))
    assert self_test(right, same)
    assert not self_test(right, wrong)
