"""The word pieces of an index's papers as the reranker reads them: no search cuts a paper's text into pieces again.

    DIR/pieces/ids.npy      the pieces of all papers, one paper after the other
    DIR/pieces/lengths.npy  the length of each piece's vector with its neighbours'
    DIR/pieces/starts.npy   where each paper begins, and the end
    DIR/pieces/version.json which table and tokenizer made them

A part that an index may lack, or have of another table: then the texts are read at each search, until the next update.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.late import LateInteraction, Pieces

PART = "pieces"
AT_ONCE = 100  # papers


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
    """Writes the pieces of papers into `folder`, the part's own, one text at a time; call `save` after the last.

    `base` is the part whose papers are taken over by `take`, where the same table made it.
    """

    def __init__(
        self, model: LateInteraction, folder: Path, base: PieceIndex | None = None
    ) -> None:
        self._model, self._folder = model, folder
        self._base = base if base is not None and base.version == model.version else None
        self._texts: list[str] = []
        self._rows: list[int] = []
        self._counts = array("i")
        folder.mkdir(exist_ok=True)
        self._spools = {name: (folder / f"{name}.spool").open("wb") for name in ("ids", "lengths")}

    def add(self, text: str) -> None:
        """Add the next paper's text."""
        if self._rows or len(self._texts) == AT_ONCE:
            self._flush()
        self._texts.append(text)

    def take(self, row: int, text: Callable[[], str]) -> None:
        """Add the paper at `row` of the base part as the next: its `text` is read only where that part has it not."""
        if self._base is None:
            self.add(text())
            return
        if self._texts or len(self._rows) == AT_ONCE:
            self._flush()
        self._rows.append(row)

    def save(self) -> None:
        """Write the part as it is opened."""
        self._flush()
        self._write("ids", self._model.kind)
        self._write("lengths", np.dtype(np.float16))
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(self._counts, dtype=np.int64)])
        np.save(self._folder / "starts.npy", starts)
        version = json.dumps({"version": self._model.version})
        (self._folder / "version.json").write_text(version, encoding="utf-8")

    def _write(self, name: str, kind: np.dtype[Any]) -> None:
        spool = self._spools[name]
        spool.close()
        path = Path(spool.name)
        empty = not path.stat().st_size
        flat = np.zeros(0, kind) if empty else np.memmap(path, dtype=kind, mode="r")
        np.save(self._folder / f"{name}.npy", flat)
        path.unlink()

    def _flush(self) -> None:
        if self._rows and self._base is not None:
            read = self._base.of(np.array(self._rows))
        else:
            read = self._model.read(self._texts)
        read.ids.tofile(self._spools["ids"])
        read.lengths.tofile(self._spools["lengths"])
        self._counts.extend(read.counts.tolist())
        self._texts, self._rows = [], []
