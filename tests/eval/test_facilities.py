"""Measures of facility detection. Run: pytest tests/eval/test_facilities.py"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import commands
from eval.facilities import read_labelled, scores, speed
from indexer.errors import SourceError
from indexer.records import Paper

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "facilities_dev.jsonl"
ROWS = [
    {"arxiv_id": "1", "title": "A", "abstract": "We use HST images.", "used": ["HST"], "mentioned": []},
    {"arxiv_id": "2", "title": "B", "abstract": "We use Chandra images.", "used": [], "mentioned": ["Chandra"]},
    {"arxiv_id": "3", "title": "C", "abstract": "Stars shine.", "used": ["VLT"], "mentioned": []},
]  # fmt: skip


def labels(path: Path) -> Path:
    path.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    return path


def test_scores_count_names_of_all_papers(tmp_path: Path) -> None:
    found = scores(read_labelled(labels(tmp_path / "labels.jsonl")))
    used, named = found["used"], found["used or mentioned"]
    assert (used.f1, used.precision, used.recall) == (0.5, 0.5, 0.5)  # 1 right, 1 wrong, 1 missed
    assert named.f1 == pytest.approx(0.8)  # 2 right, 1 missed
    assert used.low <= used.f1 <= used.high
    assert (used.n_papers, used.n_labels) == (3, 2)


def test_a_line_without_labels_is_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"title": "A", "abstract": "B"}', encoding="utf-8")
    with pytest.raises(SourceError, match="line 1 needs title, abstract, used"):
        read_labelled(path)


def test_the_command_says_scores_and_confusions(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        commands(),
        ["eval", "facilities", "--labels", str(labels(tmp_path / "labels.jsonl")), "--json"],
    )
    row = json.loads(result.output)
    assert row["scores"]["all"]["used"]["f1"] == 0.5
    assert row["confusions"]["n"] >= 60
    assert row["confusions"]["failed"] == []


def test_speed_counts_papers() -> None:
    found = speed([Paper("A", "We use HST images."), Paper("B", "Stars shine.")], workers=1)
    assert (found["papers"], found["with_facility"]) == (2, 1)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
def test_the_labelled_abstracts() -> None:
    developing = [one for one in read_labelled(SHARED) if one.half == "dev"]
    found = scores(developing)
    assert found["used"].f1 >= 0.90
    assert found["used or mentioned"].f1 >= 0.85
