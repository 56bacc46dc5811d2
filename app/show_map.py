"""The map for people and other programs: what it holds, and its rows as CSV, JSON lines, Parquet or SVG."""

from __future__ import annotations

import html
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from indexer.errors import QueryError
from indexer.landscape import Landscape
from indexer.store import Index
from indexer.whole_file import save
from retrieval.landscape import CLUSTER_COLOURS, named, opened_landscape
from retrieval.spreadsheet import csv_text

Row = dict[str, Any]
FORMATS = (".csv", ".json", ".jsonl", ".parquet", ".svg")
SVG_SIDE = 1600
SVG_FONTS = (26, 15, 10)  # of the labels, by level


def map_row(index: Index) -> Row:
    """What the map of an index holds, as one JSON object."""
    landscape = opened_landscape(index)
    placed = np.asarray(np.isfinite(landscape.places).all(axis=1))
    return {
        "index": str(index.path),
        "snapshot": index.manifest.snapshot,
        "method": landscape.method,
        "seed": landscape.seed,
        "n_papers": len(placed),
        "n_laid": landscape.n_laid,
        "n_placed": landscape.n_placed,
        "without_place": int((~placed).sum()),
        "clusters": [
            {"level": r.level, "number": r.number, "parent": r.parent, "papers": r.n_papers,
             "label": r.label, "name": r.name, "x": r.x, "y": r.y}
            for r in landscape.regions
        ],
    }  # fmt: skip


def map_page(row: Row) -> str:
    """The same for people: the clusters of the coarsest level with their largest parts."""
    lines = [
        f"{row['index']}: a map of {row['n_papers']:,} papers by {row['method']}, seed {row['seed']}",
    ]
    if row["n_placed"]:
        lines.append(
            f"  {row['n_placed']:,} of them placed later: `wayfinder index map` lays all out anew"
        )
    if row["without_place"]:
        lines.append(f"  {row['without_place']:,} have no place: their vectors are not finite")
    clusters = row["clusters"]
    for top in (c for c in clusters if c["level"] == 0):
        lines.append(f"  {top['papers']:>7,}  {top['name'] or top['label']}")
        parts = [c for c in clusters if c["level"] == 1 and c["parent"] == top["number"]]
        lines += [f"           {c['papers']:>7,}  {c['name'] or c['label']}" for c in parts[:3]]
        if len(parts) > 3:
            lines.append(f"                    and {len(parts) - 3} more")
    return "\n".join(lines)


def export_rows(index: Index) -> Iterator[Row]:
    """A row per paper: its identifiers, title, year, place, and its clusters with their labels; None without."""
    landscape = opened_landscape(index)
    levels = [landscape.level(level) for level in range(landscape.n_levels)]
    for paper, (x, y), numbers in zip(
        index.papers, landscape.places, landscape.clusters, strict=True
    ):
        found = bool(np.isfinite([x, y]).all())
        row: Row = {
            "bibcode": paper.bibcode,
            "arxiv_id": paper.arxiv_id,
            "title": paper.plain_title,
            "year": paper.year,
            "x": round(float(x), 5) if found else None,
            "y": round(float(y), 5) if found else None,
        }
        for level, number in enumerate(numbers):
            inside = number >= 0
            row[f"cluster_{level + 1}"] = int(number) if inside else None
            row[f"label_{level + 1}"] = named(levels[level][number]) if inside else None
        yield row


def export_text(index: Index, suffix: str) -> str:
    """The map as text: `.csv`, `.json` (one array), `.jsonl` or `.svg`."""
    if suffix == ".svg":
        return svg(opened_landscape(index))
    rows = list(export_rows(index))
    if suffix == ".json":
        return json.dumps(rows, ensure_ascii=False, indent=0) + "\n"
    if suffix == ".jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return csv_text(list(rows[0]) if rows else [], (list(row.values()) for row in rows))


def export_file(index: Index, path: Path) -> int:
    """Write the map to a file of a kind in FORMATS, by its ending; return how many papers it has.

    Raises:
        QueryError: the ending is none of them.
        StorageError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise QueryError(
            f"{path} ends in {suffix or 'nothing'}: choose one of {', '.join(FORMATS)}."
        )
    save(path, _parquet(index) if suffix == ".parquet" else export_text(index, suffix).encode())
    return len(index.papers)


def _parquet(index: Index) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(export_rows(index))), content)
    return content.getvalue()


def svg(landscape: Landscape) -> str:
    """A picture of the map for print: points by cluster of the coarsest level, labels of the first two."""
    side = SVG_SIDE
    scale = (np.asarray(landscape.places, dtype=np.float64) * [1, -1] * 0.96 + 1) * side / 2
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" font-family="sans-serif">',
        f'<rect width="{side}" height="{side}" fill="#fff"/>',
    ]
    width = max(1.2, min(8.0, 400 / max(len(scale), 1) ** 0.5))
    for region in landscape.level(0):
        rows = scale[landscape.clusters[:, 0] == region.number]
        points = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in rows)
        colour = CLUSTER_COLOURS[region.number % len(CLUSTER_COLOURS)]
        lines.append(
            f'<path d="{points}" stroke="{colour}" stroke-width="{width:.1f}" stroke-linecap="round" '
            f'stroke-opacity=".55" fill="none"><title>{html.escape(named(region))}</title></path>'
        )
    for region in (*landscape.level(1), *landscape.level(0)) if landscape.n_levels > 1 else landscape.level(0):  # fmt: skip
        x, y = ((np.array([region.x, -region.y]) * 0.96 + 1) * side / 2).tolist()
        lines.append(
            f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="middle" font-size="{SVG_FONTS[region.level]}" '
            f'font-weight="{600 if region.level == 0 else 400}" fill="#111" stroke="#fff" stroke-width="4" '
            f'paint-order="stroke">{html.escape(named(region, words=1 if region.level else 2))}</text>'
        )
    return "\n".join([*lines, "</svg>"]) + "\n"
