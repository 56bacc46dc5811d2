"""One paper is one paper: preprint and journal version, versions, aliases and records given twice.

Records are one paper if they share a bibcode, an arXiv id or a DOI, or if title and first author are
equal and the years within one, unless both have arXiv ids or both have DOIs that differ. Only a hash
of each key is held, so that the whole literature can be grouped.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np

from indexer.records import Paper, normalise_arxiv_id, normalise_doi, title_letters
from indexer.spool import Record

FEWEST_TITLE_WORDS = 4  # shorter titles ("Erratum", "Dark matter") name different papers

_ARXIV_DOI = "10.48550/arxiv."
_ARXIV_BIBCODE = re.compile(r"^\d{4}arxiv(\d{4})(\d{4,5})[a-z.]$", re.IGNORECASE)
_JOINED = ("keywords", "concepts", "bibgroups", "objects", "facilities")
_FIELDS = tuple(field.name for field in fields(Paper))


class Grouper:
    """Which records are one paper; records are told by their number of arrival."""

    def __init__(self) -> None:
        self._parent = array("l")
        self._arxiv = array("Q")  # of a group's root: hash of its arXiv id, 0 for none
        self._doi = array("Q")
        self._record_of: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._parent)

    def add(self, paper: Paper) -> None:
        """Take the next record."""
        number = len(self._parent)
        self._parent.append(number)
        ids = identity_keys(paper)
        self._arxiv.append(next((_hash(k) for k in ids if k.startswith("a:")), 0))
        self._doi.append(next((_hash(k) for k in ids if k.startswith("d:")), 0))
        for key in map(_hash, ids):
            self._join(self._record_of.setdefault(key, number), number)
        self._join_by_title(paper, number)

    def groups(self) -> Iterator[list[int]]:
        """Yield each paper's records, ascending, in order of its first appearance."""
        roots = np.fromiter((self._root(i) for i in range(len(self))), dtype=np.int64)
        order = np.argsort(roots, kind="stable")
        starts = np.flatnonzero(np.diff(roots[order], prepend=-1))
        for start, end in pairwise([*starts, len(order)]):
            yield order[start:end].tolist()

    def _join_by_title(self, paper: Paper, number: int) -> None:
        if len(paper.title.split()) < FEWEST_TITLE_WORDS or not paper.authors:
            return
        letters = title_letters(paper)
        years = ("",) if paper.year is None else (paper.year, paper.year - 1, paper.year + 1)
        for year in years:
            other = self._record_of.get(_hash(f"t:{letters}|{year}"))
            if other is not None and not self._differ(self._root(other), self._root(number)):
                self._join(other, number)
        self._record_of.setdefault(_hash(f"t:{letters}|{years[0]}"), number)

    def _differ(self, first: int, second: int) -> bool:
        return any(
            ids[first] and ids[second] and ids[first] != ids[second]
            for ids in (self._arxiv, self._doi)
        )

    def _join(self, first: int, second: int) -> None:
        low, high = sorted((self._root(first), self._root(second)))
        if low != high:
            self._parent[high] = low
            for ids in (self._arxiv, self._doi):
                ids[low] = ids[low] or ids[high]

    def _root(self, number: int) -> int:
        parent = self._parent
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number


def identity_keys(paper: Paper) -> list[str]:
    """The identifiers of a record in comparable form: `a:` arXiv id, `d:` DOI, `b:` bibcode."""
    return list(dict.fromkeys(_key(identifier) for identifier in paper.identifiers))


def shared_keys(first: Paper, second: Paper) -> list[str]:
    """What makes two records one paper, in words; empty if nothing does directly."""
    names = {"a": "arXiv id", "d": "DOI", "b": "bibcode"}
    both = [key for key in identity_keys(first) if key in set(identity_keys(second))]
    found = [f"{names[key[0]]} {key[2:]}" for key in both]
    if not found and first.title and title_letters(first) == title_letters(second):
        found.append(f"title and first author, {first.year} and {second.year}")
    return found


def is_published(paper: Paper) -> bool:
    """Whether a record is of a published version: a bibcode or journal that is not arXiv's."""
    return bool(paper.bibcode and not _is_arxiv(paper.bibcode)) or bool(
        paper.journal and "arxiv" not in paper.journal.lower()
    )


def only_enriches(paper: Paper) -> bool:
    """Whether a record has no title and so adds to a paper without making one."""
    return not paper.title


def merged(records: Sequence[Record]) -> Paper:
    """The records as one paper: the published one's facts win, the others fill its gaps.

    Its bibcode is the journal's where one is known; all other identifiers become aliases. Counts are
    the highest known; keywords and the like that enriching records give are joined.
    """
    ordered = [record.paper for record in sorted(records, key=_rank)]
    if len(ordered) == 1:
        return ordered[0]
    facts = {name: _first(getattr(paper, name) for paper in ordered) for name in _FIELDS}
    extra = [paper for paper in ordered if only_enriches(paper)]
    for name in _JOINED:
        lists = [facts[name] or (), *(getattr(paper, name) for paper in extra)]
        facts[name] = tuple(dict.fromkeys(item for one in lists for item in one))
    facts["bibcode"] = _preferred([p.bibcode for p in ordered if p.bibcode], _is_arxiv)
    facts["doi"] = _preferred([p.doi for p in ordered if p.doi], _is_arxiv)
    counts = [p.citation_count for p in ordered if p.citation_count is not None]
    facts["citation_count"] = max(counts) if counts else None
    facts["aliases"] = ()
    paper = replace(ordered[0], **{name: v for name, v in facts.items() if v is not None})
    return replace(paper, aliases=_aliases(ordered, paper))


def _rank(record: Record) -> tuple[bool, bool, int]:
    paper = record.paper
    return only_enriches(paper), not is_published(paper), -record.batch


def _first(values: Iterator[Any]) -> Any:
    return next((value for value in values if value not in (None, (), "")), None)


def _preferred(values: list[str], is_second_best: Callable[[str], bool]) -> str | None:
    return next((v for v in values if not is_second_best(v)), values[0] if values else None)


def _aliases(papers: Sequence[Paper], merged_paper: Paper) -> tuple[str, ...]:
    """All identifiers of the records that are not the merged paper's own, sorted."""
    own = {one.lower() for one in merged_paper.identifiers}
    found = {one.lower(): one for paper in papers for one in paper.identifiers}
    return tuple(
        found[name]
        for name in sorted(found)
        if not own & {name, normalise_arxiv_id(name), normalise_doi(name)}
    )


def _key(identifier: str) -> str:
    """A bibcode, arXiv id or DOI in the one form that is compared."""
    text = identifier.strip()
    if match := _ARXIV_BIBCODE.match(text):
        return f"a:{match[1]}.{match[2]}"
    if text.lower().removeprefix("doi:").startswith(("10.", "http")) and "10." in text:
        doi = normalise_doi(text)
        return f"a:{doi.removeprefix(_ARXIV_DOI)}" if doi.startswith(_ARXIV_DOI) else f"d:{doi}"
    arxiv_id = normalise_arxiv_id(text)
    if re.fullmatch(r"\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Za-z-]{2,})?/\d{7}", arxiv_id):
        return f"a:{arxiv_id.lower()}"
    return f"b:{text.lower()}"


def _is_arxiv(identifier: str) -> bool:
    return "arxiv" in identifier.lower()


def _hash(key: str) -> int:
    """64 bits of a key; a collision among a million keys has a chance of one in thirty million."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little") or 1
