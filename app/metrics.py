"""What is counted, for Prometheus: no question, no name, no address."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, Info, generate_latest

from indexer import config

PATH = "/metrics"
_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 300)
_OF = ("door", "what")

questions = Counter(
    "wayfinder_questions",
    "Questions by what came of them.",
    (*_OF, "outcome"),
)
seconds = Histogram(
    "wayfinder_question_seconds", "Time of a question, waiting left out.", _OF, buckets=_SECONDS
)
stage_seconds = Histogram(
    "wayfinder_stage_seconds", "Time of its stages.", (*_OF, "stage"), buckets=_SECONDS
)
waited = Histogram(
    "wayfinder_waited_seconds", "Time that a question waited for its turn.", _OF, buckets=_SECONDS
)
degraded = Counter(
    "wayfinder_questions_degraded", "Questions of which something was not done.", _OF
)
tokens = Counter(
    "wayfinder_model_tokens", "Tokens of the language model, as it counted them.", (*_OF, "kind")
)
dollars = Counter("wayfinder_model_dollars", "What it cost, where prices are set.", _OF)
working = Gauge("wayfinder_working", "Questions worked on now.", ("lane",))
waiting = Gauge("wayfinder_waiting", "Questions that wait for their turn.", ("lane",))
connections = Gauge("wayfinder_connections", "Pages that are open, by their WebSocket.")
refused = Counter("wayfinder_refused", "Requests that were refused or held back, by why.", ("why",))
logins = Counter("wayfinder_logins", "Tries to log in.", ("outcome",))
papers = Gauge("wayfinder_papers", "Papers of the snapshot in use.")
snapshot = Info("wayfinder_snapshot", "The snapshot in use.")


@dataclass(frozen=True)
class Page:
    """What is answered to who asks for the metrics."""

    status: int
    body: bytes
    media_type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


def metrics_page(headers: Mapping[str, str], refresh: Callable[[], None] = lambda: None) -> Page:
    """The metrics for who has the key of them; nothing is there where no key is set.

    `refresh` is called first: gauges that are looked up rather than counted are set by it.
    """
    key = config.metrics_key()
    if not key:
        return Page(404, b"Not found: WAYFINDER_METRICS_KEY is not set.\n")
    if key != config.PUBLIC and not _knows(headers.get("authorization", ""), key):
        asked = {"WWW-Authenticate": "Bearer"}
        return Page(401, b"Send the key of the metrics as `Authorization: Bearer KEY`.\n", headers=asked)  # fmt: skip
    refresh()
    return Page(200, generate_latest(), CONTENT_TYPE_LATEST)


def _knows(authorization: str, key: str) -> bool:
    scheme, _, given = authorization.partition(" ")
    known = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), key.encode())
    return known and scheme.lower() == "bearer"


class Watch:
    """Measures how long something took."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.perf_counter() - self._began
