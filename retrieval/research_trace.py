"""The trace of a research run: one JSON object a line, on disk before the run goes on.

A run that was killed goes on from its trace: what was searched is searched again, which costs nothing,
and a language model's replies are taken from it, so that none is paid twice.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from indexer.errors import SourceError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

VERSION = 1
_HALF_PAIRS = (
    "backslashreplace"  # half of a surrogate pair becomes the JSON escape that it came from
)


@dataclass(frozen=True)
class Record:
    """One thing that happened. Kinds: run, resumed, plan, look, read, note, call, sentence, note_to_reader, stop, report."""

    seq: int
    at: str  # ISO, UTC
    elapsed: float  # seconds of the run, all its parts together
    kind: str
    data: dict[str, Any]

    @property
    def line(self) -> str:
        """The record as a line of the trace."""
        return json.dumps(asdict(self), ensure_ascii=False)


OnRecord = Callable[[Record], None]


class Trace:
    """A trace being written; the same thing is written once, however often it is replayed.

    `on_record` hears everything, replayed or new, one at a time.
    """

    def __init__(
        self,
        file: TextIO | None = None,
        on_record: OnRecord = lambda record: None,
        earlier: tuple[Record, ...] = (),
    ) -> None:
        self.records = list(earlier)
        self.failure = ""
        self._file = file
        self._on_record = on_record
        self._lock = threading.RLock()
        self._known = {_content(r.kind, r.data) for r in earlier}
        self._began = time.monotonic() - (earlier[-1].elapsed if earlier else 0.0)

    @property
    def elapsed(self) -> float:
        """Seconds of the run so far, its earlier parts too."""
        return time.monotonic() - self._began

    def add(self, kind: str, **data: Any) -> None:
        """Write a record, unless the trace holds the same already, and tell of it.

        A disk that takes no more ends the file, not the run: `failure` says so.
        """
        with self._lock:
            data = json.loads(json.dumps(data))  # as it will be read
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            record = Record(len(self.records) + 1, at, round(self.elapsed, 3), kind, data)
            content = _content(kind, data)
            if content not in self._known:
                self._known.add(content)
                self.records.append(record)
                self._write(record.line)
            self._on_record(record)

    def text(self) -> str:
        """The whole trace as JSON lines."""
        with self._lock:
            return "".join(f"{record.line}\n" for record in self.records)

    def _write(self, line: str) -> None:
        if self._file is None:
            return
        try:
            self._file.write(f"{line}\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file = None
            self.failure = f"The trace ends early, the disk took no more of it: {error}"


def read_trace(path: Path) -> tuple[tuple[Record, ...], int]:
    """Return the records of a trace and how many bytes they take; a torn last line is left out.

    Raises:
        SourceError: it cannot be read, or is no trace that this version writes.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"The trace {path} cannot be read: {error}") from error
    whole = content[: content.rfind(b"\n") + 1]
    try:
        rows = [json.loads(line) for line in whole.decode().splitlines()]
        records = tuple(
            Record(
                int(r["seq"]), str(r["at"]), float(r["elapsed"]), str(r["kind"]), dict(r["data"])
            )
            for r in rows
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise SourceError(
            f"{path} is no trace of `wayfinder research`: a line of it is no record."
        ) from error
    if not records or records[0].kind != "run":
        raise SourceError(
            f"{path} is no trace of `wayfinder research`: it does not say of what run."
        )
    if records[0].data.get("version") != VERSION:
        raise SourceError(
            f"{path} is a trace of version {records[0].data.get('version')!r}; this Wayfinder reads {VERSION}."
        )
    return records, len(whole)


def new_file(path: Path) -> TextIO:
    """Make the file of a new trace; no other run may write it until it is closed.

    Raises:
        SourceError: there is one already, or none can be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _taken(path.open("x", encoding="utf-8", errors=_HALF_PAIRS), path)
    except FileExistsError as error:
        raise SourceError(
            f"{path} exists: go on from it with --resume {path}, or name another file."
        ) from error
    except OSError as error:
        raise SourceError(f"The trace {path} cannot be written: {error}") from error


def opened_again(path: Path) -> tuple[TextIO, tuple[Record, ...]]:
    """Open a trace to go on with it and return its records; a torn last line is cut off.

    Raises:
        SourceError: see `read_trace`; or another run is writing it.
    """
    read_trace(path)
    try:
        file = _taken(path.open("a", encoding="utf-8", errors=_HALF_PAIRS), path)
        records, n_bytes = read_trace(path)
        file.truncate(n_bytes)
    except OSError as error:
        raise SourceError(f"The trace {path} cannot be written: {error}") from error
    return file, records


def _taken(file: TextIO, path: Path) -> TextIO:
    """The file, locked until it is closed or its process ends, where the system knows such locks."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise SourceError(
                f"{path} is being written by a run that goes on: wait for it."
            ) from None
    return file


def _content(kind: str, data: dict[str, Any]) -> str:
    return json.dumps([kind, data], sort_keys=True, ensure_ascii=False)
