"""Visitors of the web app asking at once, or for a long time: `wayfinder eval load`.

Each visitor is a session of its own over a real WebSocket (`eval.visitor`) and asks questions of its own. Every answer
is compared with the one that the same question gets alone, and all that a visitor was ever sent is searched for
the questions of others. Asking and server share the machine, so that the asking is counted too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import psutil

from eval.serving import cpu_seconds, private_bytes, resident_bytes
from eval.visitor import Visitor, on_page
from indexer.errors import QueryError, RemoteError
from indexer.store import Index
from retrieval import ask

MEGABYTE = 1e6
WARM_UP_SHARE = 0.25  # of a soak, in which memory may grow: caches fill, pages are drawn first
QUESTIONS_A_VISIT = 5  # in a soak, then another visitor comes


@dataclass(frozen=True)
class Asked:
    """One question of one visitor, how long it took, and what its page then said."""

    visit: int
    question: str
    seconds: float
    errors: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Memory:
    """The server's memory at one time of the measurement."""

    seconds: float
    resident_mb: float
    private_mb: float


@dataclass(frozen=True)
class Load:
    """What came of all visits."""

    visitors: int
    visits: int
    questions: int
    errors: tuple[str, ...]
    mixed: int  # visits that were sent a question of another
    wrong: int  # answers unlike the one that the question gets alone
    open_median_seconds: float
    median_seconds: float
    p95_seconds: float
    worst_seconds: float
    seconds: float  # from the first question to the last answer
    server_cpu_seconds: float  # a question
    memory: tuple[Memory, ...]
    growth_mb_per_hour: (
        float | None
    )  # of private memory after warming up; None at once, or in under a minute


@dataclass(frozen=True)
class Sent:
    """What one visit asked, and all that it was sent: before it asked anything, and in all."""

    asked: frozenset[str]
    at_first: str
    in_all: str


@dataclass
class _Record:
    """What is written down while visitors ask."""

    asked: list[Asked] = field(default_factory=list)
    opened: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seen: list[Sent] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)


def at_once(index: Index, questions: Sequence[str], *, url: str, server: Sequence[psutil.Process], visitors: int) -> Load:  # fmt: skip
    """Open a page for each visitor, then let all ask in the same moment.

    Raises:
        QueryError: there are fewer questions than visitors.
    """
    if len(questions) < visitors:
        raise QueryError(f"{visitors} visitors need as many questions: the file has {len(questions)}.")  # fmt: skip
    return asyncio.run(_at_once(index, list(questions[:visitors]), url, server))


def soak(
    index: Index,
    questions: Sequence[str],
    *,
    url: str,
    server: Sequence[psutil.Process],
    visitors: int,
    minutes: float,
    in_all: int,
) -> Load:
    """Ask `in_all` questions evenly over `minutes`, by visitors who come and go, `visitors` at a time."""
    return asyncio.run(_soak(index, list(questions), url, server, visitors, minutes, in_all))


async def _at_once(
    index: Index, questions: list[str], url: str, server: Sequence[psutil.Process]
) -> Load:
    record = _Record()
    visits = [Visitor(url) for _ in questions]
    for visit in visits:
        await _open(visit, record)
    cpu, began = cpu_seconds(server), time.perf_counter()
    watching = asyncio.create_task(_watch(server, record, every=0.5))
    await asyncio.gather(
        *(_ask(visit, n, words, record) for n, (visit, words) in enumerate(zip(visits, questions, strict=True)))
    )  # fmt: skip
    took, used = time.perf_counter() - began, cpu_seconds(server) - cpu
    watching.cancel()
    for visit, words in zip(visits, questions, strict=True):
        record.seen.append(Sent(frozenset({words}), visit.offered, visit.seen))
        await visit.close()
    return replace(_load(index, record, len(visits), took, used), growth_mb_per_hour=None)


async def _soak(
    index: Index,
    questions: list[str],
    url: str,
    server: Sequence[psutil.Process],
    visitors: int,
    minutes: float,
    in_all: int,
) -> Load:
    record = _Record()
    due = asyncio.Queue[tuple[float, str]]()
    began = time.perf_counter()
    for i in range(in_all):
        due.put_nowait((began + i * 60 * minutes / in_all, questions[i % len(questions)]))
    cpu = cpu_seconds(server)
    watching = asyncio.create_task(_watch(server, record, every=max(0.5, minutes / 4)))
    await asyncio.gather(*(_visits(url, due, record) for _ in range(visitors)))
    took, used = time.perf_counter() - began, cpu_seconds(server) - cpu
    watching.cancel()
    return _load(index, record, visitors, took, used)


async def _visits(url: str, due: asyncio.Queue[tuple[float, str]], record: _Record) -> None:
    """One visitor after the other, each with a few of the questions that are due."""
    while not due.empty():
        visit, own = Visitor(url), set[str]()
        number = len(record.seen)
        if not await _open(visit, record):
            return
        while len(own) < QUESTIONS_A_VISIT and not due.empty():
            at, words = due.get_nowait()
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            own.add(words)
            await _ask(visit, number, words, record)
        record.seen.append(Sent(frozenset(own), visit.offered, visit.seen))
        await visit.close()


