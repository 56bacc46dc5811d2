"""How well the index covers a question: a calibrated probability, a level, and why in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from indexer.store import Index
from retrieval.candidates import Candidates, Floats

Level = Literal["well", "thinly", "not"]

NEAREST = 10  # papers that are looked at; fewer in an index of below 1,000
WELL = 0.5  # from this probability on
THINLY = 0.2
HALF = 0.5  # of the best papers that name a thing
TERM_WORDS = 2  # at most, of a question that is a term alone, such as "SZ effect"
WORDS_ENOUGH = 0.4  # of a short question's words, with its object, for it to be covered
# encoder -> weights of meaning and words and the constant of the logistic, fitted by
# `wayfinder eval scope --calibrate`
CALIBRATION = {
    "wayfinder-astro-2": (20.585, 0.0, -8.227),
    "all-MiniLM-L6-v2": (17.964, 2.391, -9.199),
}


@dataclass(frozen=True)
class Nearness:
    """How near the best papers are to a question: what coverage is judged by."""

    meaning: float  # mean cosine of the nearest
    words: float  # mean share of the question's words that the best hold, weighted by idf
    term: bool = False  # the question is a term alone, which each of several best papers holds


@dataclass(frozen=True)
class Coverage:
    """Whether the index holds papers on the question's subject."""

    level: Level
    probability: float
    reason: str  # in words, for people


def nearness(index: Index, found: Candidates, relevance: Floats, text: str) -> Nearness | None:
    """Measure the best candidates; None where meaning was not asked for or nothing found.

    `relevance` is `(n_candidates,)`, `text` the question's words.
    """
    if not found.cosine.any():
        return None
    n = min(len(found.rows), max(1, min(NEAREST, len(index.papers) // 100)))
    best = found.rows[np.argsort(-relevance, kind="stable")[:n]]
    held = index.lexical.words_held(text, best)
    return Nearness(
        meaning=float(np.sort(found.cosine)[-n:].mean()),
        words=float(held.mean()),
        term=len(text.split()) <= TERM_WORDS and n > 1 and bool((held > 0.999).all()),
    )


def coverage(
    near: Nearness | None,
    *,
    encoder: str,
    n_papers: int,
    named: Mapping[str, float | None],
    by_authors: bool,
    last_year: int,
    since: int | None,
) -> Coverage | None:
    """Judge by how near the best papers are, by names that no paper bears, and by years to come.

    `named` has, by object and facility of the question, the share of the best papers that name it, None for
    an object that no paper names; `by_authors` says that papers by an author asked for, or pointed at, are there;
    `last_year` is the index's and `since` the first year asked for. None without meaning, or where
    the encoder is not calibrated.
    """
    if since is not None and since > last_year:
        return Coverage("not", 0.0, f"This index ends in {last_year}.")
    absent = [name for name, share in named.items() if share is None]
    if absent and len(absent) == len(named):
        return Coverage("not", 0.0, f"No paper of this index names {' or '.join(absent)}.")
    if encoder not in CALIBRATION or near is None:
        return None
    of_meaning, of_words, constant = CALIBRATION[encoder]
    logit = of_meaning * near.meaning + of_words * near.words + constant
    probability = 1.0 / (1.0 + math.exp(-logit))
    probability = max(probability, _floor(near, named, by_authors=by_authors))
    if probability >= WELL:
        return Coverage("well", probability, "Several papers are on this subject.")
    if probability >= THINLY:
        return Coverage(
            "thinly", probability, "The papers of this index cover this subject thinly, if at all."
        )
    return Coverage(
        "not",
        probability,
        f"None of the {n_papers:,} papers searched is close enough to the question to answer "
        "from it: it may lie outside astronomy or outside this index.",
    )


def _floor(near: Nearness, named: Mapping[str, float | None], *, by_authors: bool) -> float:
    """The least probability where what a question names is there, however few words it has.

    The vector of an abbreviation alone is near to no paper's.
    """
    if by_authors or near.term:
        return WELL
    share = max((share or 0.0 for share in named.values()), default=0.0)
    if near.words < WORDS_ENOUGH or not share:
        return 0.0
    return WELL if share >= HALF else THINLY
