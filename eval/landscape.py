"""How faithful the map is: neighbours kept by the layout, labels that fit papers they were not made from.

wayfinder eval map --index my-index
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from eval.measures import SEED, Estimate, estimate
from indexer.cartography import read_corpus, terms_by_level
from indexer.dense import neighbours
from indexer.labels import TERMS, Term, TermCounts, sampled
from indexer.layout import principal_components
from indexer.store import Index
from retrieval.landscape import opened_landscape

K = 15  # neighbours
DRAWS = 8  # samples of papers that trustworthiness is taken on
DRAWN = 3_000  # papers of each
ASKED = 3_000  # papers whose neighbours are compared among all papers
TRIPLETS = 20_000  # of papers, of which the nearer two are told
CHANCE = "any terms"  # the label of another cluster

Places = npt.NDArray[np.floating]
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Finding:
    """One measure of one map or of its labels, with its 95 % interval."""

    of: str  # the layout, or the level and the way its labels were made
    measure: str
    value: Estimate


def layouts(index: Index, *, umap: bool, progress: Progress) -> dict[str, Places]:
    """The index's map, its first two principal components, and UMAP's defaults where asked for and installed."""
    found: dict[str, Places] = {"map": np.asarray(opened_landscape(index).places)}
    vectors = np.asarray(index.vectors, dtype=np.float32)
    usable = np.isfinite(vectors).all(axis=1)
    components = np.full((len(vectors), 2), np.nan, dtype=np.float32)
    components[usable] = principal_components(vectors[usable], 2)
    found["PCA"] = components
    if umap and importlib.util.find_spec("umap") is not None:
        from umap import UMAP

        progress("UMAP", 0, 1)
        found["UMAP, defaults"] = UMAP(metric="cosine").fit_transform(vectors)
    return found


def layout_findings(index: Index, maps: dict[str, Places], progress: Progress) -> list[Finding]:
    """Of each layout: trustworthiness (Venna & Kaski 2001), kept neighbours, triplets in order."""
    vectors = np.asarray(index.vectors, dtype=np.float32)
    rows = _usable(index, maps)
    findings = []
    for done, (name, places) in enumerate(maps.items()):
        progress("layouts", done, len(maps))
        findings += [
            Finding(name, f"trustworthiness, k={K}", _trust(vectors, places, rows)),
            Finding(name, f"share of {K} nearest kept", _kept(vectors, places, rows)),
            Finding(name, "triplets in order", _triplets(vectors, places, rows)),
        ]
    return findings


def _usable(index: Index, maps: dict[str, Places]) -> npt.NDArray[np.int64]:
    finite = [np.isfinite(places).all(axis=1) for places in maps.values()]
    return np.flatnonzero(np.logical_and.reduce(finite))


def _trust(vectors: Places, places: Places, rows: npt.NDArray[np.int64]) -> Estimate:
    """Over random samples of papers; the interval is over samples."""
    from sklearn.manifold import trustworthiness

    rng = np.random.default_rng(SEED)
    size = min(DRAWN, len(rows))
    k = min(K, max(1, (size - 1) // 2 - 1))
    draws = [rng.choice(rows, size, replace=False) for _ in range(DRAWS if size < len(rows) else 1)]
    values = [trustworthiness(vectors[d], places[d], n_neighbors=k) for d in draws]
    return estimate(np.array(values, dtype=np.float64))


def _kept(vectors: Places, places: Places, rows: npt.NDArray[np.int64]) -> Estimate:
    """The share of a paper's nearest in meaning that are among its nearest on the map, over papers."""
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(SEED)
    asked = rng.choice(len(rows), min(ASKED, len(rows)), replace=False)
    k = min(K, len(rows) - 1)
    meant, _ = neighbours(vectors[rows][asked], k + 1, among=vectors[rows])
    shown = NearestNeighbors(n_neighbors=k + 1).fit(places[rows]).kneighbors(places[rows][asked])[1]
    shares = [
        len((set(a) & set(b)) - {own}) / k for own, a, b in zip(asked, meant, shown, strict=True)
    ]
    return estimate(np.array(shares))


def _triplets(vectors: Places, places: Places, rows: npt.NDArray[np.int64]) -> Estimate:
    """The share of random triplets whose nearer pair in meaning is the nearer one on the map."""
    a, b, c = np.random.default_rng(SEED).choice(rows, (3, TRIPLETS))

    def nearer(values: Places) -> npt.NDArray[np.bool_]:
        return ((values[a] - values[b]) ** 2).sum(axis=1) < ((values[a] - values[c]) ** 2).sum(
            axis=1
        )

    return estimate((nearer(vectors) == nearer(places)).astype(np.float64))


