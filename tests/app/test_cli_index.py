"""`wayfinder index ...` as outside programs use it: real processes. Run: pytest tests/app/test_cli_index.py"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.errors import StorageError
from indexer.snapshots import storage_errors
from tests.papers import PAPERS, write_jsonl

COMMAND = [str(Path(sys.executable).with_name("wayfinder")), "index"]
NEW = {"arxiv_id": "2509.00013", "title": "Dust rings around a young star in five bands", "abstract": "Rings of dust are seen.",
       "authors": ["Tan, U."], "year": 2025}  # fmt: skip
PUBLISHED = {"bibcode": "2026ApJ..1000...12R", "arxiv_id": "arXiv:2508.00012v2", "title": "Spin of the black hole in Sgr A* from polarised flares",
             "abstract": "Published text.", "authors": ["Rossi, E."], "year": 2026, "journal": "ApJ", "citation_count": 9}  # fmt: skip


def index(*words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done


def row(*words: str) -> dict:  # type: ignore[type-arg]
    return json.loads(index(*words, "--json").stdout)


@pytest.fixture
def directory(tmp_path: Path, small_index_dir: Path) -> Path:
    """A copy of the small index to change."""
    return Path(shutil.copytree(small_index_dir, tmp_path / "index"))


def test_update_explain_rollback_and_back_again(directory: Path, tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "new.jsonl", [NEW, PUBLISHED])
    first = row("status", str(directory))
    update = ["update", str(directory), "--from", str(source), "--as-of", "2026-06-30"]
    done = row(*update, "-q")
    assert (done["n_papers"], done["read"], done["indexed"], done["merged"]) == (13, 2, 1, 1)
    status = row("status", str(directory))
    assert status["counts"] == {"read": 14, "indexed": 13, "merged": 1, "skipped": {}}
    assert [(h["read"], h["papers"]) for h in status["harvests"]] == [(12, 12), (2, 1)]
    assert [e["snapshot"] for e in status["earlier"]] == [first["snapshot"]]

    explained = row("explain", "2508.00012", "--index", str(directory))
    assert explained == row("explain", "2026ApJ..1000...12R", "--index", str(directory))
    assert explained["bibcode"] == "2026ApJ..1000...12R"
    assert [r["shares"] for r in explained["records"]] == [[], ["arXiv id 2508.00012"]]
    assert explained["records"][1]["source"] == str(source)
    page = index("explain", "2508.00012", "--index", str(directory)).stdout
    assert "made of   2 records" in page
    assert "one paper by arXiv id 2508.00012" in page

    assert row(*update, "-q")["snapshot"] == done["snapshot"], "the same records change nothing"
    assert row("status", str(directory))["counts"] == status["counts"]
    assert row("rollback", str(directory))["snapshot"] == first["snapshot"]
    assert row("status", str(directory))["counts"] == first["counts"]
    assert "no earlier snapshot" in index("rollback", str(directory), status=2).stderr
    assert row("rollback", str(directory), "--to", done["snapshot"][:6])["n_papers"] == 13


def test_kept_snapshots_are_bounded(directory: Path, tmp_path: Path) -> None:
    for i in range(4):
        one = write_jsonl(tmp_path / "one.jsonl", [{**NEW, "title": f"{NEW['title']} {i}"}])
        index("update", str(directory), "--from", str(one), "--keep", "2", "-q")
    assert len(row("status", str(directory))["earlier"]) == 2
    assert len(list((tmp_path / ".index.kept").iterdir())) == 2


def test_an_update_equals_a_build_of_the_same_papers(tmp_path: Path) -> None:
    a, b = (write_jsonl(tmp_path / f"{n}.jsonl", p) for n, p in (("a", PAPERS[:7]), ("b", PAPERS[7:])))  # fmt: skip
    dates = ("--as-of", "2026-06-30", "-q")
    index("build", "--from", str(a), "--out", str(tmp_path / "grown"), *dates)
    index("update", str(tmp_path / "grown"), "--from", str(b), *dates)
    index("build", "--from", str(a), "--from", str(b), "--out", str(tmp_path / "whole"), *dates)
    grown, whole = (json.loads((tmp_path / n / "manifest.json").read_text()) for n in ("grown", "whole"))  # fmt: skip
    assert grown == whole


def test_status_for_people_names_sources_sizes_and_what_was_kept_out(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "p.jsonl", [*PAPERS, {"title": "Nothing but a title"}])
    index("build", "--from", str(source), "--out", str(tmp_path / "i"), "-q")
    page = index("status", str(tmp_path / "i")).stdout
    for words in ("13 read, 12 papers", "skipped 1: no abstract (first: Nothing but a title)", "vectors 0.0", "0 days ago",
                  "exact, half precision"):  # fmt: skip
        assert words in page
    done = index("build", "--from", str(source), "--out", str(tmp_path / "i"), "--title-only")
    assert "13 papers" in done.stdout
    assert "reading: 13 of 13" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("update", "nowhere", "--from", "starter"), "There is no index at nowhere"),
        (("build", "--from", "ftp:x", "--out", "o"), "unknown scheme 'ftp': give a file"),
        (("build", "--from", "ads:year:2024", "--out", "o"), "ADS_API_TOKEN"),
        (("build", "--from", "arxiv:astro-ph since soon", "--out", "o"), "'soon' is no date"),
        (("build", "--from", "arxiv-snapshot:none.json", "--out", "o"), "no file none.json"),
        (("build", "--from", "astro-ph-kg:none", "--out", "o"), "none is no directory"),
        (("build", "--from", "papers.jsonl", "--out", "o"), "There is no file papers.jsonl"),
        (("rollback", "nowhere"), "There is no index at nowhere"),
    ],
)
def test_mistakes_are_said(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "WAYFINDER_CACHE": str(tmp_path)}
    done = subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "models").exists(), "said before the encoder is made"


def test_an_unknown_encoder_is_said_at_once(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "WAYFINDER_CACHE": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}  # fmt: skip
    for name, message in (("mpnet-typo", "no encoder 'mpnet-typo' on this machine"), ("a b", "no encoder 'a b': expected")):  # fmt: skip
        done = subprocess.run(
            [*COMMAND, "build", "--from", "starter", "--out", "o"],
            capture_output=True, text=True, check=False, cwd=tmp_path, env={**environment, "WAYFINDER_ENCODER": name},
        )  # fmt: skip
        assert done.returncode == 1 and message in done.stderr, done.stderr
        assert "Traceback" not in done.stderr


def test_what_cannot_be_written_speaks_of_the_old_index_only_where_there_is_one(
    tmp_path: Path,
) -> None:
    out = tmp_path / "i"
    for there in (False, True):
        if there:
            out.mkdir()
            (out / "manifest.json").write_text("{}")
        with pytest.raises(StorageError) as caught, storage_errors(out):
            raise OSError(28, "No space left on device")
        assert ("untouched" in str(caught.value)) is there
