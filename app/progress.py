"""Progress of long work on stderr: a bar on a terminal, plain lines in a log, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from indexer.build import Progress as Report
from retrieval.writing import AnswerEvent, OnEvent

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def reporting(*, quiet: bool = False) -> Iterator[Report]:
    """Give a callable `(stage, done, total)` that shows progress until the block ends."""
    if quiet:
        yield lambda stage, done, total: None
    elif sys.stderr.isatty():
        with _bars() as bars:
            yield _BarReport(bars)
    else:
        yield _LineReport()


@contextmanager
def writing(*, quiet: bool = False) -> Iterator[OnEvent]:
    """Give an `on_event` that shows, on a terminal, the words being written until they are checked."""
    if quiet or not sys.stderr.isatty():
        yield lambda event: None
        return
    with Live(console=Console(stderr=True), transient=True, refresh_per_second=10) as live:
        yield lambda event: live.update(_unchecked(event))


def _unchecked(event: AnswerEvent) -> Text:
    """The words without what would steer a terminal, dimmed."""
    words = "".join(c for c in event.words if c.isprintable())
    return Text(f"{words} … being checked" if words else f"{event.stage} …", style="dim")


def _bars() -> Progress:
    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


class _Rate:
    """Items a second since a stage began, and the time that the rest of it will take."""

    def __init__(self) -> None:
        self._began: dict[str, tuple[float, int]] = {}

    def words(self, stage: str, done: int) -> str:
        rate = self._rate(stage, done)
        return f"{rate:,.0f}/s" if rate else ""

    def left(self, stage: str, done: int, total: int | None) -> str:
        rate = self._rate(stage, done)
        if not rate or not total or done >= total:
            return ""
        return f"{_duration((total - done) / rate)} left"

    def _rate(self, stage: str, done: int) -> float:
        began, first = self._began.setdefault(stage, (time.monotonic(), done))
        elapsed = time.monotonic() - began
        return (done - first) / elapsed if elapsed > 1 else 0.0


class _BarReport:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._rate = _Rate()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, rate="")
        self._bars.update(
            self._tasks[stage], completed=done, total=total, rate=self._rate.words(stage, done)
        )


class _LineReport:
    def __init__(self) -> None:
        self._printed: dict[str, float] = {}
        self._rate = _Rate()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        rate = ", ".join(
            filter(None, (self._rate.words(stage, done), self._rate.left(stage, done, total)))
        )
        if (
            now - self._printed.get(stage, -SECONDS_BETWEEN_LINES) < SECONDS_BETWEEN_LINES
            and done != total
        ):
            return
        self._printed[stage] = now
        of = f"{done:,} of {total:,}" if total else f"{done:,}" if done else ""
        sys.stderr.write(
            " ".join(part for part in (f"{stage}:", of, rate and f"({rate})") if part).rstrip(":")
            + "\n"
        )


def _duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
