"""What a facility, a method or a topic contributed: papers, shares, citations, company, terms, over time.

Every number carries its definition and the rows it was counted from. Counts are of the index, which is a
part of the literature. What is not known is None, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from indexer.errors import IndexMissing, PaperNotFound, QueryError
from indexer.facility_part import Uses
from indexer.facility_table import Entry, Table, facility_table, method_table
from indexer.store import Index
from indexer.weights import UNKNOWN_YEAR
from retrieval.impact_citations import Cited, citations_of, top_cited
from retrieval.impact_places import Places, places_of
from retrieval.impact_terms import Terms, terms_of
from retrieval.shares import ratio, wilson

Kind = Literal["facility", "method", "topic"]
Rows = npt.NDArray[np.int64]

N_TOGETHER = 12
GROWTH_YEARS = 3
MOST_COMPARED = 8


def counted(n_papers: int) -> str:
    """A number of papers in words."""
    return f"{n_papers:,} paper{'' if n_papers == 1 else 's'}"


@dataclass(frozen=True)
class Scope:
    """The papers that are looked at: all of the index, or those that pass every restriction.

    `query`: title or abstract holds all its words. `papers`: identifiers of a chosen set. `rows`: a set taken
    from the map of this very index.
    """

    query: str = ""
    since: int | None = None
    until: int | None = None
    papers: tuple[str, ...] | None = None
    n_missing: int = 0  # of `papers`, not in the index; `impact` counts them
    rows: tuple[int, ...] | None = None

    @property
    def label(self) -> str:
        """The restrictions in words; empty where there is none."""
        said = [f"on “{self.query}”"] if self.query else []
        said += [f"since {self.since}"] if self.since is not None else []
        said += [f"until {self.until}"] if self.until is not None else []
        said += [f"among {len(self.papers):,} chosen papers"] if self.papers is not None else []
        said += [f"{self.n_missing:,} of them not in this index"] if self.n_missing else []
        said += [f"among {counted(len(self.rows))} from the map"] if self.rows is not None else []
        return ", ".join(said)


@dataclass(frozen=True)
class Year:
    """One year: papers that used it and that only mention it, and the share of the year's papers that used it.

    The interval is Wilson's at 95 % (Wilson 1927, JASA 22, 209). `share` is None in a year without papers.
    """

    year: int
    used: int
    mentioned: int
    papers: int
    share: float | None
    low: float | None
    high: float | None
    since_first: int | None  # years since the first data


@dataclass(frozen=True)
class Growth:
    """The share in the last years against the same number of years before; interval by Katz's logarithm."""

    ratio: float | None
    low: float | None
    high: float | None
    late: tuple[int, int]  # first and last year
    early: tuple[int, int]


@dataclass(frozen=True)
class Company:
    """Another facility used in the same papers, and those papers."""

    name: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Impact:
    """What one subject contributed within a scope. Rows are of the index, oldest first."""

    name: str
    kind: Kind
    scope: Scope
    entry: Entry | None
    used: Rows
    mentioned: Rows
    n_scope: int  # papers that pass the restrictions
    n_year_unknown: int  # of those that used it
    years: tuple[Year, ...]
    growth: Growth
    cited: Cited
    top: tuple[int, ...]  # rows, most cited first
    together: tuple[Company, ...]
    matrix: tuple[tuple[int, ...], ...]  # papers that used both, of the names in `together`
    terms: Terms
    places: Places | None  # on the map; None where the index has none
    as_of: str
    snapshot: str

    @property
    def did(self) -> str:
        """What its papers did, after "papers that"."""
        return "are on it" if self.kind == "topic" else "used it"

    @property
    def first_paper_year(self) -> int | None:
        """The first year with a paper that used it."""
        return next((y.year for y in self.years if y.used), None)

    @property
    def median_age(self) -> float | None:
        """Median years from the first data to the papers that used it; None where either is unknown."""
        if self.entry is None or self.entry.first_year is None:
            return None
        ages = [y.since_first for y in self.years for _ in range(y.used) if y.since_first is not None]  # fmt: skip
        return float(np.median(ages)) if ages else None


