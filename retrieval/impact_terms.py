"""Which subjects a set of papers turned to: words and pairs of words of titles, gained and lost."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from indexer.clean import plain_text
from indexer.store import Index
from indexer.weights import UNKNOWN_YEAR

Rows = npt.NDArray[np.int64]

N_TERMS = 10
FEWEST_PAPERS = 20  # of a set, before halves of it are compared
FEWEST_WITH_TERM = 4
MOST_READ = 20_000  # titles, the newest
LEAST_Z = 3.0  # thousands of terms are compared: beyond 1.96 stand many by chance

_WORD = re.compile(r"[^\W_][\w+'’-]*[^\W_]|[^\W\d_]")
_STOP = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "can",
        "do",
        "does",
        "for",
        "from",
        "has",
        "have",
        "how",
        "i",
        "ii",
        "iii",
        "in",
        "into",
        "is",
        "it",
        "its",
        "of",
        "on",
        "or",
        "our",
        "over",
        "per",
        "that",
        "the",
        "their",
        "them",
        "this",
        "through",
        "to",
        "toward",
        "towards",
        "under",
        "upon",
        "using",
        "via",
        "was",
        "we",
        "what",
        "when",
        "where",
        "which",
        "with",
        "within",
        "without",
        "between",
        "across",
        "during",
        "new",
        "first",
        "study",
        "results",
        "evidence",
        "analysis",
        "observations",
        "observation",
        "paper",
        "survey",
        "data",
        "case",
        "after",
        "before",
        "not",
        "all",
        "two",
        "one",
        "three",
    ]
)


@dataclass(frozen=True)
class Term:
    """A term with the share of titles that have it, before and after, and the z of the difference."""

    text: str
    early: float
    late: float
    z: float
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Terms:
    """The commonest terms, and those gained and lost between the earlier and the later papers.

    Empty where the set is small. `split_year` is the first year of the later ones.
    """

    common: tuple[tuple[str, int], ...] = ()
    gained: tuple[Term, ...] = ()
    lost: tuple[Term, ...] = ()
    split_year: int | None = None
    n_early: int = 0
    n_late: int = 0


def terms_of(index: Index, rows: Rows) -> Terms:
    """The terms of the titles of the papers at `rows`, which are in order of date."""
    newest = rows[index.year[rows] != UNKNOWN_YEAR][-MOST_READ:]
    if not len(newest):
        return Terms()
    of_paper = [title_terms(title) for title in index.papers.column("title", newest)]
    counts = Counter(term for terms in of_paper for term in terms)
    often = [term for term, n in counts.items() if n >= FEWEST_WITH_TERM]
    common = tuple((t, counts[t]) for t in sorted(often, key=lambda t: (-counts[t], t))[:N_TERMS])
    years = np.asarray(index.year)[newest]
    split = split_year_of(years)
    if len(newest) < FEWEST_PAPERS or split is None:
        return Terms(common)
    late = years >= split
    changed = _changed(of_paper, late, counts, newest)
    changed.sort(key=lambda t: (-abs(t.z), -len(t.text.split()), t.text))
    gained = [t for t in changed if t.z >= LEAST_Z]
    lost = [t for t in changed if t.z <= -LEAST_Z]
    return Terms(
        common, _without_parts(gained), _without_parts(lost), split,
        int((~late).sum()), int(late.sum()),
    )  # fmt: skip


def title_terms(title: str) -> set[str]:
    """The words of a title and its pairs of neighbouring words, in lower case, common words left out."""
    words = [word.lower() for word in _WORD.findall(plain_text(title))]
    kept = [word if word not in _STOP and not word.isdigit() else "" for word in words]
    pairs = {f"{a} {b}" for a, b in pairwise(kept) if a and b}
    return {word for word in kept if len(word) > 2} | pairs


def split_year_of(years: npt.NDArray[np.integer]) -> int | None:
    """The year that parts the papers most evenly; None where all are of one year."""
    distinct = np.unique(years)
    if len(distinct) < 2:
        return None
    uneven = [abs(int((years < year).sum()) - int((years >= year).sum())) for year in distinct[1:]]
    return int(distinct[1:][int(np.argmin(uneven))])


def _changed(
    of_paper: list[set[str]], late: npt.NDArray[np.bool_], counts: Counter[str], rows: Rows
) -> list[Term]:
    n_late, n_early = int(late.sum()), int((~late).sum())
    holders: dict[str, list[int]] = {t: [] for t, n in counts.items() if n >= FEWEST_WITH_TERM}
    for i, terms in enumerate(of_paper):
        for term in terms:
            if term in holders:
                holders[term].append(i)
    found = []
    for term, places in holders.items():
        k_late = int(late[places].sum())
        early, later = (len(places) - k_late) / n_early, k_late / n_late
        pooled = len(places) / (n_late + n_early)
        spread = np.sqrt(pooled * (1 - pooled) * (1 / n_late + 1 / n_early))
        z = float((later - early) / spread) if spread else 0.0
        found.append(Term(term, early, later, z, tuple(int(rows[i]) for i in places)))
    return found


def _without_parts(terms: list[Term]) -> tuple[Term, ...]:
    """The first terms, single words left out where a pair that holds them is there."""
    kept: list[Term] = []
    for term in terms:
        words = set(term.text.split())
        if not any(words & set(other.text.split()) for other in kept):
            kept.append(term)
        if len(kept) == N_TERMS:
            break
    return tuple(kept)
