"""The index that a long-running process serves: opened anew when another snapshot has taken its place."""

from __future__ import annotations

import logging
import threading
import time
from functools import cache
from pathlib import Path

from indexer.errors import WayfinderError
from indexer.store import MANIFEST, Index
from retrieval import load_index

RETRY_SECONDS = 30.0  # after a snapshot that could not be opened
_log = logging.getLogger("wayfinder.index")

Mark = tuple[int, int, int]


class ServedIndex:
    """One open index for all threads of a process; the constructor opens it, encoder included.

    Raises:
        WayfinderError: it cannot be opened.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._not_before = 0.0
        self._mark = self._marked()
        self._index = self._opened()

    def current(self) -> Index:
        """Return the newest snapshot. Who asks first opens it; others go on with the one before until then.

        A snapshot that cannot be opened is logged, and the one before stays in use.
        """
        mark = self._marked()
        due = mark is not None and mark != self._mark and time.monotonic() >= self._not_before
        if due and self._lock.acquire(blocking=False):
            try:
                self._replace(mark)
            finally:
                self._lock.release()
        return self._index

    @property
    def behind(self) -> bool:
        """Whether a newer snapshot is there that is not in use: not yet, or because it cannot be opened."""
        mark = self._marked()
        return mark is not None and mark != self._mark

    def _replace(self, mark: Mark | None) -> None:
        try:
            self._index = self._opened()
        except WayfinderError as error:
            self._not_before = time.monotonic() + RETRY_SECONDS
            _log.error("a new snapshot cannot be opened, the one before stays in use: %s", error)
            return
        self._mark = mark
        manifest = self._index.manifest
        _log.info("snapshot %s of %s papers is in use", manifest.snapshot, manifest.n_papers)

    def _opened(self) -> Index:
        index = load_index(self.directory)
        _ = index.encoder  # loaded before anybody waits for it
        return index

    def _marked(self) -> Mark | None:
        """What changes when the manifest does; None while there is none."""
        try:
            found = (self.directory / MANIFEST).stat()
        except OSError:
            return None
        return (found.st_ino, found.st_mtime_ns, found.st_size)


@cache
def served(directory: Path) -> ServedIndex:
    """The one of this process for a directory, opened by who asks first.

    Raises:
        WayfinderError: it cannot be opened.
    """
    return ServedIndex(directory)
