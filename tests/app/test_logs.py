"""What the log of a long-running process says of errors. Run: pytest tests/app/test_logs.py"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.logs import outline, start_log
from app.research_job import ResearchJob
from indexer.errors import IndexCorrupt

QUESTION = "Does PRIVATE shine?"
KEY = "sk-aaaabbbbcccc"


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    """The root's handlers and level, which a log that starts changes, as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def broken() -> None:
    group = ExceptionGroup(KEY, [OSError(KEY), RuntimeError(QUESTION)])
    raise ValueError(f"{QUESTION} with {KEY}") from group


def raised() -> ValueError:
    with pytest.raises(ValueError, match="PRIVATE") as caught:
        broken()
    return caught.value


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_error_is_logged_by_type_and_place_unless_questions_are(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WAYFINDER_LOG", form)
    error = raised()
    start_log()
    # As Streamlit and uvicorn say that a page or a request broke.
    logging.getLogger("streamlit.error_util").error("Uncaught app execution", exc_info=error)
    said = capsys.readouterr().err
    told = json.loads(said)["error"] if form == "json" else said
    line = broken.__code__.co_firstlineno
    assert "builtins.ValueError\n" in told and f"{__file__}:{line + 2} in broken" in told
    for kind in ("builtins.ExceptionGroup", "builtins.OSError", "builtins.RuntimeError"):
        assert kind in told
    assert "PRIVATE" not in said and KEY not in said
    monkeypatch.setenv("WAYFINDER_LOG_QUESTIONS", "1")
    logging.getLogger("wayfinder.web").error("Broken", exc_info=error)
    assert QUESTION in capsys.readouterr().err


def test_what_an_error_came_of_is_told_once_unless_it_was_left_out() -> None:
    error = ValueError("a")
    error.__cause__, error.__context__ = RuntimeError("b"), KeyError("c")
    error.__cause__.__cause__ = error
    assert outline(error).splitlines() == ["builtins.ValueError", "builtins.RuntimeError"]
    error.__cause__ = None
    error.__suppress_context__ = False
    assert outline(error).splitlines() == ["builtins.ValueError", "builtins.KeyError"]


@pytest.mark.parametrize("error", [RuntimeError(QUESTION), IndexCorrupt(f"{Path.home()} is altered")])  # fmt: skip
def test_a_research_run_that_breaks_says_neither_words_nor_folders(
    error: Exception, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(cancel: threading.Event, on_record: object) -> None:
        raise error

    job = ResearchJob(Path("trace.jsonl"), (), 1)
    job.start(run)  # type: ignore[arg-type]
    job.wait(10)
    assert not job.running and job.error
    assert str(Path.home()) not in job.error and "PRIVATE" not in job.error
    assert "PRIVATE" not in caplog.text + "".join(capfd.readouterr())
    assert (
        "builtins.RuntimeError" if isinstance(error, RuntimeError) else "is altered"
    ) in caplog.text
