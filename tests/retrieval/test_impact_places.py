"""Where a subject's papers lie on the map and where they moved. Run: pytest tests/retrieval/test_impact_places.py"""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import charts
from app.cli_impact import as_csv, page_of
from app.impact_report import report
from indexer.build import BuildOptions, build_index
from indexer.landscape import Landscape
from indexer.store import Index, open_index
from retrieval.impact import Impact, Scope, impact, known_names
from retrieval.impact_rows import impact_row
from retrieval.shares import difference, ratio, together
from tests.papers import write_jsonl
from tests.topics import AS_OF, SubjectEncoder, papers

N_EACH = 40


def with_uses(n_each: int) -> list[dict[str, Any]]:
    """Papers that use JWST and turn from magnetars and coronae to voids."""
    rows = papers(n_each)
    for row in rows:
        row["abstract"] += " We use JWST images."
    return rows


def built(folder: Path, rows: list[dict[str, Any]], *, with_map: bool = True) -> Index:
    source = write_jsonl(folder / "papers.jsonl", rows)
    options = BuildOptions(as_of=AS_OF, with_map=with_map)
    build_index([str(source)], folder / "index", encoder=SubjectEncoder(), options=options)
    return open_index(folder / "index")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return built(tmp_path_factory.mktemp("places"), with_uses(N_EACH))


def unplaced(index: Index, monkeypatch: pytest.MonkeyPatch, rows: list[int]) -> None:
    """Take the place of these papers away."""
    landscape = index.landscape
    assert isinstance(landscape, Landscape)
    places, clusters = np.array(landscape.places), np.array(landscape.clusters)
    places[rows], clusters[rows] = np.nan, -1
    monkeypatch.setitem(index.__dict__, "landscape", replace(landscape, places=places, clusters=clusters))  # fmt: skip


def by_hand(index: Index, found: Impact) -> dict[int, tuple[int, int]]:
    """Papers of each cluster before 2023 and since."""
    counts: dict[int, list[int]] = {}
    for row in found.used:
        number = int(index.landscape.clusters[row, 1])
        counts.setdefault(number, [0, 0])[int(index.year[row] >= found.places.split_year)] += 1
    return {number: (n[0], n[1]) for number, n in counts.items()}


def test_clusters_are_counted_in_two_periods_and_the_move_to_voids_is_seen(index: Index) -> None:
    found = impact(index, "JWST")
    places = found.places
    assert places is not None and places.split_year is not None
    assert len(places.early) + len(places.late) == 3 * N_EACH
    assert int(index.year[places.early].max()) < places.split_year <= int(index.year[places.late].min())  # fmt: skip
    assert {m.cluster.number: (len(m.early), len(m.late)) for m in places.clusters} == by_hand(index, found)  # fmt: skip
    gained = [m for m in places.clusters if m.direction == "gained"]
    voids = {r for r in range(len(index.papers)) if "voids" in index.papers[r].title}
    assert gained and {int(r) for m in gained for r in (*m.early, *m.late)} <= voids
    compared = [m for m in places.clusters if m.change is not None]
    assert not {*min(compared, key=lambda m: m.change).early.tolist()} & voids
    for m in compared:
        assert m.low < m.change < m.high
        shares = (len(m.early) / len(places.early), len(m.late) / len(places.late))
        assert m.change == pytest.approx(shares[1] - shares[0])
    assert replace(gained[0], low=-0.3, high=-0.1).direction == "lost"
    assert all(m.low is None and m.n < 10 for m in places.clusters if m.change is None)


