"""Sets of papers, drawn on the map or given by a library: what is in one, and what two of them differ in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.errors import QueryError, SourceError
from indexer.labels import TermCounts, distinctive, spellings
from indexer.sources_bibtex import bibtex_records
from indexer.store import Index
from indexer.weights import UNKNOWN_YEAR

Rows = npt.NDArray[np.int64]

COUNTED = 2_000  # papers of a set whose words and facilities are read
DIFFERENT_TERMS = 10
DIFFERENT_FACILITIES = 8


@dataclass(frozen=True)
class Library:
    """A reader's papers: which rows of the index they are, and which entries it lacks."""

    rows: Rows
    missing: tuple[str, ...]  # title or identifier of each entry that is not in the index
    unread: int  # entries that could not be parsed


def library_of(index: Index, bibtex: str) -> Library:
    """Find the entries of a BibTeX file in the index by bibcode, arXiv id or DOI.

    Raises:
        SourceError: there is no entry in it.
    """
    rows: list[int] = []
    missing: list[str] = []
    unread = n_entries = 0
    for record in bibtex_records(bibtex):
        n_entries += 1
        if isinstance(record, str):
            unread += 1
            continue
        known = [str(record[n]) for n in ("bibcode", "arxiv_id", "doi") if record.get(n)]
        found, _ = index.rows_of(known)
        if len(found):
            rows.append(int(found[0]))
        else:
            missing.append(
                str(record.get("title") or next(iter(known), "an entry without a title"))
            )
    if not n_entries:
        raise SourceError("There is no BibTeX entry in this file: export it from ADS or your reference manager as .bib.")  # fmt: skip
    return Library(np.unique(np.array(rows, dtype=np.int64)), tuple(missing), unread)


def identifiers_in(path: Path) -> tuple[str, ...]:
    """The bibcodes, arXiv ids or DOIs in a text file, one a line; of each line the first word counts.

    Raises:
        SourceError: the file cannot be read.
        QueryError: it has none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read as UTF-8 text: {error}") from error
    found = [
        line.split(",")[0].split()[0].strip('"') for line in lines if line.split(",")[0].strip()
    ]
    if not found:
        raise QueryError(f"{path} has no identifier: write one bibcode, arXiv id or DOI a line.")
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Difference:
    """What the first of two sets has more of than the second, and the other way round."""

    terms: tuple[tuple[str, ...], tuple[str, ...]]  # most distinctive first
    years: tuple[dict[int, int], dict[int, int]]  # papers by year; unknown years left out
    facilities: tuple[
        tuple[tuple[str, float, float], ...], ...
    ]  # name, share of one and of the other
    n_papers: tuple[int, int]
    n_both: int


def compare(index: Index, first: Rows, second: Rows) -> Difference:
    """Compare two sets of papers by their words, years and facilities; papers in both count in both.

    Raises:
        QueryError: a set is empty.
    """
    if not len(first) or not len(second):
        raise QueryError("A set is empty: draw around some papers, then compare.")
    sets = [_spread(rows) for rows in (first, second)]
    return Difference(
        terms=_terms(index, sets),
        years=(_years(index, first), _years(index, second)),
        facilities=_facilities(index, sets),
        n_papers=(len(first), len(second)),
        n_both=len(np.intersect1d(first, second)),
    )


def _spread(rows: Rows) -> Rows:
    """At most COUNTED of the rows, spread over them."""
    if len(rows) <= COUNTED:
        return rows
    return rows[np.linspace(0, len(rows) - 1, COUNTED).astype(np.int64)]


def _years(index: Index, rows: Rows) -> dict[int, int]:
    years = Counter(int(year) for year in index.year[rows] if year != UNKNOWN_YEAR)
    return dict(sorted(years.items()))


def _terms(index: Index, sets: Sequence[Rows]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    counts = TermCounts(index.lexical, np.concatenate(sets))
    labels = np.repeat(np.arange(2, dtype=np.int32), [len(rows) for rows in sets])
    chosen = distinctive(counts, labels, 2, [set(), set()], most=DIFFERENT_TERMS)
    texts = [index.papers[int(row)].text() for rows in sets for row in rows[:: max(1, len(rows) // 300)]]  # fmt: skip
    written = spellings(counts, [term for terms in chosen for term in terms], texts)
    first, second = (tuple(written[t] for t in terms if t in written) for terms in chosen)
    return first, second


def facilities_used(index: Index, rows: Rows | None = None) -> dict[str, Rows]:
    """The rows, among `rows`, of the papers that used each facility; none where the index lacks facilities."""
    if index.uses is None:
        return {}
    table = index.uses.facilities
    found = {name: table.rows(name, used=True) for name in table.counts(used=True)}
    if rows is not None:
        found = {name: np.intersect1d(held, rows) for name, held in found.items()}
    return {name: held for name, held in found.items() if len(held)}


def _facilities(
    index: Index, sets: Sequence[Rows]
) -> tuple[tuple[tuple[str, float, float], ...], ...]:
    """Of each set, the facilities that it used more often than the other: name, share here, share there."""
    shares = [
        {name: len(held) / len(rows) for name, held in facilities_used(index, rows).items()}
        for rows in sets
    ]
    names = {*shares[0], *shares[1]}
    found = []
    for here, there in (shares, shares[::-1]):
        more = [(n, here.get(n, 0.0), there.get(n, 0.0)) for n in names]
        more = sorted((m for m in more if m[1] > m[2]), key=lambda m: (m[2] - m[1], m[0]))
        found.append(tuple(more[:DIFFERENT_FACILITIES]))
    return tuple(found)
