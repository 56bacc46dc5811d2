"""Seconds by stage, as a result reports them."""

from __future__ import annotations

import time


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
