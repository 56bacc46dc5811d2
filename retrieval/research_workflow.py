"""A research run as a LlamaIndex workflow: plan, rounds of reading in parallel, sections in parallel, report.

    begin -> round -> explore (one a sub-question, side by side) -> gather -> round ... -> write (side by
    side) -> finish

Rounds are waves: the steps that are left are given out in the plan's order before a wave begins, so that
the same run takes the same steps each time. What a step does lies in research_read and research_write;
events carry no more than the number of a sub-question.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from llama_index.core.workflow import Context, Event, StartEvent, StopEvent, Workflow, step

MOST_AT_ONCE = 6


class Work(Protocol):
    """What the workflow moves along; each method may block and is called in a thread."""

    def begin(self) -> int:
        """Make the plan; return how many sub-questions it has."""

    def next_round(self) -> list[int]:
        """Give out steps; return the sub-questions that get one, none when reading is over."""

    def explore(self, part: int) -> None:
        """Do one round for a sub-question."""

    def write(self, part: int) -> None:
        """Write a sub-question's section."""

    def finish(self) -> None:
        """Write what stands over the sections and put the report together."""


class Begin(StartEvent):
    """A run starts."""


class Round(Event):
    """Another wave may begin."""


class Explore(Event):
    """One sub-question has a step."""

    part: int


class Explored(Event):
    """Its round is over."""

    part: int


class Write(Event):
    """One section is to be written."""

    part: int


class Written(Event):
    """It is."""

    part: int


class ResearchWorkflow(Workflow):
    """The steps of a run; no time-out of its own, since the run's limits hold inside `work`."""

    def __init__(self, work: Work) -> None:
        super().__init__(timeout=None)
        self._work = work
        self._n_parts = 0
        self._n_exploring = 0

    @step
    async def begin(self, ev: Begin) -> Round:
        """Make the plan."""
        self._n_parts = await asyncio.to_thread(self._work.begin)
        return Round()

    @step
    async def round(self, ctx: Context, ev: Round) -> Explore | Write | None:
        """Begin a wave, or writing when none may begin."""
        parts = await asyncio.to_thread(self._work.next_round)
        self._n_exploring = len(parts)
        for part in parts:
            ctx.send_event(Explore(part=part))
        if not parts:
            for part in range(self._n_parts):
                ctx.send_event(Write(part=part))
        return None

    @step(num_workers=MOST_AT_ONCE)
    async def explore(self, ev: Explore) -> Explored:
        """One round of one sub-question."""
        await asyncio.to_thread(self._work.explore, ev.part)
        return Explored(part=ev.part)

    @step
    async def gather(self, ctx: Context, ev: Explored) -> Round | None:
        """Wait for the wave's end."""
        done = ctx.collect_events(ev, [Explored] * self._n_exploring)
        return None if done is None else Round()

    @step(num_workers=MOST_AT_ONCE)
    async def write(self, ev: Write) -> Written:
        """One section."""
        await asyncio.to_thread(self._work.write, ev.part)
        return Written(part=ev.part)

    @step
    async def finish(self, ctx: Context, ev: Written) -> StopEvent | None:
        """Wait for all sections, then end with the report."""
        if ctx.collect_events(ev, [Written] * self._n_parts) is None:
            return None
        await asyncio.to_thread(self._work.finish)
        return StopEvent()


def run_workflow(work: Work) -> None:
    """Run `work` from begin to finish; what it raises is raised.

    Call it in a thread without an event loop.
    """

    async def whole() -> None:
        await ResearchWorkflow(work).run(start_event=Begin())

    asyncio.run(whole())
