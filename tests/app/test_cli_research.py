"""`wayfinder research` as people and programs use it. Run: pytest tests/app/test_cli_research.py"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import commands
from indexer.errors import QueryError, SourceError
from tests.llm_server import KEY, Reply
from tests.scholar import PARTS, QUESTION, Scholar


def run(index: Path, trace: Path, *words: str) -> Result:
    given = ["research", *words, "--index", str(index)]
    if "--resume" not in words:
        given += ["--trace", str(trace)]
    return CliRunner().invoke(commands(), given, env={"WAYFINDER_LLM_CACHE": "0"})


def test_json_markdown_and_text_hold_the_same_report(small_index_dir: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    done = run(small_index_dir, trace, QUESTION, "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["plan"] == {"parts": PARTS, "by": "rules", "note": ""}
    assert [section["by"] for section in report["sections"]] == ["quotes", "quotes"]
    assert all(s["supported"] for section in report["sections"] for s in section["sentences"])
    cited = {n for section in report["sections"] for s in section["sentences"] for n in s["citations"]}  # fmt: skip
    assert cited <= {paper["n"] for paper in report["papers"]}
    assert "Plan, by rules:" in done.stderr
    assert "Searched: What powers fast radio bursts?" in done.stderr
    assert "in all" in done.stderr
    text = run(small_index_dir, trace, "--resume", str(trace), "-q").stdout
    markdown = run(small_index_dir, trace, "--resume", str(trace), "--markdown", "-q").stdout
    for section in report["sections"]:
        assert section["question"] in text
        assert f"## {section['question']}" in markdown
    assert "WHAT WAS SEARCHED" in text


def test_the_plan_alone_and_ones_own(small_index_dir: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    done = run(small_index_dir, trace, QUESTION, "--plan-only")
    assert done.stdout.splitlines() == PARTS
    assert not trace.exists()
    done = run(
        small_index_dir, trace, QUESTION, "--plan-only", "--sub-question", "Clouds on planets"
    )
    assert done.stdout.splitlines() == ["Clouds on planets"]
    done = run(small_index_dir, trace, QUESTION, "--sub-question", "Clouds on planets", "--since", "2025",
               "--max-steps", "1", "--json", "-q")  # fmt: skip
    report = json.loads(done.stdout)
    assert report["plan"] == {"parts": ["Clouds on planets"], "by": "user", "note": ""}
    assert min(paper["year"] for paper in report["papers"]) >= 2025
    assert report["limits"]["max_steps"] == 1
    assert report["stopped"] == ["The limit of 1 steps was reached."]
    assert f"wayfinder research --resume {trace}" in done.stderr


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ([], QueryError, "either a QUESTION or --resume"),
        ([QUESTION, "--max-dollars", "1"], QueryError, "WAYFINDER_LLM_USD_PER_MILLION"),
        ([QUESTION, "--max-steps", "0"], QueryError, "max_steps is 0"),
        ([QUESTION, "--since", "2030", "--until", "2000"], QueryError, "hold nothing"),
        (["--resume", "/nowhere/trace.jsonl"], SourceError, "cannot be read"),
        (["x"], QueryError, "only 'x'"),
        ([QUESTION, "--sub-question", ""], QueryError, "0 sub-questions"),
        (
            ["--resume", "x.jsonl", "--since", "2020", "--hyde"],
            QueryError,
            "--since, --hyde cannot be given with --resume",
        ),
        (
            ["--resume", "x.jsonl", "--plan-only"],
            QueryError,
            "--plan-only cannot be given with --resume",
        ),
        (
            ["--resume", "x.jsonl", "--trace", "y", "--author", "A"],
            QueryError,
            "--author, --trace cannot",
        ),
        (["--resume", "x.jsonl", "--sub-question", "Jets"], QueryError, "--sub-question cannot"),
    ],
)
def test_mistakes_are_said(
    small_index_dir: Path, tmp_path: Path, words: list[str], error: type, message: str
) -> None:
    done = run(small_index_dir, tmp_path / "trace.jsonl", *words)
    assert isinstance(done.exception, error)
    assert message in str(done.exception)
    assert "Trace:" not in done.stderr


def test_the_hint_to_go_on_goes_on(small_index_dir: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    report = json.loads(run(small_index_dir, trace, QUESTION, "--max-steps", "1", "--json").stdout)
    for steps in (2, 4):
        assert report["stopped"] == [f"The limit of {steps // 2} steps was reached."]
        done = run(small_index_dir, trace, "--resume", str(trace), "--json")
        assert f"which is doubled: max-steps {steps}." in done.stderr
        report = json.loads(done.stdout)
        assert report["limits"]["max_steps"] == steps
    kept = run(small_index_dir, trace, "--resume", str(trace), "--max-steps", "3", "--json", "-q")
    assert json.loads(kept.stdout)["limits"]["max_steps"] == 3


def test_going_on_offline_asks_no_model(
    small_index_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "trace.jsonl"
    monkeypatch.setattr("app.cli_research.forbid_network", lambda: None)  # it cannot be taken back
    with Scholar(PARTS) as server:
        for name, value in (("BASE_URL", server.base_url), ("MODEL", "toy-1"), ("API_KEY", KEY)):
            monkeypatch.setenv(f"WAYFINDER_LLM_{name}", value)
        run(small_index_dir, trace, QUESTION, "--max-steps", "1")
        n_before = len(server.requests)
        done = run(small_index_dir, trace, "--resume", str(trace), "--offline", "--json")
        assert n_before > 0
        assert len(server.requests) == n_before
    assert {section["by"] for section in json.loads(done.stdout)["sections"]} == {"quotes"}


def test_ctrl_c_ends_with_a_report_that_can_be_gone_on_with(
    small_index_dir: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "trace.jsonl"
    with Scholar(PARTS, script={"section": Reply("x", hang_before_seconds=60)}) as server:
        environment = {**os.environ, "WAYFINDER_LLM_BASE_URL": server.base_url,
                       "WAYFINDER_LLM_MODEL": "toy-1", "WAYFINDER_LLM_API_KEY": KEY}  # fmt: skip
        command = [str(Path(sys.executable).with_name("wayfinder")), "research", QUESTION, "--json",
                   "--index", str(small_index_dir), "--trace", str(trace)]  # fmt: skip
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "Writing" in line:
                process.send_signal(signal.SIGINT)
                break
        stdout, rest = process.communicate(timeout=60)
    assert process.returncode == 0
    report = json.loads(stdout)
    assert report["stopped"] == ["The run was cancelled."]
    assert {section["by"] for section in report["sections"]} == {"notes"}
    assert f"--resume {trace}" in rest
    assert "tokens" in said
    assert KEY not in said + rest + stdout + trace.read_text()