Way = Literal["c-TF-IDF", "most frequent", "any terms"]


def label_findings(index: Index, progress: Progress) -> list[Finding]:
    """Labels made from half of the papers, measured on the other half; intervals over clusters.

    recall: of a cluster's papers, the share that hold a term of its label; spill: the same of papers
    outside; AUC: that a paper inside holds more of the terms than one outside; NPMI: of pairs of a label's
    terms (Lau et al. 2014). Beside them labels of the most frequent terms, and labels dealt out at random.
    """
    clusters = np.asarray(opened_landscape(index).clusters)
    counts = TermCounts(read_corpus(index.path).lexical, sampled(clusters, seed=SEED))
    half = np.random.default_rng(SEED).permutation(len(counts.rows)) % 2 == 0
    made, held_out = counts.of(half), counts.of(~half)
    findings = []
    levels = terms_by_level(made, clusters)
    for level, chosen in enumerate(levels):
        progress("labels", level, len(levels))
        labels = clusters[held_out.rows, level]
        rng = np.random.default_rng(SEED)
        ways: dict[str, Sequence[Sequence[Term]]] = {
            "c-TF-IDF": [terms[:TERMS] for terms in chosen],
            "most frequent": _frequent(made, clusters[made.rows, level], len(chosen)),
            CHANCE: [chosen[i][:TERMS] for i in rng.permutation(len(chosen))],
        }
        for way, terms in ways.items():
            findings += _label_measures(
                f"level {level + 1}, {len(chosen)} clusters, {way}", held_out, labels, terms
            )
    return findings


def _frequent(counts: TermCounts, labels: npt.NDArray[np.int32], n: int) -> list[list[Term]]:
    """The terms that most papers of each cluster hold."""
    return [
        [counts.term(int(c)) for c in np.argsort(-counts.held_by(labels == number), kind="stable")[:TERMS]]
        for number in range(n)
    ]  # fmt: skip


def _label_measures(
    of: str,
    counts: TermCounts,
    labels: npt.NDArray[np.int32],
    chosen: Sequence[Sequence[Term]],
) -> list[Finding]:
    from sklearn.metrics import roc_auc_score

    values: dict[str, list[float]] = {"recall": [], "spill": [], "AUC": [], "NPMI": []}
    for number, terms in enumerate(chosen):
        inside = np.asarray(labels == number)
        if not terms or not inside.any() or inside.all():
            continue
        held = counts.holding(terms)  # (n_rows, n_terms)
        any_term = np.asarray(held.any(axis=1))
        values["recall"].append(float(any_term[inside].mean()))
        values["spill"].append(float(any_term[~inside].mean()))
        values["AUC"].append(float(roc_auc_score(inside, held.sum(axis=1))))
        values["NPMI"] += _npmi(held)
    return [Finding(of, name, estimate(np.array(v))) for name, v in values.items() if v]


def _npmi(held: npt.NDArray[np.bool_]) -> list[float]:
    """Normalised pointwise mutual information of each pair of terms, from papers that hold them; -1 if never both."""
    share = held.mean(axis=0)
    found = []
    for i in range(held.shape[1]):
        for j in range(i):
            both = float((held[:, i] & held[:, j]).mean())
            if share[i] and share[j]:
                found.append(np.log(both / (share[i] * share[j])) / -np.log(both) if 0 < both < 1 else -1.0)  # fmt: skip
    return [float(value) for value in found]


def table(findings: Sequence[Finding]) -> str:
    """The findings as a Markdown table: a row for each layout or way of labelling."""
    measures = list(dict.fromkeys(f.measure for f in findings))
    rows = dict.fromkeys(f.of for f in findings)
    lines = [f"| | {' | '.join(measures)} |", "| --- |" + " --- |" * len(measures)]
    for of in rows:
        cells = []
        for measure in measures:
            value = next((f.value for f in findings if (f.of, f.measure) == (of, measure)), None)
            cells.append(
                "" if value is None else f"{value.mean:.3f} ({value.low:.3f} to {value.high:.3f})"
            )
        lines.append(f"| {of} | {' | '.join(cells)} |")
    return "\n".join(lines)
