"""`wayfinder research`: a question in parts, researched within limits, with its steps shown as they happen."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.exports import REPORT, Exports
from app.options import (
    AuthorOption,
    CitationsOption,
    ExportOption,
    FacilityOption,
    HydeOption,
    IgnoreOption,
    ImpactOption,
    IndexOption,
    KeywordOption,
    PlainOption,
    RecencyOption,
    RerankOption,
    SinceOption,
    UntilOption,
    search_settings,
)
from app.research_files import new_trace
from app.terminal import JsonOption, QuietOption, index_directory, out, say
from indexer import config
from indexer.errors import QueryError
from retrieval import load_index
from retrieval.offline import forbid_network

if TYPE_CHECKING:
    from retrieval.research_records import Limits, Report
    from retrieval.research_trace import Record

PartsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sub-question",
        help="Your own plan: one sub-question. Repeatable, up to six.",
        show_default=False,
    ),
]
StepsOption = Annotated[
    int | None,
    typer.Option(
        help="Rounds of searching and reading, over all parts. Default: 12.", show_default=False
    ),
]
TokensOption = Annotated[
    int | None,
    typer.Option(help="Tokens of the language model. Default: 150000.", show_default=False),
]
SecondsOption = Annotated[
    float | None, typer.Option(help="Seconds in all. Default: 900.", show_default=False)
]
DollarsOption = Annotated[
    float | None,
    typer.Option(
        help="Dollars in all; needs WAYFINDER_LLM_USD_PER_MILLION. Default: no limit.",
        show_default=False,
    ),
]
TraceOption = Annotated[
    Path | None,
    typer.Option(
        help="The file for the run's trace, JSON lines. Default: one in Wayfinder's cache, where the newest 100 are kept for 90 days.",
        show_default=False,
    ),
]
ResumeOption = Annotated[
    Path | None,
    typer.Option(
        help="Go on with the run of this trace; nothing in it is paid for again.",
        show_default=False,
    ),
]


def research(
    context: typer.Context,
    question: Annotated[
        str | None, typer.Argument(help="A question in plain words.", show_default=False)
    ] = None,
    index: IndexOption = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="No language model: quote the papers.")
    ] = False,
    plan_only: Annotated[
        bool, typer.Option("--plan-only", help="Print the sub-questions and stop.")
    ] = False,
    sub_question: PartsOption = None,
    max_steps: StepsOption = None,
    max_tokens: TokensOption = None,
    max_seconds: SecondsOption = None,
    max_dollars: DollarsOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    min_citations: CitationsOption = None,
    author: AuthorOption = None,
    facility: FacilityOption = None,
    recency: RecencyOption = 0.0,
    impact: ImpactOption = 0.0,
    keyword_weight: KeywordOption = None,
    plain: PlainOption = False,
    ignore: IgnoreOption = None,
    hyde: HydeOption = False,
    rerank: RerankOption = None,
    trace: TraceOption = None,
    resume: ResumeOption = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The report as Markdown, with its quotations.")
    ] = False,
    export: ExportOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Research QUESTION in parts and write a report whose every sentence is checked against its papers.

    Each part is searched, read and followed to references and similar papers, until nothing new comes or a limit is
    reached. Ctrl-C ends it with a report of what was found; `--resume` goes on.
    """
    from retrieval.research import planned
    from retrieval.research import research as run_research
    from retrieval.research import resume as resume_research

    if (question is None) == (resume is None):
        raise QueryError("Give either a QUESTION or --resume FILE.")
    if plan_only and export:
        raise QueryError("--export writes a report: it cannot be given with --plan-only.")
    exports = Exports(export, REPORT)
    if offline:
        forbid_network()
    if resume is not None:
        _refuse_settings_of_the_run(context)
    limits = _limits(max_steps, max_tokens, max_seconds, max_dollars, resume)
    opened = load_index(index_directory(index, quiet))
    if question is None:
        assert resume is not None
        with _cancelled_by_ctrl_c() as cancel:
            report = resume_research(
                opened,
                resume,
                offline=offline,
                limits=limits,
                cancel=cancel,
                on_record=_Progress(quiet),
            )
        _print(report, exports, markdown=markdown, json_output=json_output)
        return
    settings = search_settings(
        since=since,
        until=until,
        min_citations=min_citations,
        author=author,
        facility=facility,
        recency=recency,
        impact=impact,
        keyword_weight=keyword_weight,
        plain=plain,
        ignore=ignore,
        hyde=hyde,
        rerank=rerank,
    )
    if plan_only:
        plan = planned(opened, question, settings, offline=offline, plan=sub_question or ())
        for part in plan.parts:
            out(json.dumps({"sub_question": part}, ensure_ascii=False) if json_output else part)
        return
    path = trace or new_trace(question)
    with _cancelled_by_ctrl_c() as cancel:
        report = run_research(
            opened,
            question,
            settings,
            offline=offline,
            plan=sub_question or (),
            limits=limits,
            trace=path,
            cancel=cancel,
            on_record=_Progress(quiet, path),
        )
    _print(report, exports, markdown=markdown, json_output=json_output)


