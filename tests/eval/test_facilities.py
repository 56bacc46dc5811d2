"""Measures of facility detection. Run: pytest tests/eval/test_facilities.py"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from app.cli import commands
from eval import facility_weights
from eval.facilities import Labelled, read_labelled, scores, speed
from indexer import config, facility_part, usage
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


def of_recent_results(used: bool) -> list[Labelled]:
    text = "Stars shine. Recent {} observations are here."
    names = ["HST", "VLT", "ALMA", "Keck", "TESS", "MeerKAT", "NOEMA", "XRISM", "NuSTAR", "GALEX"]
    return [
        Labelled(
            Paper(f"On {name}'s sky {i}", text.format(name), arxiv_id=f"{i}"),
            frozenset([name] if used else []), frozenset([] if used else [name]),
        )
        for i, name in enumerate(names)
    ]  # fmt: skip


def test_a_fit_follows_the_labels_and_no_rule_changes_sides() -> None:
    guesses = usage.guessed_weights()
    for used in (True, False):
        cases = facility_weights.cases(of_recent_results(used))
        fitted = facility_weights.fit(cases)
        before, after = (
            np.array([(case.cues @ list(weights.values())).max() for case in cases])
            for weights in (guesses, fitted)
        )
        assert (after > before).all() if used else (after < before).all()
        assert all(facility_weights.judged(case, fitted) == used for case in cases)
        rules = (*usage.RULES, *usage.TITLE_RULES, *usage.METHOD_RULES)
        assert all(fitted[rule.name] * rule.guess >= 0 for rule in rules)


def test_cross_validation_judges_by_other_papers() -> None:
    cases = facility_weights.cases(of_recent_results(used=False))
    assert facility_weights.cross_validated(cases) == {"guessed": 0.0, "fitted": 1.0}


def test_the_weights_in_use_are_of_the_cues_in_use() -> None:
    assert usage.fitted_weights().keys() == usage.guessed_weights().keys()
    names = [rule.name for rule in (*usage.RULES, *usage.TITLE_RULES, *usage.METHOD_RULES)]
    assert len(set(names)) == len(names)


def test_weights_come_back_and_a_missing_cue_is_named(tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    facility_weights.write(usage.guessed_weights(), path)
    assert usage.read_weights(path) == usage.guessed_weights()
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]), encoding="utf-8")
    with pytest.raises(SourceError, match="lacks the cues share of theory"):
        usage.read_weights(path)


def test_other_weights_are_another_detection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("facilities.csv", "methods.csv", "usage.csv"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).write_bytes((config.REPOSITORY / "data" / name).read_bytes())
    before = facility_part.detection_version()
    monkeypatch.setattr(config, "REPOSITORY", tmp_path)
    assert facility_part.detection_version() == before
    facility_weights.write(usage.guessed_weights(), tmp_path / "data" / "usage.csv")
    assert facility_part.detection_version() != before


def test_the_command_fits_and_writes(tmp_path: Path) -> None:
    verdicts, source = tmp_path / "verdicts.jsonl", tmp_path / "papers.jsonl"
    rows = [
        {"arxiv_id": f"2501.0000{i}", "title": f"Stars {i}", "abstract": f"We use {name} images."}
        for i, name in enumerate(["HST", "VLT", "ALMA"])
    ]
    source.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    verdict = {"id": rows[0]["arxiv_id"], "used": ["HST"], "mentioned": []}
    verdicts.write_text(json.dumps(verdict), encoding="utf-8")
    given = labels(tmp_path / "labels.jsonl")
    to = tmp_path / "usage.csv"
    result = CliRunner().invoke(
        commands(),
        ["eval", "facility-weights", "--labels", str(given), "--source", str(source), "--verdicts", str(verdicts), "--write", str(to)],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "verdicts     1 names  F1 on used: guessed 1.000" in result.output
    assert usage.read_weights(to).keys() == usage.guessed_weights().keys()
