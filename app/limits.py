"""How often one client may ask: a bucket for each, filled a little every second."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from indexer.errors import UserError

MOST_CLIENTS = 10_000  # remembered; the one not heard of for longest is forgotten


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
