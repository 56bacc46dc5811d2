"""What Wayfinder takes from questions, measured: years, names, and whether the index covers them.

wayfinder eval temporal --questions eval/data/temporal.jsonl --index my-index
wayfinder eval aliases  --questions eval/data/aliases.jsonl  --index my-index
wayfinder eval scope    --questions eval/data/scope.jsonl    --index my-index
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from eval.measures import Estimate, Values, estimate
from eval.questions import numbered_lines
from indexer.errors import QueryError
from indexer.store import Index
from retrieval import search
from retrieval.records import SearchResult, SearchSettings
from retrieval.tables import Named, facilities, objects
from retrieval.understood import Understood

Progress = Callable[[str, int, int | None], None]
Row = dict[str, Any]

AT = 10  # papers of each ranking that are looked at


@dataclass(frozen=True)
class Finding:
    """One number with its 95 % bootstrap interval over questions."""

    name: str
    estimate: Estimate


def read_set(path: Path, *fields: str) -> list[Row]:
    """Read JSON lines that have `query_id`, `question` and the fields.

    Raises:
        QueryError: the file cannot be read, or a line lacks a field; the line is named.
    """
    rows: list[Row] = []
    for number, line in numbered_lines(path):
        try:
            row = json.loads(line)
            missing = [f for f in ("query_id", "question", *fields) if f not in row]
        except (ValueError, TypeError) as error:
            raise QueryError(f"{path}, line {number}: not a JSON object.") from error
        if missing:
            raise QueryError(f"{path}, line {number}: {', '.join(missing)} is missing.")
        rows.append(row)
    if not rows:
        raise QueryError(f"{path} holds no question.")
    return rows


def temporal(index: Index, rows: Sequence[Row], progress: Progress) -> list[Finding]:
    """Years and wishes for recent papers: found where they are asked for and nowhere else.

    A row has since, until (years or null), recent (bool) and as_of (the year it was written for).
    """
    shift = int(index.manifest.as_of[:4]) - int(rows[0]["as_of"])
    if shift:
        raise QueryError(
            f"The questions are written for {rows[0]['as_of']}, the index is as of {index.manifest.as_of}: "
            "build it with --as-of."
        )
    meant = [search(index, row["question"], _BOTH["understood"]).understood for row in rows]
    years = [_ends(items) for items in meant]
    wanted = [(row["since"], row["until"]) for row in rows]
    nothing = (None, None)
    right = [y == w for y, w in zip(years, wanted, strict=True)]
    recent = [any(item.kind == "recent" for item in items) for items in meant]
    asked_recent = [bool(row["recent"]) for row in rows]
    found = [
        *_precision_and_recall(
            "years", right, [y != nothing for y in years], [w != nothing for w in wanted]
        ),
        *_precision_and_recall(
            "recent",
            [a == b for a, b in zip(recent, asked_recent, strict=True)],
            recent,
            asked_recent,
        ),
    ]
    dated = [row for row in rows if (row["since"], row["until"]) != nothing]
    found += _shares(
        "share of the first 10 in the years asked for",
        index,
        dated,
        lambda row, result: _share(_in_years(row, hit.paper.year) for hit in result.hits),
        progress,
    )
    wishes = [row for row in rows if row["recent"]]
    found += _shares(
        "mean age of the first 10 in years, where the latest is asked for",
        index,
        wishes,
        lambda row, result: _mean(
            index.manifest.as_of_year - (hit.paper.decimal_year or np.nan) for hit in result.hits
        ),
        progress,
    )
    return found


def aliases(index: Index, rows: Sequence[Row], progress: Progress) -> list[Finding]:
    """Objects and facilities by any of their names. A row has name: a table's entry, or empty for none."""
    meant = [search(index, row["question"], _BOTH["understood"]).understood for row in rows]
    found_names = [{i.value for i in m if i.kind in ("object", "facility")} for m in meant]
    entries = [_entry(row["name"]) for row in rows]
    wanted = [{entry.name} if entry else set() for entry in entries]
    right = [f == w for f, w in zip(found_names, wanted, strict=True)]
    found = _precision_and_recall(
        "names", right, list(map(bool, found_names)), list(map(bool, wanted))
    )
    held = [
        {**row, "rows": rows_naming}
        for row, entry in zip(rows, entries, strict=True)
        if entry and len(rows_naming := _rows_naming(index, entry)) >= AT
    ]
    found += _shares(
        "share of the first 10 that name it, by any name",
        index,
        held,
        lambda row, result: _share(hit.row in row["rows"] for hit in result.hits),
        progress,
    )
    for label, settings in _BOTH.items():
        firsts: dict[str, list[set[int]]] = {}
        for row in held:
            hits = search(index, row["question"], settings).hits
            firsts.setdefault(row["name"], []).append({hit.row for hit in hits})
        overlap = [len(a & b) / AT for sets in firsts.values() for a, b in combinations(sets, 2)]
        found.append(_finding(f"same papers in the first 10 under two names, {label}", overlap))
    return found


