"""Pieces of the research page: progress while a run goes on, and its report."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import streamlit as st

from app.answer_parts import paragraphs
from app.page_parts import escape, literal, paper_cards
from app.research_job import ResearchJob
from retrieval.records import SearchSettings, Sentence
from retrieval.research_records import Limits, Report
from retrieval.research_report import look_text, look_words, searched_text, section_note

HOW_FAR = {
    "Quick": Limits(max_steps=6, max_tokens=60_000, max_seconds=300.0),
    "Usual": Limits(),
    "Thorough": Limits(max_steps=24, max_tokens=500_000, max_seconds=3600.0),
}
LINES_SHOWN, LINE_CHARACTERS = 6, 180

_STYLE = """
<style>
.wf-question { font: 1.2rem/1.4 var(--wf-serif); margin: .2rem 0 .6rem; overflow-wrap: anywhere; }
.wf-strand { display: flex; gap: .7rem; margin: .45rem 0; line-height: 1.35; }
.wf-strand .n { flex: none; width: 1.5rem; height: 1.5rem; border-radius: 50%; text-align: center; font-size: .85rem; line-height: 1.5rem;
  background: color-mix(in srgb, currentColor 13%, transparent); font-variant-numeric: tabular-nums; }
.wf-strand small { opacity: .78; display: block; }
.wf-log { font-size: .84rem; opacity: .85; line-height: 1.45; margin: .2rem 0; overflow-wrap: anywhere; }
.wf-log p { margin: 0 0 .25rem; font-size: inherit; }
</style>
"""


def progress(job: ResearchJob) -> None:
    """The plan with the state of each part, what was used so far, and the latest steps."""
    st.html(_STYLE)
    facts = [
        f"{job.n_steps} of at most {job.max_steps} rounds",
        f"{job.n_read} papers read",
        job.cost,
    ]
    st.progress(
        min(1.0, job.n_steps / job.max_steps), " · ".join(literal(fact) for fact in facts if fact)
    )
    rows = [
        f'<div class="wf-strand"><span class="n">{n}</span><span>{escape(strand.question)}'
        f"<small>{escape(strand.state)} · {strand.n_read} papers</small></span></div>"
        for n, strand in enumerate(job.strands, 1)
    ]
    st.html("".join(rows) or '<p class="wf-facts">Beginning</p>')
    lines = [line for record in job.records[-40:] if (line := _line(record.kind, record.data))]
    latest = [textwrap.shorten(line, LINE_CHARACTERS, placeholder=" …") for line in lines]
    shown = "".join(f"<p>{escape(line)}</p>" for line in latest[-LINES_SHOWN:])
    st.html(f'<div class="wf-log" aria-live="polite">{shown}</div>')


def _line(kind: str, data: dict[str, object]) -> str:
    if kind == "look":
        how, query = data["how"], str(data["query"])
        return f"{data['part']} · {look_words(how, query, data['n_found'], data['n_new'])}"  # type: ignore[arg-type]
    if kind == "note":
        return f"{data['part']} · Noted: {data['text']}"
    return str(data["reason"]) if kind == "stop" else ""


def report_head(report: Report) -> None:
    """The question, how its report was made, and what was not done."""
    st.html(_STYLE + f'<p class="wf-question">{escape(report.question)}</p>')
    st.html(f'<p class="wf-kind">{escape(_how_made(report))}</p>')
    if report.stopped:
        st.warning(literal(" ".join(report.stopped)))
    if report.degraded:
        st.info("  \n".join(literal(text) for text in report.degraded))


def report_body(report: Report, settings: SearchSettings) -> None:
    """Short answer, a section a part, disagreements, what lacks, where it looked, papers."""
    _block("Short answer", report.short_answer, report)
    for section in report.sections:
        note = section_note(section)
        _block(section.question, section.sentences, report, note, quoted=section.by == "quotes")
    _block("Where the papers disagree", report.disagreements, report)
    if report.not_found:
        st.subheader("What was not found", anchor=False)
        st.html("<ul>" + "".join(f"<li>{escape(t)}</li>" for t in report.not_found) + "</ul>")
    with st.expander("What was searched"):
        looks = "".join(f"<p>{look.part} · {escape(look_text(look))}</p>" for look in report.looks)
        st.html(f'<div class="wf-log">{looks}</div>')
    st.html(f'<p class="wf-facts">{escape(searched_text(report))}</p>')
    paper_cards("Papers", report.papers, report.sentences, settings)


def _how_made(report: Report) -> str:
    n, passed = len(report.sentences), sum(s.supported for s in report.sentences)
    written = report.usage.told(written=True) if report.by_model else "Quoted word for word"
    if report.usage.model and not report.by_model:
        written += f" · {report.usage.told(written=False)}"
    return (
        f"{written} · {passed} of {n} sentences passed their checks · {len(report.papers)} papers cited of "
        f"{report.n_read} read · {report.seconds:.0f} s"
    )


def _block(
    heading: str,
    sentences: Sequence[Sentence],
    report: Report,
    note: str = "",
    *,
    quoted: bool = False,
) -> None:
    if not sentences and not note:
        return
    st.subheader(literal(heading), anchor=False)
    if note:
        st.html(f'<p class="wf-facts">{escape(note)}</p>')
    st.html(paragraphs(sentences, report.papers, by_paper=quoted))
