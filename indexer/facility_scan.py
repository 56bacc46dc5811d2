"""Detection over many papers, on all cores: a stream of papers in, their detections out, in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
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


Batch = tuple[list[Paper], "Future[list[Detection]] | None"]


def _in_processes(papers: Iterator[Paper], n_workers: int) -> Iterator[tuple[Paper, Detection]]:
    waiting: deque[Batch] = deque()
    with ProcessPoolExecutor(n_workers, mp_context=get_context("spawn")) as pool:
        while batch := list(islice(papers, PAPERS_A_TASK)):
            waiting.append((batch, _submitted(pool, batch)))
            if len(waiting) > 3 * n_workers:
                yield from _next(waiting)
        while waiting:
            yield from _next(waiting)


def _submitted(pool: ProcessPoolExecutor, batch: list[Paper]) -> Future[list[Detection]] | None:
    try:
        return pool.submit(_detected, batch)
    except BrokenProcessPool:
        return None


def _next(waiting: deque[Batch]) -> Iterator[tuple[Paper, Detection]]:
    """The oldest batch; done here where processes die: of memory, or in a script that is not guarded by __main__."""
    batch, found = waiting.popleft()
    try:
        detections = _detected(batch) if found is None else found.result()
    except BrokenProcessPool:
        detections = _detected(batch)
    yield from zip(batch, detections, strict=True)


def _detected(papers: Sequence[Paper]) -> list[Detection]:
    return [detect(paper) for paper in papers]
