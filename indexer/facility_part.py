"""Who used what, in an index: facilities and methods of each paper, written and read side by side.

    DIR/facilities/facilities.npy   (row, entry, used) of each facility a paper names, sorted by row
    DIR/facilities/methods.npy      the same of methods
    DIR/facilities/names.json       the names that `entry` counts, and the version of the detection

A part that an index may lack: `wayfinder index facilities` adds it. An instrument counts for the
facility it is a part of too.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer import clean, config, facilities, finder, sentences, usage
from indexer import facility_table as tables
from indexer.facility_scan import detect_all
from indexer.facility_table import facility_table, method_table
from indexer.records import Paper

PART = "facilities"
PAIRS = np.dtype([("row", "<i4"), ("entry", "<i2"), ("used", "?")])
Pairs = npt.NDArray[np.void]
_CODE = (clean, facilities, tables, finder, sentences, usage)


@dataclass(frozen=True)
class Uses:
    """The facilities or the methods of an index's papers, memory-mapped."""

    names: tuple[str, ...]
    pairs: Pairs  # (n, ) of PAIRS, sorted by row

    def rows(self, name: str, *, used: bool | None = None) -> npt.NDArray[np.int64]:
        """The rows of papers that used it (True), only mention it (False) or either (None)."""
        entry = self._number.get(name, -1)
        of = self.pairs[self.pairs["entry"] == entry]
        wanted = of if used is None else of[of["used"] == used]
        return wanted["row"].astype(np.int64)

    def of(self, row: int) -> list[tuple[str, bool]]:
        """Names and whether they were used, of one paper; used ones first."""
        start, end = (int(np.searchsorted(self.pairs["row"], row, side=s)) for s in ("left", "right"))  # fmt: skip
        found = [(self.names[int(e)], bool(u)) for _, e, u in self.pairs[start:end]]
        return sorted(found, key=lambda pair: not pair[1])

    def counts(self, *, used: bool | None = None) -> dict[str, int]:
        """How many papers each name has."""
        of = self.pairs if used is None else self.pairs[self.pairs["used"] == used]
        n = np.bincount(of["entry"], minlength=len(self.names))
        return {name: int(count) for name, count in zip(self.names, n, strict=True) if count}

    @cached_property
    def _number(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}


@dataclass(frozen=True)
class FacilityIndex:
    """The part of an index: see the head of this file."""

    facilities: Uses
    methods: Uses
    version: str


@dataclass
class _Collected:
    """The pairs of one kind while they are collected; a name that no table has is added to `names`."""

    names: list[str]
    rows: array[int] = field(default_factory=lambda: array("i"))
    entries: array[int] = field(default_factory=lambda: array("h"))
    used: array[int] = field(default_factory=lambda: array("b"))

    def add(self, row: int, statuses: Mapping[str, bool]) -> None:
        for name, is_used in statuses.items():
            if name not in self._number:
                self._number[name] = len(self.names)
                self.names.append(name)
            self.rows.append(row)
            self.entries.append(self._number[name])
            self.used.append(is_used)

    @cached_property
    def _number(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    def pairs(self) -> Pairs:
        found = np.zeros(len(self.rows), dtype=PAIRS)
        for name, column in (("row", self.rows), ("entry", self.entries), ("used", self.used)):
            found[name] = np.asarray(column)
        return found


def write_facilities(
    papers: Sequence[Paper],
    folder: Path,
    *,
    base: FacilityIndex | None = None,
    kept: Mapping[int, int] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Detect the facilities and methods of `papers`, in the order of their rows, and write them to `folder`.

    `kept` are rows that are unchanged since `base`, each with its row there: their pairs are taken over
    if the same detection made them.
    """
    same = kept if base and kept and base.version == detection_version() else {}
    of_facilities = _Collected([entry.name for entry in facility_table().entries])
    of_methods = _Collected([entry.name for entry in method_table().entries])
    detected = detect_all(paper for row, paper in enumerate(papers) if row not in same)
    for row in range(len(papers)):
        if base and row in same:
            of_facilities.add(row, dict(base.facilities.of(same[row])))
            of_methods.add(row, dict(base.methods.of(same[row])))
        else:
            _, detection = next(detected)
            of_facilities.add(row, detection.uses())
            of_methods.add(row, {one.name: one.status == "used" for one in detection.methods})
        if row % 500 == 0:
            progress(row, len(papers))
    progress(len(papers), len(papers))
    np.save(folder / "facilities.npy", of_facilities.pairs())
    np.save(folder / "methods.npy", of_methods.pairs())
    names = {
        "version": detection_version(),
        "facilities": of_facilities.names,
        "methods": of_methods.names,
    }
    (folder / "names.json").write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")


def read_facilities(folder: Path) -> FacilityIndex | None:
    """The facilities in an index folder, or None where it has none."""
    if not (folder / PART / "names.json").is_file():
        return None
    names = json.loads((folder / PART / "names.json").read_text(encoding="utf-8"))
    uses = {
        kind: Uses(tuple(names[kind]), np.load(folder / PART / f"{kind}.npy", mmap_mode="r"))
        for kind in ("facilities", "methods")
    }
    return FacilityIndex(uses["facilities"], uses["methods"], names["version"])


def detection_version() -> str:
    """A hash of the code and the tables that detect: what others found is not taken over."""
    code = [Path(str(module.__file__)) for module in _CODE]
    tables = [
        config.REPOSITORY / "data" / name for name in ("facilities.csv", "methods.csv", "usage.csv")
    ]
    return hashlib.sha256(b"".join(p.read_bytes() for p in [*code, *tables])).hexdigest()[:16]
