"""Deep research: a question in parts, each searched, read and followed up, and a report to check.

plan -> rounds of searching and reading, in parallel -> sections, in parallel -> short answer -> report

The trace is written as it happens; a run that was cancelled or killed goes on from it.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from indexer.errors import SourceError
from indexer.store import Index
from retrieval.errors import QueryError
from retrieval.llm import LLM, configured_llm
from retrieval.offline import settings_offline
from retrieval.records import SearchFilters, SearchSettings
from retrieval.research_plan import plan_of
from retrieval.research_records import Limits, Plan, Report
from retrieval.research_run import Run
from retrieval.research_trace import (
    VERSION,
    OnRecord,
    Record,
    Trace,
    new_file,
    opened_again,
)
from retrieval.search import search


def research(
    index: Index,
    question: str,
    settings: SearchSettings | None = None,
    *,
    llm: LLM | None = None,
    offline: bool = False,
    plan: Sequence[str] = (),
    limits: Limits | None = None,
    trace: Path | None = None,
    cancel: threading.Event | None = None,
    on_record: OnRecord = lambda record: None,
) -> Report:
    """Research `question` in `index` and return the report; see `Report`.

    `plan` holds the user's own sub-questions; without them the model makes the plan, or rules do.
    Without `llm` the one that the environment configures is used; `offline`, or none configured, quotes.
    `trace` is a file that must not exist yet. Setting `cancel` ends the run with a report of what it has.
    `on_record` hears each record of the trace, from several threads, one at a time.

    Raises:
        QueryError: question, plan, settings or limits cannot be used.
        SourceError: the trace exists or cannot be written.
    """
    settings, limits = settings or SearchSettings(), limits or Limits()
    own = plan_of(question, plan) if plan else None
    first = search(index, question, _plainly(settings))
    notes: list[str] = []
    if offline:
        settings, notes = settings_offline(settings)
    file = new_file(trace) if trace else None
    written = Trace(file, on_record)
    written.add(
        "run",
        version=VERSION,
        question=first.query,
        settings=asdict(settings),
        limits=asdict(limits),
        offline=offline,
        snapshot=index.manifest.snapshot,
        as_of=index.manifest.as_of,
    )
    model = None if offline else (llm or configured_llm())
    run = Run(index, written, settings, limits, model, own, cancel, trace)
    run.degraded += notes
    try:
        return run.report(first)
    finally:
        if file:
            file.close()


def resume(
    index: Index,
    trace: Path,
    *,
    llm: LLM | None = None,
    limits: Limits | None = None,
    cancel: threading.Event | None = None,
    on_record: OnRecord = lambda record: None,
) -> Report:
    """Go on with the run whose trace is given, to its report; no reply in the trace is asked for again.

    `limits` take the place of those that the run had; what it used before counts.

    Raises:
        SourceError: the trace cannot be read or written, or is no trace.
        QueryError: see `research`.
    """
    file, earlier = opened_again(trace)
    written = Trace(file, on_record, earlier)
    try:
        begun = begun_of(earlier)
        limits = limits or begun.limits
        n = sum(record.kind == "resumed" for record in earlier) + 1
        written.add("resumed", time=n, limits=asdict(limits), snapshot=index.manifest.snapshot)
        model = None if begun.offline else (llm or configured_llm())
        run = Run(index, written, begun.settings, limits, model, begun.plan, cancel, trace, earlier)
        if begun.snapshot != index.manifest.snapshot:
            run.degraded.append("The index has changed since this run began.")
        return run.report(search(index, begun.question, _plainly(begun.settings)))
    finally:
        file.close()


def prepare() -> None:
    """Load what a run needs: LlamaIndex takes seconds, once, better while a plan is made than in a run.

    Not in a thread beside Streamlit, which parses pages: in Python 3.11 two threads that parse can disturb each other.
    """
    importlib.import_module("retrieval.research_workflow")


def planned(
    index: Index,
    question: str,
    settings: SearchSettings | None = None,
    *,
    llm: LLM | None = None,
    offline: bool = False,
) -> Plan:
    """Return the plan that a run would begin with, to be read and changed.

    Raises:
        QueryError: the question is empty or a single character.
    """
    question = search(index, question, _plainly(settings or SearchSettings())).query
    return plan_of(question, (), None if offline else (llm or configured_llm()))


def _plainly(settings: SearchSettings) -> SearchSettings:
    """The settings for a look at what the question means and whether the index covers it."""
    return replace(settings, k=1, hyde=False, rerank=False, offline=True)


@dataclass(frozen=True)
class Begun:
    """What the first record of a trace says of its run."""

    question: str
    settings: SearchSettings
    limits: Limits
    offline: bool
    plan: Plan | None
    snapshot: str


def begun_of(records: Sequence[Record]) -> Begun:
    """Read how a run began; its plan is the one that was made, so that it is kept.

    Raises:
        SourceError: the trace lacks something or holds what no run has.
    """
    data: dict[str, Any] = records[0].data
    plans = [record.data for record in records if record.kind == "plan"]
    try:
        fields = dict(data["settings"])
        fields["filters"] = SearchFilters(**fields["filters"])
        fields["ignored"] = tuple(fields["ignored"])
        return Begun(
            question=str(data["question"]),
            settings=SearchSettings(**fields),
            limits=Limits(**data["limits"]),
            offline=bool(data["offline"]),
            plan=Plan(tuple(plans[0]["parts"]), plans[0]["by"], plans[0]["note"])
            if plans
            else None,
            snapshot=str(data["snapshot"]),
        )
    except (KeyError, TypeError, AttributeError, QueryError) as error:
        raise SourceError(f"The trace does not say how its run began: {error}") from error
