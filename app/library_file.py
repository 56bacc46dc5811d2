"""A person's library kept by the host, where WAYFINDER_LIBRARY names a folder: one file each, until they delete it.

Several visits of one person may be open. What each added or took away since it last looked is brought together under a lock,
so that none undoes what another did. A file that cannot be read is left as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from indexer import config
from indexer.errors import QueryError, StorageError
from indexer.records import Paper
from indexer.sources import paper_from_mapping
from indexer.whole_file import write_whole

Entries = dict[str, Paper | None]  # by identifier; None: the index knows the paper

VERSION = 1
MOST_BYTES = 10_000_000  # of one person's file
MOST_PAPERS = 20_000  # of one library
LOCK_SECONDS = 5.0
_LOCK = ".lock"  # one for the folder, so that nothing of a deleted library stays


def folder_made_ready() -> Path | None:
    """The folder that WAYFINDER_LIBRARY names, made where it is not there; None: libraries are not kept.

    Raises:
        QueryError: it cannot be made or written to.
    """
    folder = config.library_folder()
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise QueryError(
            f"WAYFINDER_LIBRARY is {folder}, which cannot be written to ({error.strerror or error}): name a folder that can."
        ) from error
    return folder


def path_for(person: str) -> Path | None:
    """The file of who logged in by this name, a header's text; None where libraries are not kept, or there is no name."""
    folder = config.library_folder()
    if folder is None or not person:
        return None
    sent = person.encode("latin-1", "backslashreplace")  # the bytes that the proxy sent
    return folder / f"{hashlib.sha256(sent).hexdigest()}.json"


@dataclass
class LibraryFile:
    """A person's file, and what one visit knows of it."""

    path: Path
    problem: str = ""  # why it is not kept now, in words; empty where it is
    _known: frozenset[str] = frozenset()  # identifiers that were in the file when it was last seen
    _mark: tuple[int, ...] = ()  # of the file as it was then

    def meet(self, entries: Entries) -> None:
        """Bring file and visit together: both then hold what either added and lack what either took away.

        Where that fails `problem` says why, and both are as they were.
        """
        if not self.problem and self._known == entries.keys() and self._mark == self._seen():
            return
        self._locked(self._merge, entries)

    def delete(self, entries: Entries) -> None:
        """Delete the file, whatever is in it, and empty the visit's library; where that fails `problem` says why."""
        self._locked(self._delete, entries)

    def _locked(self, work: Callable[[Entries], None], entries: Entries) -> None:
        try:
            if not self.path.parent.is_dir():  # the lock would make it, and all would seem deleted
                raise StorageError(_told("its folder is not there"))
            self.problem = ""
            with FileLock(self.path.parent / _LOCK, timeout=LOCK_SECONDS):
                work(entries)
        except Timeout:
            self.problem = _told(f"others write there for more than {LOCK_SECONDS:g} s")
        except StorageError as error:
            self.problem = str(error)
        except OSError as error:
            self.problem = _told(error.strerror or str(error))

    def _delete(self, entries: Entries) -> None:
        self.path.unlink(missing_ok=True)
        entries.clear()
        self._known, self._mark = frozenset(), ()

    def _merge(self, entries: Entries) -> None:
        stored = _read(self.path)
        gone = self._known - entries.keys()
        merged = {name: paper for name, paper in stored.items() if name not in gone}
        added = {n: p for n, p in entries.items() if n not in self._known and n not in merged}
        room = max(0, MOST_PAPERS - len(merged))
        beyond = dict(list(added.items())[room:])
        merged |= dict(list(added.items())[:room])
        if merged != stored:
            _write(self.path, merged)
        entries.clear()
        entries.update(merged | beyond)
        self._known, self._mark = frozenset(merged), self._seen()
        if beyond:
            self.problem = _told(
                f"{len(beyond):,} paper{'' if len(beyond) == 1 else 's'} found no room: it holds at most {MOST_PAPERS:,}"
            )

    def _seen(self) -> tuple[int, ...]:
        try:
            stat = self.path.stat()
        except OSError:
            return ()
        return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _read(path: Path) -> Entries:
    """What a file holds, a paper without a title too; nothing where there is none.

    Raises:
        StorageError: it is no library.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return {}
    if len(content) > MOST_BYTES:
        raise StorageError(_told(f"its file has more than {MOST_BYTES // 1_000_000} MB"))
    try:
        row = json.loads(content)
        if row["library"] != VERSION:
            raise ValueError(row["library"])
        papers: dict[str, Any] = row["papers"]
        return {
            name: None if facts is None else paper_from_mapping({**facts, "enriches": True})
            for name, facts in papers.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError(
            _told("its file is damaged or of another Wayfinder; it was left as it is")
        ) from error


def _write(path: Path, entries: Entries) -> None:
    """Write the file whole; an empty library has none.

    Raises:
        StorageError: it would be too large.
        OSError: it cannot be written.
    """
    if not entries:
        path.unlink(missing_ok=True)
        return
    papers = {name: None if paper is None else _facts(paper) for name, paper in entries.items()}
    text = json.dumps({"library": VERSION, "papers": papers}, ensure_ascii=False)
    content = text.encode("utf-8", "backslashreplace")
    if len(content) > MOST_BYTES:
        raise StorageError(_told(f"it would take more than {MOST_BYTES // 1_000_000} MB: take some papers out"))  # fmt: skip
    write_whole(path, content, mode=0o600)


def _facts(paper: Paper) -> dict[str, Any]:
    return {name: value for name, value in asdict(paper).items() if value not in (None, "", ())}


def _told(why: str) -> str:
    return (
        f"Your library is not kept on this host now: {why}. Nothing of it was lost; what you add stays for this visit. "
        "Tell whoever hosts this page if it goes on."
    )
