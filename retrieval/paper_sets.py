"""Sets of papers, drawn on the map or given by a library: what is in one, and what two of them differ in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.errors import QueryError, SourceError
from indexer.labels import TermCounts, distinctive, spellings
from indexer.sources_bibtex import bibtex_records
from indexer.store import Index
from indexer.weights import UNKNOWN_YEAR
from retrieval.tables import facilities

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


def facilities_named(
    index: Index, rows: Rows | None = None, *, most: int | None = None
) -> dict[str, Rows]:
    """The rows, among `rows`, of the papers that name each facility of the table; those named at all.

    `most` asks for those alone that most papers name, at least that many where so many are named.
    A one-word name must be written as in the table ("fast" is not FAST), one of several words as one phrase.
    """
    held = {
        entry.name: {name: _holding(index, name, rows) for name in entry.names}
        for entry in facilities().entries
    }
    order = sorted(held, key=lambda name: -sum(map(len, held[name].values())))
    texts = _Texts(index)
    found: dict[str, Rows] = {}
    for facility in order:
        if most is not None and len(found) >= most:
            least = sorted(map(len, found.values()))[-most]
            if sum(map(len, held[facility].values())) <= least:
                break
        named = [texts.writing(name, at) for name, at in held[facility].items()]
        written = np.unique(np.concatenate(named))
        if len(written):
            found[facility] = written
    return found


def _holding(index: Index, name: str, rows: Rows | None) -> Rows:
    """The rows of the papers that hold the words of a name, in whatever order and writing."""
    held = index.lexical.rows_with_all(name).astype(np.int64)
    return held if rows is None else np.intersect1d(held, rows)


class _Texts:
    """Titles and abstracts as they are written, read when first asked for."""

    def __init__(self, index: Index) -> None:
        self._table = index.papers

    @cached_property
    def _columns(self) -> tuple[list[str], list[str]]:
        return self._table.column("title"), self._table.column("abstract")

    def writing(self, name: str, rows: Rows) -> Rows:
        """Those of the rows whose paper has the word with these capitals, or the words side by side.

        A name with digits or signs is one word of the index, in any writing: all rows.
        """
        if not len(rows) or not name.replace(" ", "").isalpha():
            return rows
        titles, abstracts = self._columns
        words = r"\s+".join(map(re.escape, name.split()))
        anyhow = re.IGNORECASE if " " in name else re.NOFLAG
        pattern = re.compile(rf"(?<![A-Za-z]){words}(?![a-z])", anyhow)
        kept = [r for r in rows.tolist() if pattern.search(titles[r]) or pattern.search(abstracts[r] or "")]  # fmt: skip
        return np.array(kept, dtype=np.int64)


def _facilities(
    index: Index, sets: Sequence[Rows]
) -> tuple[tuple[tuple[str, float, float], ...], ...]:
    """Of each set, the facilities that it names more often than the other: name, share here, share there."""
    shares = [
        {name: len(held) / len(rows) for name, held in facilities_named(index, rows).items()}
        for rows in sets
    ]
    names = {*shares[0], *shares[1]}
    found = []
    for here, there in (shares, shares[::-1]):
        more = [(n, here.get(n, 0.0), there.get(n, 0.0)) for n in names]
        more = sorted((m for m in more if m[1] > m[2]), key=lambda m: (m[2] - m[1], m[0]))
        found.append(tuple(more[:DIFFERENT_FACILITIES]))
    return tuple(found)