def test_intervals_against_published_examples_and_simulation() -> None:
    # Newcombe (1998), table II, examples a and b, method 10.
    assert difference(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference(9, 10, 3, 10) == pytest.approx((0.1705, 0.8090), abs=5e-5)
    assert together(1) == pytest.approx(1.959964, abs=1e-6)
    assert together(10) == pytest.approx(2.807034, abs=1e-6)
    assert ratio(0, 5, 2, 5) == (None, None, None)
    assert ratio(4, 10, 2, 10)[0] == pytest.approx(2.0)
    rng = np.random.default_rng(0)
    covered = [low <= 0.1 <= high for a, b in rng.binomial([60, 40], [0.3, 0.2], (4_000, 2)) for low, high in [difference(int(a), 60, int(b), 40)]]  # fmt: skip
    assert 0.935 < np.mean(covered) < 0.975


def test_the_numbers_are_in_json_csv_text_and_report(index: Index) -> None:
    found = impact(index, "JWST")
    row = impact_row(index, found)["places"]
    first = row["clusters"][0]
    assert first["direction"] == "gained"
    assert first["change"] == pytest.approx(first["share_late"] - first["share_early"])
    assert len(first["late_ids"]) == round(first["share_late"] * row["late"])
    table = list(csv.DictReader(io.StringIO(as_csv(index, [found]))))
    line = next(r for r in table if r["measure"] == "cluster_gained")
    assert float(line["value"]) == pytest.approx(first["change"])
    assert set(line["papers"].split()) == {*first["early_ids"], *first["late_ids"]}
    assert f"gained {first['cluster']}" in page_of(index, found)
    page = report(index, [found])
    assert "On the map" in page and "clusters compared" in page and "Newcombe" in page


def test_the_chart_has_every_paper_in_its_period_over_all_papers(index: Index) -> None:
    found = impact(index, "JWST", scope=Scope(query="voids"))
    background, points, _, labels = charts.map_chart(index, found)["layer"]
    assert sum(cell["n"] for cell in background["data"]["values"]) == len(index.papers)
    drawn = points["data"]["values"]
    assert len(drawn) == len(found.used) == N_EACH
    split = found.places.split_year
    assert all((p["period"] == f"since {split}") == (p["year"] >= split) for p in drawn)
    assert labels["data"]["values"]
    assert charts.svg(charts.map_chart(index, found)).startswith("<svg")


def test_large_sets_are_thinned(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "MOST_POINTS", 30)
    points = charts.map_chart(index, impact(index, "JWST"))["layer"][1]["data"]["values"]
    assert len(points) == 30 and len({p["period"] for p in points}) == 2


def test_papers_without_a_place_are_said(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    unplaced(index, monkeypatch, [0, 1, 2, 3])
    found = impact(index, "JWST")
    places = found.places
    assert places.n_without_place == 4
    assert len(places.early) + len(places.late) == 3 * N_EACH - 4
    assert "4 have no place" in page_of(index, found)
    assert len(charts.map_chart(index, found)["layer"][1]["data"]["values"]) == 3 * N_EACH - 4


def test_no_paper_with_a_place(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    unplaced(index, monkeypatch, list(range(3 * N_EACH)))
    found = impact(index, "JWST")
    assert found.places.clusters == () and found.places.n_without_place == 3 * N_EACH
    assert "<h3>On the map" not in report(index, [found])
    assert charts.svg(charts.map_chart(index, found)).startswith("<svg")


def test_a_set_combines_with_words_and_years(index: Index) -> None:
    rows = np.arange(30)
    found = impact(index, "JWST", scope=Scope("voids", since=2024, rows=tuple(rows.tolist())))
    voids = [r for r in rows if "voids" in index.papers[int(r)].title and index.year[r] >= 2024]
    assert list(np.sort(found.used)) == voids and found.n_scope == len(voids)
    assert found.scope.label == "on “voids”, since 2024, among 30 papers from the map"
    assert known_names(index, "facility", rows) == ["JWST"]
    assert known_names(index, "method", np.arange(1, 30, 3)) == []  # coronae alone


def test_one_paper_and_no_map(tmp_path: Path) -> None:
    one = impact(built(tmp_path, with_uses(1)[:1]), "JWST")
    assert one.places.split_year is None and len(one.places.early) == 1
    (tmp_path / "two").mkdir()
    index = built(tmp_path / "two", with_uses(1), with_map=False)
    found = impact(index, "JWST")
    assert found.places is None and impact_row(index, found)["places"] is None
    assert "On the map" not in report(index, [found])
