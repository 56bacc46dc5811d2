"""Detection over many papers, on all cores: a stream of papers in, their detections out, in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice
from multiprocessing import get_context

from indexer.facilities import Detection, detect
from indexer.records import Paper

PAPERS_A_TASK = 500
FEWEST_FOR_PROCESSES = 3_000  # below, starting processes costs more than it saves


def detect_all(
    papers: Iterable[Paper], *, workers: int | None = None
) -> Iterator[tuple[Paper, Detection]]:
    """Yield each paper with what it used and mentions, in order; `workers` is by default all cores."""
    stream = iter(papers)
    first = list(islice(stream, FEWEST_FOR_PROCESSES))
    n_workers = workers or os.cpu_count() or 1
    if len(first) < FEWEST_FOR_PROCESSES or n_workers == 1:
        yield from ((paper, detect(paper)) for paper in chain(first, stream))
        return
    yield from _in_processes(chain(first, stream), n_workers)


def _in_processes(papers: Iterator[Paper], n_workers: int) -> Iterator[tuple[Paper, Detection]]:
    waiting: deque[tuple[list[Paper], Future[list[Detection]]]] = deque()
    with ProcessPoolExecutor(n_workers, mp_context=get_context("spawn")) as pool:
        while batch := list(islice(papers, PAPERS_A_TASK)):
            waiting.append((batch, pool.submit(_detected, batch)))
            if len(waiting) > 3 * n_workers:
                yield from _next(waiting)
        while waiting:
            yield from _next(waiting)


def _next(
    waiting: deque[tuple[list[Paper], Future[list[Detection]]]],
) -> Iterator[tuple[Paper, Detection]]:
    batch, found = waiting.popleft()
    yield from zip(batch, found.result(), strict=True)


def _detected(papers: Sequence[Paper]) -> list[Detection]:
    return [detect(paper) for paper in papers]
