"""One research run: what its workflow moves along, from the plan to the report."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, replace
from pathlib import Path

from indexer.errors import SourceError
from indexer.store import Index
from indexer.tokens import fold
from retrieval.llm import LLM
from retrieval.records import SearchResult, SearchSettings
from retrieval.research_meter import MOST_FAILURES, Meter, Metered
from retrieval.research_plan import plan_of, split
from retrieval.research_read import Reader, Strand
from retrieval.research_records import Cited, Limits, Plan, Report
from retrieval.research_report import Found, put_together, report_row
from retrieval.research_trace import Record, Trace
from retrieval.research_write import DISAGREEMENTS, SHORT_ANSWER, Writer, Written, most_cited
from retrieval.search import enough_evidence, search

WAIT_SECONDS = 0.2


class Run:
    """A run's state and its steps; `report` moves it from begin to end."""

    def __init__(
        self,
        index: Index,
        trace: Trace,
        settings: SearchSettings,
        limits: Limits,
        llm: LLM | None,
        plan: Plan | None,
        cancel: threading.Event | None = None,
        path: Path | None = None,
        earlier: tuple[Record, ...] = (),
    ) -> None:
        self.index, self.trace, self.settings, self.path = index, trace, settings, path
        self.plan = plan
        self.meter = Meter(limits, trace, cancel or threading.Event(), _steps_done(earlier))
        self.model = Metered(llm, self.meter, earlier) if llm else None
        self.reader = Reader(index, self.model.reading() if self.model else None)
        self.writer = Writer(index, self.model)
        self.degraded: list[str] = []
        self.strands: list[Strand] = []
        self.sections: dict[int, Written] = {}
        self.short_answer: list[Cited] = []
        self.dropped: list[Cited] = []  # of the short answer
        self.disagreements: list[Cited] = []

    def report(self, first: SearchResult) -> Report:
        """Run to the end and return the report; `first` is the search for the whole question."""
        from retrieval.research_workflow import run_workflow

        self._first = first
        with ThreadPoolExecutor(1) as pool:  # the caller's thread may have an event loop
            working = pool.submit(run_workflow, self)
            # In short waits: a signal that comes just before a wait without end would be acted on after it.
            while not wait([working], timeout=WAIT_SECONDS).done:
                pass
            working.result()
        report = self._report()
        self.trace.add("report", **report_row(report))
        return report

    def begin(self) -> int:
        """Make the plan and its strands."""
        if self.plan is None:
            model = None if self._hopeless() else self.model
            self.plan = plan_of(self._first.query, (), model)
        if self.plan.note:
            self.degraded.append(self.plan.note)
        self.trace.add("plan", **asdict(self.plan))
        if not self.index.graph:
            self.degraded.append("This index holds no reference lists: none could be followed.")
        settings = _carried(self.settings, self._first)
        self.strands = [
            Strand(number, part, settings) for number, part in enumerate(self.plan.parts, 1)
        ]
        return len(self.strands)

    def next_round(self) -> list[int]:
        """Give the steps that are left to the sub-questions that are open, in the plan's order."""
        return [
            i
            for i, strand in enumerate(self.strands)
            if strand.open and self.meter.take_step(strand.number, strand.round + 1)
        ]

    def explore(self, part: int) -> None:
        """One round for one sub-question, and what came of it in the trace."""
        strand = self.strands[part]
        looks, notes, known = len(strand.looks), len(strand.notes), set(strand.hits)
        self.trace.add("step", part=strand.number, round=strand.round + 1)
        self.reader.round(strand)
        for look in strand.looks[looks:]:
            self.trace.add("look", **asdict(look))
        for note in strand.notes[notes:]:
            self.trace.add("note", part=strand.number, **self._row(note))
        new = [hit for row, hit in strand.hits.items() if row not in known]
        self.trace.add(
            "read",
            part=strand.number,
            round=strand.round,
            papers=[{"id": hit.paper.id, "title": hit.paper.plain_title} for hit in new],
            useful=[hit.paper.id for hit in new if hit.row in strand.useful],
            ended=strand.ended,
        )

    def write(self, part: int) -> None:
        """One section."""
        strand = self.strands[part]
        self.trace.add("writing", part=strand.number)
        written = self.writer.section(strand)
        self.sections[part] = written
        for cited in written.sentences:
            self.trace.add("sentence", of=f"section {strand.number}", **self._row(cited))
        self.trace.add("section", part=strand.number, by=written.by, note=written.note)

    def finish(self) -> None:
        """The short answer and the disagreements, side by side."""
        sections = [self.sections[i] for i in range(len(self.strands))]
        hits = most_cited(sections, self.strands)
        with ThreadPoolExecutor(2) as pool:
            short = pool.submit(self.writer.written, self._first.query, hits, *SHORT_ANSWER)
            apart = pool.submit(self.writer.written, self._first.query, hits, *DISAGREEMENTS)
            (self.short_answer, note), (self.disagreements, other) = short.result(), apart.result()
        self.degraded += [text for text in (note, other) if text]
        if not any(c.sentence.supported for c in self.short_answer):
            self._replace_short_answer(sections)
        if self.model is None:
            self.disagreements = self.writer.debated(self._first.query, hits)
        for name, found in (
            ("short answer", self.short_answer),
            ("disagreements", self.disagreements),
        ):
            for cited in found:
                self.trace.add("sentence", of=name, **self._row(cited))

    def _replace_short_answer(self, sections: Sequence[Written]) -> None:
        """The first sentence of each section that no other one says; those that failed are kept apart."""
        if self.short_answer:
            self.degraded.append(
                f"None of the model's {len(self.short_answer)} sentences of the short answer passed its checks: "
                "the first sentences of the sections stand for them."
            )
        self.dropped, self.short_answer = self.short_answer, []
        said: set[object] = set()
        for section in sections:
            keys = [(self._said(cited), cited) for cited in section.sentences]
            key, first = next((pair for pair in keys if not pair[0] & said), (set(), None))
            if first is not None:
                said |= key
                self.short_answer.append(first)

    def _said(self, cited: Cited) -> set[object]:
        """What a sentence says: its words, and each quotation with its paper."""
        quotes = {(cited.rows[e.n - 1], fold(e.quote)) for e in cited.sentence.evidence}
        return {fold(" ".join(cited.sentence.text.split())), *quotes}

    def _hopeless(self) -> bool:
        """Whether the index covers neither the question nor any part of it: no model is asked then."""
        return bool(enough_evidence(self._first)) and all(
            enough_evidence(search(self.index, part, self._first.settings))
            for part in split(self._first.query)
        )

    def _row(self, cited: Cited) -> dict[str, object]:
        """A sentence with its papers by identifier."""
        names = {row: self.index.papers[row].id for row in cited.rows}
        return {
            "text": cited.sentence.text,
            "papers": [names[row] for row in cited.cited_rows],
            "quotes": [
                {"paper": names[cited.rows[item.n - 1]], "quote": item.quote, "found": item.found}
                for item in cited.sentence.evidence
            ],
            "supported": cited.sentence.supported,
            "problems": list(cited.sentence.problems),
        }

    def _report(self) -> Report:
        assert self.plan is not None
        notes = [*self.degraded, *(note for strand in self.strands for note in strand.degraded)]
        if self.trace.failure:
            notes.append(self.trace.failure)
        if self.model is None:
            notes.append(
                "Without a language model the papers are quoted: to plan freely, to put the parts together and "
                "to weigh what disagrees needs one."
            )
        found = Found(
            index=self.index,
            first=self._first,
            plan=self.plan,
            strands=self.strands,
            sections=[self.sections[i] for i in range(len(self.strands))],
            short_answer=self.short_answer,
            dropped=self.dropped,
            disagreements=self.disagreements,
        )
        failed = self.model is not None and self.meter.failures >= MOST_FAILURES
        return put_together(
            found,
            self.meter,
            degraded=tuple(dict.fromkeys(notes)),
            finished=not self.meter.reasons and not failed,
            trace=str(self.path or ""),
            tokens=self.model.allowance.tokens if self.model else 0,
        )


