"""What readers say of answers, sentences and papers: kept in one local file, only where WAYFINDER_FEEDBACK names it.

JSON lines, one a vote: the question, what is judged, good or not, the papers it stands on. Nothing says who
voted. A later line with the same `vote` replaces an earlier one. `eval.feedback` reads it as a question set.
"""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from filelock import FileLock, Timeout

from indexer import config
from indexer.errors import QueryError, StorageError
from retrieval.records import Answer, Hit

About = Literal["answer", "sentence", "paper"]

VERSION = 1
MOST_BYTES = 50_000_000  # of the file: what comes after is refused, nothing is thrown away
MOST_CHARACTERS = 4_000  # of the question, of the text judged and of the comment, each
MOST_PAPERS = 50  # of one line
LOCK_SECONDS = 5.0


def new_vote() -> str:
    """A name for one vote, drawn at random: it says nothing of the voter."""
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Feedback:
    """One vote. `good` is None where it was taken back; `papers` are what the judged text stands on, or the paper."""

    about: About
    good: bool | None
    question: str
    text: str = ""  # the answer, the sentence, or the paper's title
    papers: tuple[str, ...] = ()  # bibcodes, arXiv ids or DOIs
    comment: str = ""
    door: str = "page"  # where it was given: page, slack, api
    mode: str = ""  # of the answer: synthesised, extractive, computed, refused
    model: str = ""
    snapshot: str = ""  # of the index
    vote: str = field(default_factory=new_vote)


class Said(TypedDict, total=False):
    """What may be given with a vote: see `Feedback`."""

    comment: str
    door: str
    vote: str


def on_answer(answer: Answer, good: bool | None, **said: Unpack[Said]) -> Feedback:
    """A vote on a whole answer; its papers are those it cites."""
    cited = {n for sentence in answer.sentences for n in sentence.citations}
    papers = [hit for n, hit in enumerate(answer.papers, 1) if n in cited]
    return _vote(answer, "answer", good, answer.text, papers, **said)


def on_sentence(answer: Answer, number: int, good: bool | None, **said: Unpack[Said]) -> Feedback:
    """A vote on the sentence with that number, from 1.

    Raises:
        QueryError: the answer has no such sentence.
    """
    if not 1 <= number <= len(answer.sentences):
        raise QueryError(f"There is no sentence {number}: the answer has {len(answer.sentences)}.")
    sentence = answer.sentences[number - 1]
    papers = [answer.papers[n - 1] for n in sentence.citations]
    return _vote(answer, "sentence", good, sentence.text, papers, **said)


def on_paper(answer: Answer, n: int, good: bool | None, **said: Unpack[Said]) -> Feedback:
    """A vote on paper `n` of an answer, from 1: whether it is right for the question.

    Raises:
        QueryError: the answer has no such paper.
    """
    if not 1 <= n <= len(answer.papers):
        raise QueryError(f"There is no paper {n}: the answer has {len(answer.papers)}.")
    hit = answer.papers[n - 1]
    title = hit.paper.plain_title if hit.row >= 0 else "a file of the reader's own"
    return _vote(answer, "paper", good, title, [hit], **said)


def enabled() -> bool:
    """Whether the host keeps feedback at all."""
    return config.feedback_file() is not None


def keep(feedback: Feedback, path: Path | None = None) -> None:
    """Add one vote to the file that WAYFINDER_FEEDBACK names, or to `path`: the whole line or nothing.

    Raises:
        QueryError: no file is named.
        StorageError: the file is full, locked for long, or cannot be written.
    """
    path = path or config.feedback_file()
    if path is None:
        raise QueryError("Feedback is not kept here: the host names a file in WAYFINDER_FEEDBACK.")
    line = _line(feedback)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock", timeout=LOCK_SECONDS):
            _append(path, line)
    except Timeout as error:
        raise StorageError(
            f"Your feedback was not kept: others write to the file for more than {LOCK_SECONDS:g} s. Try again."
        ) from error
    except OSError as error:
        raise StorageError(
            f"Your feedback was not kept: its file cannot be written ({error.strerror or error}). "
            "Tell whoever hosts this page; answers go on working."
        ) from error


def _vote(
    answer: Answer,
    about: About,
    good: bool | None,
    text: str,
    hits: list[Hit],
    **said: Unpack[Said],
) -> Feedback:
    return Feedback(
        about=about,
        good=good,
        question=answer.question,
        text=text,
        papers=tuple(
            hit.paper.id for hit in hits if hit.row >= 0
        ),  # a reader's own file is private
        mode=answer.mode,
        model=answer.usage.model,
        snapshot=answer.search.snapshot,
        **said,
    )


def _line(feedback: Feedback) -> bytes:
    """One line of JSON, each text within its bounds; halves of surrogate pairs stay escaped."""
    row = asdict(feedback)
    for name in ("question", "text", "comment"):
        row[name] = row[name][:MOST_CHARACTERS]
    row["papers"] = [paper[:200] for paper in row["papers"][:MOST_PAPERS]]
    when = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"feedback": VERSION, "when": when, **row}, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _append(path: Path, line: bytes) -> None:
    """Write the line at the end of the file; what could be written of it only in part is taken away again."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":  # cut off by a crash
            line = b"\n" + line
        if size + len(line) > MOST_BYTES:
            raise StorageError(
                f"Your feedback was not kept: its file holds {MOST_BYTES // 1_000_000} MB, the most that it may. "
                "Tell whoever hosts this page: once the file is moved away a new one is begun."
            )
        try:
            while line:
                line = line[os.write(handle, line) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
