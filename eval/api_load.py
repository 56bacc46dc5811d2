"""Searches a second that the HTTP API answers, and what each costs the processor: `wayfinder eval api`.

The server is `wayfinder api` in processes of its own, asked over loopback. Both share the machine, so that
the asking is counted too. The same questions are searched without the API first, one after the other.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
import numpy as np
import psutil

from eval.serving import cpu_seconds, served
from retrieval import load_index, search

WARM_UP = 20
NO_LIMITS = {
    "WAYFINDER_API_CALLS_PER_MINUTE": "0",
    "WAYFINDER_API_ANSWERS_PER_MINUTE": "0",
    "WAYFINDER_API_KEYS": "",
}


@dataclass(frozen=True)
class Load:
    """One way of asking: how many searches came back, how fast, and their processor time."""

    name: str
    n: int
    failed: int
    per_second: float
    median_ms: float
    p95_ms: float
    cpu_ms: float  # of whoever searches, a search
    asking_cpu_ms: float  # of whoever asks, a search


def loads(
    index: Path,
    questions: Sequence[str],
    *,
    workers: Sequence[int],
    connections: int,
    seconds: float,
) -> Iterator[Load]:
    """Measure searching alone, then the API with each number of processes.

    Raises:
        RemoteError: the server does not start.
    """
    yield _direct(index, questions, seconds)
    for number in workers:
        arguments = ["api", "--index", str(index), "--workers", str(number)]
        with served(arguments, "/v1/health", NO_LIMITS) as (url, process):
            yield asyncio.run(_asked(url, process, questions, number, connections, seconds))


def table(found: Sequence[Load]) -> str:
    """The measurements for people."""
    head = f"{'':<34}{'a second':>10}{'median':>10}{'95th':>10}{'processor':>12}{'asking':>10}{'failed':>8}"
    return "\n".join([
        head,
        *(
            f"{row.name:<34}{row.per_second:>10.1f}{row.median_ms:>7.0f} ms{row.p95_ms:>7.0f} ms"
            f"{row.cpu_ms:>9.1f} ms{row.asking_cpu_ms:>7.1f} ms{row.failed:>8}"
            for row in found
        ),
    ])  # fmt: skip


def _direct(index: Path, questions: Sequence[str], seconds: float) -> Load:
    opened = load_index(index)
    for question in questions[:WARM_UP]:
        search(opened, question)
    took: list[float] = []
    cpu, began = time.process_time(), time.perf_counter()
    for question in itertools.cycle(questions):
        at = time.perf_counter()
        if at - began > seconds:
            break
        search(opened, question)
        took.append(time.perf_counter() - at)
    return _load("search alone, one at a time", took, 0, began, time.process_time() - cpu, 0.0)


async def _asked(
    url: str,
    process: psutil.Process,
    questions: Sequence[str],
    workers: int,
    connections: int,
    seconds: float,
) -> Load:
    took: list[float] = []
    failed = 0
    waiting = iter(itertools.cycle(questions))

    async def asking(until: float) -> None:
        nonlocal failed
        async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
            while (at := time.perf_counter()) < until:
                reply = await client.post("/v1/search", json={"query": next(waiting)})
                took.append(time.perf_counter() - at)
                failed += reply.status_code != 200

    async def all_asking(for_seconds: float) -> None:
        until = time.perf_counter() + for_seconds
        await asyncio.gather(*(asking(until) for _ in range(connections)))

    await all_asking(min(5.0, seconds))  # every process loads its words
    took.clear()
    failed = 0
    own, cpu, began = time.process_time(), cpu_seconds([process]), time.perf_counter()
    await all_asking(seconds)
    name = f"API, {workers} process{'es' if workers > 1 else ''}, {connections} connections"
    used = cpu_seconds([process]) - cpu
    return _load(name, took, failed, began, used, time.process_time() - own)


def _load(
    name: str, took: Sequence[float], failed: int, began: float, cpu: float, asking: float
) -> Load:
    n, ms = len(took), np.array(took) * 1000
    return Load(
        name,
        n,
        failed,
        n / (time.perf_counter() - began),
        float(np.median(ms)),
        float(np.percentile(ms, 95)),
        1000 * cpu / n,
        1000 * asking / n,
    )
