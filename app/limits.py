"""How often one client may ask, and how many requests are worked on at once.

Often: a bucket for each client, filled a little every second. At once: a lane; the others wait for their turn.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio
import anyio.to_thread

from indexer import config
from indexer.errors import UserError

T = TypeVar("T")

CLIENT = (
    "wayfinder.client"  # in an HTTP request's scope: who asks, by key or address; never the key
)
NOBODY = "local"  # the one client of a process that has no others
MOST_CLIENTS = 10_000  # remembered; the one not heard of for longest is forgotten
MOST_WAITING = 200  # requests of a lane; more are told to come back
BUSY_SECONDS = 5
LOOK_SECONDS = 0.5  # between two looks whether it is one's turn
HOUR = 3600.0


class TooOften(UserError):
    """A client asked more often than it may; `seconds` until it may again."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Limit:
    """At most `most` calls of each client in a minute, or in `seconds`, which may come at once; None: no limit.

    Thread-safe.
    """

    def __init__(
        self,
        most: int | None,
        what: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        seconds: float = 60.0,
    ) -> None:
        self.most = most
        self.what = what  # is counted, in words: "calls"
        self.seconds = seconds
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # calls left, and when
        self._lock = threading.Lock()

    def take(self, client: str) -> None:
        """Count one call of this client.

        Raises:
            TooOften: it has none left.
        """
        if self.most is None:
            return
        a_second = self.most / self.seconds
        with self._lock:
            now = self._clock()
            left, at = self._left.pop(client, (float(self.most), now))
            left = min(float(self.most), left + (now - at) * a_second)
            self._left[client] = (left - 1 if left >= 1 else left, now)
            if len(self._left) > MOST_CLIENTS:
                self._left.popitem(last=False)
        if left < 1:
            wait = (1 - left) / a_second
            every = "an hour" if self.seconds == HOUR else "a minute"
            when = f"in {wait / 60:.0f} minutes" if wait > 90 else "in a moment"
            raise TooOften(
                f"{self.most} {self.what} {every} are allowed, and they are used up: come back {when}.",
                wait,
            )

    def forget(self, client: str) -> None:
        """Let a client go that will not come back."""
        with self._lock:
            self._left.pop(client, None)


class TooBusy(UserError):
    """Too many requests wait already; `seconds` until it is worth to come back."""

    seconds = float(BUSY_SECONDS)


class Lane:
    """How many threads work at the same time; the others wait, first come first served.

    Only the one whose turn comes is woken: fifty that look each time that one has ended cost more than their answers.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self._working = 0
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    @property
    def n_waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def n_working(self) -> int:
        """How many work."""
        return self._working

    @contextmanager
    def turn(self, on_wait: Callable[[int], None] = lambda ahead: None) -> Iterator[None]:
        """Work within the block; until then `on_wait` hears again and again how many are before this one.

        Whatever `on_wait` raises ends the waiting.

        Raises:
            TooBusy: too many wait.
        """
        mine = threading.Event()
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                raise _too_busy()
            self._waiting.append(mine)
            self._let_in()
        try:
            while not mine.wait(LOOK_SECONDS):
                on_wait(self._ahead_of(mine))
        except BaseException:
            self._leave(mine)
            raise
        try:
            yield
        finally:
            self._leave(mine)

    def _ahead_of(self, mine: threading.Event) -> int:
        with self._lock:
            return 0 if mine.is_set() else self._waiting.index(mine)

    def _leave(self, mine: threading.Event) -> None:
        with self._lock:
            if mine.is_set():
                self._working -= 1
            else:
                self._waiting.remove(mine)
            self._let_in()

    def _let_in(self) -> None:
        """Give their turn to as many as may work; under the lock."""
        while self._waiting and self._working < self.at_once:
            self._waiting.popleft().set()
            self._working += 1


def searches_at_once() -> int:
    """As many as there are processors: a search needs one and waits for nothing."""
    return max(2, os.cpu_count() or 1)


class Lanes:
    """How many searches and answers are worked on at once, for an asynchronous server."""

    def __init__(self) -> None:
        self.searches = anyio.CapacityLimiter(searches_at_once())
        # these wait for a model, mostly
        self.answers = anyio.CapacityLimiter(config.questions_at_once())

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
        raise _too_busy()
    return await anyio.to_thread.run_sync(work, *given, limiter=lane)


def _too_busy() -> TooBusy:
    return TooBusy(f"{MOST_WAITING} requests are waiting already: come back in a moment.")
