"""How long traces of research are kept. Run: pytest tests/app/test_research_files.py"""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

import pytest

from app.research_files import MOST_DAYS, MOST_TRACES, new_trace, visit_folder

DAY = 86_400.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("indexer.config.cache_dir", lambda: tmp_path)
    (tmp_path / "research").mkdir()
    return tmp_path / "research"


def aged(path: Path, days: float) -> Path:
    path.touch()
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def test_a_new_trace_makes_room(folder: Path) -> None:
    for n in range(MOST_TRACES + 5):
        aged(folder / f"{n}.jsonl", 2 + n / 100)
    old = aged(folder / "old.jsonl", MOST_DAYS + 1)
    other = aged(folder / "mine.txt", MOST_DAYS + 1)
    new = new_trace("Do jets stop star formation?")
    assert new.name.endswith("-do-jets-stop-star-formation.jsonl")
    assert not new.exists()
    kept = {path.stem for path in folder.glob("*.jsonl")}
    assert kept == {str(n) for n in range(MOST_TRACES - 1)}, "the newest, with room for one more"
    assert not old.exists()
    assert other.exists()


def test_traces_of_today_are_kept_however_many(folder: Path) -> None:
    for n in range(MOST_TRACES + 5):
        aged(folder / f"{n}.jsonl", 0.1)
    new_trace("?")
    assert len(list(folder.glob("*.jsonl"))) == MOST_TRACES + 5, "one of them may be being written"


def test_a_visits_folder_goes_with_the_visit(folder: Path) -> None:
    visit = visit_folder()
    path = visit.path
    (path / "trace.jsonl").touch()
    assert path.parent == folder
    other = visit_folder()
    assert path.exists(), "another visitor's run leaves it alone"
    other.delete()
    assert not other.path.exists()
    del visit
    gc.collect()
    assert not path.exists()


def test_what_a_killed_server_left_goes_a_day_later(folder: Path) -> None:
    left, written = folder / "visit-left", folder / "visit-written"
    for path in (left, written):
        path.mkdir()
    aged(left / "trace.jsonl", 1.5)
    aged(left, 1.5)
    aged(written / "trace.jsonl", 0.1)
    aged(written, 1.5)
    visit_folder()
    assert not left.exists()
    assert written.exists()
