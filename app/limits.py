"""How often one client may ask, and how many requests are worked on at once.

Often: a bucket for each client, filled a little every second. At once: a lane of threads; the others wait.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from indexer.errors import UserError

T = TypeVar("T")

CLIENT = (
    "wayfinder.client"  # in an HTTP request's scope: who asks, by key or address; never the key
)
NOBODY = "local"  # the one client of a process that has no others
MOST_CLIENTS = 10_000  # remembered; the one not heard of for longest is forgotten
MOST_WAITING = 200  # requests of a lane; more are told to come back
BUSY_SECONDS = 5
ANSWERS_AT_ONCE = 8


class TooOften(UserError):
    """A client asked more often than it may; `seconds` until it may again."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Limit:
    """At most `per_minute` calls of each client, which may come at once; None: no limit. Thread-safe."""

    def __init__(
        self, per_minute: int | None, what: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.per_minute = per_minute
        self.what = what  # is counted, in words: "calls"
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # calls left, and when
        self._lock = threading.Lock()

    def take(self, client: str) -> None:
        """Count one call of this client.

        Raises:
            TooOften: it has none left.
        """
        if self.per_minute is None:
            return
        a_second = self.per_minute / 60
        with self._lock:
            now = self._clock()
            left, at = self._left.pop(client, (float(self.per_minute), now))
            left = min(float(self.per_minute), left + (now - at) * a_second)
            self._left[client] = (left - 1 if left >= 1 else left, now)
            if len(self._left) > MOST_CLIENTS:
                self._left.popitem(last=False)
        if left < 1:
            raise TooOften(
                f"{self.per_minute} {self.what} a minute are allowed, and they are used up: wait a moment.",
                (1 - left) / a_second,
            )


class TooBusy(UserError):
    """Too many requests wait already; `seconds` until it is worth to come back."""

    seconds = float(BUSY_SECONDS)


class Lanes:
    """How many searches and answers are worked on at once, in threads of this process."""

    def __init__(self) -> None:
        self.searches = anyio.CapacityLimiter(max(2, os.cpu_count() or 1))
        self.answers = anyio.CapacityLimiter(ANSWERS_AT_ONCE)  # these wait for a model, mostly

    async def search(self, work: Callable[..., T], *given: object) -> T:
        """Do what needs the processor alone.

        Raises:
            TooBusy: too many wait.
        """
        return await _in_lane(self.searches, work, *given)

    async def answer(self, work: Callable[..., T], *given: object) -> T:
        """Do what may wait for a language model.

        Raises:
            TooBusy: too many wait.
        """
        return await _in_lane(self.answers, work, *given)


async def _in_lane(lane: anyio.CapacityLimiter, work: Callable[..., T], *given: object) -> T:
    if lane.statistics().tasks_waiting >= MOST_WAITING:
        raise TooBusy(f"{MOST_WAITING} requests are waiting already: come back in a moment.")
    return await anyio.to_thread.run_sync(work, *given, limiter=lane)
