"""The papers of an index as Arrow IPC, written and read side by side: a batch of rows at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import repeat
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from indexer.records import Paper

ROWS_A_BATCH = 4096
KEPT_PAPERS = 4096  # some 50 MB

_STRINGS = ("title", "abstract", "bibcode", "arxiv_id", "doi", "date", "journal", "doctype")
_PLAIN = {"plain_title": "title", "plain_abstract": "abstract"}
_LISTS = (
    "authors", "keywords", "categories", "references", "facilities", "aliases", "bibgroups", "objects", "concepts",
)  # fmt: skip
_SCHEMA = pa.schema(
    [pa.field(name, pa.large_string()) for name in _STRINGS]
    + [pa.field(name, pa.large_list(pa.large_string())) for name in _LISTS]
    + [pa.field("year", pa.int16()), pa.field("citation_count", pa.int32())]
)
# Beside the papers, so that an earlier version reads them too; null where the text is plain as it is.
PLAIN = "plain.arrow"
_PLAIN_SCHEMA = pa.schema([pa.field(name, pa.large_string()) for name in _PLAIN])


class RowWriter:
    """Writes rows, tuples in the order of `schema`, as Arrow IPC; call `close` after the last."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._sink, schema)
        self._rows: list[tuple[Any, ...]] = []

    def add(self, row: tuple[Any, ...]) -> None:
        """Write the next row."""
        self._rows.append(row)
        if len(self._rows) == ROWS_A_BATCH:
            self._flush()

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._rows:
            self._flush()
        self._writer.close()
        self._sink.close()

    def _flush(self) -> None:
        columns = dict(zip(self._schema.names, zip(*self._rows, strict=True), strict=True))
        self._writer.write_batch(pa.RecordBatch.from_pydict(columns, schema=self._schema))
        self._rows = []


class PaperWriter(RowWriter):
    """Writes papers one by one, and their plain text into a file beside them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA)
        self._plain = RowWriter(path.with_name(PLAIN), _PLAIN_SCHEMA)

    def add_paper(self, paper: Paper) -> None:
        """Write the next paper."""
        self.add(tuple(getattr(paper, name) for name in _SCHEMA.names))
        self._plain.add(tuple(_plain_or_none(paper, name) for name in _PLAIN))

    def close(self) -> None:
        """Write what is left and close the files."""
        super().close()
        self._plain.close()


class PaperTable(Sequence[Paper]):
    """The papers of an index: a sequence that reads one paper at a time from the memory map, and keeps the last asked for.

    With `plain` papers have the plain text that was kept, where it was; else it is made of the text as given.
    """

    def __init__(self, path: Path, *, plain: bool = True) -> None:
        self._batches = open_batches(path)
        beside = path.with_name(PLAIN)
        self._plain = open_batches(beside) if plain and beside.is_file() else []
        self._kept = lru_cache(KEPT_PAPERS)(self._read)
        self._n_rows = sum(batch.num_rows for batch in self._batches)

    def __len__(self) -> int:
        return self._n_rows

    @overload
    def __getitem__(self, row: int) -> Paper: ...
    @overload
    def __getitem__(self, row: slice) -> list[Paper]: ...
    def __getitem__(self, row: int | slice) -> Paper | list[Paper]:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        if not 0 <= row < len(self):
            raise IndexError(row)
        return self._kept(int(row))

    def _read(self, row: int) -> Paper:
        batch, at = divmod(row, ROWS_A_BATCH)
        plain = self._plain[batch].slice(at, 1).to_pylist()[0] if self._plain else None
        return _paper(self._batches[batch].slice(at, 1).to_pylist()[0], plain)

    def __iter__(self) -> Iterator[Paper]:
        for i, batch in enumerate(self._batches):
            plain = self._plain[i].to_pylist() if self._plain else repeat(None)
            yield from map(_paper, batch.to_pylist(), plain)

    def column(self, name: str, rows: npt.NDArray[np.integer] | None = None) -> list[Any]:
        """One field of the papers at `rows`, in their order, or of all; the other fields are not read."""
        column = pa.Table.from_batches(self._batches, schema=_SCHEMA).column(name)
        return (column if rows is None else column.take(pa.array(rows))).to_pylist()

    @cached_property
    def first_category(self) -> npt.NDArray[np.int32]:
        """The first category of each paper as a number, -1 where it has none; `(n_papers,)`."""
        numbers: dict[str, int] = {}
        found = np.full(len(self), -1, dtype=np.int32)
        at = 0
        for batch in self._batches:
            lists = batch.column("categories")
            starts = lists.offsets.to_numpy()
            has = np.flatnonzero(np.diff(starts) > 0)
            firsts = lists.values.take(pa.array(starts[has])).to_pylist()
            found[at + has] = [numbers.setdefault(name, len(numbers)) for name in firsts]
            at += batch.num_rows
        return found

    def matching(self, kind: Literal["title", "journal"], value: str) -> npt.NDArray[np.bool_]:
        """Which papers have all words of `value` in the title, or the bibstem `value`; `(n,)` bool.

        A bibstem is compared with the journal and with the bibcode's letters, as ADS's `bibstem:`.
        """
        masks = []
        for batch in self._batches:
            if kind == "title":
                titles = pc.utf8_lower(batch.column("title"))
                found = [pc.match_substring(titles, word) for word in value.lower().split()]
            else:
                stem = value.strip(" .").lower()
                pattern = rf"(?i)^\d{{4}}{re.escape(stem)}[.\d]"
                bibcodes = pc.fill_null(batch.column("bibcode"), "")
                journals = pc.utf8_lower(pc.fill_null(batch.column("journal"), ""))
                by_code = pc.match_substring_regex(bibcodes, pattern)
                found = [pc.or_(by_code, pc.equal(journals, stem))]
            columns = [column.to_numpy(zero_copy_only=False).astype(np.bool_) for column in found]
            masks.append(
                np.logical_and.reduce(columns) if columns else np.ones(len(batch), np.bool_)
            )
        return np.concatenate(masks) if masks else np.zeros(0, dtype=np.bool_)


def open_batches(path: Path) -> list[pa.RecordBatch]:
    """The record batches of a memory-mapped Arrow file."""
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    return [reader.get_batch(i) for i in range(reader.num_record_batches)]


def _paper(values: dict[str, Any], plain: dict[str, str | None] | None) -> Paper:
    facts: dict[str, Any] = {n: tuple(v or ()) if n in _LISTS else v for n, v in values.items()}
    paper = Paper(**facts)
    if plain is not None:  # as the properties themselves would keep it
        kept = {n: values[_PLAIN[n]] if text is None else text for n, text in plain.items()}
        paper.__dict__.update(kept)
    return paper


def _plain_or_none(paper: Paper, name: str) -> str | None:
    text: str = getattr(paper, name)
    return None if text == getattr(paper, _PLAIN[name]) else text
