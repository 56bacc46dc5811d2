"""What the map tells: where a set of papers lies, what grows, what two sets differ in, where gaps are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.errors import IndexMissing
from indexer.landscape import Cluster, Landscape
from indexer.store import Index
from indexer.weights import UNKNOWN_YEAR
from retrieval.shares import ratio

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Floats64 = npt.NDArray[np.float64]

# Okabe & Ito (2008) without its black and yellow, then Tol's muted scheme: told apart by the colour-blind,
# visible on light and on dark.
CLUSTER_COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00",
    "#aa4499", "#999933", "#44aa99", "#882255", "#6f6fd8", "#8c6d46",
)  # fmt: skip

MOST_CORNERS = 4_000  # of an outline
GRID = 256  # cells of the raster that density is counted on, a side
SMOOTHING_CELLS = 3.0  # standard deviation of the smoothing
BACK_YEARS = 5  # between the spans of years that growth compares
PRIOR_PAPERS = 300  # spread over the map as all papers are, so that a few papers are no trend
FEWEST_FOR_GAPS = 200  # papers
GAP_SMOOTHING = 1.5  # cells
GAP_CELLS = 9  # the widest gap's radius
GAP_DEPTH = 0.12  # of the square root of the density
RIM_SIDES = 6  # of eight, on which a gap has papers


def opened_landscape(index: Index) -> Landscape:
    """The map of an index.

    Raises:
        IndexMissing: it has none; the message has the command that makes one.
    """
    if index.landscape is None:
        raise IndexMissing(
            f"{index.path} has no map: make one with `wayfinder index map {index.path}`."
        )
    return index.landscape


def named(cluster: Cluster, *, words: int | None = None) -> str:
    """The name of a cluster, else its label, or its first `words` terms."""
    if cluster.name:
        return cluster.name
    return " · ".join(cluster.terms[:words]) if words and cluster.terms else cluster.label


def rows_inside(
    landscape: Landscape, polygon: Sequence[Sequence[float]], among: Mask | None = None
) -> Rows:
    """The rows of the papers inside a polygon of map coordinates, ascending; none for fewer than three corners.

    A point is inside where a ray from it crosses the outline an odd number of times. `among` limits the rows.
    Corners that are not finite are left out; of more than MOST_CORNERS, which no hand draws, so many are taken evenly.
    """
    corners = np.array([c for c in polygon if len(c) == 2], dtype=np.float64).reshape(-1, 2)
    corners = corners[np.isfinite(corners).all(axis=1)]
    if len(corners) > MOST_CORNERS:
        corners = corners[np.linspace(0, len(corners) - 1, MOST_CORNERS).astype(np.int64)]
    places = np.asarray(landscape.places, dtype=np.float64)
    if len(corners) < 3:
        return np.zeros(0, dtype=np.int64)
    low, high = corners.min(axis=0), corners.max(axis=0)
    near = (places >= low).all(axis=1) & (places <= high).all(axis=1)  # NaN is nowhere
    if among is not None:
        near &= among
    rows = np.flatnonzero(near)
    x, y = places[rows].T
    inside = np.zeros(len(rows), dtype=np.bool_)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crosses = (y1 > y) != (y2 > y)
        if y1 != y2:
            inside ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return rows[inside]


@dataclass(frozen=True)
class Field:
    """Numbers of each paper that are taken from where it lies: NaN where it has no place."""

    density: Floats  # papers around it, 1 for the paper with most
    growth: Floats  # log2 of the share of all papers around it now over the share before


@dataclass(frozen=True)
class Spans:
    """Two spans of years that are compared, each with its first and last year."""

    now: tuple[int, int]
    before: tuple[int, int]

    @property
    def words(self) -> str:
        """The comparison in words."""
        return f"share of papers of {_span(self.now)} over {_span(self.before)}"


def spans(index: Index) -> Spans:
    """The last three whole years, and the three that lie five years before them."""
    last = int(index.manifest.as_of[:4]) - 1
    known = index.year[index.year != UNKNOWN_YEAR]
    if len(known):
        last = min(last, int(known.max()))
    return Spans((last - 2, last), (last - 2 - BACK_YEARS, last - BACK_YEARS))


def field(index: Index, landscape: Landscape) -> Field:
    """How dense the map is around each paper, and how its part of the field has grown."""
    places = np.asarray(landscape.places, dtype=np.float64)
    standing = np.flatnonzero(np.isfinite(places).all(axis=1))
    density = np.full(len(places), np.nan, dtype=np.float32)
    growth = np.full(len(places), np.nan, dtype=np.float32)
    if len(standing):
        cells = _cells(places[standing])
        everything = _smooth(cells)
        around = everything[tuple(cells.T)]
        density[standing] = around / around.max()
        compared = spans(index)
        now, before = (
            _smooth(cells[_within(index.year[standing], span)]) for span in (compared.now, compared.before)
        )  # fmt: skip
        n_now, n_before = float(now.sum()), float(before.sum())
        if n_now and n_before:
            local = around / len(standing)  # the share of all papers there
            shares = [
                (part[tuple(cells.T)] + PRIOR_PAPERS * local) / (n + PRIOR_PAPERS)
                for part, n in ((now, n_now), (before, n_before))
            ]
            growth[standing] = np.log2(shares[0] / np.maximum(shares[1], 1e-12))
    return Field(density, growth)


@dataclass(frozen=True)
class Growth:
    """How a cluster's share of all papers has changed, with the 95 % interval of the ratio."""

    cluster: Cluster
    n_now: int
    n_before: int
    ratio: float | None  # share now over share before; None where a span holds none of it
    low: float | None
    high: float | None
    median_year: int | None


