"""Seconds by stage, as a result reports them, and calls that may not take longer than they are given."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Clock:
    """Measures the stages of one call, each from the end of the one before."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        """Note the end of a stage."""
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


def in_time(call: Callable[[], T], seconds: float) -> T:
    """Return what `call` returns, or raise what it raises.

    A call that is too slow goes on in its thread; what it returns is thrown away.

    Raises:
        TimeoutError: it took longer than `seconds`.
    """
    arrivals: queue.Queue[tuple[T | None, Exception | None]] = queue.Queue()

    def run() -> None:
        try:
            arrivals.put((call(), None))
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            arrivals.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        value, error = arrivals.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"took longer than {seconds:g} s") from None
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # None only where T allows it
