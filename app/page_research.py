"""The page of the web app that researches: a question, its plan to change, its steps as they happen, its report.

Streamlit runs this file where app/page.py shows it. The run has a thread of its own (app/research_job.py);
a fragment looks at it every second.
"""

from __future__ import annotations

import threading

import streamlit as st

from app import exports, page_parts, page_settings
from app.page_session import asked_in_background, open_index, visitors_llm
from app.research_files import visit_folder
from app.research_job import ResearchJob
from app.research_parts import HOW_FAR, progress, report_body, report_head
from indexer import config
from indexer.store import Index
from retrieval.records import SearchSettings
from retrieval.research import planned, prepare, research, resume
from retrieval.research_records import Limits, Report
from retrieval.research_trace import OnRecord

SECONDS_BETWEEN_LOOKS = 1.0


def main() -> None:
    """Draw the page: what is asked, then the plan, then the run, then the report."""
    index = open_index()
    of = page_settings.host()
    settings = page_settings.settings_row(of, lambda: _quote_only(of))
    offline = of.llm and page_settings.value_of("quote")
    job: ResearchJob | None = st.session_state.get("research")
    if job is None:
        _asked(index, settings, offline=offline)
    elif job.running:
        st.html(f'<p class="wf-question">{page_parts.escape(st.session_state.researched)}</p>')
        _watched()
    else:
        _ended(index, job, settings)
    page_parts.foot(index)


def _quote_only(of: page_settings.Host) -> None:
    if of.llm:
        page_settings.toggle("quote", "Quote only, no language model")


def _asked(index: Index, settings: SearchSettings, *, offline: bool) -> None:
    """The question, how far to go, and the plan once there is one."""
    with st.form("research-question", border=False):
        question = st.text_area(
            "Your question",
            key="research-question-text",
            value=st.session_state.get("researched", ""),
            placeholder="Compare how jets and winds from black holes affect star formation, and how do simulations treat them?",
            label_visibility="collapsed",
            height=90,
        )
        if st.form_submit_button("Make a plan", type="primary"):
            if question.strip():
                with st.spinner("Planning"):
                    prepare()
                    llm = None if offline else visitors_llm()
                    plan = planned(index, question, settings, llm=llm, offline=offline)
                st.session_state.researched = question.strip()
                st.session_state["plan-text"] = "\n".join(plan.parts)
                st.session_state.plan_kept = st.session_state["plan-text"]
                st.session_state.plan_note = plan.note or f"Made by {_makers[plan.by]}."
            else:
                st.info("Type a question first: a few plain words are enough.")
    if "plan_note" in st.session_state:
        _plan(index, settings, offline=offline)


_makers = {"rules": "rules", "model": "the language model", "user": "you"}


def _plan(index: Index, settings: SearchSettings, *, offline: bool) -> None:
    st.subheader("Plan", anchor=False)
    # Streamlit forgets a box that another page does not show; the plan is kept.
    st.session_state.setdefault("plan-text", st.session_state.plan_kept)
    text = st.text_area(
        "Sub-questions, one on each line: change, add or take away",
        key="plan-text",
        help="One to six. Each is searched for by itself, so each should name its subject.",
        height=150,
    )
    st.session_state.plan_kept = text
    st.caption(page_parts.literal(st.session_state.plan_note))
    limits = _limits()
    st.caption(
        "The run's trace, which holds your question, is kept on this host for your visit: it is deleted with "
        "“Another question” or when you leave; what a stopped server leaves behind goes with the first run a day later."
    )
    parts = [line.strip() for line in text.splitlines() if line.strip()]
    if st.button("Start the research", type="primary"):
        question = st.session_state.researched
        llm = None if offline else visitors_llm()
        folder = visit_folder()
        trace = folder.path / "trace.jsonl"
        job = ResearchJob(trace, tuple(parts), limits.max_steps, folder)
        in_turn = asked_in_background("research", question, job.cancel)

        def run(cancel: threading.Event, on_record: OnRecord) -> Report:
            return in_turn(lambda: research(
                index, question, settings, llm=llm, offline=offline or llm is None, plan=parts,
                limits=limits, trace=trace, cancel=cancel, on_record=on_record,
            ))  # fmt: skip

        _begun(job, run)


