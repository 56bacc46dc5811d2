"""Authors of an index: family name and initial -> rows, sorted by name, searched by halving."""

from __future__ import annotations

import unicodedata
from array import array
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from indexer.records import Paper, family_name
from indexer.table import open_batches

Rows = npt.NDArray[np.int64]

_SCHEMA = pa.schema([("name", pa.large_string()), ("rows", pa.large_list(pa.int32()))])


class AuthorWriter:
    """Collects the authors of papers in their order; `save` writes the table."""

    def __init__(self) -> None:
        self._rows_of: dict[str, array[int]] = {}

    def add(self, row: int, paper: Paper) -> None:
        """Take the authors of the paper at `row`."""
        for key in {author_key(author) for author in paper.authors}:
            name = key if ", " in key else f"{key},"
            self._rows_of.setdefault(name, array("i")).append(row)

    def save(self, path: Path) -> None:
        """Write the table to `path`."""
        names = sorted(self._rows_of)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _SCHEMA) as writer:
            if names:
                rows = [np.asarray(self._rows_of[name], dtype=np.int32) for name in names]
                columns = {"name": names, "rows": rows}
                writer.write_batch(pa.RecordBatch.from_pydict(columns, schema=_SCHEMA))


class AuthorTable:
    """The table on disk, memory-mapped."""

    def __init__(self, path: Path) -> None:
        self._batches = open_batches(path)

    def rows(self, name: str) -> Rows:
        """Return the rows of papers by an author, "Riess" or "Riess, A"; ascending, maybe none."""
        if not self._batches:
            return np.zeros(0, dtype=np.int64)
        wanted = author_key(name)
        prefix = wanted if ", " in wanted else f"{wanted},"
        names, rows = self._batches[0].column("name"), self._batches[0].column("rows")
        low, high = 0, len(names)
        while low < high:
            middle = (low + high) // 2
            if names[middle].as_py() < prefix:
                low = middle + 1
            else:
                high = middle
        found: list[Rows] = []
        while low < len(names) and names[low].as_py().startswith(prefix):
            found.append(np.asarray(rows[low].values, dtype=np.int64))
            low += 1
        return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)


@lru_cache(maxsize=100_000)
def author_key(name: str) -> str:
    """`Riess, Adam G.` and `A. G. Riess` -> `riess, a`; `Riess` -> `riess`; accents folded."""
    text = name.strip()
    family = family_name(text)
    rest = text[len(family) :] if text.startswith(family) else text.removesuffix(family)
    given = rest.strip(" .,\t")
    folded = unicodedata.normalize("NFKD", f"{family}, {given[:1]}" if given else family).casefold()
    return "".join(c for c in folded if not unicodedata.combining(c))
