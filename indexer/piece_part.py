"""The word pieces of an index's papers as the reranker reads them: no search cuts a paper's text into pieces again.

    DIR/pieces/ids.npy      the pieces of all papers, one paper after the other
    DIR/pieces/lengths.npy  the length of each piece's vector with its neighbours'
    DIR/pieces/starts.npy   where each paper begins, and the end
    DIR/pieces/version.json which table and tokenizer made them

A part that an index may lack, or have of another table: then the texts are read at each search.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.late import LateInteraction, Pieces

PART = "pieces"
TEXTS_AT_ONCE = 1000


class PieceIndex:
    """The part in the index folder `path`, memory-mapped.

    Raises:
        OSError, ValueError, KeyError: a file is missing or broken.
    """

    def __init__(self, path: Path) -> None:
        folder = path / PART
        self.version: str = json.loads((folder / "version.json").read_text("utf-8"))["version"]
        self._ids, self._lengths, self._starts = (
            np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r"))
            for name in ("ids", "lengths", "starts")
        )

    def of(self, rows: npt.NDArray[np.integer]) -> Pieces:
        """The pieces of the papers at `rows`, in their order."""
        starts, ends = self._starts[rows], self._starts[rows + 1]
        spans = [slice(a, b) for a, b in zip(starts, ends, strict=True)]
        return Pieces(
            np.concatenate([self._ids[span] for span in spans] or [self._ids[:0]]),
            np.concatenate([self._lengths[span] for span in spans] or [self._lengths[:0]]),
            ends - starts,
        )


class PieceBuilder:
    """Collects the pieces of papers one text at a time; `save` writes the part.

    `base` is the part whose papers are taken over by `take`, where the same table made it.
    """

    def __init__(self, model: LateInteraction, base: PieceIndex | None = None) -> None:
        self._model = model
        self._base = base if base is not None and base.version == model.version else None
        self._read: list[Pieces] = []
        self._waiting: list[str] = []

    def add(self, text: str) -> None:
        """Add the next paper's text."""
        self._waiting.append(text)
        if len(self._waiting) == TEXTS_AT_ONCE:
            self._flush()

    def take(self, row: int, text: Callable[[], str]) -> None:
        """Add the paper at `row` of the base part as the next: its `text` is read only where that part has it not."""
        if self._base is None:
            self.add(text())
            return
        self._flush()
        self._read.append(self._base.of(np.array([row])))

    def save(self, folder: Path) -> None:
        """Write the part into `folder`, its own."""
        self._flush()
        folder.mkdir(exist_ok=True)
        counts = np.concatenate([p.counts for p in self._read])
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        np.save(folder / "ids.npy", np.concatenate([p.ids for p in self._read]))
        np.save(folder / "lengths.npy", np.concatenate([p.lengths for p in self._read]))
        np.save(folder / "starts.npy", starts)
        version = json.dumps({"version": self._model.version})
        (folder / "version.json").write_text(version, encoding="utf-8")

    def _flush(self) -> None:
        if self._waiting:
            self._read.append(self._model.read(self._waiting))
            self._waiting = []
