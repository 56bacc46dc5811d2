"""The ranking benchmarks: run every system on a question set, measure, compare with what is served.

wayfinder eval single    --questions eval/data/questions_single_dev.jsonl --index my-index
wayfinder eval multi     --questions eval/data/topics_dev.jsonl --qrels eval/data/topics_dev.qrels --index my-index
wayfinder eval citations --questions citations.jsonl --index my-index
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eval.baselines import System
from eval.measures import Estimate, Qrels, Run, Values, estimate, holm, paired_p_value, per_question
from eval.questions import ALL, QuestionSet, document

DEPTH = 100
SERVED = "wayfinder"

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Row:
    """One system on one group of questions: a style, or all; over every question or those in the corpus."""

    system: str
    group: str
    n_questions: int
    in_corpus_only: bool
    estimates: dict[str, Estimate]  # by measure
    p_values: dict[
        str, float
    ]  # served against this system, Holm-corrected; empty for the served one


@dataclass(frozen=True)
class Report:
    """All rows, and the runs and qrels they were computed from."""

    rows: tuple[Row, ...]
    runs: dict[str, Run]
    qrels: Qrels
    n_missing: int  # relevant papers that are not in the index


def run_benchmark(
    systems: dict[str, System],
    questions: QuestionSet,
    measures: Sequence[object],
    *,
    progress: Progress = lambda stage, done, total: None,
) -> Report:
    """Rank with every system and measure; papers that are not in the index count as not found."""
    runs = {name: _run(name, system, questions, progress) for name, system in systems.items()}
    rows = _rows(questions, runs, measures, in_corpus_only=False)
    if questions.n_missing:
        rows += _rows(questions, runs, measures, in_corpus_only=True)[: len(runs)]
    return Report(tuple(rows), runs, questions.qrels(in_corpus_only=False), questions.n_missing)


def table(report: Report) -> str:
    """The report for people: a line per system and group."""
    measures = list(report.rows[0].estimates)
    head = "".join(f"{_title(m):<23}" for m in measures)
    lines = [f"{'system':<17}{'questions':<18}{'n':>5}  {head}".rstrip()]
    for row in report.rows:
        group = f"{row.group}, in corpus" if row.in_corpus_only else row.group
        cells = "".join(f"{_cell(row, measure):<23}" for measure in measures)
        lines.append(f"{row.system:<17}{group:<18}{row.n_questions:>5}  {cells}".rstrip())
    if report.n_missing:
        lines.append(
            f"{report.n_missing} right papers are not in this index: they count as not found, "
            "and are left out where it says in corpus."
        )
    lines.append(
        "Brackets: 95 % bootstrap interval over questions. * ** ***: differs from wayfinder at "
        ".05, .01, .001 (paired permutation test, Holm-corrected)."
    )
    return "\n".join(lines)


def _run(name: str, system: System, questions: QuestionSet, progress: Progress) -> Run:
    run: dict[str, dict[str, float]] = {}
    for done, question in enumerate(questions.questions):
        progress(name, done, len(questions.questions))
        # the rank is the score: trec_eval's own tie-breaking must not reorder what is served
        ranked = enumerate(system(question.text))
        run[question.query_id] = {document(row): -float(place) for place, (row, _) in ranked}
    progress(name, len(questions.questions), len(questions.questions))
    return run


def _rows(
    questions: QuestionSet,
    runs: dict[str, Run],
    measures: Sequence[object],
    *,
    in_corpus_only: bool,
) -> list[Row]:
    qrels = questions.qrels(in_corpus_only=in_corpus_only)
    if not qrels:
        return []
    values = {name: per_question(measures, qrels, run) for name, run in runs.items()}
    style = {q.query_id: q.style for q in questions.questions}
    place = {query_id: i for i, query_id in enumerate(qrels)}
    groups = {ALL: list(place.values())}
    if len(questions.styles) > 1:
        groups |= {s: [i for q, i in place.items() if style[q] == s] for s in questions.styles}
    rows = []
    for group, members in groups.items():
        if not members:
            continue
        parts = {n: {m: v[members] for m, v in by.items()} for n, by in values.items()}
        p_values = _significance(parts)
        for name, by_measure in parts.items():
            estimates = {m: estimate(v) for m, v in by_measure.items()}
            p = p_values.get(name, {})
            rows.append(Row(name, group, len(members), in_corpus_only, estimates, p))
    return rows


def _significance(parts: dict[str, dict[str, Values]]) -> dict[str, dict[str, float]]:
    """Corrected p-values of the served system against each other one, by measure."""
    others = [name for name in parts if name != SERVED]
    corrected: dict[str, dict[str, float]] = {name: {} for name in others}
    for measure in parts[SERVED]:
        raw = [paired_p_value(parts[SERVED][measure], parts[name][measure]) for name in others]
        for name, p in zip(others, holm(raw), strict=True):
            corrected[name][measure] = p
    return corrected


def _cell(row: Row, measure: str) -> str:
    e = row.estimates[measure]
    p = row.p_values.get(measure, 1.0)
    stars = "***" if p < 0.001 else "**" if p < 0.01 else "*" if p < 0.05 else ""
    return f"{e.mean:.3f} {e.interval}{stars}"


def _title(measure: str) -> str:
    for short, name in (
        ("Success", "success"),
        ("RR", "reciprocal rank"),
        ("Judged", "judged share"),
    ):
        measure = measure.replace(short, name)
    return f"recall{measure[1:]}" if measure.startswith("R@") else measure
