"""The map of an index: where each paper lies, the clusters there and their labels; written and read side by side.

    DIR/map/places.npy     coordinates in [-1, 1], (n_papers, 2) float32; NaN where a paper has no place
    DIR/map/clusters.npy   the cluster at each level, coarse to fine, (n_papers, n_levels) int32; -1 for none
    DIR/map/placed.npy     whether a paper was placed since the layout, (n_papers,) bool; maps of earlier versions lack it
    DIR/map/map.json       how it was made, and of each cluster its label, terms, size and middle

A part that an index may lack. `indexer.cartography` makes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PART = "map"
FORMAT = 1
Namer = Callable[[Sequence["Cluster"], Sequence[Sequence[int]]], Sequence[str]]  # and their rows


@dataclass(frozen=True)
class Cluster:
    """A region of the map: its label, where the label stands, how many papers, which region it lies in."""

    level: int  # 0 is the coarsest
    number: int  # within its level, by size
    parent: int  # number of the cluster of the level above that holds it; -1 at level 0
    n_papers: int
    label: str
    terms: tuple[str, ...]  # that the label is made of, most distinctive first
    x: float  # where the papers are densest
    y: float
    name: str = ""  # given by a language model, where asked for


@dataclass(frozen=True)
class Landscape:
    """The map of an index, memory-mapped."""

    places: npt.NDArray[np.float32]
    clusters: npt.NDArray[np.int32]
    regions: tuple[Cluster, ...]  # by level, then number
    method: str
    seed: int
    n_laid: int  # papers that the layout was computed from
    placed: npt.NDArray[np.bool_]  # (n_papers,): whether it was placed into the layout later

    @property
    def n_placed(self) -> int:
        """Papers that were placed into the layout later."""
        return int(np.count_nonzero(self.placed))

    @property
    def n_levels(self) -> int:
        """Levels of clusters."""
        return int(self.clusters.shape[1])

    def level(self, level: int) -> tuple[Cluster, ...]:
        """The clusters of a level, by number."""
        return tuple(region for region in self.regions if region.level == level)

    def path(self, row: int) -> tuple[Cluster, ...]:
        """The clusters that a paper lies in, coarse to fine; empty where it has no place."""
        numbers = self.clusters[row]
        if numbers[0] < 0:
            return ()
        return tuple(self.level(level)[int(n)] for level, n in enumerate(numbers))


def read_landscape(folder: Path) -> Landscape | None:
    """The map in an index folder, or None where it has none."""
    if not (folder / PART / "map.json").is_file():
        return None
    facts = json.loads((folder / PART / "map.json").read_text(encoding="utf-8"))
    regions = tuple(Cluster(**{**r, "terms": tuple(r["terms"])}) for r in facts["regions"])
    places = np.load(folder / PART / "places.npy", mmap_mode="r")
    return Landscape(
        places=places,
        clusters=np.load(folder / PART / "clusters.npy", mmap_mode="r"),
        regions=regions,
        placed=_read_placed(folder / PART / "placed.npy", len(places), facts["n_placed"]),
        **{name: facts[name] for name in ("method", "seed", "n_laid")},
    )


def _read_placed(path: Path, n_papers: int, n_placed: int) -> npt.NDArray[np.bool_]:
    """Which papers were placed later; where an earlier version wrote how many alone, the last ones, as updates add them."""
    if path.is_file():
        placed: npt.NDArray[np.bool_] = np.load(path, mmap_mode="r")
        return placed
    return np.arange(n_papers) >= n_papers - n_placed


def write_landscape(landscape: Landscape, folder: Path) -> None:
    """Write a map into its own folder, which is there."""
    np.save(folder / "places.npy", np.asarray(landscape.places, dtype=np.float32))
    np.save(folder / "clusters.npy", np.asarray(landscape.clusters, dtype=np.int32))
    np.save(folder / "placed.npy", np.asarray(landscape.placed, dtype=np.bool_))
    facts: dict[str, Any] = {"format": FORMAT}
    facts |= {n: getattr(landscape, n) for n in ("method", "seed", "n_laid", "n_placed")}
    facts["regions"] = [asdict(region) for region in landscape.regions]
    (folder / "map.json").write_text(
        json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
