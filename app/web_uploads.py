"""How much of uploads is in memory at once: of one visitor, and of all."""

from __future__ import annotations

from collections.abc import Callable

MOST_OF_VISITOR = 640_000_000  # bytes: as many files as the page takes, each as large as may be
MOST_OF_ALL = 1_000_000_000

Place = tuple[str, str]  # a session of Streamlit and the file's name there


class Uploads:
    """What is counted until `holds` says that it is gone: taken away, or its page closed.

    All calls are of one event loop.
    """

    def __init__(self, holds: Callable[[str, str], bool]) -> None:
        self._holds = holds
        self._bytes: dict[str, dict[Place, int]] = {}  # by visitor
        self._coming: dict[tuple[str, Place], int] = {}  # on their way, and how often at once

    def begin(self, who: str, place: Place, n_bytes: int) -> str:
        """Count an upload that begins; why it may not, in words, else nothing."""
        self._forget()
        of_visitor = self._bytes.get(who, {})
        kept = max(0, n_bytes - of_visitor.get(place, 0))
        if sum(of_visitor.values()) + kept > MOST_OF_VISITOR:
            return f"You have added as much as one visitor may, {MOST_OF_VISITOR // 10**6} MB: take files away, or close other pages of Wayfinder."
        if sum(sum(held.values()) for held in self._bytes.values()) + kept > MOST_OF_ALL:
            return "Too many files of all visitors are here now: come back in a while."
        self._bytes.setdefault(who, {})[place] = max(n_bytes, of_visitor.get(place, 0))
        self._coming[who, place] = self._coming.get((who, place), 0) + 1
        return ""

    def end(self, who: str, place: Place) -> None:
        """An upload came, or broke off: from now on it counts while it is held."""
        left = self._coming.pop((who, place)) - 1
        if left:
            self._coming[who, place] = left

    def _forget(self) -> None:
        for who, held in list(self._bytes.items()):
            for place in list(held):
                if (who, place) not in self._coming and not self._holds(*place):
                    del held[place]
            if not held:
                del self._bytes[who]
