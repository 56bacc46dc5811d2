"""What the map tells: where a set of papers lies, what grows, what two sets differ in, where gaps are."""

from __future__ import annotations

from indexer.errors import IndexMissing
from indexer.landscape import Cluster, Landscape
from indexer.store import Index

# Okabe & Ito (2008) without its black and yellow, then Tol's muted scheme: told apart by the colour-blind,
# visible on light and on dark.
CLUSTER_COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00",
    "#aa4499", "#999933", "#44aa99", "#882255", "#6f6fd8", "#8c6d46",
)  # fmt: skip


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
