"""The dense index: unit vectors under inner product in FAISS, exact, in half precision.

Inner product of unit vectors is the cosine: an exact match scores 1. Half precision halves the
index and leaves the order of the first ten unchanged. Filters are an id selector inside the search.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

ADD_ROWS = 65_536  # float32 copies made at a time while adding


def build_dense(vectors: npt.NDArray[np.float16], path: Path) -> None:
    """Write the index of `vectors`, `(n_papers, dimension)` fp16 unit vectors, to `path`."""
    index = faiss.IndexScalarQuantizer(
        vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    for start in range(0, len(vectors), ADD_ROWS):
        index.add(np.ascontiguousarray(vectors[start : start + ADD_ROWS], dtype=np.float32))
    faiss.write_index(index, str(path))


class DenseIndex:
    """Cosine search over the papers' vectors."""

    def __init__(self, path: Path) -> None:
        self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        self.n_papers = int(self._index.ntotal)
        self.dimension = int(self._index.d)

    def search(
        self,
        vector: npt.NDArray[np.float32],
        k: int,
        *,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return the rows and cosines of the `k` nearest papers, best first, fewer if there are fewer.

        `allowed`, `(n_papers,)` bool, limits the search to its True rows.
        """
        k = min(k, self.n_papers)
        if k == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        parameters = None
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            selector: Any = faiss.IDSelectorBitmap
            parameters_of: Any = faiss.SearchParameters  # the stubs know neither's array form
            parameters = parameters_of(sel=selector(bits))
        cosines, rows = self._index.search(vector.reshape(1, -1), k, params=parameters)
        found = rows[0] >= 0
        return rows[0][found], cosines[0][found]