def impact(index: Index, name: str, kind: Kind = "facility", scope: Scope | None = None) -> Impact:
    """Compute what `name` contributed to the papers of `index`.

    Raises:
        IndexMissing: the index lacks detected facilities.
        QueryError: nobody knows that facility or method (the nearest names are given), or no paper is in
            the scope.
        PaperNotFound: none of the chosen papers is in the index; how many are not is in the impact's scope.
    """
    chosen = _counted(index, scope or Scope())
    inside = _rows_in(index, chosen)
    entry, used, mentioned = _subject(index, name, kind)
    used, mentioned = used[inside[used]], mentioned[inside[mentioned]]
    used = used[np.argsort(index.decimal_year[used], kind="stable")]
    years = _years(index, used, mentioned, inside, entry)
    known = entry.name if entry else name
    company, matrix = _together(index, used, entry, known if kind == "facility" else "")
    return Impact(
        name=known,
        kind=kind,
        scope=chosen,
        entry=entry,
        used=used,
        mentioned=mentioned,
        n_scope=int(inside.sum()),
        n_year_unknown=int((index.year[used] == UNKNOWN_YEAR).sum()),
        years=years,
        growth=_growth(index.year[used], index.year[inside], int(index.manifest.as_of_year)),
        cited=citations_of(index, used),
        top=top_cited(index, used),
        together=company,
        matrix=matrix,
        terms=terms_of(index, used),
        places=places_of(index, used),
        as_of=index.manifest.as_of,
        snapshot=index.manifest.snapshot,
    )


def compare(
    index: Index, names: Sequence[str], kind: Kind = "facility", scope: Scope | None = None
) -> list[Impact]:
    """Several side by side, each once.

    Raises:
        QueryError: see `impact`; also for more than MOST_COMPARED names.
    """
    wanted = list(dict.fromkeys(names))
    if len(wanted) > MOST_COMPARED:
        raise QueryError(f"{len(wanted)} names were given; at most {MOST_COMPARED} are compared at once.")  # fmt: skip
    found = [impact(index, name, kind, scope) for name in wanted]
    return list({one.name: one for one in found}.values())


def known_names(index: Index, kind: Kind, rows: Rows | None = None) -> list[str]:
    """The facilities or methods that papers of the index, or those at `rows`, used; most used first."""
    uses = _uses(index, kind)
    pairs = uses.pairs[uses.pairs["used"]]
    if rows is not None:
        pairs = pairs[_mask(index, rows)[pairs["row"]]]
    counts = np.bincount(pairs["entry"], minlength=len(uses.names))
    used = [(-int(n), name) for name, n in zip(uses.names, counts, strict=True) if n]
    return [name for _, name in sorted(used)]


def _uses(index: Index, kind: Kind) -> Uses:
    if index.uses is None:
        raise IndexMissing(
            f"{index.path} lacks facilities and methods: add them with `wayfinder index facilities {index.path}`."
        )
    return index.uses.methods if kind == "method" else index.uses.facilities


def _subject(index: Index, name: str, kind: Kind) -> tuple[Entry | None, Rows, Rows]:
    """The table's entry, and the rows that used and that mention the subject."""
    if not name.strip():
        raise QueryError("A facility, method or topic is needed: it is empty.")
    if kind == "topic":
        return None, index.lexical.rows_with_all(name).astype(np.int64), np.zeros(0, np.int64)
    uses = _uses(index, kind)
    table = method_table() if kind == "method" else facility_table()
    entry = table.get(name)
    if entry is None and name not in uses.names:
        raise QueryError(_nobody(name, kind, table))
    known = entry.name if entry else name
    return entry, uses.rows(known, used=True), uses.rows(known, used=False)


def _nobody(name: str, kind: Kind, table: Table) -> str:
    other = facility_table() if kind == "method" else method_table()
    if other.get(name):
        flag = "without --method" if kind == "method" else "with --method"
        return f"{name!r} is no {kind}: ask {flag}."
    near = table.nearest(name)
    meant = f"did you mean {', '.join(near)}?" if near else "data/ holds the names that are known."
    return f"Nobody knows a {kind} called {name!r}: {meant}"


def _rows_in(index: Index, scope: Scope) -> npt.NDArray[np.bool_]:
    """Which papers pass the restrictions, `(n_papers,)`."""
    inside = np.ones(len(index.papers), dtype=np.bool_)
    if scope.since is not None:
        inside &= index.year >= scope.since
    if scope.until is not None:
        inside &= (index.year <= scope.until) & (index.year != UNKNOWN_YEAR)
    if scope.query:
        inside &= _mask(index, index.lexical.rows_with_all(scope.query))
    if scope.papers is not None:
        inside &= _mask(index, index.rows_of(scope.papers)[0])
    if scope.rows is not None:
        inside &= _mask(index, np.asarray(scope.rows, dtype=np.int64))
    if not inside.any():
        known = index.year[index.year != UNKNOWN_YEAR]
        span = f", which is of {known.min()} to {known.max()}" if len(known) else ""
        raise QueryError(f"No paper of this index{span} is {scope.label or 'there'}: widen the restrictions.")  # fmt: skip
    return inside


