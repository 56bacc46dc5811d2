"""The index on disk: whole or not at all, and errors that name the part. Run: pytest tests/indexer/test_store.py"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from indexer import records
from indexer.authors import author_key
from indexer.build import build_index
from indexer.encoder import ASTRO_ID, ASTRO_SHA256, load_encoder
from indexer.errors import (
    IndexCorrupt,
    IndexIncompatible,
    IndexMissing,
    PaperNotFound,
    SourceError,
    StorageError,
    UserError,
)
from indexer.records import Paper, family_name
from indexer.snapshots import build_lock
from indexer.store import (
    SCHEMA_VERSION,
    Index,
    check_encoder,
    open_index,
    read_manifest,
    verify_parts,
)
from indexer.weights import impact, pathfinder_impact, pathfinder_recency, recency
from tests.papers import AS_OF, PAPERS, build_small_index, write_jsonl


@pytest.fixture
def index_dir(tmp_path: Path, small_index_dir: Path) -> Path:
    """A copy of the small index that a test may damage."""
    return Path(shutil.copytree(small_index_dir, tmp_path / "index"))


def test_papers_come_back_as_they_went_in(small_index: Index) -> None:
    assert len(small_index.papers) == len(PAPERS) == small_index.manifest.n_papers
    for given, paper in zip(PAPERS, small_index.papers[:], strict=True):
        assert (paper.title, paper.abstract, paper.authors) == (
            given["title"],
            given["abstract"],
            tuple(given["authors"]),
        )
        assert paper.citation_count == given.get("citation_count")
        for identifier in paper.identifiers:
            assert small_index.papers[small_index.row_of(identifier)] == paper
    assert small_index.vectors.dtype == np.float16
    with pytest.raises(PaperNotFound):
        small_index.row_of("")
    with pytest.raises(IndexError):
        small_index.papers[len(PAPERS)]


MARKED = {
    "bibcode": "2024Made....1A",
    "year": 2024,
    "title": "Jets at $z \\sim 6$ in M&amp;M",
    "abstract": "A disc of $10\\,M_\\odot$.",
}
EMPTY = {"bibcode": "2024Made....2A", "year": 2024, "title": "{}", "abstract": "Its title is empty in plain words."}  # fmt: skip


def test_plain_text_is_kept_unless_other_code_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Paper(title=MARKED["title"], abstract=MARKED["abstract"])  # type: ignore[arg-type]
    assert (made.plain_title, made.plain_abstract) != (made.title, made.abstract)
    out = build_small_index(tmp_path, [MARKED, PAPERS[0], EMPTY])
    monkeypatch.setattr(records, "plain_text", lambda text: f"made anew: {text}")
    for papers in (open_index(out).papers, list(open_index(out).papers)):
        marked, bare, empty = papers[0], papers[1], papers[2]
        assert (empty.title, empty.plain_title) == ("{}", "")
        assert (marked.plain_title, marked.plain_abstract) == (
            made.plain_title,
            made.plain_abstract,
        )
        assert marked.title == made.title
        assert (bare.plain_title, bare.plain_abstract) == (bare.title, bare.abstract)
    monkeypatch.setattr("indexer.store.text_version", lambda: "of other code")
    assert open_index(out).papers[0].plain_title == f"made anew: {made.title}"


def test_two_builds_of_the_same_are_the_same(tmp_path: Path, small_index: Index) -> None:
    again = read_manifest(build_small_index(tmp_path))
    ours = small_index.manifest
    assert again.parts == ours.parts
    assert (again.snapshot, again.as_of) == (ours.snapshot, AS_OF.isoformat())
    assert again.counts == {"read": 12, "indexed": 12, "merged": 0, "skipped": {}}


def test_no_part_is_a_pickle(small_index_dir: Path) -> None:
    for path in small_index_dir.rglob("*.npy"):
        np.load(path, allow_pickle=False)
    assert {p.suffix for p in small_index_dir.rglob("*") if p.is_file()} == {
        ".json",
        ".npy",
        ".arrow",
        ".faiss",
    }


def test_every_flipped_byte_is_found_and_its_part_named(index_dir: Path) -> None:
    open_index(index_dir)
    for name in read_manifest(index_dir).parts:
        path = index_dir / name
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        content[middle] ^= 1
        path.write_bytes(content)
        with pytest.raises(IndexCorrupt, match=f"{path.name} is altered.*index build"):
            open_index(index_dir)
        content[middle] ^= 1
        path.write_bytes(content)
    open_index(index_dir)


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda d: (d / "manifest.json").unlink(), IndexCorrupt, "half written"),
        (lambda d: (d / "dense.faiss").unlink(), IndexCorrupt, "dense.faiss is missing"),
        (lambda d: (d / "manifest.json").write_text("{"), IndexCorrupt, "cannot be read"),
        (
            lambda d: (d / "manifest.json").write_text(
                json.dumps({"schema_version": SCHEMA_VERSION})
            ),
            IndexCorrupt,
            "manifest",
        ),
        (shutil.rmtree, IndexMissing, "There is no index at"),
        (lambda d: (shutil.rmtree(d), d.mkdir()), IndexMissing, "holds no index"),
        (lambda d: (shutil.rmtree(d), d.write_text("x")), IndexMissing, "is a file"),
    ],
)
def test_damage_is_an_error_that_says_what_to_do(
    index_dir: Path, damage, error: type[Exception], message: str
) -> None:
    damage(index_dir)
    with pytest.raises(error, match=message) as raised:
        open_index(index_dir)
    assert "wayfinder index build" in str(raised.value)


def test_a_newer_schema_and_another_encoder_are_refused(index_dir: Path) -> None:
    manifest = json.loads((index_dir / "manifest.json").read_text())
    (index_dir / "manifest.json").write_text(json.dumps({**manifest, "schema_version": 99}))
    with pytest.raises(IndexIncompatible, match="schema 99.*update Wayfinder"):
        open_index(index_dir)
    (index_dir / "manifest.json").write_text(json.dumps({**manifest, "weights_sha256": "f" * 64}))
    with pytest.raises(IndexIncompatible, match=f"{ASTRO_ID}.*ffffffffffff.*{ASTRO_SHA256[:12]}"):
        open_index(index_dir).encoder
    (index_dir / "manifest.json").write_text(
        json.dumps({**manifest, "encoder": "wayfinder-astro-1"})
    )
    with pytest.raises(IndexIncompatible, match="wayfinder-astro-1.*wayfinder index reencode"):
        open_index(index_dir).encoder
    (index_dir / "manifest.json").write_text(json.dumps(manifest))
    other = replace(read_manifest(index_dir), encoder="other", dimension=8)
    with pytest.raises(IndexIncompatible, match=f"'other'.*'{ASTRO_ID}'"):
        check_encoder(other, load_encoder("astro"))


@pytest.mark.parametrize("n_bytes", [1_000, 9_000, 20_000, 100_000, 200_000, 300_000])
def test_a_full_disk_leaves_the_old_index_and_no_litter(
    index_dir: Path, tmp_path: Path, n_bytes: int
) -> None:
    rows = [
        {
            **PAPERS[0],
            "title": f"Paper {i} of a large set",
            "bibcode": f"b{i}",
            "arxiv_id": None,
            "doi": None,
        }
        for i in range(600)
    ]
    source = write_jsonl(tmp_path / "many.jsonl", rows)
    before = read_manifest(index_dir)
    build_index(
        [str(source)], tmp_path / "warm", encoder=load_encoder("astro")
    )  # vectors cached: only writing is left
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        with pytest.raises(StorageError, match="cannot be written.*untouched"):
            build_index([str(source)], index_dir, encoder=load_encoder("astro"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    assert read_manifest(index_dir) == before
    open_index(index_dir)
    assert not list(tmp_path.glob(".index.building*"))


def test_each_part_that_cannot_be_written_is_a_storage_error(
    index_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_jsonl(tmp_path / "one.jsonl", PAPERS[:3])
    before = read_manifest(index_dir)
    for part in before.parts:
        with monkeypatch.context() as patch:
            patch.setattr(tempfile, "mkdtemp", lambda part=part, **how: _full_at(part, **how))
            with pytest.raises(StorageError, match="cannot be written.*untouched"):
                build_index([str(source)], index_dir, encoder=load_encoder("astro"), as_of=AS_OF)
        assert read_manifest(index_dir) == before
        open_index(index_dir)
        assert not list(tmp_path.glob(".index.building*"))


def _full_at(part: str, prefix: str, dir: Path) -> str:
    """A folder to build in where one part lies on a device that is always full."""
    folder = dir / f"{prefix}full"
    folder.mkdir()
    top = part.split("/", maxsplit=1)[0]
    if top == part:
        (folder / part).symlink_to("/dev/full")
    else:
        (folder / top).symlink_to("/dev/full")
    return str(folder)


def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "one.jsonl", PAPERS[:3])
    with pytest.raises(StorageError, match="/proc/wayfinder/index cannot be written"):
        build_index([str(source)], Path("/proc/wayfinder/index"), encoder=load_encoder("astro"))


def test_papers_from_1800_and_from_next_year_are_papers(tmp_path: Path) -> None:
    rows = [
        {**PAPERS[0], "year": 1800, "date": None},
        {**PAPERS[1], "year": 2027, "date": "2027-02-01"},
    ]
    build_index(
        [str(write_jsonl(tmp_path / "p.jsonl", rows))],
        tmp_path / "i",
        encoder=load_encoder("astro"),
        as_of=AS_OF,
    )
    index = open_index(tmp_path / "i")
    assert index.year.tolist() == [1800, 2027]
    np.testing.assert_allclose(
        recency(index.decimal_year, as_of=index.manifest.as_of_year, half_life_years=5),
        [0, 1],
        atol=1e-6,
    )


def test_what_a_killed_build_left_is_cleared_away(index_dir: Path, tmp_path: Path) -> None:
    left = tmp_path / ".index.building-killed"
    left.mkdir()
    (left / "papers.arrow").write_bytes(b"half")
    source = write_jsonl(tmp_path / "one.jsonl", PAPERS[:3])
    build_index([str(source)], index_dir, encoder=load_encoder("astro"), as_of=AS_OF)
    assert not left.exists()


def test_a_cache_without_room_is_said_in_words(tmp_path: Path) -> None:
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "import sys; sys.argv = ['wayfinder', 'search', 'stars', '-q']\n"
        "from app.cli import main; main()"
    )
    environment = {**os.environ, "WAYFINDER_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "WAYFINDER_CACHE" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_rebuild_replaces_while_readers_read(index_dir: Path, tmp_path: Path) -> None:
    old = open_index(index_dir)
    source = write_jsonl(tmp_path / "one.jsonl", PAPERS[:3])
    failures: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                assert read_manifest(index_dir).n_papers in (3, 12)
            except Exception as error:
                failures.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for _ in range(5):
        build_index([str(source)], index_dir, encoder=load_encoder("astro"), as_of=AS_OF)
    done.set()
    reader.join()
    assert failures == []
    assert len(open_index(index_dir).papers) == 3
    assert old.papers[11].arxiv_id == "2508.00012", "an opened index stays readable"
    assert [p.name for p in tmp_path.iterdir() if "building" in p.name] == []


def test_two_builds_at_once_and_foreign_directories_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = f"from pathlib import Path; from indexer.snapshots import build_lock\nwith build_lock(Path({str(out)!r})): pass"
    with build_lock(out):
        other = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
    assert "Another build is writing" in other.stderr
    assert "(process " in other.stderr
    out.mkdir()
    (out / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match="is not a Wayfinder index"), build_lock(out):
        pass
    assert (out / "thesis.tex").read_text() == "precious"


def test_a_source_without_usable_papers_is_an_error(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "p.jsonl", [{"title": "only a title"}])
    with pytest.raises(SourceError, match="1 records read, all kept out \\(1 × no abstract\\)"):
        build_index([str(source)], tmp_path / "out", encoder=load_encoder("astro"))
    assert not (tmp_path / "out").exists()


def test_duplicates_and_the_limit_are_counted(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "p.jsonl", [*PAPERS, *PAPERS[:4], {"title": "x"}])
    manifest, report = build_index([str(source)], tmp_path / "out", encoder=load_encoder("astro"))
    assert (report.read, report.indexed, report.merged, dict(report.skipped)) == (
        17,
        12,
        4,
        {"no abstract": 1},
    )
    manifest, report = build_index(
        [str(source)], tmp_path / "out", encoder=load_encoder("astro"), limit=5
    )
    assert manifest.n_papers == report.indexed == 5


def test_verification_reads_again_when_asked(index_dir: Path) -> None:
    manifest = read_manifest(index_dir)
    verify_parts(index_dir, manifest)
    verify_parts(index_dir, manifest, trust_unchanged=False)


@pytest.mark.parametrize(
    ("name", "family", "key"),
    [
        ("Riess, Adam G.", "Riess", "riess, a"), ("A. G. Riess", "Riess", "riess, a"), ("Riess A. G.", "Riess", "riess, a"),
        ("Riess", "Riess", "riess"), ("Keerthi Vasan G. C.", "Vasan", "vasan, k"), ("Roeland P. van der Marel", "van der Marel", "van der marel, r"),
        ("Poincaré, H.", "Poincaré", "poincare, h"), ("PASTA Collaboration", "PASTA Collaboration", "pasta collaboration"),
    ],
)  # fmt: skip
def test_author_names_in_all_orders(name: str, family: str, key: str) -> None:
    assert (family_name(name), author_key(name)) == (family, key)


def test_weights_follow_their_formulas() -> None:
    years = np.array([2026.5, 2021.5, 2030.0, np.nan], dtype=np.float32)
    np.testing.assert_allclose(
        recency(years, as_of=2026.5, half_life_years=5), [1, 0.5, 1, 0.5], rtol=1e-6
    )
    year = np.array([2020] * 6 + [2021] * 2 + [0], dtype=np.int16)
    citations = np.array([0, 10, 10, 50, 100, -1, 3, 4, 7], dtype=np.int32)
    expected = [0.1, 0.4, 0.4, 0.7, 0.9, 0.5, 0.5, 0.5, 0.5]
    np.testing.assert_allclose(impact(year, citations), expected, rtol=1e-6)


def test_pathfinders_formulas_are_the_published_ones() -> None:
    np.testing.assert_allclose(pathfinder_recency(np.array([0.0, 0.7])), [0.5, 1 / (1 + np.e)])
    np.testing.assert_allclose(
        pathfinder_impact(np.array([300.0, 9_000.0, 258.0])), [0.5, 0.5, 1 / (1 + np.e)]
    )


def test_citations_are_compared_within_the_category_where_it_has_enough() -> None:
    year = np.full(130, 2020, dtype=np.int16)
    citations = np.concatenate([np.arange(60), np.arange(60) + 1000, np.arange(10)]).astype(
        np.int32
    )
    category = np.array([0] * 60 + [1] * 60 + [2] * 10, dtype=np.int16)
    found = impact(year, citations, category)
    np.testing.assert_allclose(found[:60], (np.arange(60) + 0.5) / 60, rtol=1e-6)
    np.testing.assert_allclose(found[:60], found[60:120])
    np.testing.assert_allclose(found[120:], impact(year, citations)[120:])


@pytest.mark.parametrize(
    ("paper", "expected"),
    [
        (Paper("t", "a", date="2024-01-01"), 2024.0), (Paper("t", "a", date="2024-07"), 2024.538), (Paper("t", "a", date="2024"), 2024.5),
        (Paper("t", "a", year=1871), 1871.5), (Paper("t", "a"), None),
    ],
)  # fmt: skip
def test_dates_as_decimal_years(paper: Paper, expected: float | None) -> None:
    assert paper.decimal_year == (None if expected is None else pytest.approx(expected, abs=0.01))


def test_as_of_is_the_day_given(small_index: Index) -> None:
    assert date.fromisoformat(small_index.manifest.as_of) == AS_OF
    assert small_index.manifest.as_of_year == pytest.approx(2026.493, abs=0.01)
