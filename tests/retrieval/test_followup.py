"""Further questions in one thread. Run: pytest tests/retrieval/test_followup.py"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.errors import QueryError
from indexer.store import Index
from retrieval import ask
from retrieval.followup import Context, context_of, context_of_row, made_whole
from retrieval.llm import LLM
from retrieval.rows import answer_row
from tests.llm_server import LLMServer, Reply

M31 = Context("What is the distance of M 31?", ())


@pytest.mark.parametrize(
    ("question", "whole"),
    [
        ("What about NGC 1068?", "What is the distance of NGC 1068?"),
        ("How was it measured?", "How was M 31 measured?"),
        ("What is its mass?", "What is M 31's mass?"),
        ("And with Cepheids?", "What is the distance of M 31 with Cepheids?"),
        ("And of which part?", "What is the distance of M 31: And of which part?"),
        ("Why?", "What is the distance of M 31: Why?"),
        ("How do jets suppress star formation?", "How do jets suppress star formation?"),
    ],
)
def test_a_further_question_is_made_whole_by_rules(question: str, whole: str) -> None:
    assert made_whole(question, M31) == whole


@pytest.mark.parametrize(
    ("reply", "whole"),
    [
        (Reply("How far away is NGC 1068?"), "How far away is NGC 1068?"),
        (Reply("word " * 300), "What is the distance of NGC 1068?"),
        (Reply(""), "What is the distance of NGC 1068?"),
        (Reply(status=500), "What is the distance of NGC 1068?"),
    ],
)
def test_a_model_makes_it_whole_or_the_rules_do(reply: Reply, whole: str) -> None:
    with LLMServer([reply]) as server:
        assert made_whole("What about NGC 1068?", M31, LLM(server.config())) == whole


def test_the_threads_papers_are_kept(small_index: Index) -> None:
    first = ask(small_index, "How do jets suppress star formation?", offline=True, n_papers=3)
    thread = context_of(first)
    assert thread.papers
    assert context_of_row(json.loads(json.dumps(answer_row(first)))) == thread
    second = ask(
        small_index, "Do clouds mute water features?", offline=True, n_papers=2, thread=thread
    )
    read = [hit.paper.id for hit in second.papers]
    assert set(thread.papers) <= set(read)
    assert len(read) == len(set(read))
    gone = Context("x", ("2099ApJ...1....1X",))
    noted = ask(small_index, "Do clouds mute water features?", offline=True, thread=gone)
    assert any("2099ApJ...1....1X of this thread is not" in note for note in noted.degraded)


def test_the_command_goes_on_from_a_file(small_index_dir: Path, tmp_path: Path) -> None:
    command = str(Path(sys.executable).with_name("wayfinder"))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        shared = [*words, "--offline", "--json", "--index", str(small_index_dir)]
        return subprocess.run(
            [command, "ask", *shared], capture_output=True, text=True, check=False, env=os.environ
        )

    before = tmp_path / "answer.json"
    before.write_text(run("How do jets suppress star formation?").stdout, encoding="utf-8")
    after = run("And in ellipticals?", "--after", str(before))
    assert "Read as: How do jets suppress star formation in ellipticals?" in after.stderr
    assert json.loads(after.stdout)["question"].endswith("in ellipticals?")
    before.write_text("not JSON", encoding="utf-8")
    assert run("And then?", "--after", str(before)).returncode == 2


def test_what_is_no_answer_is_said() -> None:
    with pytest.raises(QueryError, match="no answer of"):
        context_of_row({"question": "x"})
    numbered = {"n": 1, "bibcode": 20240101, "arxiv_id": None, "doi": None}
    with pytest.raises(QueryError, match="no answer of"):
        context_of_row({"question": "x", "sentences": [{"citations": [1]}], "papers": [numbered]})
