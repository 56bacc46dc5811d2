"""The map: places, clusters, labels, and the part of an index that holds them. Run: pytest tests/indexer/test_landscape.py"""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from indexer import dense
from indexer.build import map_index, update_index
from indexer.cartography import make_landscape, read_corpus, terms_by_level
from indexer.clusters import cluster, n_clusters
from indexer.dense import neighbours
from indexer.errors import IndexCorrupt, UserError
from indexer.labels import TermCounts, spellings
from indexer.landscape import read_landscape
from indexer.layout import layout, place
from indexer.manifest import read_manifest
from indexer.snapshots import build_lock, kept_snapshots, rollback
from indexer.store import open_index
from tests.papers import write_jsonl
from tests.topics import SUBJECTS, SubjectEncoder, build_topic_index, papers


@pytest.fixture(scope="module")
def topic_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_topic_index(tmp_path_factory.mktemp("topics"))


@pytest.fixture
def topics(tmp_path: Path, topic_dir: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(topic_dir, tmp_path / "index"))


def blobs(n_each: int, dimension: int = 24, n_blobs: int = 3) -> np.ndarray:
    rng = np.random.default_rng(1)
    centres = np.repeat(np.eye(dimension)[:n_blobs], n_each, axis=0) * 3
    vectors = (centres + rng.normal(scale=0.3, size=centres.shape)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_papers_near_in_meaning_are_near_on_the_map() -> None:
    vectors = blobs(40)
    places = layout(vectors)
    assert places.shape == (120, 2)
    assert np.abs(places).max() == pytest.approx(1.0, abs=1e-5)
    reach = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(reach, np.inf)
    nearest = reach.argsort(axis=1)[:, :10]
    assert (nearest // 40 == np.arange(120)[:, None] // 40).mean() == 1.0


def test_the_same_seed_gives_the_same_map() -> None:
    vectors = blobs(20)
    assert layout(vectors, seed=3).tobytes() == layout(vectors, seed=3).tobytes()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8, 9, 20])
def test_a_handful_of_papers_has_a_map(n: int) -> None:
    vectors = blobs(7)[:n]
    places = layout(vectors)
    assert places.shape == (n, 2)
    assert np.isfinite(places).all()
    clusters = cluster(vectors, places, seed=1)
    assert clusters.shape == (n, len(n_clusters(n)))
    assert (clusters >= 0).all()


def test_papers_all_alike_lie_in_one_place() -> None:
    places = layout(np.repeat(blobs(1)[:1], 50, axis=0))
    assert np.array_equal(places, np.zeros((50, 2), dtype=np.float32))
    assert set(cluster(np.ones((50, 24)), places, seed=1)[:, 0]) == {0}


def test_a_vector_that_is_not_finite_has_no_place() -> None:
    vectors = blobs(20)
    vectors[5, 3], vectors[9, 0] = np.nan, np.inf
    places = layout(vectors)
    assert list(np.flatnonzero(np.isnan(places).any(axis=1))) == [5, 9]
    assert list(np.flatnonzero(cluster(vectors, places, seed=1)[:, 0] < 0)) == [5, 9]
    assert np.isnan(layout(np.full((3, 4), np.nan, dtype=np.float32))).all()


def test_neighbours_are_those_of_a_full_comparison() -> None:
    vectors = blobs(30)
    rows, cosines = neighbours(vectors, 5)
    full = vectors @ vectors.T
    np.fill_diagonal(full, -1)
    expected = np.sort(full, axis=1)[:, ::-1][:, :5]
    assert np.allclose(cosines, expected, atol=1e-5)
    assert (rows != np.arange(90)[:, None]).all()


