"""Charts of impacts as Vega-Lite, the same on the page and in files: SVG and PNG without a browser."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer import whole_file
from indexer.clean import plain_text
from indexer.errors import QueryError
from indexer.landscape import Landscape
from indexer.store import Index
from retrieval.impact import Impact
from retrieval.impact_places import Places
from retrieval.landscape import named, opened_landscape

Spec = dict[str, Any]

# Okabe and Ito's colours, told apart by colour-blind readers, without the yellow that white paper swallows.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999"]
ON_LIGHT, ON_DARK = ["#E69F00", "#0072B2"], ["#E69F00", "#56B4E9"]  # of the two periods
PERIOD_SHAPES = ["circle", "triangle-up"]
MAP_CELLS = 64  # of the map's background, a side
MOST_POINTS = 3_000
MOST_LABELS = 9
TITLE_CHARACTERS = 110  # shown of a title
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"


def share_chart(impacts: Sequence[Impact]) -> Spec:
    """The share of papers a year with its interval, a line for each."""
    rows = [
        {"name": one.name, "year": y.year, "share": y.share, "low": y.low, "high": y.high, "papers": y.used}
        for one in impacts
        for y in one.years
        if y.share is not None
    ]  # fmt: skip
    colour = {"field": "name", "type": "nominal", "title": None, "scale": {"range": COLOURS}, "legend": {"symbolOpacity": 1}}  # fmt: skip
    year = {"field": "year", "type": "quantitative", "title": "year", "axis": {"format": "d", "tickMinStep": 1}}  # fmt: skip
    y_axis = {"type": "quantitative", "axis": {"format": "%"}, "title": "share of the year's papers"}  # fmt: skip
    tips = [{"field": name, "type": kind} for name, kind in (("name", "nominal"), ("year", "quantitative"), ("papers", "quantitative"), ("share", "quantitative"))]  # fmt: skip
    return {
        **_base(f"Share of papers that {impacts[0].did}, a year, with 95 % intervals", rows),
        "encoding": {"x": year, "color": colour},
        "layer": [
            {"mark": {"type": "area", "opacity": 0.18}, "encoding": {"y": {"field": "low", **y_axis}, "y2": {"field": "high"}}},
            {"mark": {"type": "line", "point": True}, "encoding": {"y": {"field": "share", **y_axis}, "tooltip": tips}},
        ],
    }  # fmt: skip


def papers_chart(found: Impact) -> Spec:
    """Papers a year that used it and that only mention it."""
    topic = found.kind == "topic"
    kinds = ["papers"] if topic else ["used", "mentioned"]
    rows = [
        {"year": y.year, "what": what, "papers": n}
        for y in found.years
        for what, n in zip(kinds, (y.used, y.mentioned), strict=False)
    ]
    title = f"Papers on {found.name}, a year" if topic else f"Papers that used or mention {found.name}, a year"  # fmt: skip
    return {
        **_base(title, rows),
        "mark": {"type": "bar"},
        "encoding": {
            "x": {"field": "year", "type": "ordinal", "title": "year"},
            "y": {"field": "papers", "type": "quantitative", "title": "papers"},
            "color": {"field": "what", "type": "nominal", "title": None, "legend": None if topic else {}, "scale": {"domain": kinds, "range": COLOURS[:2]}},
        },
    }  # fmt: skip


def company_chart(found: Impact) -> Spec:
    """How often each two of the facilities it is combined with are used in one paper."""
    names = [one.name for one in found.together]
    rows = [
        {"a": a, "b": b, "papers": found.matrix[i][j]}
        for i, a in enumerate(names)
        for j, b in enumerate(names)
    ]
    axis = {"type": "nominal", "sort": names, "title": None}
    return {
        **_base("Facilities of its papers: papers that used both" if found.kind == "topic" else f"Used together with {found.name}: papers that used both", rows),
        "height": {"step": 22},
        "encoding": {"x": {"field": "a", **axis}, "y": {"field": "b", **axis}},
        "layer": [
            {"mark": "rect", "encoding": {"color": {"field": "papers", "type": "quantitative", "scale": {"type": "sqrt", "range": ["#f4f8fc", "#7fb2dd"]}, "legend": None}}},
            {"mark": {"type": "text", "fontSize": 10, "color": "black"}, "encoding": {"text": {"field": "papers", "type": "quantitative"}}},
        ],
    }  # fmt: skip


def map_chart(index: Index, found: Impact, *, dark: bool = False) -> Spec:
    """Its papers on the map by period, over how many papers of the index lie where, with its largest clusters.

    `dark` is for a dark background.

    Raises:
        IndexMissing: the index has no map.
    """
    places, landscape = found.places, opened_landscape(index)
    assert places is not None
    since = places.split_year
    periods = (f"before {since}", f"since {since}") if since else (_only_year(index, places), "")
    of_period = {"field": "period", "type": "nominal", "title": None, "legend": {"orient": "top", "symbolOpacity": 1}}  # fmt: skip
    shown = [name for name in periods if name]
    colour, shape = ({**of_period, "scale": {"domain": shown, "range": some}} for some in (ON_DARK if dark else ON_LIGHT, PERIOD_SHAPES))  # fmt: skip
    picked = {"name": "period", "select": {"type": "point", "fields": ["period"]}, "bind": "legend"}
    axis = {"type": "quantitative", "axis": None, "scale": {"domain": [0, MAP_CELLS]}}
    axes = {name: {"field": name, **axis} for name in ("x", "y")}
    corners = [{"calculate": f"datum.{name} + 1", "as": f"{name}2"} for name in ("x", "y")]
    label = {"type": "text", "fontSize": 11, "fontWeight": "bold"}
    ink, halo = ("#f2f4f7", "#10151c") if dark else ("#1b2430", "#ffffff")
    base = _base(
        f"Papers {'on' if found.kind == 'topic' else 'that used'} {found.name}, on the map", []
    )
    return {
        **base,
        "height": 460,
        "config": {"view": {"stroke": None}},
        "encoding": axes,
        "layer": [
            {"data": {"values": _everything(landscape)}, "transform": corners, "mark": {"type": "rect", "color": "#888888"},
             "encoding": {"x2": {"field": "x2"}, "y2": {"field": "y2"}, "opacity": {"field": "n", "type": "quantitative", "scale": {"type": "sqrt", "range": [0.06, 0.45]}, "legend": None}}},
            {"data": {"values": _points(index, places, periods)}, "params": [picked], "mark": {"type": "point", "filled": True, "size": 30},
             "encoding": {"color": colour, "shape": shape,
                          "opacity": {"condition": {"param": "period", "value": 0.75}, "value": 0.04},
                          "tooltip": [{"field": name, "type": "nominal"} for name in ("title", "year")]}},
            {"data": {"values": _labels(places)}, "mark": {**label, "color": halo, "stroke": halo, "strokeWidth": 3, "strokeJoin": "round", "opacity": 0.85}, "encoding": {"text": {"field": "label"}}},
            {"data": {"values": _labels(places)}, "mark": {**label, "color": ink}, "encoding": {"text": {"field": "label"}}},
        ],
    }  # fmt: skip


def _only_year(index: Index, places: Places) -> str:
    return str(index.year[places.early[0]]) if len(places.early) else "papers"


def _cells(places: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Places of the map, [-1, 1], in cells of the chart."""
    return (np.asarray(places, dtype=np.float64) + 1) / 2 * MAP_CELLS