async def _open(visit: Visitor, record: _Record) -> bool:
    try:
        record.opened.append(await visit.open())
    except RemoteError as error:
        record.errors.append(str(error))
        return False
    return True


async def _ask(visit: Visitor, number: int, words: str, record: _Record) -> None:
    try:
        took = await visit.ask(words)
    except RemoteError as error:
        record.errors.append(f"{words!r}: {error}")
        return
    page = visit.page
    record.asked.append(Asked(number, words, took, tuple(page.errors), page.sentences))


async def _watch(server: Sequence[psutil.Process], record: _Record, *, every: float) -> None:
    began = time.perf_counter()
    with suppress(psutil.NoSuchProcess):
        while True:
            record.memory.append(
                Memory(
                    time.perf_counter() - began,
                    resident_bytes(server) / MEGABYTE,
                    private_bytes(server) / MEGABYTE,
                )
            )
            await asyncio.sleep(every)


def _load(index: Index, record: _Record, visitors: int, took: float, cpu: float) -> Load:
    alone = {words: _alone(index, words) for words in {one.question for one in record.asked}}
    seconds = np.array([one.seconds for one in record.asked] or [np.nan])
    return Load(
        visitors=visitors,
        visits=len(record.opened),
        questions=len(record.asked),
        errors=(*record.errors, *(error for one in record.asked for error in one.errors)),
        mixed=mixed(record.seen),
        wrong=sum(one.sentences != alone[one.question] for one in record.asked),
        open_median_seconds=float(np.median(record.opened or [np.nan])),
        median_seconds=float(np.median(seconds)),
        p95_seconds=float(np.percentile(seconds, 95)),
        worst_seconds=float(seconds.max()),
        seconds=took,
        server_cpu_seconds=cpu / max(1, len(record.asked)),
        memory=tuple(record.memory),
        growth_mb_per_hour=growth(record.memory),
    )


def _alone(index: Index, question: str) -> tuple[str, ...]:
    """The sentences of the answer to a question that is asked alone, as a page shows them."""
    answer = ask(index, question, offline=True)
    return () if answer.refused else tuple(on_page(sentence.text) for sentence in answer.sentences)


def mixed(seen: Sequence[Sent]) -> int:
    """How many visits were sent words that only others asked; a page's own examples are no one's."""
    everyones = {on_page(words) for one in seen for words in one.asked}
    return sum(any(words in one.in_all for words in everyones - _known_to(one, everyones)) for one in seen)  # fmt: skip


def _known_to(visit: Sent, questions: set[str]) -> set[str]:
    """The questions that a visit may be sent: its own, those within them, and those on every first page."""
    own = "\n".join([*map(on_page, visit.asked), visit.at_first])
    return {words for words in questions if words in own}


def growth(memory: Sequence[Memory]) -> float | None:
    """The slope of private memory after warming up, in MB an hour, by least squares."""
    if not memory or memory[-1].seconds < 60:
        return None
    kept = [one for one in memory if one.seconds >= WARM_UP_SHARE * memory[-1].seconds]
    slope = np.polyfit([one.seconds for one in kept], [one.private_mb for one in kept], 1)[0]
    return float(3600 * slope)


def table(found: Load) -> str:
    """The measurement for people."""
    peak = max((one.resident_mb for one in found.memory), default=float("nan"))
    rows: Mapping[str, str] = {
        "visitors at a time, visits": f"{found.visitors}, {found.visits}",
        "questions answered": f"{found.questions} in {found.seconds:.1f} s",
        "errors": f"{len(found.errors)}",
        "visits that were sent another's question": f"{found.mixed}",
        "answers unlike the one given alone": f"{found.wrong}",
        "opening the page, median": f"{found.open_median_seconds:.2f} s",
        "question to whole page, median": f"{found.median_seconds:.2f} s",
        "question to whole page, 95th percentile": f"{found.p95_seconds:.2f} s",
        "question to whole page, longest": f"{found.worst_seconds:.2f} s",
        "server's processor time a question": f"{found.server_cpu_seconds:.3f} s",
        "server's resident memory, most": f"{peak:,.0f} MB",
    }
    lines = [f"{name:<42}{value}" for name, value in rows.items()]
    if found.growth_mb_per_hour is not None:
        lines.append(f"{'growth of its own memory':<42}{found.growth_mb_per_hour:+.1f} MB an hour")
        lines += [
            f"  after {one.seconds / 60:5.1f} min  resident {one.resident_mb:7,.0f} MB, its own {one.private_mb:7,.0f} MB"
            for one in found.memory[:: max(1, len(found.memory) // 8)]
        ]
    lines += [f"  {error}" for error in dict.fromkeys(found.errors[:20])]
    return "\n".join(lines)
