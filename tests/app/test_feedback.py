"""Readers' votes: kept whole or not at all, bounded, and read back as a question set. Run: pytest tests/app/test_feedback.py"""

from __future__ import annotations

import json
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app import feedback
from eval.answer_sets import read_answer_questions
from eval.questions import Question, locate, read_questions
from indexer.errors import QueryError, StorageError
from indexer.store import Index
from retrieval import ask
from retrieval.records import Answer

QUESTION = "How do jets suppress star formation?"


@pytest.fixture(scope="module")
def answer(small_index: Index) -> Answer:
    return ask(small_index, QUESTION, offline=True)


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().decode().splitlines()]


def test_nothing_is_kept_unless_the_host_names_a_file(
    answer: Answer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not feedback.enabled()
    with pytest.raises(QueryError, match="WAYFINDER_FEEDBACK"):
        feedback.keep(feedback.on_answer(answer, True))
    monkeypatch.setenv("WAYFINDER_FEEDBACK", str(tmp_path / "new" / "votes.jsonl"))
    assert feedback.enabled()
    feedback.keep(feedback.on_answer(answer, True))
    assert (tmp_path / "new" / "votes.jsonl").stat().st_mode & 0o077 == 0


def test_a_vote_holds_what_was_judged_and_nothing_of_its_voter(
    answer: Answer, tmp_path: Path
) -> None:
    path = tmp_path / "votes.jsonl"
    feedback.keep(
        feedback.on_sentence(answer, 1, False, comment="wrong galaxy", door="slack"), path
    )
    (row,) = rows(path)
    sentence = answer.sentences[0]
    assert set(row) == {"feedback", "when", "about", "good", "question", "text", "papers", "comment", "door", "mode", "model", "snapshot", "vote"}  # fmt: skip
    assert row["text"] == sentence.text
    assert row["papers"] == [answer.papers[n - 1].paper.id for n in sentence.citations]
    assert (row["good"], row["door"], row["snapshot"]) == (False, "slack", answer.search.snapshot)
    with pytest.raises(QueryError, match="no sentence 99"):
        feedback.on_sentence(answer, 99, True)
    with pytest.raises(QueryError, match="no paper 0"):
        feedback.on_paper(answer, 0, True)


def test_votes_become_questions_with_graded_papers(
    answer: Answer, small_index: Index, tmp_path: Path
) -> None:
    path = tmp_path / "votes.jsonl"
    ids = [hit.paper.id for hit in answer.papers]
    cited = answer.sentences[0].citations
    other = next(n for n in range(1, len(ids) + 1) if n not in cited)
    feedback.keep(feedback.on_sentence(answer, 1, True), path)
    feedback.keep(feedback.on_paper(answer, other, True), path)
    wrong = next(n for n in range(1, len(ids) + 1) if n not in (*cited, other))
    feedback.keep(feedback.on_paper(answer, wrong, False), path)
    changed = feedback.on_answer(answer, True)
    feedback.keep(changed, path)
    feedback.keep(feedback.on_answer(answer, None, vote=changed.vote), path)  # taken back
    with path.open("a") as stream:
        stream.write('{"feedback": 1, "question": 5}\nnot JSON\n')
    grades = {ids[n - 1]: 1 for n in cited} | {ids[other - 1]: 2, ids[wrong - 1]: 0}
    assert read_questions(path) == (Question("feedback-1", QUESTION, grades, "feedback"),)
    located = locate(read_questions(path), small_index)
    assert located.n_missing == 0
    (asked,) = read_answer_questions(path)
    assert (asked.question, asked.grades) == (QUESTION, grades)


def test_a_question_judged_only_wrong_is_none_of_the_search(answer: Answer, tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    feedback.keep(feedback.on_paper(answer, 1, False), path)
    with pytest.raises(QueryError, match="holds no question"):
        read_questions(path)


def test_hostile_text_stays_one_line_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    nasty = '</script><script>alert(1)</script>\n{"feedback": 1}\u2028\x00\ud800"'
    feedback.keep(feedback.Feedback("answer", True, nasty, comment="x" * 1_000_000, papers=("p" * 9_000,) * 900), path)  # fmt: skip
    feedback.keep(feedback.Feedback("answer", True, "second"), path)
    lines = path.read_bytes().split(b"\n")
    assert len(lines) == 3 and lines[-1] == b""
    assert len(lines[0]) < 25_000
    assert json.loads(lines[0])["question"] == nasty


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    votes = [feedback.Feedback("paper", True, f"question {n}", papers=(str(n),)) for n in range(120)]  # fmt: skip
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda vote: feedback.keep(vote, path), votes))
    assert {row["vote"] for row in rows(path)} == {vote.vote for vote in votes}


def test_a_line_cut_off_by_a_crash_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    path.write_bytes(b'{"feedback": 1, "question": "cut o')
    feedback.keep(feedback.Feedback("paper", True, "whole", papers=("1",)), path)
    assert [json.loads(line)["question"] for line in path.read_text().splitlines()[1:]] == ["whole"]


def test_a_full_file_and_a_full_disk_are_said_and_leave_the_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "votes.jsonl"
    feedback.keep(feedback.Feedback("answer", True, "first"), path)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))  # 20 bytes fit, no more
    try:
        with pytest.raises(StorageError, match="was not kept"):
            feedback.keep(feedback.Feedback("answer", True, "second"), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    full = tmp_path / "full.jsonl"
    full.symlink_to("/dev/full")
    with pytest.raises(StorageError, match="No space left on device"):
        feedback.keep(feedback.Feedback("answer", True, "third"), full)
    with pytest.raises(StorageError, match="cannot be written"):
        feedback.keep(feedback.Feedback("answer", True, "fourth"), tmp_path)
    monkeypatch.setattr(feedback, "MOST_BYTES", len(before) + 10)
    with pytest.raises(StorageError, match="the most that it may"):
        feedback.keep(feedback.Feedback("answer", True, "fifth"), path)
    assert path.read_bytes() == before
