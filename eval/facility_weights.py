"""The weights of the cues of use: fitted to labelled papers, cross-validated by paper, written to data/usage.csv.

A logistic model in which the place that says most for a use decides. L2 holds each weight to its guess by hand,
and a rule that speaks for a use never comes to speak against it. Names that a paper's labels lack are left out.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from eval.facilities import Labelled, f1, json_rows
from indexer import usage
from indexer.facilities import facilities_seen, text_of
from indexer.facility_table import facility_table
from indexer.records import Paper

VERDICTS = Path(__file__).with_name("data") / "facility_verdicts.jsonl"
HOLD_RULES, HOLD_PAPER = 3.0, 1.5  # strength of L2: of rules, and of what is no pattern
N_FOLDS = 10

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A facility that a paper names: the cues of each place, and whether it was used."""

    paper: str
    cues: Values  # (n_places, n_cues)
    used: bool


def verdicts(papers: Iterable[Paper], path: Path) -> list[Labelled]:
    """The papers whose identifier has a verdict in `path`, with it."""
    known = {row["id"]: row for _, row in json_rows(path)}
    found = ((paper, known[paper.id]) for paper in papers if paper.id in known)
    return [
        Labelled(paper, frozenset(row["used"]), frozenset(row["mentioned"])) for paper, row in found
    ]


def cases(labelled: Iterable[Labelled]) -> list[Case]:
    """The facilities named and labelled, but for those whose name is only a part of an object's."""
    table, column = facility_table(), {cue: i for i, cue in enumerate(usage.guessed_weights())}
    found = []
    for one in labelled:
        theory = usage.theory(text_of(one.paper))
        places: dict[str, list[Values]] = {}
        for seen in facilities_seen(one.paper):
            if seen.cues:
                row = np.zeros(len(column))
                row[[column[cue] for cue in seen.cues]] = 1.0
                row[column[usage.THEORY]] = theory
                places.setdefault(table.reported(table.entries[seen.entry]), []).append(row)
        found += [
            Case(one.paper.id, np.array(rows), name in one.used)
            for name, rows in places.items()
            if name in one.used | one.mentioned
        ]
    return found


def fit(some: Sequence[Case]) -> dict[str, float]:
    """The weights with the highest likelihood, held to the guesses."""
    guesses = usage.guessed_weights()
    guess = np.array(list(guesses.values()))
    free = {*usage.PLACE, *usage.OF_PAPER, usage.THEORY}
    hold = np.array([HOLD_PAPER if cue in free else HOLD_RULES for cue in guesses])
    bounds = [
        (None, None) if cue in free else (0.0, None) if value > 0 else (None, 0.0)
        for cue, value in guesses.items()
    ]

    def loss(weights: Values) -> tuple[float, Values]:
        total, slope = float((hold * (weights - guess) ** 2).sum()), 2 * hold * (weights - guess)
        for case in some:
            scores = case.cues @ weights
            most = int(scores.argmax())
            z = scores[most] if case.used else -scores[most]
            total += float(np.logaddexp(0.0, -z))
            slope = slope + (-1.0 if case.used else 1.0) / (1.0 + np.exp(z)) * case.cues[most]
        return total, slope

    found = minimize(loss, guess, jac=True, method="L-BFGS-B", bounds=bounds)
    return dict(zip(guesses, map(float, found.x), strict=True))


def cross_validated(some: Sequence[Case], also: Sequence[Case] = ()) -> dict[str, float]:
    """F1 on used of names that are found: by the guesses, and by weights fitted to other papers and `also`."""
    folds = {paper: i % N_FOLDS for i, paper in enumerate(dict.fromkeys(c.paper for c in some))}
    by_fold = [
        fit([*(case for case in some if folds[case.paper] != fold), *also])
        for fold in range(N_FOLDS)
    ]
    guesses = usage.guessed_weights()
    return {
        "guessed": _f1([(judged(case, guesses), case.used) for case in some]),
        "fitted": _f1([(judged(case, by_fold[folds[case.paper]]), case.used) for case in some]),
    }


def _f1(verdicts: Sequence[tuple[bool, bool]]) -> float:
    """F1 of pairs of verdict and truth."""
    counts = [(said and true, said and not true, true and not said) for said, true in verdicts]
    return float(f1(np.array(counts, dtype=np.int64).sum(axis=0)[None])[0])


def judged(case: Case, weights: Mapping[str, float]) -> bool:
    """Whether the place that says most for a use says that it was used."""
    return bool((case.cues @ np.array(list(weights.values()))).max() > 0)


def write(weights: Mapping[str, float], path: Path) -> None:
    """Write cue, weight and guess, as `indexer.usage.read_weights` reads them."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["cue", "weight", "guess"])
        for cue, guess in usage.guessed_weights().items():
            table.writerow([cue, round(weights[cue], 2), guess])
