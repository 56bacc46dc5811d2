"""Whose turn it is: the questions of one thread one after the other, the earliest first; threads side by side."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

Job = Callable[[], None]
WORKERS = 4
MOST_WAITING = 100


class Turns:
    """A few workers. A question that arrives late but was asked earlier goes before those still waiting in its thread."""

    def __init__(self, workers: int = WORKERS, most_waiting: int = MOST_WAITING) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="wayfinder-slack")
        self._most = most_waiting
        self._waiting: dict[str, list[tuple[float, int, Job]]] = {}
        self._n_waiting = self._count = 0
        self._lock = threading.Lock()

    def submit(self, thread: str, asked: float, job: Job) -> bool:
        """Do `job`, asked at that time (Unix, s), when its thread has its turn; False where too many wait.

        Jobs catch their own errors.
        """
        with self._lock:
            if self._n_waiting >= self._most:
                return False
            begins = thread not in self._waiting
            self._count += 1
            self._n_waiting += 1
            heapq.heappush(self._waiting.setdefault(thread, []), (asked, self._count, job))
        if begins:
            self._pool.submit(self._run, thread)
        return True

    def close(self) -> None:
        """Take nothing more and wait for what was taken."""
        with self._lock:
            self._most = 0
        self._pool.shutdown(wait=True)

    def _run(self, thread: str) -> None:
        while True:
            with self._lock:
                jobs = self._waiting[thread]
                if not jobs:
                    del self._waiting[thread]
                    return
                _, _, job = heapq.heappop(jobs)
                self._n_waiting -= 1
            job()
