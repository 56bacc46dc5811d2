"""Conditions on papers, from filters and from what a question says: which rows pass all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.facility_table import facility_table
from indexer.records import family_name
from indexer.store import Index
from indexer.tokens import tokens
from indexer.weights import UNKNOWN_CITATIONS, UNKNOWN_YEAR
from retrieval.records import SearchFilters
from retrieval.tables import facilities
from retrieval.understood import Understood

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Condition:
    """One condition in words and the rows that pass it, `(n_papers,)` bool."""

    label: str
    rows: Mask


def conditions(
    index: Index, filters: SearchFilters, understood: tuple[Understood, ...] = ()
) -> list[Condition]:
    """The conditions of the filters and of the items that narrow.

    A paper whose year or citation count is unknown does not pass a condition on it.
    """
    return [
        *_of_filters(index, filters),
        *(_of_item(index, i) for i in understood if i.effect == "narrows"),
    ]


def passing(found: list[Condition]) -> Mask | None:
    """The rows that pass every condition, or None where there is none."""
    return np.logical_and.reduce([c.rows for c in found]) if found else None


def which_to_drop(found: list[Condition]) -> str:
    """Say, where nothing passes all conditions, without which one how many papers would."""
    without = []
    for i, dropped in enumerate(found):
        others = passing(found[:i] + found[i + 1 :])
        n = len(dropped.rows) if others is None else int(others.sum())
        if n:
            without.append(f"without “{dropped.label}” {n:,} would")
    if not without:
        return "No paper passes the conditions, nor without any one of them: drop several."
    return f"No paper passes the condition{'s' if len(found) > 1 else ''}: {'; '.join(without)}."


def _of_filters(index: Index, filters: SearchFilters) -> Iterator[Condition]:
    if filters.since is not None or filters.until is not None:
        label = " ".join(
            f"{name} {year}"
            for name, year in (("since", filters.since), ("until", filters.until))
            if year is not None
        )
        yield Condition(label, _years(index, filters.since, filters.until))
    if filters.min_citations is not None:
        enough = (index.citations >= filters.min_citations) & (index.citations != UNKNOWN_CITATIONS)
        yield Condition(f"min citations {filters.min_citations}", enough)
    if filters.author is not None:
        yield Condition(
            f"author {filters.author}", _mask(index, index.rows_by_author(filters.author))
        )
    if filters.facility is not None:
        rows = rows_of_facility(index, filters.facility)
        yield Condition(f"facility {filters.facility}", _mask(index, rows))
    if filters.among is not None:
        found, missing = index.rows_of(filters.among)
        label = f"among {len(filters.among):,} papers"
        if missing:
            label += f", {len(missing):,} of them not in this index"
        yield Condition(label, _mask(index, found))


def rows_of_facility(index: Index, name: str) -> npt.NDArray[np.integer]:
    """The rows of papers that used or mention a facility.

    Of a facility that no table has, or in an index without detected facilities, those whose words are its name.
    """
    entry = facility_table().get(name)
    if entry is not None and index.uses is not None:
        return index.uses.facilities.rows(entry.name)
    known = facilities().get(name)
    names = known.names if known else (name,)
    return np.concatenate([index.lexical.rows_with_all(one) for one in names])


def _of_item(index: Index, item: Understood) -> Condition:
    rows = _years(index, item.since, item.until)
    if item.kind == "author":
        rows &= _mask(index, index.rows_by_author(item.value))
    elif item.kind == "first author":
        by = index.rows_by_author(item.value)
        wanted = family_name(item.value).casefold()
        first = [r for r in by if family_name(index.papers[int(r)].authors[0]).casefold() == wanted]
        rows &= _mask(index, np.array(first, dtype=np.int64))
    elif item.kind == "abstract":
        rows &= _mask(index, index.lexical.rows_with_all(item.value))
    elif item.kind == "title":
        rows &= _mask(index, _with_title(index, item.value))
    elif item.kind == "journal":
        rows &= index.papers.matching("journal", item.value)
    return Condition(item.label, rows)


def _with_title(index: Index, words: str) -> npt.NDArray[np.int64]:
    """The rows of the papers whose title holds all the words, as the lexical index reads them."""
    wanted = set(tokens(words))
    rows = index.lexical.rows_with_all(words)
    held = [row for row in rows if wanted <= set(tokens(index.papers[int(row)].plain_title))]
    return np.array(held, dtype=np.int64)


def _years(index: Index, since: int | None, until: int | None) -> Mask:
    rows = np.ones(len(index.papers), dtype=np.bool_)
    if since is not None:
        rows &= index.year >= since
    if until is not None:
        rows &= (index.year <= until) & (index.year != UNKNOWN_YEAR)
    return rows


def _mask(index: Index, rows: npt.NDArray[np.integer]) -> Mask:
    mask = np.zeros(len(index.papers), dtype=np.bool_)
    mask[rows] = True
    return mask
