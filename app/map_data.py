"""The papers of the map packed for the browser: a header, typed columns, and titles, compressed.

About 22 bytes a paper and 40 for its title: 42,385 papers are some 2.5 MB. Beyond TITLES_UP_TO papers titles
stay here and are shown on a click.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.clean import plain_text
from indexer.landscape import Landscape
from indexer.store import Index
from indexer.weights import UNKNOWN_CITATIONS, UNKNOWN_YEAR
from retrieval.landscape import CLUSTER_COLOURS, Field, field, named, opened_landscape, spans
from retrieval.paper_sets import facilities_used

TITLES_UP_TO = 120_000  # papers
TITLE_CHARACTERS = 160
COLOURED = 8  # categories and facilities with a colour of their own
LABEL_TERMS = (2, 2, 2)  # of a cluster's label on the map, by level
GROWTH_BINS = 9
_TYPES = {"u8": np.uint8, "u16": np.uint16, "i32": np.int32, "u32": np.uint32}

Column = tuple[str, str, npt.NDArray[Any]]  # name, type, values


def pack(index: Index) -> bytes:
    """Everything that the map's drawing needs of an index, for papers that have a place.

    Raises:
        IndexMissing: the index has no map.
    """
    landscape = opened_landscape(index)
    rows = np.flatnonzero(np.isfinite(landscape.places).all(axis=1))
    columns, names = _columns(index, landscape, rows)
    if len(rows) < len(index.papers):
        columns.append(("row", "u32", rows))
    header: dict[str, Any] = {
        "id": index.manifest.snapshot,
        "n": len(rows),
        "levels": landscape.n_levels,
        "regions": _regions(landscape),
        "years": _years(index, rows),
        "palette": CLUSTER_COLOURS,
        "growth": spans(index).words,
        **names,
    }
    titles = _titles(index, rows) if len(rows) <= TITLES_UP_TO else b""
    return _packed(header, columns, titles)


def _columns(
    index: Index, landscape: Landscape, rows: npt.NDArray[np.int64]
) -> tuple[list[Column], dict[str, list[str]]]:
    numbers = field(index, landscape)
    year, citations = index.year[rows], index.citations[rows]
    category, categories = _categories(index, rows)
    facility, facilities = _facilities(index, rows)
    places = np.asarray(landscape.places[rows], dtype=np.float64)
    x, y = np.rint((np.clip(places, -1, 1) + 1) * 32767.5).T
    columns: list[Column] = [
        ("x", "u16", x),
        ("y", "u16", y),
        ("year", "u16", np.where(year == UNKNOWN_YEAR, 0, year)),
        ("citations", "i32", np.where(citations == UNKNOWN_CITATIONS, -1, citations)),
        ("category", "u8", category),
        ("facility", "u8", facility),
        ("density", "i32", np.rint(numbers.density[rows] * 1000)),
        ("growth", "u8", _growth_bins(numbers, rows)),
    ]
    columns += [
        (f"cluster_{level}", "u16", landscape.clusters[rows, level])
        for level in range(landscape.n_levels)
    ]
    return columns, {"category": categories, "facility": facilities}


def _growth_bins(numbers: Field, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """1 for half the share of before or less, GROWTH_BINS for twice or more; 0 where it is unknown."""
    growth = numbers.growth[rows]
    bins = 1 + np.rint((np.clip(growth, -1, 1) + 1) / 2 * (GROWTH_BINS - 1))
    return np.where(np.isfinite(growth), bins, 0)


def _categories(index: Index, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], list[str]]:
    """The number of each paper's first category, 1 for the most frequent; 0 for all others."""
    first = [
        categories[0] if categories else "" for categories in index.papers.column("categories")
    ]
    values, inverse, counts = np.unique(first, return_inverse=True, return_counts=True)
    order = [i for i in np.argsort(-counts, kind="stable") if values[i]][:COLOURED]
    number = np.zeros(max(len(values), 1), dtype=np.int64)
    number[order] = np.arange(1, len(order) + 1)
    return number[inverse][rows], [str(values[i]) for i in order]


def _facilities(index: Index, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], list[str]]:
    """The facility that each paper used, of the most used; of several the one that fewest papers used."""
    by_name = facilities_used(index)
    most = sorted(by_name, key=lambda name: (-len(by_name[name]), name))[:COLOURED]
    number = np.zeros(len(index.papers), dtype=np.int64)
    for place, name in enumerate(most, 1):
        number[by_name[name]] = place
    return number[rows], most


def _regions(landscape: Landscape) -> list[dict[str, Any]]:
    return [
        {
            "level": region.level,
            "number": region.number,
            "n": region.n_papers,
            "short": named(region, words=LABEL_TERMS[region.level]),
            "x": region.x,
            "y": region.y,
        }
        for region in landscape.regions
    ]


def _years(index: Index, rows: npt.NDArray[np.int64]) -> list[int]:
    known = index.year[rows]
    known = known[known != UNKNOWN_YEAR]
    return [int(known.min()), int(known.max())] if len(known) else [0, 0]


def _titles(index: Index, rows: npt.NDArray[np.int64]) -> bytes:
    """Title and identifier of each paper, tab between them, a line each; deflated."""
    table = index.papers
    fields = (table.column(name) for name in ("title", "bibcode", "arxiv_id", "doi"))
    lines = [
        f"{plain_text(title)[:TITLE_CHARACTERS]}\t{bibcode or arxiv_id or doi or ''}"
        for title, bibcode, arxiv_id, doi in zip(*fields, strict=True)
    ]
    lines = [" ".join(lines[row].split("\n")) for row in rows]
    return zlib.compress("\n".join(lines).encode("utf-8", "replace"), 6)


def _packed(header: dict[str, Any], columns: Sequence[Column], titles: bytes) -> bytes:
    """Header length, header, then each column at a multiple of four bytes, then the titles."""
    blobs = [(n, t, np.ascontiguousarray(v, dtype=_TYPES[t]).tobytes()) for n, t, v in columns]
    places: list[dict[str, Any]] = []
    at = 0
    for name, kind, blob in blobs:
        size = np.dtype(_TYPES[kind]).itemsize
        places.append({"name": name, "type": kind, "start": at, "length": len(blob) // size})
        at += -(-len(blob) // 4) * 4
    full = {**header, "columns": places, "titles": {"start": at, "length": len(titles)} if titles else None}  # fmt: skip
    text = json.dumps(full, ensure_ascii=False, separators=(",", ":")).encode()
    room = 4 + -(-(len(text) + 64) // 4) * 4  # of the header; its offsets have a digit or two more
    room += 12 * (len(places) + 1)
    for place in places:
        place["start"] += room
    if full["titles"]:
        full["titles"]["start"] += room
    text = json.dumps(full, ensure_ascii=False, separators=(",", ":")).encode()
    body = b"".join(blob + b"\0" * (-len(blob) % 4) for _, _, blob in blobs)
    head = struct.pack("<I", len(text)) + text
    return head + b"\0" * (room - len(head)) + body + titles