def _counted(index: Index, scope: Scope) -> Scope:
    """The scope with how many of its chosen papers the index lacks."""
    if scope.papers is None:
        return scope
    found, missing = index.rows_of(scope.papers)
    if missing and not len(found):
        raise PaperNotFound(
            f"None of the {len(missing):,} chosen papers is in this index, such as {missing[0]!r}."
        )
    return replace(scope, n_missing=len(missing))


def _mask(index: Index, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    mask = np.zeros(len(index.papers), dtype=np.bool_)
    mask[rows] = True
    return mask


def _years(
    index: Index, used: Rows, mentioned: Rows, inside: npt.NDArray[np.bool_], entry: Entry | None
) -> tuple[Year, ...]:
    """The years from the first paper that names it to the last paper of the scope."""
    years = np.asarray(index.year)
    of_used, of_mentioned, of_all = (
        np.bincount(some[some != UNKNOWN_YEAR], minlength=1)
        for some in (years[used], years[mentioned], years[inside])
    )
    named = np.flatnonzero(np.trim_zeros(_added(of_used, of_mentioned), "b"))
    if not len(named):
        return ()
    first = entry.first_year if entry else None
    size = len(of_all)
    columns = [np.pad(n, (0, max(0, size - len(n)))) for n in (of_used, of_mentioned, of_all)]
    return tuple(
        _year(year, int(columns[0][year]), int(columns[1][year]), int(columns[2][year]), first)
        for year in range(int(named[0]), size)
    )


def _added(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    total = np.zeros(max(len(a), len(b)), dtype=np.int64)
    total[: len(a)] += a
    total[: len(b)] += b
    return total


def _year(year: int, used: int, mentioned: int, papers: int, first: int | None) -> Year:
    since_first = None if first is None else year - first
    if not papers:
        return Year(year, used, mentioned, 0, None, None, None, since_first)
    low, high = wilson(used, papers)
    return Year(year, used, mentioned, papers, used / papers, low, high, since_first)


def _growth(
    used: npt.NDArray[np.integer], papers: npt.NDArray[np.integer], as_of_year: int
) -> Growth:
    """Shares of the last GROWTH_YEARS whole or running years up to the as-of date against those before.

    Of the years of the papers that used it, and of all that are looked at: years before its first paper count too.
    """
    last = min(as_of_year, int(papers.max()) or as_of_year)
    late = (last - GROWTH_YEARS + 1, last)
    early = (late[0] - GROWTH_YEARS, late[0] - 1)
    (k1, n1), (k2, n2) = ((_within(used, span), _within(papers, span)) for span in (late, early))
    return Growth(*ratio(k1, n1, k2, n2), late, early)


def _within(years: npt.NDArray[np.integer], span: tuple[int, int]) -> int:
    return int(((years >= span[0]) & (years <= span[1])).sum())


def _together(
    index: Index, used: Rows, entry: Entry | None, name: str
) -> tuple[tuple[Company, ...], tuple[tuple[int, ...], ...]]:
    """The facilities most used in the same papers as `name`, and how often each two of them."""
    if index.uses is None or not len(used):
        return (), ()
    uses, table = index.uses.facilities, facility_table()
    pairs = uses.pairs[uses.pairs["used"] & _mask(index, used)[uses.pairs["row"]]]
    own = {name, *(one.name for one in table.chain(entry))} if entry else {name}
    counts = np.bincount(pairs["entry"], minlength=len(uses.names))
    order = [int(e) for e in np.argsort(-counts, kind="stable") if counts[e]]
    others = [e for e in order if _stands_alone(table, uses.names[e]) and uses.names[e] not in own]
    chosen = others[:N_TOGETHER]
    rows = {e: np.asarray(pairs["row"][pairs["entry"] == e]) for e in chosen}
    company = tuple(Company(uses.names[e], tuple(map(int, rows[e]))) for e in chosen)
    matrix = tuple(tuple(len(np.intersect1d(rows[a], rows[b])) for b in chosen) for a in chosen)
    return company, matrix


def _stands_alone(table: Table, name: str) -> bool:
    entry = table.exact(name)
    return entry is None or not entry.parent