def _limits(
    steps: int | None,
    tokens: int | None,
    seconds: float | None,
    dollars: float | None,
    resume: Path | None,
) -> Limits | None:
    """The limits asked for; of a run that goes on, its own, raised where it was stopped by them and none is named."""
    from retrieval.research import limits_to_go_on
    from retrieval.research_records import Limits
    from retrieval.research_trace import read_trace

    if dollars is not None and config.llm_config().usd_per_million_in is None:
        raise QueryError("--max-dollars needs WAYFINDER_LLM_USD_PER_MILLION, such as 0.15,0.60.")
    usual, raised = limits_to_go_on(read_trace(resume)[0]) if resume else (Limits(), "")
    if raised and (steps, tokens, seconds, dollars) == (None, None, None, None):
        say(f"It was stopped by a limit, which is doubled: {raised}.")
    return Limits(
        max_steps=usual.max_steps if steps is None else steps,
        max_tokens=usual.max_tokens if tokens is None else tokens,
        max_seconds=usual.max_seconds if seconds is None else seconds,
        max_usd=usual.max_usd if dollars is None else dollars,
    )


_OF_A_RESUMPTION = {"resume", "index", "offline", "max_steps", "max_tokens", "max_seconds", "max_dollars",
                    "markdown", "export", "json_output", "quiet"}  # fmt: skip


def _refuse_settings_of_the_run(context: typer.Context) -> None:
    """A run goes on with the question, plan, filters and trace that it began with.

    Raises:
        QueryError: another option is given beside --resume.
    """
    given = [
        param.opts[0]
        for param in context.command.params
        if param.name not in _OF_A_RESUMPTION
        and (source := context.get_parameter_source(str(param.name))) is not None
        and source.name == "COMMANDLINE"
    ]
    if given:
        raise QueryError(
            f"{', '.join(given)} cannot be given with --resume: a run goes on with the plan and settings it began with. "
            "Leave it out, or ask anew."
        )


@contextmanager
def _cancelled_by_ctrl_c() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; a second one ends the command as usual."""
    cancel = threading.Event()

    def stop(signum: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        say("Stopping: the report is made of what was found. Ctrl-C again stops at once.")
        cancel.set()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)


class _Progress:
    """Says on stderr what a run does, a line a step, and in which new file its trace is."""

    def __init__(self, quiet: bool, trace: Path | None = None) -> None:
        self._quiet, self._trace = quiet, trace
        self._n_read = self._tokens = 0
        self._usd: float | None = None
        self._seen: set[str] = set()

    def __call__(self, record: Record) -> None:
        data = record.data
        if record.kind == "call":
            self._tokens += data["tokens"]
            self._usd = (self._usd or 0.0) + data["usd"] if data["usd"] is not None else self._usd
        if self._quiet:
            return
        if record.kind == "run":
            say(f"Trace: {self._trace}")
        elif record.kind == "plan":
            say(f"Plan, by {data['by']}:")
            for number, part in enumerate(data["parts"], 1):
                say(f"  {number}. {part}")
        elif record.kind == "look":
            from retrieval.research_report import look_words

            say(
                f"  [{data['part']}] {look_words(data['how'], data['query'], data['n_found'], data['n_new'])}"
            )
        elif record.kind == "read":
            self._read(data["papers"], data)
        elif record.kind == "writing":
            say(f"  [{data['part']}] Writing")
        elif record.kind == "stop":
            say(data["reason"])

    def _read(self, papers: list[dict[str, str]], data: dict[str, object]) -> None:
        self._seen |= {paper["id"] for paper in papers}
        cost = f", {self._tokens:,} tokens" if self._tokens else ""
        cost += f", ${self._usd:.4f}" if self._usd is not None else ""
        ended = f"; done: {data['ended']}" if data["ended"] else ""
        say(f"  [{data['part']}] Read {len(papers)} papers{ended} ({len(self._seen)} in all{cost})")


def _print(report: Report, exports: Exports[Report], *, markdown: bool, json_output: bool) -> None:
    from app.show_research import report_page
    from retrieval.research_report import report_markdown, report_row

    for note in (*report.stopped, *report.degraded):
        say(note)
    if report.usage.model:
        say(report.usage.told(written=report.by_model))
    try:
        exports.write(report, report.papers)
    finally:  # what was found is shown even so
        if json_output:
            out(json.dumps(report_row(report), ensure_ascii=False))
        else:
            out((report_markdown(report) if markdown else report_page(report)).rstrip())
    if not report.finished and report.trace:
        say(f"To go on: wayfinder research --resume {report.trace}")
