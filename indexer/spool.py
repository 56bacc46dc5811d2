"""Records on disk between reading and writing: a build holds the keys of its papers, not the papers."""

from __future__ import annotations

import json
import tempfile
from array import array
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from indexer.records import Paper

_FIELDS = tuple(field.name for field in fields(Paper))


@dataclass(frozen=True)
class Record:
    """One record as a source gave it; `source` is the number of its harvest in the manifest.

    Of two records that are both published, the one of the later `batch` wins.
    """

    paper: Paper
    source: int
    batch: int = 0


class Spool:
    """Papers by number of arrival, in a file without a name: nothing is left of it after a kill."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._starts = array("Q", [0])
        self._sources = array("H")

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._sources)

    def add(self, paper: Paper, source: int) -> bytes:
        """Keep a paper; return the bytes that stand for it."""
        content = json.dumps([getattr(paper, name) for name in _FIELDS]).encode()
        self._file.write(content)
        self._starts.append(self._starts[-1] + len(content))
        self._sources.append(source)
        return content

    def __getitem__(self, number: int) -> Record:
        start, end = self._starts[number], self._starts[number + 1]
        self._file.seek(start)
        values = json.loads(self._file.read(end - start))
        return Record(_paper(values), self._sources[number])


def _paper(values: list[Any]) -> Paper:
    facts: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in zip(_FIELDS, values, strict=True)
    }
    return Paper(**facts)
