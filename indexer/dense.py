"""The dense index: unit vectors under inner product in FAISS; exact while that is fast, lists beyond.

Inner product of unit vectors is the cosine: an exact match scores 1. Up to EXACT_UP_TO papers every
vector is compared, in half precision (which leaves the order of the first ten unchanged). Beyond, an
inverted file: the lists nearest to the question are read, a fifth of them, vectors in half precision again.
Both bounds and the type were chosen by measurement, see docs/results.md. Filters are an id selector
inside the search; the narrower the filter, the more lists are read, up to all of them.
"""

from __future__ import annotations

import errno
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

ADD_ROWS = 65_536  # float32 copies made at a time while adding
EXACT_UP_TO = 150_000  # papers
LISTS_PER_ROOT = 4  # inverted lists: 4 sqrt(n), FAISS's rule of thumb
MOST_LISTS = 2048  # bounds the cost of finding a paper's list, which else grows with sqrt(n)
TRAIN_PER_LIST = 40  # vectors of the training sample per list, FAISS's least without a warning
PROBE_SHARE = 0.2  # of the lists, read for a question without filters
COMPARISONS = 20_000**2  # of vectors, up to which neighbours are looked for exactly
NEIGHBOUR_PROBES = 0.05  # of the lists, read for a paper's neighbours
SELF_TEST_QUESTIONS = 8
SELF_TEST_K = 10
SELF_TEST_RECALL = 0.95

log = logging.getLogger("wayfinder.dense")

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def build_dense(vectors: npt.NDArray[np.float16], path: Path) -> None:
    """Write the index of `vectors`, `(n_papers, dimension)` fp16 unit vectors, to `path`.

    Raises:
        OSError: the disk is full. FAISS does not say so when the file's last bytes fail: it is opened again.
    """
    index = _empty(vectors)
    for start in range(0, len(vectors), ADD_ROWS):
        index.add(_float32(vectors[start : start + ADD_ROWS]))
    faiss.write_index(index, str(path))
    try:
        whole = _mapped(path).ntotal == len(vectors)
    except RuntimeError:
        whole = False
    if not whole:
        raise OSError(errno.ENOSPC, f"{path.name} was not written whole")


class DenseIndex:
    """Cosine search over the papers' vectors."""

    def __init__(self, path: Path) -> None:
        self._index = _mapped(path)
        self.n_papers = int(self._index.ntotal)
        self.dimension = int(self._index.d)
        self._lists = int(getattr(self._index, "nlist", 0))
        if self._lists:
            self._index.nprobe = self._probes()
        self._gpu = _on_gpu(self._index) if self._lists else None

    @property
    def kind(self) -> str:
        """What the index is, in words."""
        where = "GPU" if self._gpu is not None else "CPU"
        if self._lists:
            return f"inverted file, {self._probes():,} of {self._lists:,} lists read, half precision, {where}"
        return f"exact, half precision, {where}"

    def search(
        self, vector: Floats, k: int, *, allowed: npt.NDArray[np.bool_] | None = None
    ) -> tuple[Rows, Floats]:
        """Return the rows and cosines of the `k` nearest papers, best first, fewer if there are fewer.

        `allowed`, `(n_papers,)` bool, limits the search to its True rows.
        """
        k = min(k, self.n_papers if allowed is None else int(np.count_nonzero(allowed)))
        if k == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        query = vector.reshape(1, -1)
        if self._gpu is not None and allowed is None:
            cosines, rows = self._gpu.search(query, k)
        else:
            with _one_thread():
                cosines, rows = self._index.search(query, k, params=self._parameters(allowed))
        found = rows[0] >= 0
        if found.sum() < k and self._lists:  # the lists read hold fewer: read all
            cosines, rows = self._index.search(query, k, params=self._parameters(allowed, all_lists=True))  # fmt: skip
            found = rows[0] >= 0
        return rows[0][found], cosines[0][found]

    def _probes(self, share: float = 1.0) -> int:
        """How many lists are read where a filter leaves `share` of the papers."""
        return min(self._lists, math.ceil(PROBE_SHARE * self._lists / share))

    def _parameters(self, allowed: npt.NDArray[np.bool_] | None, *, all_lists: bool = False) -> Any:
        if not self._lists:
            return None if allowed is None else faiss.SearchParameters(sel=_selector(allowed))  # type: ignore[call-arg]
        share = 1.0 if allowed is None else max(float(allowed.mean()), 1e-9)
        probes = self._lists if all_lists else self._probes(share)
        if allowed is None:
            return faiss.SearchParametersIVF(nprobe=probes)  # type: ignore[call-arg]
        return faiss.SearchParametersIVF(nprobe=probes, sel=_selector(allowed))  # type: ignore[call-arg]


@contextmanager
def _one_thread() -> Iterator[None]:
    """One question is searched by the thread that asks: others would spin between questions, at the cost of other askers.

    OpenMP keeps the number for each thread: no other one is held to it.
    """
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _mapped(path: Path) -> Any:
    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)