def _everything(landscape: Landscape) -> list[dict[str, int]]:
    """How many papers lie in each cell of the map that holds one."""
    cells = _cells(landscape.places)
    cells = cells[np.isfinite(cells).all(axis=1)]
    cells = np.clip(cells, 0, MAP_CELLS - 1).astype(np.int64)
    held, counts = np.unique(cells, axis=0, return_counts=True)
    return [{"x": int(x), "y": int(y), "n": int(n)} for (x, y), n in zip(held, counts, strict=True)]


def _points(index: Index, places: Places, periods: tuple[str, str]) -> list[dict[str, Any]]:
    """At most MOST_POINTS of the papers, spread over the years, in no order of period: neither hides the other."""
    rows = np.concatenate([places.early, places.late])
    if len(rows) > MOST_POINTS:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_POINTS).astype(np.int64)]
    rows = np.random.default_rng(0).permutation(rows)
    titles = index.papers.column("title", rows) if len(rows) else []
    cells = _cells(opened_landscape(index).places[rows]).round(2)
    late = np.isin(rows, places.late)
    return [
        {"x": float(x), "y": float(y), "title": plain_text(title)[:TITLE_CHARACTERS], "year": int(year), "period": periods[int(since)]}
        for (x, y), title, year, since in zip(cells, titles, index.year[rows], late, strict=True)
    ]  # fmt: skip


def _labels(places: Places) -> list[dict[str, Any]]:
    """The names of the clusters with most of the papers, those left out that would stand on one before."""
    found: list[dict[str, Any]] = []
    for moved in sorted(places.clusters, key=lambda one: -one.n):
        label = named(moved.cluster, words=2)
        x, y = _cells(np.array([moved.cluster.x, moved.cluster.y]))
        wide = 0.36 * len(label)  # half of it, in cells
        x = min(max(x, wide), MAP_CELLS - wide)
        if all(abs(y - o["y"]) > 2.4 or abs(x - o["x"]) > wide + o["wide"] for o in found):
            found.append({"x": round(float(x), 2), "y": round(float(y), 2), "label": label, "wide": wide})  # fmt: skip
        if len(found) == MOST_LABELS:
            break
    return found


def untitled(spec: Spec) -> Spec:
    """The chart for a page that has its title as a heading."""
    return {key: value for key, value in spec.items() if key != "title"}


def svg(spec: Spec) -> str:
    """The chart as SVG."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(json.dumps(spec)))


def png(spec: Spec) -> bytes:
    """The chart as PNG, at twice the pixels of a screen."""
    import vl_convert

    return bytes(vl_convert.vegalite_to_png(json.dumps(spec), scale=2))


def save(spec: Spec, path: Path) -> None:
    """Write the chart as the file's ending says.

    Raises:
        QueryError: the ending is neither .svg nor .png.
        StorageError: the file cannot be written.
    """
    if path.suffix.lower() not in (".svg", ".png"):
        raise QueryError(f"{path} should end in .svg or .png.")
    whole_file.save(path, svg(spec).encode() if path.suffix.lower() == ".svg" else png(spec))


def _base(title: str, rows: list[dict[str, Any]]) -> Spec:
    return {
        "$schema": _SCHEMA,
        "title": {"text": title, "anchor": "start", "fontWeight": "normal"},
        "width": 560,
        "height": 260,
        "padding": {"left": 5, "right": 20, "top": 12, "bottom": 5},
        "data": {"values": rows},
    }
