"""Milliseconds of a search by what is switched on, the settings in turn for each question.

wayfinder eval latency --questions eval/data/questions_single_dev.jsonl --index my-index
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer import config
from indexer.store import Index
from retrieval import ask, search
from retrieval.records import SearchSettings

WARM_UP = 5

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one setting over all questions."""

    name: str
    median: float
    p95: float
    n: int


def latencies(index: Index, questions: Sequence[str], progress: Progress) -> list[Latency]:
    """Measure each setting on each question, encoding included; the first ones warm up."""
    default = SearchSettings()
    calls: dict[str, Callable[[str], object]] = {
        name: (lambda q, s=settings: search(index, q, s))  # type: ignore[misc]
        for name, settings in {
            "search": default,
            "search, words only": replace(default, mode="lexical"),
            "search, meaning only": replace(default, mode="dense"),
            "search, weights on": replace(default, recency=0.3, impact=0.3),
            "search, diversity and reviews first": replace(
                default, diversity=0.3, reviews_first=True
            ),
        }.items()
    }
    if config.reranker_config().name != "none":
        calls["search, not reranked"] = lambda q: search(index, q, SearchSettings(rerank=False))
    calls["quoted answer"] = lambda q: ask(index, q, default, offline=True)
    milliseconds: dict[str, list[float]] = {name: [] for name in calls}
    for question in questions[:WARM_UP]:
        for call in calls.values():
            call(question)
    for done, question in enumerate(questions):
        progress("searching", done, len(questions))
        for name, call in calls.items():
            began = time.perf_counter()
            call(question)
            milliseconds[name].append((time.perf_counter() - began) * 1000)
    return [
        Latency(name, float(np.median(ms)), float(np.percentile(ms, 95)), len(ms))
        for name, ms in milliseconds.items()
    ]


def table(found: Sequence[Latency]) -> str:
    """The latencies for people."""
    head = f"{'':<40}{'median':>12}{'95th percentile':>20}"
    return "\n".join(
        [head, *(f"{row.name:<40}{row.median:>9.1f} ms{row.p95:>17.1f} ms" for row in found)]
    )