def _empty(vectors: npt.NDArray[np.float16]) -> Any:
    """An index of the type for so many vectors, trained on a sample of them where it needs it."""
    n, dimension = vectors.shape
    half, metric = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    if n <= EXACT_UP_TO:
        return faiss.IndexScalarQuantizer(dimension, half, metric)
    n_lists = min(MOST_LISTS, round(LISTS_PER_ROOT * math.sqrt(n)))
    lists: Any = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFScalarQuantizer(lists, dimension, n_lists, half, metric, False)
    rows = np.linspace(0, n - 1, min(n, TRAIN_PER_LIST * n_lists)).astype(np.int64)
    index.train(_float32(vectors[rows]))
    index.own_fields = True  # the index frees its lists; Python must not
    lists.this.disown()
    return index


def _on_gpu(index: Any) -> Any | None:
    """The index on the first GPU if faiss has one and it finds what the CPU finds; else None.

    Only inverted lists: the exact index of half-precision vectors has no form on the GPU, and needs none.
    """
    if not hasattr(faiss, "StandardGpuResources") or not faiss.get_num_gpus() or not index.ntotal:
        return None
    try:
        moved = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
        if self_test(index, moved):
            return moved
        log.warning("The GPU finds other papers than the CPU: searching on the CPU.")
    except RuntimeError as error:
        log.warning("The dense index cannot be moved to the GPU (%s): searching on the CPU.", error)
    return None


def self_test(index: Any, moved: Any) -> bool:
    """Whether `moved` finds what `index` finds for some of its own vectors."""
    n = int(index.ntotal)
    k = min(SELF_TEST_K, n)
    rows = np.linspace(0, n - 1, min(SELF_TEST_QUESTIONS, n)).astype(np.int64)
    if hasattr(index, "make_direct_map"):
        index.make_direct_map()
    questions = np.stack([index.reconstruct(int(row)) for row in rows])
    expected, found = (one.search(questions, k)[1] for one in (index, moved))
    same = [len(np.intersect1d(a, b)) / k for a, b in zip(expected, found, strict=True)]
    return float(np.mean(same)) >= SELF_TEST_RECALL


def _selector(allowed: npt.NDArray[np.bool_]) -> Any:
    bitmap: Any = faiss.IDSelectorBitmap  # the stubs know its pointer form alone
    return bitmap(np.packbits(allowed, bitorder="little"))


def _float32(vectors: npt.NDArray[np.float16]) -> Floats:
    return np.ascontiguousarray(vectors, dtype=np.float32)


def neighbours(
    vectors: npt.NDArray[np.floating], k: int, *, among: npt.NDArray[np.floating] | None = None
) -> tuple[Rows, Floats]:
    """Return the rows and cosines `(n, k)` of the papers nearest to each vector, best first.

    With `among`, its rows nearest to each of `vectors`; else rows of `vectors`, each without itself. Exact
    for few comparisons, else by inverted lists. With fewer than `k` papers there are fewer columns.
    """
    known = _float32(vectors if among is None else among)
    asked = known if among is None else _float32(vectors)
    if len(asked) * len(known) <= COMPARISONS:
        index: Any = faiss.IndexFlatIP(known.shape[1])
        index.add(known)
    else:
        index = _lists_of(known)
    if among is not None:
        return _nearest(index, asked, min(k, len(known)))
    k = min(k, len(known) - 1)
    rows, cosines = _nearest(index, asked, k + 1)
    own = rows == np.arange(len(known))[:, None]
    own[~own.any(axis=1), -1] = True  # among papers with equal vectors a paper may miss itself
    return rows[~own].reshape(-1, k), cosines[~own].reshape(-1, k)


def _lists_of(known: Floats) -> Any:
    """An index of inverted lists over the vectors, of which NEIGHBOUR_PROBES are read."""
    n_lists = min(MOST_LISTS, round(LISTS_PER_ROOT * math.sqrt(len(known))))
    lists: Any = faiss.IndexFlatIP(known.shape[1])
    index = faiss.IndexIVFFlat(lists, known.shape[1], n_lists, faiss.METRIC_INNER_PRODUCT)
    sample = np.linspace(0, len(known) - 1, min(len(known), TRAIN_PER_LIST * n_lists))
    index.train(known[sample.astype(np.int64)])
    index.nprobe = max(1, round(NEIGHBOUR_PROBES * n_lists))
    index.own_fields = True
    lists.this.disown()
    index.add(known)
    return index


def _nearest(index: Any, asked: Floats, k: int) -> tuple[Rows, Floats]:
    cosines, rows = index.search(asked, k)
    few = np.flatnonzero((rows < 0).any(axis=1))
    if len(few):  # the lists read hold fewer: read all
        index.nprobe = index.nlist
        cosines[few], rows[few] = index.search(asked[few], k)
    return rows, cosines
