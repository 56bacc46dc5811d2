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
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

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

T = TypeVar("T")


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
    offline: bool = False,
    limits: Limits | None = None,
    cancel: threading.Event | None = None,
    on_record: OnRecord = lambda record: None,
) -> Report:
    """Go on with the run whose trace is given, to its report; no reply in the trace is asked for again.

    `limits` take the place of those that the run had, else `limits_to_go_on`; what it used before counts.
    With `offline` no model is asked from here on, whatever the run did before.

    Raises:
        SourceError: the trace cannot be read or written, or is no trace.
        QueryError: see `research`.
    """
    file, earlier = opened_again(trace)
    written = Trace(file, on_record, earlier)
    try:
        begun = begun_of(earlier)
        limits = limits or limits_to_go_on(earlier)[0]
        n = sum(record.kind == "resumed" for record in earlier) + 1
        written.add("resumed", time=n, limits=asdict(limits), snapshot=index.manifest.snapshot)
        model = None if begun.offline or offline else (llm or configured_llm())
        settings, notes = settings_offline(begun.settings) if offline else (begun.settings, [])
        run = Run(index, written, settings, limits, model, begun.plan, cancel, trace, earlier)
        run.degraded += notes
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
    plan: Sequence[str] = (),
) -> Plan:
    """Return the plan that a run would begin with, to be read and changed; `plan` is the user's own.

    Raises:
        QueryError: the question is empty or a single character, or the plan cannot be used.
    """
    question = search(index, question, _plainly(settings or SearchSettings())).query
    return plan_of(question, plan, None if offline or plan else (llm or configured_llm()))


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


def limits_to_go_on(records: Sequence[Record]) -> tuple[Limits, str]:
    """Return the limits to go on with: those that ended the run's last part doubled; and what was raised, in words.

    Raises:
        SourceError: the trace holds what no run has.
    """
    begins = [i for i, record in enumerate(records) if record.kind in ("run", "resumed")]
    last = records[begins[-1] :]
    limits = begun_of(records).limits
    if last[0].kind == "resumed":
        limits = _of_trace(Limits, last[0].data.get("limits"))
    reasons = [record.data.get("reason") for record in last if record.kind == "stop"]
    reasons += [t for r in last if r.kind == "report" for t in r.data.get("stopped", ())]
    return limits.raised([str(reason) for reason in reasons], last[-1].elapsed)


def begun_of(records: Sequence[Record]) -> Begun:
    """Read how a run began; its plan is the one that was made, so that it is kept.

    Raises:
        SourceError: the trace lacks something or holds what no run has.
    """
    data: dict[str, Any] = records[0].data
    plans = [record.data for record in records if record.kind == "plan"]
    try:
        fields = dict(data["settings"])
        fields["filters"] = _of_trace(SearchFilters, fields["filters"])
        return Begun(
            question=str(data["question"]),
            settings=_of_trace(SearchSettings, fields),
            limits=_of_trace(Limits, data["limits"]),
            offline=bool(data["offline"]),
            plan=_of_trace(Plan, plans[0]) if plans else None,
            snapshot=str(data["snapshot"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"The trace does not say how its run began: {error}") from error


def _of_trace(record: type[T], data: Any) -> T:
    """A record from its fields in a trace, each of the type that it must have.

    Raises:
        SourceError: a field is unknown, or holds what it cannot.
    """
    try:
        fields = {k: tuple(v) if isinstance(v, list) else v for k, v in dict(data).items()}
        for name, hint in get_type_hints(record).items():
            if name in fields and not _fits(fields[name], hint):
                raise TypeError(f"{name} is {fields[name]!r}")
        return record(**fields)
    except (TypeError, ValueError, AttributeError, QueryError) as error:
        raise SourceError(f"The trace does not say how its run began: {error}") from error


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of a type, as the fields of settings, limits and plans have them."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(isinstance(v, get_args(hint)[0]) for v in value)
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, hint)