def scope(index: Index, rows: Sequence[Row], progress: Progress) -> list[Finding]:
    """Whether questions that the index does not cover are told from those that it does (`covered`)."""
    judged = [search(index, row["question"], _ONE).coverage for row in rows]
    if any(j is None for j in judged):
        raise QueryError(
            f"The encoder {index.manifest.encoder!r} is not calibrated: see --calibrate."
        )
    progress("searching", len(rows), len(rows))
    outside = [not row["covered"] for row in rows]
    found: list[Finding] = []
    for name, said in (
        ("called outside", [j is not None and j.level != "well" for j in judged]),
        ("refused", [j is not None and j.level == "not" for j in judged]),
    ):
        right = [s == o for s, o in zip(said, outside, strict=True)]
        found += _precision_and_recall(name, right, said, outside)
        found.append(_finding(f"{name}: accuracy", right))
    return found


def calibrate(
    index: Index, inside: Sequence[str], outside: Sequence[str]
) -> tuple[float, float, float]:
    """Fit the logistic of retrieval/coverage.py on questions; return its weights and its constant.

    Both sides count alike, however many questions each has; the weights are kept small by L2, and none is below 0: a
    question that is nearer is never covered less.
    """
    from scipy.optimize import minimize

    x, y = [], []
    for texts, label in ((inside, 1.0), (outside, 0.0)):
        for text in texts:
            near = search(index, text, _ONE).nearness
            if near is not None:
                x.append((near.meaning, near.words, 1.0))
                y.append(label)
    seen, wanted = np.array(x), np.array(y)
    share = np.where(wanted > 0, 0.5 / max(wanted.sum(), 1), 0.5 / max((1 - wanted).sum(), 1))

    def loss(weights: Values) -> float:
        z = seen @ weights
        missed = share * np.logaddexp(0.0, np.where(wanted > 0, -z, z))
        return float(missed.sum() + 1e-4 * (weights[:2] ** 2).sum())

    bounds = [(0.0, None), (0.0, None), (None, None)]
    of_meaning, of_words, constant = minimize(loss, np.zeros(3), bounds=bounds).x
    return float(of_meaning), float(of_words), float(constant)


def table(found: Sequence[Finding]) -> str:
    """The findings for people, a line each."""
    lines = [
        f"{f.name:<72}{f.estimate.mean:>7.3f} {f.estimate.interval}  n = {f.estimate.n}"
        for f in found
    ]
    return "\n".join(
        [*lines, "Brackets: 95 % interval (bootstrap over questions; Wilson for shares of pairs)."]
    )


_ONE = SearchSettings(k=1, rerank=False)
_BOTH = {
    "understood": SearchSettings(k=AT),
    "taken as plain words": SearchSettings(k=AT, understand=False),
}


def _shares(
    name: str,
    index: Index,
    rows: Sequence[Row],
    value: Callable[[Row, SearchResult], float],
    progress: Progress,
) -> list[Finding]:
    """A value of each row's ranking, with and without understanding the question."""
    found = []
    for label, settings in _BOTH.items():
        values = []
        for done, row in enumerate(rows):
            progress(f"searching, {label}", done, len(rows))
            values.append(value(row, search(index, row["question"], settings)))
        found.append(_finding(f"{name}, {label}", values))
    return found


def _precision_and_recall(
    name: str, right: Sequence[bool], said: Sequence[bool], wanted: Sequence[bool]
) -> list[Finding]:
    return [
        _finding(f"{name}: precision", [r for r, s in zip(right, said, strict=True) if s]),
        _finding(f"{name}: recall", [r for r, w in zip(right, wanted, strict=True) if w]),
    ]


def _finding(name: str, values: Iterable[float]) -> Finding:
    array: Values = np.array([v for v in values if not np.isnan(v)], dtype=np.float64)
    if not len(array):
        return Finding(name, Estimate(float("nan"), float("nan"), float("nan"), 0))
    return Finding(name, estimate(array))


def _ends(items: Sequence[Understood]) -> tuple[int | None, int | None]:
    """The first and the last year that a question asks for."""
    since = [item.since for item in items if item.since is not None]
    until = [item.until for item in items if item.until is not None]
    return max(since, default=None), min(until, default=None)


def _in_years(row: Row, year: int | None) -> bool:
    since, until = row["since"], row["until"]
    return (
        year is not None and (since is None or year >= since) and (until is None or year <= until)
    )


def _entry(name: str) -> Named | None:
    return (objects().get(name) or facilities().get(name)) if name else None


def _rows_naming(index: Index, entry: Named) -> set[int]:
    return {int(row) for name in entry.names for row in index.lexical.rows_with_all(name)}


def _share(values: Iterable[bool]) -> float:
    held = list(values)
    return sum(held) / len(held) if held else 0.0  # a ranking of nothing holds nothing


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