def growth(index: Index, landscape: Landscape, level: int) -> list[Growth]:
    """The growth of each cluster of a level, by the lower end of its interval; unknown growth last.

    The ratio of two shares with the interval of `retrieval.shares.ratio`.
    """
    compared = spans(index)
    now, before = (_within(index.year, span) for span in (compared.now, compared.before))
    n, m = int(now.sum()), int(before.sum())
    found = []
    for cluster in landscape.level(level):
        inside = np.asarray(landscape.clusters[:, level]) == cluster.number
        a, b = int((inside & now).sum()), int((inside & before).sum())
        years = index.year[inside & (index.year != UNKNOWN_YEAR)]
        middle = int(np.median(years)) if len(years) else None
        found.append(Growth(cluster, a, b, *ratio(a, n, b, m), middle))
    return sorted(found, key=lambda g: (g.low is None, -(g.low or 0.0)))


@dataclass(frozen=True)
class Gap:
    """A sparse region between dense ones: where, how large, and the papers and clusters on its rim."""

    x: float
    y: float
    radius: float
    rim: Rows
    clusters: tuple[Cluster, ...]


def gaps(landscape: Landscape, n: int = 8) -> list[Gap]:
    """The sparse regions that dense ones enclose, largest first, at most `n`.

    Found where the closing of the smoothed density by a disc fills a hole (black top hat); the rim is the
    nearest paper in each of eight directions. Papers at the edge of the map enclose nothing.
    """
    from scipy import ndimage

    places = np.asarray(landscape.places, dtype=np.float64)
    standing = np.flatnonzero(np.isfinite(places).all(axis=1))
    if len(standing) < FEWEST_FOR_GAPS:
        return []
    density = _smooth(_cells(places[standing]), width=GAP_SMOOTHING)
    level = np.sqrt(density / density.max())
    filled = ndimage.grey_closing(level, footprint=_disc(GAP_CELLS))
    holes = filled - level
    spots, n_spots = ndimage.label(holes > GAP_DEPTH)
    weights = ndimage.sum_labels(holes, spots, range(1, n_spots + 1))
    found: list[Gap] = []
    for spot in np.argsort(-weights)[: 4 * n]:
        at = np.unravel_index(np.where(spots == spot + 1, holes, -1).argmax(), holes.shape)
        centre = (np.array(at) + 0.5) / GRID * 2 - 1
        gap = _gap(landscape, places, standing, centre)
        if gap is not None and all(
            math.dist((gap.x, gap.y), (g.x, g.y)) > gap.radius for g in found
        ):
            found.append(gap)
        if len(found) == n:
            break
    return found


def _gap(landscape: Landscape, places: Floats64, standing: Rows, centre: Floats64) -> Gap | None:
    """The gap around a place; None where papers lie on fewer than RIM_SIDES of its eight sides."""
    away = places[standing] - centre
    reach = np.linalg.norm(away, axis=1)
    side = ((np.arctan2(away[:, 1], away[:, 0]) + np.pi) / (np.pi / 4)).astype(int) % 8
    order = np.argsort(reach)
    close = order[reach[order] < 4 * 2 * GAP_CELLS / GRID]
    sides, first = np.unique(side[close], return_index=True)
    if len(sides) < RIM_SIDES:
        return None
    rim = standing[close[first]]
    around = dict.fromkeys(landscape.path(int(row))[-1] for row in rim)
    radius = float(np.median(reach[close[first]]))
    return Gap(float(centre[0]), float(centre[1]), radius, rim.astype(np.int64), tuple(around))


def _disc(radius: int) -> Mask:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(x**2 + y**2 <= radius**2)


def _cells(places: Floats64) -> Rows:
    """The cell of a GRID by GRID raster over the map that each place is in, `(n, 2)`."""
    return np.clip(((places + 1) / 2 * GRID).astype(np.int64), 0, GRID - 1)


def _smooth(cells: Rows, width: float | None = None) -> Floats64:
    """Papers per cell, spread out so that about the same number counts everywhere."""
    from scipy import ndimage

    raster = np.zeros((GRID, GRID))
    np.add.at(raster, tuple(cells.T), 1.0)
    return np.asarray(ndimage.gaussian_filter(raster, width or SMOOTHING_CELLS, mode="constant"))


def _within(years: npt.NDArray[np.integer], span: tuple[int, int]) -> Mask:
    return np.asarray((years >= span[0]) & (years <= span[1]))


def _span(years: tuple[int, int]) -> str:
    return f"{years[0]}" if years[0] == years[1] else f"{years[0]} to {years[1]}"
