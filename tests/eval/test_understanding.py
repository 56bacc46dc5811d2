"""The benchmarks of understanding, switches and speed. Run: pytest tests/eval/test_understanding.py"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval import understanding
from eval.ablation import switches
from eval.cli import app
from indexer.errors import QueryError
from indexer.store import Index
from retrieval.tables import facilities, objects
from tests.papers import write_jsonl

DATA = Path(__file__).resolve().parents[2] / "eval" / "data"


def silent(stage: str, done: int, total: int | None) -> None:
    """No progress."""


def means(findings: list[understanding.Finding]) -> dict[str, float]:
    return {finding.name: finding.estimate.mean for finding in findings}


def temporal_row(
    question: str, since: int | None, until: int | None, recent: bool
) -> dict[str, object]:
    return {"query_id": question, "question": question, "since": since, "until": until, "recent": recent, "as_of": 2026}  # fmt: skip


def test_years_found_missed_and_invented_are_counted(small_index: Index) -> None:
    rows = [
        temporal_row("Hubble constant before 2010", None, 2009, False),  # right
        temporal_row("Hubble constant since 2020", 2021, None, False),  # found, but wrong
        temporal_row("Hubble constant of two thousand and twenty", 2020, 2020, False),  # missed
        temporal_row("the latest measurements of the Hubble constant", None, None, True),
        temporal_row("light curves from 1990 to 2020", None, None, False),
    ]
    found = means(understanding.temporal(small_index, rows, silent))
    assert found["years: precision"] == pytest.approx(1 / 2)
    assert found["years: recall"] == pytest.approx(1 / 3)
    assert found["recent: precision"] == found["recent: recall"] == 1.0
    within = "share of the first 10 in the years asked for, "
    assert found[within + "understood"] > found[within + "taken as plain words"]


def test_names_found_missed_and_invented_are_counted(small_index: Index) -> None:
    rows = [
        {"query_id": "1", "question": "Cepheids in NGC 224", "name": "M 31"},
        {"query_id": "2", "question": "Cepheids in our big neighbour", "name": "M 31"},
        {"query_id": "3", "question": "flares of Sgr A*", "name": ""},
        {"query_id": "4", "question": "fast winds", "name": ""},
    ]
    found = means(understanding.aliases(small_index, rows, silent))
    assert found["names: precision"] == pytest.approx(1 / 2)
    assert found["names: recall"] == pytest.approx(1 / 2)


def test_scope_counts_what_is_called_outside(small_index: Index) -> None:
    rows = [
        {"query_id": "1", "question": "jets and star formation", "covered": True},
        {"query_id": "2", "question": "sourdough bread recipe", "covered": False},
        {"query_id": "3", "question": "fast radio bursts from magnetars", "covered": False},
    ]
    found = means(understanding.scope(small_index, rows, silent))
    assert found["called outside: precision"] == 1.0
    assert found["called outside: recall"] == pytest.approx(1 / 2)
    assert found["called outside: accuracy"] == pytest.approx(2 / 3)


def test_calibration_separates_inside_from_outside(small_index: Index) -> None:
    inside = [paper.plain_title for paper in small_index.papers][:6]
    of_meaning, of_words, constant = understanding.calibrate(
        small_index, inside, ["boiling eggs", "rental law", "football results"]
    )
    assert of_meaning > 0
    assert of_words > 0 > constant


def test_the_sets_of_the_project_can_be_read_and_name_known_things() -> None:
    temporal = understanding.read_set(DATA / "temporal.jsonl", "since", "until", "recent", "as_of")
    scope = understanding.read_set(DATA / "scope.jsonl", "covered")
    assert sum(row["since"] is None and row["until"] is None for row in temporal) >= 30
    assert [sum(row["covered"] is side for row in scope) for side in (True, False)] == [60, 60]
    for row in understanding.read_set(DATA / "aliases.jsonl", "name"):
        assert not row["name"] or objects().get(row["name"]) or facilities().get(row["name"]), row


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no question"),
        ("nonsense\n", "line 1: not a JSON object"),
        ('{"query_id": "a", "question": "b"}\n', "line 1: name is missing"),
    ],
)
def test_bad_sets_are_errors_that_name_the_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(content)
    with pytest.raises(QueryError, match=message):
        understanding.read_set(path, "name")


def test_every_switch_is_turned_alone(small_index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = set(switches(small_index, 10))
    monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", "http://localhost:1/v1")
    assert set(switches(small_index, 10)) - plain == {"hyde", "hyde, 3 abstracts"}
    monkeypatch.setenv("WAYFINDER_RERANKER", "none")
    assert plain - set(switches(small_index, 10)) == {"no reranking"}


@pytest.mark.parametrize(
    ("command", "row", "expected"),
    [
        ("temporal", temporal_row("jets since 2020", 2020, None, False), "years: precision"),
        ("aliases", {"query_id": "1", "question": "Cepheids in NGC 224", "name": "M 31"}, "names: recall"),
        ("scope", {"query_id": "1", "question": "tomato sauce", "covered": False}, "refused: recall"),
        ("ablation", {"query_id": "1", "question": "jets", "arxiv_id": "2401.00001"}, "reviews first"),
        ("latency", {"query_id": "1", "question": "jets", "arxiv_id": "2401.00001"}, "quoted answer"),
    ],
)  # fmt: skip
def test_one_command_each(
    small_index_dir: Path, tmp_path: Path, command: str, row: dict[str, object], expected: str
) -> None:
    path = write_jsonl(tmp_path / "set.jsonl", [row])
    words = [command, "--questions", str(path), "--index", str(small_index_dir)]
    if command != "latency":
        words += ["--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert expected in done.stdout
    if command != "latency":
        (result,) = (tmp_path / "out").rglob("result.json")
        assert {"snapshot", "commit", "date", "machine", "command"} <= set(
            json.loads(result.read_text())
        )


def test_one_report_holds_every_benchmark(small_index_dir: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    question = {"query_id": "1", "question": "jets since 2020"}
    write_jsonl(data / "questions_single_dev.jsonl", [question | {"arxiv_id": "2401.00001"}])
    write_jsonl(data / "topics_dev.jsonl", [question])
    (data / "topics_dev.qrels").write_text("1 0 2401.00001 2\n1 0 2402.00002 0\n")
    write_jsonl(data / "citing.jsonl", [question | {"relevant": ["2401.00001", "2402.00002"]}])
    write_jsonl(data / "temporal.jsonl", [temporal_row("jets since 2020", 2020, None, False)])
    write_jsonl(data / "aliases.jsonl", [question | {"name": ""}])
    write_jsonl(data / "scope.jsonl", [question | {"covered": True}])
    words = ["report", "--index", str(small_index_dir), "--out", str(tmp_path / "out")]
    words += ["--data", str(data), "--citations", str(data / "citing.jsonl")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    report = (tmp_path / "out" / "report.md").read_text()
    for title in ("questions_single_dev", "topics_dev, every switch", "citing", "Scope", "Latency"):
        assert f"## {title}\n" in report
    assert "pathfinder-all" in report
    assert (tmp_path / "out" / "topics_dev" / "wayfinder.run").is_file()
