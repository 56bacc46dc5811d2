"""The checks of sentences, measured on labelled pairs of sentence and evidence.

wayfinder eval verification --pairs eval/data/verification.jsonl
wayfinder eval verification --pairs eval/data/verification.jsonl --calibrate
wayfinder eval verification --pairs eval/data/verification_heldout.jsonl
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from eval.measures import Values, share
from eval.questions import numbered_lines
from eval.understanding import Finding
from indexer.encoder import Encoder
from indexer.errors import QueryError
from indexer.records import Paper
from retrieval.entailment import likeness
from retrieval.records import Sentence
from retrieval.verify import Draft, check_sentence

Label = Literal[
    "supported",
    "contradicted",
    "unrelated",
    "number changed",
    "object swapped",
    "negation flipped",
]
LABELS: tuple[Label, ...] = get_args(Label)
SPLITS = ("calibrate", "test", "held-out")
CAUGHT = 0.95  # share of the unrelated that bounds where the threshold may be


@dataclass(frozen=True)
class Pair:
    """A sentence, the quotations it claims, the paper that they are from, and the truth."""

    pair_id: str
    label: Label
    # calibrate: the threshold was fitted on it; test: not; held-out: written before the rules that it
    # measures, by one who had not read them, and never looked into
    split: str
    sentence: str
    quotes: tuple[str, ...]
    paper: Paper


def read_pairs(path: Path) -> list[Pair]:
    """Read JSON lines {pair_id, label, split, sentence, quote, title, abstract}; `quote` may be a list.

    Raises:
        QueryError: the file cannot be read, a field is missing, or a label or split is unknown.
    """
    pairs = []
    for number, line in numbered_lines(path):
        try:
            row = json.loads(line)
            paper = Paper(title=row["title"], abstract=row["abstract"])
            pair = Pair(
                str(row["pair_id"]),
                row["label"],
                row["split"],
                row["sentence"],
                (quote,) if isinstance(quote := row["quote"], str) else tuple(quote),
                paper,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise QueryError(
                f"{path}, line {number}: expected pair_id, label, split, sentence, quote, title, abstract."
            ) from error
        if pair.label not in LABELS or pair.split not in SPLITS:
            raise QueryError(
                f"{path}, line {number}: label is {pair.label!r} and split {pair.split!r}: "
                f"expected one of {', '.join(LABELS)}, and one of {', '.join(SPLITS)}."
            )
        pairs.append(pair)
    if not pairs:
        raise QueryError(f"{path} holds no pair.")
    return pairs


def checked(pair: Pair, encoder: Encoder) -> Sentence:
    """The pair's sentence as an answer would check it."""
    quotes = tuple((1, quote) for quote in pair.quotes)
    return check_sentence(Draft(pair.sentence, (1,), quotes), [pair.paper], encoder)


def verification(pairs: Sequence[Pair], encoder: Encoder) -> list[Finding]:
    """Precision and recall of `supported`, and the share of each other label that is caught, by split."""
    said = {pair.pair_id: checked(pair, encoder).supported for pair in pairs}
    found = []
    for split in (*SPLITS, "all"):
        rows = [pair for pair in pairs if split in (pair.split, "all")]
        if not rows:
            continue
        true = [pair.label == "supported" for pair in rows]
        called = [said[pair.pair_id] for pair in rows]
        found += [
            _finding(
                f"{split}: supported, precision",
                [t for t, c in zip(true, called, strict=True) if c],
            ),
            _finding(
                f"{split}: supported, recall", [c for t, c in zip(true, called, strict=True) if t]
            ),
        ]
        for label in LABELS[1:]:
            caught = [not said[pair.pair_id] for pair in rows if pair.label == label]
            if caught:
                found.append(_finding(f"{split}: {label}, caught", caught))
        changed = [
            not said[p.pair_id] for p in rows if p.label.endswith(("changed", "swapped", "flipped"))
        ]
        if changed:
            found.append(_finding(f"{split}: number, object or negation, caught", changed))
    return found


def mistakes(pairs: Sequence[Pair], encoder: Encoder) -> list[tuple[Pair, Sentence]]:
    """The pairs that are judged wrongly, with what the checks said."""
    judged = [(pair, checked(pair, encoder)) for pair in pairs]
    return [(p, s) for p, s in judged if s.supported != (p.label == "supported")]


def calibrate(pairs: Sequence[Pair], encoder: Encoder) -> tuple[float, float, float]:
    """Fit the logistic of retrieval/entailment.py: of cosine, of words, constant.

    On the `calibrate` split, supported against unrelated, both sides counting alike, weights kept
    small by L2. The constant is then moved so that 0.5 lies halfway between the fit's boundary and the one
    that catches just CAUGHT of the unrelated: the pairs' supported sentences keep their evidence's
    words, real ones are freer.
    """
    from scipy.optimize import minimize

    rows = [p for p in pairs if p.split == "calibrate" and p.label in ("supported", "unrelated")]
    likes = [likeness(pair.sentence, pair.quotes, encoder, [pair.paper.title]) for pair in rows]
    x: Values = np.array([(like.cosine, like.words, 1.0) for like in likes])
    y = np.array([pair.label == "supported" for pair in rows])
    share = np.where(y, 0.5 / max(y.sum(), 1), 0.5 / max((~y).sum(), 1))

    def loss(weights: Values) -> float:
        z = x @ weights
        return float(
            (share * np.logaddexp(0.0, np.where(y, -z, z))).sum() + 1e-3 * (weights[:2] ** 2).sum()
        )

    of_cosine, of_words, constant = minimize(loss, np.zeros(3)).x
    z = x @ np.array([of_cosine, of_words, constant])
    boundary = float(np.quantile(z[~y], CAUGHT)) / 2
    return float(of_cosine), float(of_words), float(constant - boundary)


def _finding(name: str, values: Sequence[bool]) -> Finding:
    return Finding(name, share(values))
