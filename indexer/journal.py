"""Journals of harvests over the network: the pages that came, so that a killed harvest goes on.

    CACHE/harvests/<hash of the source>/pages.jsonl   the records, one JSON object a line
    CACHE/harvests/<hash of the source>/state.json    source, date begun, cursor, bytes and records that are whole

A page is appended, then the state replaced: what the state does not count is cut off at the next
opening. The journal goes when the snapshot that holds its records is in place.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from indexer import config
from indexer.errors import StorageError, UserError


@dataclass
class State:
    """How far a harvest has come."""

    source: str
    begun: str  # ISO date: the harvest's as-of date, however often it is resumed
    cursor: str = ""  # what the source needs for the next page; empty at the start
    n_bytes: int = 0
    n_records: int = 0
    found: int | None = None  # records that the source promises
    complete: bool = False


class Journal:
    """The records of one harvest on disk."""

    def __init__(self, folder: Path, state: State) -> None:
        self.folder = folder
        self.state = state

    @property
    def begun(self) -> date:
        """The day the harvest began."""
        return date.fromisoformat(self.state.begun)

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the records that are already here."""
        left = self.state.n_bytes
        if left:
            with (self.folder / "pages.jsonl").open("rb") as stream:
                while left > 0:
                    line = stream.readline()
                    left -= len(line)
                    yield json.loads(line)

    def add(
        self, records: Iterable[Mapping[str, Any]], *, cursor: str, found: int | None = None
    ) -> None:
        """Keep a page and the cursor of the next one.

        Raises:
            StorageError: the cache has no room or cannot be written.
        """
        lines = [json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records]
        self._write(b"".join(lines), cursor=cursor, found=found, n_records=len(lines))

    def restart(self) -> None:
        """Ask for all pages anew next time; the records that came stay."""
        self._write(b"", cursor="", found=self.state.found)

    def finish(self) -> None:
        """Note that everything has come."""
        self.state.complete = True
        self._write(b"", cursor=self.state.cursor, found=self.state.found)

    def _write(self, content: bytes, *, cursor: str, found: int | None, n_records: int = 0) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            pages = self.folder / "pages.jsonl"
            pages.touch()
            os.truncate(pages, self.state.n_bytes)
            with pages.open("ab") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            self.state.cursor, self.state.found = cursor, found
            self.state.n_bytes += len(content)
            self.state.n_records += n_records
            new = self.folder / "state.json.new"
            new.write_text(json.dumps(asdict(self.state)), encoding="utf-8")
            new.replace(self.folder / "state.json")
        except OSError as error:
            raise StorageError(
                f"The harvest's journal {self.folder} cannot be written ({error.strerror or error}): free some "
                "space, or set WAYFINDER_CACHE to a directory with room. What came before is kept."
            ) from error


class Journals:
    """The journals that a build opens; `clear` when what they hold is in a snapshot, `close` at its end."""

    def __init__(self) -> None:
        self._opened: list[Journal] = []
        self._locks: list[FileLock] = []

    def open(self, source: str) -> Journal:
        """Return the journal of `source`: the one that a killed harvest left, or an empty one.

        Raises:
            UserError: another build harvests the same source now.
            StorageError: the cache cannot be written.
        """
        name = hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()[:24]
        folder = config.cache_dir() / "harvests" / name
        journal = next((j for j in self._opened if j.folder == folder), None)
        if journal is not None:
            return journal
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder.with_suffix(".lock"))
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"Another build harvests {source} now: wait for it, its records are asked for once."
            ) from None
        except OSError as error:
            raise StorageError(
                f"The harvest's journal {folder} cannot be written: {error}."
            ) from error
        self._locks.append(lock)
        journal = Journal(folder, _state(folder, source))
        self._opened.append(journal)
        return journal

    def clear(self) -> None:
        """Remove the journals that are complete."""
        for journal in self._opened:
            if journal.state.complete:
                shutil.rmtree(journal.folder, ignore_errors=True)

    def close(self) -> None:
        """Let other builds harvest the same sources."""
        for lock in self._locks:
            lock.release()
        self._locks.clear()
        self._opened.clear()


def _state(folder: Path, source: str) -> State:
    fresh = State(source=source, begun=date.today().isoformat())
    try:
        state = State(**json.loads((folder / "state.json").read_text(encoding="utf-8")))
        n_bytes = (folder / "pages.jsonl").stat().st_size if state.n_bytes else 0
        if state.source != source or n_bytes < state.n_bytes:
            return fresh
        if state.complete and state.begun != fresh.begun:  # of another day: what it holds has aged
            return fresh
        if n_bytes:
            os.truncate(folder / "pages.jsonl", state.n_bytes)
    except (OSError, ValueError, TypeError):
        return fresh
    return state
