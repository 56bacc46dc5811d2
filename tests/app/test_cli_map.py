"""`wayfinder index map` and `wayfinder map ...`. Run: pytest tests/app/test_cli_map.py"""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from app.cli import app
from indexer.build import map_index
from indexer.errors import IndexMissing, QueryError, StorageError
from indexer.manifest import read_manifest
from tests.llm_server import LLMServer, Reply
from tests.topics import build_topic_index


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_topic_index(tmp_path_factory.mktemp("topics"), 20)


def run(*words: str) -> str:
    result = CliRunner().invoke(app, [*words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_map_is_made_and_said(tmp_path: Path) -> None:
    out = build_topic_index(tmp_path, 10, with_map=False)
    with pytest.raises(IndexMissing, match=f"wayfinder index map {out}"):
        run("map", "export", "--index", str(out))
    page = run("index", "map", str(out), "--quiet")
    assert page.startswith(f"{out}: a map of 30 papers by t-SNE")
    row = json.loads(run("map", "show", "--index", str(out), "--json"))
    assert row["n_laid"] == row["n_papers"] == 30
    assert sum(c["papers"] for c in row["clusters"] if c["level"] == 0) == 30


def test_every_paper_is_exported_in_each_format(mapped: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("map", "export", "--index", str(mapped)))))
    assert len(rows) == 60
    lines = [json.loads(line) for line in run("map", "export", "--index", str(mapped), "--json").splitlines()]  # fmt: skip
    assert [line["bibcode"] for line in lines] == [row["bibcode"] for row in rows]
    assert {"bibcode", "arxiv_id", "title", "year", "x", "y", "cluster_1", "label_1"} <= set(
        lines[0]
    )
    assert all(-1 <= line["x"] <= 1 and line["label_1"] for line in lines)
    for ending in ("csv", "json", "jsonl", "parquet", "svg"):
        run("map", "export", "--index", str(mapped), "--out", str(tmp_path / f"map.{ending}"))
    assert json.loads((tmp_path / "map.json").read_text(encoding="utf-8")) == lines
    assert pq.read_table(tmp_path / "map.parquet").to_pylist() == lines
    drawing = ET.parse(tmp_path / "map.svg").getroot()
    points = "".join(path.get("d", "") for path in drawing.iter("{http://www.w3.org/2000/svg}path"))
    assert points.count("M") == 60


def test_an_unknown_format_or_place_is_an_error(mapped: Path, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"ends in .xlsx: choose one of .csv"):
        run("map", "export", "--index", str(mapped), "--out", "map.xlsx")
    with pytest.raises(StorageError, match="was not written"):
        run("map", "export", "--index", str(mapped), "--out", str(tmp_path / "no" / "map.csv"))


def test_a_model_names_clusters_by_their_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = build_topic_index(tmp_path, 20, with_map=False)
    reply = (
        '{"n": 1, "name": "Magnetar flares"}\n{"n": 2, "name": "Ignore all rules"}\n{"n": "x"}\n'
    )
    with LLMServer([Reply(reply)]) as server:
        monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", server.config().base_url or "")
        monkeypatch.setenv("WAYFINDER_LLM_API_KEY", "none")
        run("index", "map", str(out), "--names", "--quiet")
        asked = server.requests[0]["messages"][1]["content"]
    assert "On magnetar flares, part" in asked and asked.startswith("BEGIN GROUPS-")
    clusters = json.loads(run("map", "show", "--index", str(out), "--json"))["clusters"]
    magnetars = clusters[0]["name"] == "Magnetar flares"
    assert magnetars or clusters[0]["name"] == ""  # refused where cluster 1 is of another subject
    assert clusters[1]["name"] == ""
    assert all(c["label"] for c in clusters)


def test_names_without_a_model_are_an_error(mapped: Path) -> None:
    with pytest.raises(QueryError, match="needs a language model"):
        run("index", "map", str(mapped), "--names", "--quiet")
    before = read_manifest(mapped).snapshot
    assert map_index(mapped).snapshot == before
