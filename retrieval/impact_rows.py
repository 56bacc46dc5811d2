"""An impact as plain rows: one JSON object with every number's definition and papers, and a long table for CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from indexer.store import Index
from retrieval.impact import GROWTH_YEARS, N_TOGETHER, Impact
from retrieval.impact_places import Places
from retrieval.landscape import named

Row = dict[str, Any]

DEFINITIONS = {
    "used": "Papers that used it: data of it taken, analysed or combined, or a paper about it; by the sentence that says most for it, or by the source's facility and bibgroup fields.",
    "mentioned": "Papers that name it and do not use it.",
    "share": "Papers that used it over all papers of the year within the restrictions; Wilson's interval at 95 %.",
    "citations": "Sum of the citation counts that are known, as of the sources; papers whose count is unknown are not in it.",
    "median_citations": "Median of the known citation counts.",
    "h_index": "The largest h such that h of the papers have h known citations or more.",
    "citation_ratio": "Mean known citations over the mean of papers of the same year and first category (of the year where these are fewer than 20); 1 is like others. Bootstrap interval at 95 %, papers resampled.",
    "within": "Mean citations within so many years of publication by papers of this index, of papers that old. Unknown where fewer than half of the papers that could cite have a reference list.",
    "growth": f"Share of the last {GROWTH_YEARS} years over the share of the {GROWTH_YEARS} before; Katz's interval at 95 %.",
    "median_age": "Median years from its first data to the papers that used it.",
    "together": f"The {N_TOGETHER} other facilities that the same papers used most; the matrix counts papers that used both.",
    "terms": "Words and pairs of words of titles. Gained and lost: share of titles in the later half of the papers against the earlier, |z| of 3 or more.",
    "places": "Clusters of the map: the share of the papers with a place that lie in it, in the later half of the years against the earlier. Newcombe's interval of the difference, at 95 % for all compared clusters together (Bonferroni); gained or lost where it leaves out 0. Compared are clusters with 10 of the papers or more.",
}
CSV_COLUMNS = ("name", "measure", "key", "value", "low", "high", "n", "definition", "papers")


def impact_row(index: Index, found: Impact) -> Row:
    """One impact as a JSON object."""
    ids = _Identifiers(index, found)
    cited, growth, terms = found.cited, found.growth, found.terms
    return {
        "name": found.name,
        "kind": found.kind,
        "restricted": found.scope.label or None,
        "as_of": found.as_of,
        "snapshot": found.snapshot,
        "first_data": found.entry.first_year if found.entry else None,
        "last_data": found.entry.last_year if found.entry else None,
        "papers_in_scope": found.n_scope,
        "used": len(found.used),
        "mentioned": len(found.mentioned),
        "year_unknown": found.n_year_unknown,
        "first_paper_year": found.first_paper_year,
        "median_age": found.median_age,
        "years": [
            {**vars(year), "used_ids": ids.of_year(year.year)} for year in found.years
        ],
        "growth": {"ratio": growth.ratio, "low": growth.low, "high": growth.high, "late": list(growth.late), "early": list(growth.early)},
        "citations": {
            "known": cited.n_known, "unknown": cited.n_unknown, "total": cited.total, "median": cited.median,
            "h_index": cited.h_index, "h_ids": ids.of(cited.h_rows),
            "ratio": cited.ratio, "ratio_low": cited.ratio_low, "ratio_high": cited.ratio_high,
            "compared": cited.n_compared, "without_category": cited.n_without_category,
            "within": [
                {"years": w.years, "papers": w.n, "covered": w.covered, "mean": w.mean, "expected": w.expected, "ids": ids.of(w.rows)}
                for w in cited.within
            ],
        },
        "top": top_rows(index, found),
        "together": [{"name": one.name, "papers": len(one.rows), "ids": ids.of(one.rows)} for one in found.together],
        "matrix": [list(line) for line in found.matrix],
        "terms": {
            "common": [{"term": term, "papers": n} for term, n in terms.common],
            "split_year": terms.split_year, "early": terms.n_early, "late": terms.n_late,
            "gained": [_term(term, ids) for term in terms.gained],
            "lost": [_term(term, ids) for term in terms.lost],
        },
        "places": None if found.places is None else _places(found.places, ids),
        "used_ids": ids.of(found.used),
        "mentioned_ids": ids.of(found.mentioned),
        "definitions": DEFINITIONS,
    }  # fmt: skip


def without_papers(row: Row) -> Row:
    """An impact's row without the lists of identifiers, of which the numbers stay."""
    return {name: _pruned(value) for name, value in row.items() if not _lists_papers(name)}


def _lists_papers(name: str) -> bool:
    return name == "ids" or name.endswith("_ids")


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return without_papers(value)
    return [_pruned(item) for item in value] if isinstance(value, list) else value