def test_neighbours_by_lists_are_nearly_those(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = blobs(400)
    exact, _ = neighbours(vectors, 5)
    monkeypatch.setattr(dense, "COMPARISONS", 0)
    monkeypatch.setattr(dense, "NEIGHBOUR_PROBES", 0.3)
    by_lists, _ = neighbours(vectors, 5)
    shared = [len(set(a) & set(b)) / 5 for a, b in zip(exact, by_lists, strict=True)]
    assert np.mean(shared) > 0.9
    monkeypatch.setattr(dense, "NEIGHBOUR_PROBES", 1e-9)  # a list holds too few: all are read
    assert neighbours(vectors, 60)[0].min() >= 0


def test_new_papers_are_placed_among_their_own_and_move_nobody() -> None:
    vectors = blobs(40)
    old = np.concatenate([vectors[:35], vectors[40:75], vectors[80:115]])
    places = layout(old)
    before = places.copy()
    found, nearest = place(np.concatenate([vectors[35:40], vectors[115:]]), old, places)
    assert np.array_equal(places, before)
    for at, row, blob in zip(found, nearest, [0] * 5 + [2] * 5, strict=True):
        own = places[35 * blob : 35 * (blob + 1)]
        assert row // 35 == blob
        assert np.linalg.norm(own - at, axis=1).min() < 0.2
        assert (own.min(axis=0) <= at).all() and (at <= own.max(axis=0)).all()
    lost, none = place(np.full((1, 24), np.nan, dtype=np.float32), old, places)
    assert np.isnan(lost).all() and list(none) == [-1]


def test_levels_grow_with_the_corpus() -> None:
    assert [n_clusters(n) for n in (0, 1, 40, 459, 42_385, 687_880)] == [
        [1], [1], [3], [6, 26], [12, 54, 247], [12, 109, 995],
    ]  # fmt: skip


def test_each_cluster_lies_within_one_of_the_level_above(topic_dir: Path) -> None:
    index = open_index(topic_dir)
    landscape = index.landscape
    assert landscape is not None
    for row in range(len(index.papers)):
        path = landscape.path(row)
        assert [c.level for c in path] == list(range(landscape.n_levels))
        assert all(fine.parent == coarse.number for coarse, fine in pairwise(path))
    for region in landscape.regions:
        assert region.n_papers == (landscape.clusters[:, region.level] == region.number).sum()
        assert abs(region.x) <= 1 and abs(region.y) <= 1


def test_labels_are_words_of_the_clusters_own_papers(topic_dir: Path) -> None:
    index = open_index(topic_dir)
    for region in index.landscape.regions:
        rows = np.flatnonzero(index.landscape.clusters[:, region.level] == region.number)
        texts = " ".join(index.papers[int(row)].text() for row in rows).lower()
        assert region.terms
        for term in region.terms:
            assert term.lower() in texts
        subjects = {list(SUBJECTS)[int(row) % 3] for row in rows}
        if region.level == 1:
            assert len(subjects) == 1
        if len(subjects) == 1:
            words = ", ".join(SUBJECTS[subjects.pop()]).lower()
            assert any(all(word in words for word in t.lower().split()) for t in region.terms)


def test_terms_are_written_as_papers_write_them(topic_dir: Path) -> None:
    corpus = read_corpus(topic_dir)
    counts = TermCounts(corpus.lexical, np.arange(120))
    chosen = {t for terms in terms_by_level(counts, open_index(topic_dir).landscape.clusters)[0] for t in terms}  # fmt: skip
    written = spellings(counts, chosen, ["X-ray emission, and Cosmic Voids.", "cosmic voids; cosmic voids"])  # fmt: skip
    forms = {counts.words(term): form for term, form in written.items()}
    assert forms.get(("cosmic", "void"), "cosmic voids") == "cosmic voids"


def test_a_map_is_added_to_an_index_that_is_there(tmp_path: Path) -> None:
    out = build_topic_index(tmp_path, 20, with_map=False)
    before = read_manifest(out)
    assert open_index(out).landscape is None
    inode = (out / "vectors.npy").stat().st_ino
    manifest = map_index(out)
    assert manifest.snapshot != before.snapshot
    assert {n: f for n, f in manifest.parts.items() if not n.startswith("map/")} == before.parts
    assert set(manifest.parts) - set(before.parts) == {"map/places.npy", "map/clusters.npy", "map/placed.npy", "map/map.json"}  # fmt: skip
    assert (out / "vectors.npy").stat().st_ino == inode
    assert open_index(out).landscape.n_laid == 60
    assert [k.snapshot for k in kept_snapshots(out)] == [before.snapshot]
    again = map_index(out)
    assert again.snapshot == manifest.snapshot
    rollback(out, before.snapshot)
    assert open_index(out).landscape is None


def test_building_with_a_map_gives_the_map_that_is_added_later(
    tmp_path: Path, topic_dir: Path
) -> None:
    out = build_topic_index(tmp_path, with_map=False)
    assert map_index(out).parts == read_manifest(topic_dir).parts


def test_an_update_places_new_papers_and_moves_no_other(topics: Path, tmp_path: Path) -> None:
    before = open_index(topics)
    old = np.array(before.landscape.places)
    source = write_jsonl(tmp_path / "more.jsonl", papers(4, first=100))
    update_index(topics, [str(source)], encoder=SubjectEncoder())
    after = open_index(topics)
    landscape = after.landscape
    assert len(after.papers) == 132
    assert np.array_equal(landscape.places[:120], old)
    assert (landscape.n_laid, landscape.n_placed) == (120, 12)
    for row in range(120, 132):
        same = np.arange(row % 3, 120, 3)  # papers of its subject
        nearest = np.linalg.norm(landscape.places[:120] - landscape.places[row], axis=1).argmin()
        assert nearest in same
        assert landscape.clusters[row, 1] in set(landscape.clusters[same, 1])
    assert sum(region.n_papers for region in landscape.level(0)) == 132


def test_a_paper_that_was_placed_counts_once_however_often_it_changes(
    topics: Path, tmp_path: Path
) -> None:
    def updated(rows: list[dict[str, object]]) -> tuple[int, int, int]:
        source = write_jsonl(tmp_path / "more.jsonl", rows)
        update_index(topics, [str(source)], encoder=SubjectEncoder())
        index = open_index(topics)
        assert index.landscape is not None
        return len(index.papers), index.landscape.n_laid, index.landscape.n_placed

    more, laid = papers(4, first=100), papers(2)
    assert updated(more) == (132, 120, 12)
    assert updated(more) == (132, 120, 12)
    longer = [row | {"abstract": f"{row['abstract']} We look once more, and longer."} for row in more[:5]]  # fmt: skip
    assert updated(longer) == (132, 120, 12)
    changed = [row | {"abstract": f"{row['abstract']} Of this more was found."} for row in laid[:2]]
    assert updated(changed) == (132, 120, 14), "two that were laid out have another text"
    assert updated(papers(1, first=200)) == (135, 120, 17)
    map_index(topics)
    assert open_index(topics).landscape.n_placed == 0


def test_a_map_of_an_earlier_version_says_how_many_were_placed(topics: Path, tmp_path: Path) -> None:  # fmt: skip
    source = write_jsonl(tmp_path / "more.jsonl", papers(4, first=100))
    update_index(topics, [str(source)], encoder=SubjectEncoder())
    (topics / "map" / "placed.npy").unlink()
    earlier = read_landscape(topics)
    assert earlier is not None
    assert list(np.flatnonzero(earlier.placed)) == list(range(120, 132))


def test_a_damaged_map_is_named(topics: Path) -> None:
    path = topics / "map" / "places.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(IndexCorrupt, match="places.npy is altered"):
        open_index(topics)


def test_one_builder_at_a_time(topics: Path) -> None:
    with build_lock(topics), pytest.raises(UserError, match="Another build is writing"):
        map_index(topics)


def test_names_stand_beside_labels(topic_dir: Path) -> None:
    corpus = read_corpus(topic_dir)
    made = make_landscape(corpus, namer=lambda regions, rows: [f"n{len(r)}" for r in rows])
    assert [r.name for r in made.regions] == [f"n{r.n_papers}" for r in made.regions]
    facts = json.loads((topic_dir / "map" / "map.json").read_text(encoding="utf-8"))
    assert facts["format"] == 1
    assert facts["regions"][0]["label"] == made.regions[0].label
