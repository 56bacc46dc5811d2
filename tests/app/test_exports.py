"""Files that the command line writes with `--export`. Run: pytest tests/app/test_exports.py"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import bibtexparser
import pytest
from typer.testing import CliRunner, Result

from app import exports
from app.cli import commands
from app.exports import ANSWER, PAPERS, SEARCH
from indexer.errors import QueryError, StorageError
from indexer.store import Index
from indexer.whole_file import write_whole
from retrieval import search
from tests.topics import build_topic_index

QUESTION = "How do jets suppress star formation?"


def run(*words: str) -> Result:
    return CliRunner().invoke(commands(), list(words))


def exported(folder: Path, *endings: str) -> list[str]:
    return [word for ending in endings for word in ("--export", str(folder / f"out.{ending}"))]


def test_an_answer_is_written_in_every_form_that_the_page_has(
    small_index_dir: Path, tmp_path: Path
) -> None:
    endings = [form.ending for form in (*ANSWER, *PAPERS)]
    done = run("ask", QUESTION, "--index", str(small_index_dir), "--json", *exported(tmp_path, *endings))  # fmt: skip
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"out.{e}" for e in endings)
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["sentences"] == answer["sentences"] and written["settings"]["k"] == 8
    sentence = answer["sentences"][0]["text"]
    assert sentence[:40] in (tmp_path / "out.html").read_text()
    assert f"# {QUESTION}" in (tmp_path / "out.md").read_text()
    titles = [paper["title"] for paper in answer["papers"]]
    with (tmp_path / "out.csv").open(newline="") as stream:
        listed = list(csv.DictReader(stream))
    assert [row["title"] for row in listed] == titles
    keys = [e.key for e in bibtexparser.parse_string((tmp_path / "out.bib").read_text()).entries]
    assert keys == [row["key"] for row in listed]
    ris = (tmp_path / "out.ris").read_bytes()
    assert ris.count(b"ER  - \r\n") == len(titles) and b"\r\r" not in ris
    assert done.stderr.count("Written: ") == len(endings)


@pytest.mark.parametrize(
    "words", [("search", "fast radio bursts"), ("similar", "2021Natur.590...50J")]
)
def test_what_a_search_found_is_written(
    words: tuple[str, ...], small_index_dir: Path, tmp_path: Path
) -> None:
    endings = [form.ending for form in (*SEARCH, *PAPERS)]
    done = run(*words, "--index", str(small_index_dir), "-k", "3", "--json", *exported(tmp_path, *endings))  # fmt: skip
    assert done.exit_code == 0, done.output
    hits = [json.loads(line) for line in done.stdout.splitlines()]
    written = json.loads((tmp_path / "out.json").read_text())
    assert [hit["title"] for hit in written["hits"]] == [hit["title"] for hit in hits]
    assert len(bibtexparser.parse_string((tmp_path / "out.bib").read_text()).entries) == 3
    page, text = (tmp_path / "out.html").read_text(), (tmp_path / "out.md").read_text()
    assert "default-src 'none'" in page and page.count("<li id=") == 3
    assert "\n3. " in text and f"of {12 - (words[0] == 'similar')} papers" in text
    assert text.startswith("# Papers like " if words[0] == "similar" else "# fast radio bursts")


def test_a_search_as_a_page_is_text(small_index: Index) -> None:
    result = search(small_index, '<script>alert("1")</script> [jets](javascript:alert)')
    page = exports.search_html(result)
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "\\<script\\>" in exports.search_markdown(result)


def test_a_report_is_written_and_where_its_trace_lies_is_not(
    small_index_dir: Path, tmp_path: Path
) -> None:
    files, trace = tmp_path / "files", tmp_path / "trace.jsonl"
    files.mkdir()
    words = ("research", QUESTION, "--index", str(small_index_dir), "--trace", str(trace), "--max-steps", "1", "--json", "-q")  # fmt: skip
    done = run(*words, *exported(files, "md", "json", "bib"))
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    written = json.loads((files / "out.json").read_text())
    assert written["sections"] == report["sections"] and not written["trace"]
    assert QUESTION in (files / "out.md").read_text()
    entries = bibtexparser.parse_string((files / "out.bib").read_text()).entries
    assert len(entries) == len(report["papers"]) > 0
    again = run("research", "--resume", str(trace), "--index", str(small_index_dir), *exported(files, "csv"))  # fmt: skip
    assert again.exit_code == 0 and (files / "out.csv").is_file()
    assert ".md, .json, .bib, .ris, .csv" in str(run(*words, *exported(files, "html")).exception)
    assert "--plan-only" in str(run(*words, "--plan-only", *exported(files, "md")).exception)


def test_a_place_that_cannot_be_written_to_is_refused_before_any_work(tmp_path: Path) -> None:
    folder, link, pipe = (tmp_path / f"{name}.md" for name in ("folder", "link", "pipe"))
    folder.mkdir()
    (tmp_path / "aim.md").write_text("kept")
    link.symlink_to(tmp_path / "aim.md")
    os.mkfifo(pipe)
    for path, said in (
        (tmp_path / "answer.pdf", "ends in .pdf: choose one of .md, .html, .json, .bib, .ris, .csv."),
        (tmp_path / "answer", "ends in nothing: choose"),
        (folder, "a folder is there"),
        (link, "a link is there"),
        (pipe, "a device or a pipe is there"),
        (tmp_path / "nowhere" / "a.md", "there is no folder"),
    ):  # fmt: skip
        # There is no such index: whoever looked for it first would say so.
        for command in ("ask", "search", "similar"):
            done = run(command, "jets", "--index", str(tmp_path / "none"), "--export", str(path))
            assert isinstance(done.exception, QueryError) and said in str(done.exception)
    assert (tmp_path / "aim.md").read_text() == "kept" and link.is_symlink() and folder.is_dir()
    done = run("search", "--queries", "q.jsonl", "--json", "--export", str(tmp_path / "a.md"))
    assert "cannot be given with --queries" in str(done.exception)


def test_what_cannot_be_written_is_said_and_the_answer_shown(
    small_index_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "out.md"
    kept.write_text("what was there")
    kept.chmod(0o640)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    words = ("search", "fast radio bursts", "--index", str(small_index_dir), *exported(tmp_path, "md"))  # fmt: skip
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        done = run(*words)
    assert isinstance(done.exception, StorageError) and "No space left" in str(done.exception)
    assert "fast radio burst" in done.stdout.lower()
    assert kept.read_text() == "what was there" and list(tmp_path.iterdir()) == [kept]
    assert run(*words).exit_code == 0
    assert kept.read_text().startswith("# fast radio bursts")
    assert kept.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["impact.html", "impact.svg", "impact.png", "map.csv", "map.parquet", "map.svg"])  # fmt: skip
def test_reports_charts_and_maps_are_written_whole_or_not_at_all(
    name: str, small_index_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    kept, link = folder / name, folder / f"link-{name}"
    kept.write_text("what was there")
    link.symlink_to(kept)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    def words(path: Path) -> tuple[str, ...]:
        if name.startswith("map"):
            return ("map", "export", "--out", str(path), "--index", str(mapped))
        option = "--report" if name.endswith("html") else "--plot"
        return ("impact", "jets", "--topic", option, str(path), "--index", str(small_index_dir))

    mapped = build_topic_index(tmp_path, 10) if name.startswith("map") else None
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        done = run(*words(kept))
    assert isinstance(done.exception, StorageError) and "No space left" in str(done.exception)
    assert kept.read_text() == "what was there"
    assert set(folder.iterdir()) == {kept, link}
    assert "a link is there" in str(run(*words(link)).exception) and link.is_symlink()
    assert run(*words(kept)).exit_code == 0
    assert kept.read_bytes() != b"what was there"


def test_a_new_file_has_the_permissions_of_the_users_mask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "open", b"1")
        write_whole(tmp_path / "closed", b"2", mode=0o600)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"open": 0o640, "closed": 0o600}
