"""Progress in a log: stage, rate and time left. Run: pytest tests/app/test_progress.py"""

from __future__ import annotations

import pytest

from app import progress
from app.progress import _duration, reporting


def test_lines_of_a_log_say_stage_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with reporting() as report:
        for done in (0, 50, 100, 150, 3000):
            report("encoding", done, 3000)
            now[0] += 6.0
        report("writing", 0, None)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "encoding: 0 of 3,000",
        "encoding: 100 of 3,000 (8/s, 6 min left)",
        "encoding: 3,000 of 3,000 (125/s)",
        "writing",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"), [(44.6, "45 s"), (725, "12 min"), (12_000, "3 h 20 min")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert _duration(seconds) == words