def _limits() -> Limits:
    """How far the run may go: one of three, or one's own."""
    chosen = st.segmented_control(
        "How far",
        list(HOW_FAR),
        default="Usual",
        required=True,
        help="Reading stops earlier when nothing new comes.",
    )
    usual = HOW_FAR[str(chosen)]
    st.caption(
        f"At most {usual.max_steps} rounds of searching and reading, {usual.max_tokens:,} tokens and "
        f"{usual.max_seconds / 60:.0f} minutes."
    )
    with st.expander("Limits of your own"):
        steps = st.number_input(
            "Rounds of searching and reading", 1, 200, usual.max_steps, key=f"steps-{chosen}"
        )
        tokens = st.number_input(
            "Tokens", 1000, 10_000_000, usual.max_tokens, 1000, key=f"tokens-{chosen}"
        )
        minutes = st.number_input(
            "Minutes", 0.1, 600.0, usual.max_seconds / 60, 1.0, key=f"minutes-{chosen}"
        )
        dollars = None
        if config.llm_config().usd_per_million_in is not None:
            dollars = st.number_input("Dollars", 0.001, 1000.0, None, 0.1, placeholder="no limit")
    return Limits(steps, tokens, minutes * 60, dollars)


def _begun(job: ResearchJob, run: object) -> None:
    st.session_state.research = job
    job.start(run)  # type: ignore[arg-type]  # a function of this page
    st.rerun()


@st.fragment(run_every=SECONDS_BETWEEN_LOOKS)
def _watched() -> None:
    """The run as it stands; when it ends the whole page is drawn again."""
    job: ResearchJob = st.session_state.research
    if not job.running:
        st.rerun()
    progress(job)
    if job.cancel.is_set():
        st.caption("Stopping: the report is made of what was found.")
    elif st.button("Cancel and report what was found"):
        job.cancel.set()
        st.rerun(scope="fragment")


def _ended(index: Index, job: ResearchJob, settings: SearchSettings) -> None:
    """The report, its files, and what can be done next."""
    if job.error:
        st.error(page_parts.literal(job.error))
    report = job.report
    if report is not None:
        report_head(report)
    _what_next(index, job, report)
    if report is not None:
        report_body(report, settings)


def _what_next(index: Index, job: ResearchJob, report: Report | None) -> None:
    """The report and its trace to take away; to go on, or to begin anew."""
    with st.container(horizontal=True):
        if report is not None:
            for form in exports.REPORT:
                st.download_button(
                    f"Report ({form.label})",
                    form.make(report),
                    f"report.{form.ending}",
                    form.mime,
                    on_click="ignore",
                )
        if job.trace.is_file():
            st.download_button("Trace (JSON lines)", job.trace.read_text(encoding="utf-8"), "trace.jsonl",
                               "application/jsonl", on_click="ignore")  # fmt: skip
        if (
            (report is None or not report.finished)
            and job.trace.is_file()
            and st.button("Go on with it")
        ):
            _gone_on(index, job, report)
        if st.button("Another question"):
            if job.folder is not None:
                job.folder.delete()
            for name in ("research", "researched", "plan_note", "plan-text"):
                st.session_state.pop(name, None)
            st.rerun()


def _gone_on(index: Index, job: ResearchJob, report: Report | None) -> None:
    """Resume with as much again of the limit that stopped it; what is in the trace is not paid for again."""
    limits = None if report is None else report.limits.raised(report.stopped, report.seconds)[0]
    steps = limits.max_steps if limits else job.max_steps
    again = ResearchJob(job.trace, job.parts, steps, job.folder)
    llm = visitors_llm()
    in_turn = asked_in_background("research", st.session_state.researched, again.cancel)

    def run(cancel: threading.Event, on_record: OnRecord) -> Report:
        return in_turn(lambda: resume(
            index, job.trace, llm=llm, limits=limits, cancel=cancel, on_record=on_record
        ))  # fmt: skip

    _begun(again, run)


main()