def top_rows(index: Index, found: Impact) -> list[Row]:
    """The most cited papers."""
    papers = [index.papers[row] for row in found.top]
    return [
        {"id": p.id, "title": p.plain_title, "authors": p.author_label, "year": p.year, "citation_count": p.citation_count}
        for p in papers
    ]  # fmt: skip


def csv_rows(index: Index, found: Impact) -> list[tuple[Any, ...]]:
    """One impact as rows of CSV_COLUMNS; what is unknown is empty, identifiers are separated by spaces."""
    ids = _Identifiers(index, found)
    table: list[tuple[Any, ...]] = []

    def add(
        measure: str, key: Any, value: Any, *more: Any, of: str, papers: Iterable[int] = ()
    ) -> None:
        low, high, n = (*more, None, None, None)[:3]
        table.append((found.name, measure, key, value, low, high, n, DEFINITIONS[of], " ".join(ids.of(papers))))  # fmt: skip

    add("used", "all", len(found.used), None, None, found.n_scope, of="used", papers=found.used)
    add("mentioned", "all", len(found.mentioned), None, None, found.n_scope, of="mentioned", papers=found.mentioned)  # fmt: skip
    for year in found.years:
        rows = found.used[index.year[found.used] == year.year]
        add("used", year.year, year.used, None, None, year.papers, of="used", papers=rows)
        add("share", year.year, year.share, year.low, year.high, year.papers, of="share")
        add("mentioned", year.year, year.mentioned, None, None, year.papers, of="mentioned")
    cited, growth = found.cited, found.growth
    add("citations", "total", cited.total, None, None, cited.n_known, of="citations")
    add("citations", "median", cited.median, None, None, cited.n_known, of="median_citations")
    add("h_index", "", cited.h_index, None, None, cited.n_known, of="h_index", papers=cited.h_rows)
    add("citation_ratio", "", cited.ratio, cited.ratio_low, cited.ratio_high, cited.n_compared, of="citation_ratio")  # fmt: skip
    for within in cited.within:
        add(f"citations_within_{within.years}_years", "mean", within.mean, None, None, within.n, of="within", papers=within.rows)  # fmt: skip
        add(f"citations_within_{within.years}_years", "expected", within.expected, None, None, within.n, of="within")  # fmt: skip
    add("growth", f"{growth.late[0]}-{growth.late[1]}", growth.ratio, growth.low, growth.high, of="growth")  # fmt: skip
    add("median_age", "years", found.median_age, of="median_age")
    for one in found.together:
        add("together", one.name, len(one.rows), of="together", papers=one.rows)
    for kind, terms in (("gained", found.terms.gained), ("lost", found.terms.lost)):
        for term in terms:
            add(f"term_{kind}", term.text, term.z, term.early, term.late, len(term.rows), of="terms", papers=term.rows)  # fmt: skip
    for moved in found.places.clusters if found.places else ():
        measure = f"cluster_{moved.direction}" if moved.direction else "cluster"
        add(measure, named(moved.cluster), moved.change, moved.low, moved.high, moved.n, of="places", papers=[*moved.early, *moved.late])  # fmt: skip
    return table


def _places(places: Places, ids: _Identifiers) -> Row:
    return {
        "split_year": places.split_year,
        "early": len(places.early),
        "late": len(places.late),
        "without_place": places.n_without_place,
        "year_unknown": places.n_year_unknown,
        "clusters": [
            {
                "cluster": named(moved.cluster), "level": moved.cluster.level + 1, "number": moved.cluster.number,
                "share_early": places.share(moved.early, late=False), "share_late": places.share(moved.late, late=True),
                "change": moved.change, "low": moved.low, "high": moved.high, "direction": moved.direction or None,
                "early_ids": ids.of(moved.early), "late_ids": ids.of(moved.late),
            }
            for moved in places.clusters
        ],
    }  # fmt: skip


def _term(term: Any, ids: _Identifiers) -> Row:
    return {"term": term.text, "early": term.early, "late": term.late, "z": term.z, "ids": ids.of(term.rows)}  # fmt: skip


class _Identifiers:
    """The identifiers of the papers of an impact: bibcode, else arXiv id, else DOI, else the row."""

    def __init__(self, index: Index, found: Impact) -> None:
        rows = np.unique(np.concatenate([found.used, found.mentioned])).astype(np.int64)
        columns = [index.papers.column(name, rows) for name in ("bibcode", "arxiv_id", "doi")]
        names = [next(filter(None, some), None) for some in zip(*columns, strict=True)]
        self._name = {
            int(row): name or index.papers[int(row)].id
            for row, name in zip(rows, names, strict=True)
        }
        self._by_year: dict[int, list[str]] = {}
        for row in found.used:
            self._by_year.setdefault(int(index.year[row]), []).append(self._name[int(row)])

    def of(self, rows: Iterable[int] | Sequence[int]) -> list[str]:
        """The identifiers of papers, in their order."""
        return [self._name[int(row)] for row in rows]

    def of_year(self, year: int) -> list[str]:
        """Those of the papers of a year that used it."""
        return self._by_year.get(year, [])
