"""A run's findings put together as one report: papers numbered once, and the report as JSON and Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from indexer.store import Index
from retrieval.markdown import paper_line, plain, sentence_lines
from retrieval.records import Hit, SearchResult, Sentence
from retrieval.research_meter import Meter
from retrieval.research_read import Strand
from retrieval.research_records import Cited, How, Look, Plan, Report, Section
from retrieval.research_write import Written
from retrieval.rows import hit_row, sentence_row

NOT_SEARCHED = ("full texts", "papers outside this index")
_BY = {
    "model": "",
    "notes": "Not written to its end: these are the notes taken while reading.",
    "quotes": "Quoted from the papers.",
    "nothing": "",
}


@dataclass(frozen=True)
class Found:
    """What a run found, before its papers are numbered."""

    index: Index
    first: SearchResult  # for the whole question
    plan: Plan
    strands: Sequence[Strand]
    sections: Sequence[Written]
    short_answer: Sequence[Cited]
    disagreements: Sequence[Cited]
    dropped: Sequence[Cited] = ()  # of the short answer


def put_together(
    found: Found,
    meter: Meter,
    *,
    degraded: tuple[str, ...],
    finished: bool,
    trace: str,
    tokens: int,
) -> Report:
    """Number the papers in the order in which the report cites them, and return the report."""
    hits = best_hits(found.strands)
    in_order = [
        *found.short_answer,
        *(cited for section in found.sections for cited in section.sentences),
        *found.disagreements,
        *(cited for section in found.sections for cited in section.dropped),
        *found.dropped,
    ]
    rows = dict.fromkeys(row for cited in in_order for row in _rows(cited))
    numbers = {row: n for n, row in enumerate(rows, 1)}
    years = sorted(hit.paper.year for hit in hits.values() if hit.paper.year is not None)
    return Report(
        question=found.first.query,
        plan=found.plan,
        short_answer=_numbered(found.short_answer, numbers),
        short_answer_dropped=_numbered(found.dropped, numbers),
        sections=tuple(
            Section(
                strand.question,
                _numbered(section.sentences, numbers),
                section.by,
                section.note,
                _numbered(section.dropped, numbers),
                len(strand.hits),
            )
            for strand, section in zip(found.strands, found.sections, strict=True)
        ),
        disagreements=_numbered(found.disagreements, numbers),
        not_found=tuple(_not_found(found)),
        looks=tuple(look for strand in found.strands for look in strand.looks),
        papers=tuple(hits[row] for row in rows),
        n_read=len(hits),
        years=(years[0], years[-1]) if years else None,
        n_papers=found.first.n_papers,
        as_of=found.first.as_of,
        snapshot=found.first.snapshot,
        stopped=tuple(meter.reasons),
        degraded=degraded,
        usage=meter.usage,
        tokens=tokens,
        seconds=meter.trace.elapsed,
        steps=meter.steps,
        limits=meter.limits,
        finished=finished,
        trace=trace,
    )


def best_hits(strands: Sequence[Strand]) -> dict[int, Hit]:
    """Each paper read, by row, as the sub-question found it that it fits best."""
    hits: dict[int, Hit] = {}
    for strand in strands:
        for row, hit in strand.hits.items():
            if row not in hits or hit.score > hits[row].score:
                hits[row] = hit
    return hits


def _rows(cited: Cited) -> Iterable[int]:
    return (*cited.cited_rows, *(cited.rows[item.n - 1] for item in cited.sentence.evidence))


def _numbered(found: Sequence[Cited], numbers: dict[int, int]) -> tuple[Sentence, ...]:
    return tuple(cited.numbered(numbers) for cited in found)


def _not_found(found: Found) -> Iterable[str]:
    """What the report cannot say, in words."""
    for strand, section in zip(found.strands, found.sections, strict=True):
        if section.by == "nothing":
            yield f"“{strand.question}”: {section.note or 'no sentence of the papers answers it.'}"
        elif not any(cited.sentence.supported for cited in section.sentences):
            yield f"“{strand.question}”: no sentence on it passed its checks."
        elif strand.result and strand.result.coverage and strand.result.coverage.level != "well":
            yield f"“{strand.question}”: {strand.result.coverage.reason}"
        if strand.gap:
            yield f"“{strand.question}”: papers on “{strand.gap}” were found missing and not searched for."


def searched_text(report: Report) -> str:
    """What was searched and read, in a sentence or two."""
    years = f" of {report.years[0]} to {report.years[1]}" if report.years else ""
    n_looks = len(report.looks)
    return (
        f"Read {report.n_read:,} paper{'' if report.n_read == 1 else 's'}{years} in {report.steps} steps and {n_looks} "
        f"searches, out of {report.n_papers:,} in this index as of {report.as_of}. "
        f"Not searched: {'; '.join(NOT_SEARCHED)}."
    )


def section_note(section: Section) -> str:
    """How a section came about, where it was not written by the model as a whole."""
    return " ".join(filter(None, (section.note, _BY[section.by])))


def report_row(report: Report) -> dict[str, Any]:
    """The report as one JSON object."""
    return {
        "question": report.question,
        "plan": asdict(report.plan),
        "short_answer": [sentence_row(s) for s in report.short_answer],
        "short_answer_dropped": [sentence_row(s) for s in report.short_answer_dropped],
        "sections": [
            {
                "question": section.question,
                "by": section.by,
                "note": section.note,
                "sentences": [sentence_row(s) for s in section.sentences],
                "dropped": [sentence_row(s) for s in section.dropped],
                "n_read": section.n_read,
            }
            for section in report.sections
        ],
        "disagreements": [sentence_row(s) for s in report.disagreements],
        "not_found": list(report.not_found),
        "searched": [asdict(look) for look in report.looks],
        "papers": [{"n": n, **hit_row(hit)} for n, hit in enumerate(report.papers, 1)],
        "n_read": report.n_read,
        "years": report.years,
        "n_papers": report.n_papers,
        "as_of": report.as_of,
        "snapshot": report.snapshot,
        "stopped": list(report.stopped),
        "degraded": list(report.degraded),
        "usage": asdict(report.usage),
        "tokens": report.tokens,
        "seconds": round(report.seconds, 3),
        "steps": report.steps,
        "limits": asdict(report.limits),
        "finished": report.finished,
        "trace": report.trace,
    }


def report_markdown(report: Report) -> str:
    """The report as Markdown; nothing in a paper's or a model's text is markup."""
    lines = [f"# {plain(report.question)}", ""]
    lines += [f"> {plain(text)}" for text in report.stopped]
    lines += ["", *_paragraph("Short answer", report.short_answer)]
    for section in report.sections:
        note = section_note(section)
        lines += [
            f"## {plain(section.question)}",
            "",
            *([f"*{plain(note)}*", ""] if note else []),
        ]
        lines += sentence_lines(section.sentences)
    lines += _paragraph("Where the papers disagree", report.disagreements)
    if report.not_found:
        lines += [
            "## What was not found",
            "",
            *(f"- {plain(text)}" for text in report.not_found),
            "",
        ]
    lines += ["## What was searched", "", plain(searched_text(report)), ""]
    lines += [f"- {plain(look_text(look))}" for look in report.looks]
    lines += ["", "## Papers", ""]
    lines += [f"{n}. {paper_line(hit)}" for n, hit in enumerate(report.papers, 1)]
    if report.degraded:
        lines += ["", "## Notes", "", *(f"- {plain(text)}" for text in report.degraded)]
    if report.usage.model:
        lines += ["", f"{plain(report.usage.told(written=report.by_model))}."]
    return "\n".join(lines).strip() + "\n"


_WAYS: dict[How, str] = {
    "question": "Searched",
    "gap": "Searched for what was missing",
    "references": "Followed references and citations of",
    "similar": "Looked for papers like",
}


def look_text(look: Look) -> str:
    """One look for papers, in words."""
    return look_words(look.how, look.query, look.n_found, look.n_new)


def look_words(how: How, query: str, n_found: int, n_new: int) -> str:
    """A look that was this kind, for these words, with so many papers."""
    return f"{_WAYS[how]}: {query} ({n_found} found, {n_new} read anew)"


def _paragraph(heading: str, sentences: Sequence[Sentence]) -> list[str]:
    return [f"## {heading}", "", *sentence_lines(sentences)] if sentences else []
