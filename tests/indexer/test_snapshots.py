"""Snapshots swapped, kept and rolled back without losing anything. Run: pytest tests/indexer/test_snapshots.py"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer import config, snapshots
from indexer.build import _continued, build_index, map_index, reencode_index, update_index
from indexer.encoder import load_encoder
from indexer.errors import IndexCorrupt, UserError
from indexer.journal import Journals
from indexer.manifest import read_manifest, verify_parts
from indexer.snapshots import rollback
from indexer.store import open_index
from tests.encoders import HashEncoder
from tests.papers import PAPERS, build_small_index, write_jsonl


def updated(folder: Path, out: Path) -> str:
    """The index at `out` with five more papers; its snapshot."""
    more = write_jsonl(folder / "more.jsonl", PAPERS[3:8])
    manifest, _ = update_index(out, [str(more)], encoder=load_encoder("astro"))
    return manifest.snapshot


@pytest.mark.parametrize("name", ["papers.arrow", "manifest.json"])
def test_a_folder_that_only_looks_like_an_index_is_left_alone(tmp_path: Path, name: str) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / name).write_text("{}")
    (out / "thesis.tex").write_text("years of work")
    source = write_jsonl(tmp_path / "papers.jsonl", PAPERS[:3])
    with pytest.raises(UserError, match="is not a Wayfinder index"):
        build_index([str(source)], out, encoder=load_encoder("astro"))
    assert (out / "thesis.tex").read_text() == "years of work"


def test_a_link_stays_a_link_and_names_are_no_patterns(tmp_path: Path) -> None:
    real = build_small_index(tmp_path, PAPERS[:3])
    first = read_manifest(real).snapshot
    link = tmp_path / "i*[1]"
    link.symlink_to(real)
    other = tmp_path / ".ixx1.building-other"
    other.mkdir()
    second = updated(tmp_path, link)
    assert link.is_symlink()
    assert read_manifest(real).snapshot == second
    assert snapshots.rollback(link).snapshot == first
    assert read_manifest(real).snapshot == first
    assert other.is_dir()


def test_a_kill_between_the_renames_of_a_swap_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_exchange", lambda first, second: False)
    out = build_small_index(tmp_path, PAPERS[:3])
    first = read_manifest(out).snapshot
    out.rename(tmp_path / ".index.building-0123456789abcdef.old")
    updated(tmp_path, out)
    assert [one.snapshot for one in snapshots.kept_snapshots(out)] == [first]


def test_a_kill_in_a_rollback_loses_nothing(tmp_path: Path) -> None:
    out = build_small_index(tmp_path, PAPERS[:3])
    first = read_manifest(out).snapshot
    second = updated(tmp_path, out)
    (kept,) = snapshots.kept_snapshots(out)
    kept.path.rename(tmp_path / f".index.building-rollback-{first}")  # killed before the exchange
    assert snapshots.rollback(out).snapshot == first
    assert [one.snapshot for one in snapshots.kept_snapshots(out)] == [second]


def test_a_snapshot_that_cannot_be_used_is_not_put_in_use(tmp_path: Path) -> None:
    out = build_small_index(tmp_path, PAPERS[:3])
    second = updated(tmp_path, out)
    (kept,) = snapshots.kept_snapshots(out)
    (kept.path / "dense.faiss").unlink()
    with pytest.raises(IndexCorrupt, match="dense.faiss is missing"):
        snapshots.rollback(out)
    assert read_manifest(out).snapshot == second
    (kept.path / "manifest.json").write_text("[]")
    assert snapshots.kept_snapshots(out) == []


def test_a_harvest_is_one_builds_at_a_time_and_ages_overnight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYFINDER_CACHE", str(tmp_path))
    one, other = Journals(), Journals()
    journal = one.open("arxiv:math")
    journal.add([{"a": 1}], cursor="x")
    with pytest.raises(UserError, match="Another build harvests arxiv:math"):
        other.open("arxiv:math")
    journal.finish()
    one.close()
    assert other.open("arxiv:math").state.complete
    other.close()
    state = next((config.cache_dir() / "harvests").rglob("state.json"))
    state.write_text(state.read_text().replace(journal.state.begun, "2020-01-01"))
    fresh = other.open("arxiv:math").state
    other.close()
    assert (fresh.complete, fresh.n_bytes) == (False, 0)


def test_an_update_from_arxiv_goes_on_from_the_last_one(tmp_path: Path) -> None:
    manifest = read_manifest(build_small_index(tmp_path, PAPERS[:3]))
    harvests = ({"source": "arxiv:astro-ph since 2026-01-01", "harvested": "2026-03-10"},)
    after = replace(manifest, harvests=harvests)
    assert _continued("arxiv:astro-ph", after) == "arxiv:astro-ph since 2026-03-09"
    assert _continued("arxiv:math", after) == "arxiv:math"
    assert _continued("arxiv:astro-ph since 2026-02-02", after) == "arxiv:astro-ph since 2026-02-02"


def test_another_encoder_reads_no_source_again_and_can_be_taken_back(tmp_path: Path) -> None:
    out = build_small_index(tmp_path)
    before = open_index(out)
    (tmp_path / "papers.jsonl").unlink()
    map_index(out)
    now = reencode_index(out, encoder=HashEncoder())
    assert (now.encoder, now.dimension, now.n_papers) == ("hash", 16, 12)
    index = open_index(out)
    verify_parts(out, now, trust_unchanged=False)
    expected = HashEncoder().encode([paper.text() for paper in index.papers])
    np.testing.assert_allclose(index.vectors, expected, atol=1e-3)
    assert index.landscape is not None and len(index.landscape.places) == 12
    assert [p.id for p in index.papers] == [p.id for p in before.papers]
    assert index.dense.search(expected[3], 1)[0].tolist() == [3]
    rollback(out, before.manifest.snapshot)
    assert open_index(out).manifest == before.manifest