def _steps_done(earlier: tuple[Record, ...]) -> frozenset[tuple[int | None, int | None]]:
    """The rounds that an earlier part of the run made to their end: they are taken again for nothing.

    Raises:
        SourceError: a record does not say of what round it is.
    """
    done = set()
    for record in earlier:
        if record.kind == "read":
            part, round_ = record.data.get("part"), record.data.get("round")
            if not isinstance(part, int) or not isinstance(round_, int):
                raise SourceError(
                    f"Line {record.seq} of the trace reads for no round: its part is {part!r}, its round {round_!r}."
                )
            done.add((part, round_))
    return frozenset(done)


def _carried(settings: SearchSettings, first: SearchResult) -> SearchSettings:
    """The user's settings with the years and the author that the whole question narrows to.

    A sub-question need not say "since 2020" again.
    """
    filters = settings.filters
    years = [item for item in first.understood if item.kind == "years"]
    since = max((i.since for i in years if i.since is not None), default=filters.since)
    until = min((i.until for i in years if i.until is not None), default=filters.until)
    if filters.since is not None and since is not None:
        since = max(since, filters.since)
    if filters.until is not None and until is not None:
        until = min(until, filters.until)
    if since is not None and until is not None and since > until:
        return settings
    authors = [item.value for item in first.understood if item.kind == "author"]
    author = filters.author or (authors[0] if len(authors) == 1 else None)
    return replace(settings, filters=replace(filters, since=since, until=until, author=author))
