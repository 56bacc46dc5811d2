"""Charts of impacts as Vega-Lite, the same on the page and in files: SVG and PNG without a browser."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from indexer.errors import QueryError
from retrieval.impact import Impact

Spec = dict[str, Any]

# Okabe and Ito's colours, told apart by colour-blind readers, without the yellow that white paper swallows.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999"]
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"


def share_chart(impacts: Sequence[Impact]) -> Spec:
    """The share of papers a year with its interval, a line for each."""
    rows = [
        {"name": one.name, "year": y.year, "share": y.share, "low": y.low, "high": y.high, "papers": y.used}
        for one in impacts
        for y in one.years
        if y.share is not None
    ]  # fmt: skip
    colour = {"field": "name", "type": "nominal", "title": None, "scale": {"range": COLOURS}}
    year = {"field": "year", "type": "quantitative", "title": "year", "axis": {"format": "d", "tickMinStep": 1}}  # fmt: skip
    y_axis = {"type": "quantitative", "axis": {"format": "%"}, "title": "share of the year's papers"}  # fmt: skip
    tips = [{"field": name, "type": kind} for name, kind in (("name", "nominal"), ("year", "quantitative"), ("papers", "quantitative"), ("share", "quantitative"))]  # fmt: skip
    return {
        **_base("Share of papers that used it, a year, with 95 % intervals", rows),
        "encoding": {"x": year, "color": colour},
        "layer": [
            {"mark": {"type": "area", "opacity": 0.18}, "encoding": {"y": {"field": "low", **y_axis}, "y2": {"field": "high"}}},
            {"mark": {"type": "line", "point": True}, "encoding": {"y": {"field": "share", **y_axis}, "tooltip": tips}},
        ],
    }  # fmt: skip


def papers_chart(found: Impact) -> Spec:
    """Papers a year that used it and that only mention it."""
    rows = [
        {"year": y.year, "what": what, "papers": n}
        for y in found.years
        for what, n in (("used", y.used), ("mentioned", y.mentioned))
    ]
    return {
        **_base(f"Papers that used or mention {found.name}, a year", rows),
        "mark": {"type": "bar"},
        "encoding": {
            "x": {"field": "year", "type": "ordinal", "title": "year"},
            "y": {"field": "papers", "type": "quantitative", "title": "papers"},
            "color": {"field": "what", "type": "nominal", "title": None, "scale": {"domain": ["used", "mentioned"], "range": COLOURS[:2]}},
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
        **_base(f"Used together with {found.name}: papers that used both", rows),
        "height": {"step": 22},
        "encoding": {"x": {"field": "a", **axis}, "y": {"field": "b", **axis}},
        "layer": [
            {"mark": "rect", "encoding": {"color": {"field": "papers", "type": "quantitative", "scale": {"type": "sqrt", "range": ["#f4f8fc", "#7fb2dd"]}, "legend": None}}},
            {"mark": {"type": "text", "fontSize": 10, "color": "black"}, "encoding": {"text": {"field": "papers", "type": "quantitative"}}},
        ],
    }  # fmt: skip


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
    """
    if path.suffix.lower() not in (".svg", ".png"):
        raise QueryError(f"{path} should end in .svg or .png.")
    content = svg(spec).encode() if path.suffix.lower() == ".svg" else png(spec)
    path.write_bytes(content)


def _base(title: str, rows: list[dict[str, Any]]) -> Spec:
    return {
        "$schema": _SCHEMA,
        "title": {"text": title, "anchor": "start", "fontWeight": "normal"},
        "width": 560,
        "height": 260,
        "padding": {"left": 5, "right": 20, "top": 12, "bottom": 5},
        "data": {"values": rows},
    }
