"""Where traces of research lie on the host, and for how long: the command line's in the cache, a visitor's for the visit.

A trace holds the question and what the run found; none is kept longer than is said here.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import time
import weakref
from datetime import datetime
from pathlib import Path

from indexer import config
from indexer.errors import StorageError

MOST_TRACES = 100  # of the command line: older ones are deleted when a new one begins
MOST_DAYS = 90
DAYS_OF_A_VISIT = 1  # of what a process that was killed left behind
_OF_A_VISIT = "visit-"
_DAY = 86_400.0


def new_trace(question: str) -> Path:
    """A new file of the command line in the cache, named by the time and the question; old ones make room."""
    words = re.sub(r"[^a-z0-9]+", "-", question.lower()).strip("-")[:40]
    name = f"{datetime.now():%Y%m%d-%H%M%S-%f}-{words or 'run'}.jsonl"
    folder = _folder()
    traces = sorted(folder.glob("*.jsonl"), key=_changed, reverse=True)
    for n, path in enumerate(traces, 1):
        days = _days(path)
        if days > MOST_DAYS or (n >= MOST_TRACES and days > DAYS_OF_A_VISIT):
            with contextlib.suppress(OSError):
                path.unlink()
    return folder / name


class VisitFolder:
    """A folder that is deleted by `delete`, with the last reference to it, or when the process ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.delete = weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)


def visit_folder() -> VisitFolder:
    """A new folder for one visitor's run, its name not to be guessed; what older ones left behind is deleted.

    Raises:
        StorageError: it cannot be made.
    """
    folder = _folder()
    for path in folder.glob(f"{_OF_A_VISIT}*"):
        if min(_days(one) for one in (path, *path.glob("*"))) > DAYS_OF_A_VISIT:
            shutil.rmtree(path, ignore_errors=True)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return VisitFolder(Path(tempfile.mkdtemp(prefix=_OF_A_VISIT, dir=folder)))
    except OSError as error:
        raise StorageError(f"The trace cannot be kept under {folder}: {error}") from error


def _folder() -> Path:
    return config.cache_dir() / "research"


def _changed(path: Path) -> float:
    """When a file was last changed; now, where it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()


def _days(path: Path) -> float:
    return (time.time() - _changed(path)) / _DAY
