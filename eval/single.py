"""The single-paper benchmark: how often the one right paper is found, and how high.

wayfinder eval single --questions eval/data/questions_single_dev.jsonl --index my-index
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eval.baselines import systems
from eval.measures import (
    SINGLE,
    Estimate,
    Qrels,
    Run,
    Values,
    estimate,
    holm,
    paired_p_value,
    per_question,
)
from eval.questions import ALL, QuestionSet
from indexer.store import Index

DEPTH = 100
SERVED = "wayfinder"


@dataclass(frozen=True)
class Row:
    """One system on one group of questions: a style, or all, over every question or those in the corpus."""

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
    n_missing: int


def run_single(
    index: Index,
    questions: QuestionSet,
    *,
    baselines: bool = True,
    progress: Callable[[str, int, int | None], None] = lambda stage, done, total: None,
) -> Report:
    """Rank with every system and measure; questions whose paper is missing count as zero in `all`."""
    qrels = {
        q.query_id: {
            _doc(questions.rows[q.query_id]) if q.query_id in questions.rows else "missing": 1
        }
        for q in questions.questions
    }
    runs: dict[str, Run] = {}
    for name, system in systems(index, DEPTH, baselines=baselines).items():
        run: dict[str, dict[str, float]] = {}
        for done, question in enumerate(questions.questions):
            progress(name, done, len(questions.questions))
            # the rank is the score: trec_eval's own tie-breaking must not reorder what is served
            run[question.query_id] = {
                _doc(row): -float(place) for place, (row, _) in enumerate(system(question.text))
            }
        progress(name, len(questions.questions), len(questions.questions))
        runs[name] = run
    values = {name: per_question(SINGLE, qrels, run) for name, run in runs.items()}
    return Report(tuple(_rows(questions, values)), runs, qrels, len(questions.missing))


def table(report: Report) -> str:
    """The report for people: a line per system and group."""
    measures = [str(measure) for measure in SINGLE]
    lines = [
        f"{'system':<16}{'questions':<20}{'n':>5}  " + "".join(f"{_short(m):<22}" for m in measures)
    ]
    for row in report.rows:
        group = f"{row.group}, in corpus" if row.in_corpus_only else row.group
        cells = "".join(f"{_cell(row, measure):<22}" for measure in measures)
        lines.append(f"{row.system:<16}{group:<20}{row.n_questions:>5}  {cells}".rstrip())
    if report.n_missing:
        lines.append(
            f"{report.n_missing} questions ask for papers that this index does not hold; they count as zero, and are left out where it says in corpus."
        )
    lines.append(
        "Brackets: 95 % bootstrap interval over questions. * ** ***: differs from wayfinder at .05, .01, .001 (paired permutation test, Holm-corrected)."
    )
    return "\n".join(lines)


def _rows(questions: QuestionSet, values: dict[str, dict[str, Values]]) -> list[Row]:
    groups: list[tuple[str, bool, list[int]]] = [
        (ALL, False, list(range(len(questions.questions))))
    ]
    if questions.missing:
        groups.append(
            (
                ALL,
                True,
                [i for i, q in enumerate(questions.questions) if q.query_id in questions.rows],
            )
        )
    if len(questions.styles) > 1:
        groups += [
            (s, False, [i for i, q in enumerate(questions.questions) if q.style == s])
            for s in questions.styles
        ]
    rows = []
    for group, in_corpus, members in groups:
        if not members:
            continue
        parts = {
            name: {m: v[members] for m, v in by_measure.items()}
            for name, by_measure in values.items()
        }
        p_values = _significance(parts)
        for name, by_measure in parts.items():
            estimates = {m: estimate(v) for m, v in by_measure.items()}
            rows.append(
                Row(name, group, len(members), in_corpus, estimates, p_values.get(name, {}))
            )
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
    return f"{e.mean:.3f} [{e.low:.3f}, {e.high:.3f}]{stars}"


def _short(measure: str) -> str:
    return measure.replace("Success", "success").replace("RR", "reciprocal rank")


def _doc(row: int) -> str:
    return f"row{row}"
