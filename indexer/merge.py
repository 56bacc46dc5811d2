"""One paper is one paper: preprint and journal version, and records given twice, become one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

from indexer.records import IngestReport, Paper, title_key

FEWEST_TITLE_WORDS = 4  # shorter titles ("Erratum", "Dark matter") name different papers


def merge_papers(papers: Iterable[Paper], report: IngestReport) -> list[Paper]:
    """Return the different papers in order of first appearance; count merges in `report`.

    Records are one paper if they share a bibcode, an arXiv id, a DOI, or title, first author and
    year. The published record's facts win, the other fills its gaps.
    """
    kept: list[Paper | None] = []
    row_of: dict[str, int] = {}
    for paper in papers:
        keys, merged = _keys(paper), paper
        rows = sorted({row_of[key] for key in keys if key in row_of})
        if rows:
            row = rows[0]
            for other in rows:  # a record can join papers that came apart
                merged = _merged(kept[other], merged)
                if other != row:
                    kept[other] = None
                report.merged += 1
        else:
            row = len(kept)
            kept.append(None)
        kept[row] = merged
        for key in (*keys, *_keys(merged)):
            row_of[key] = row
    different = [paper for paper in kept if paper is not None]
    report.indexed = len(different)
    return different


def _keys(paper: Paper) -> list[str]:
    keys = [
        f"{kind}:{value.lower()}"
        for kind, value in zip(
            ("b", "a", "d"), (paper.bibcode, paper.arxiv_id, paper.doi), strict=True
        )
        if value
    ]
    if len(paper.title.split()) >= FEWEST_TITLE_WORDS and paper.authors:
        keys.append(f"t:{title_key(paper)}")
    return keys


def _is_published(paper: Paper) -> bool:
    return bool(paper.bibcode and "arxiv" not in paper.bibcode.lower()) or bool(
        paper.journal and "arxiv" not in paper.journal.lower()
    )


def _merged(first: Paper | None, second: Paper) -> Paper:
    """The two records as one paper; `first` came earlier and wins unless only `second` is published."""
    if first is None:
        return second
    winner, other = (
        (second, first) if _is_published(second) and not _is_published(first) else (first, second)
    )
    gaps = {
        f.name: getattr(other, f.name)
        for f in fields(Paper)
        if getattr(winner, f.name) in (None, ())
    }
    counts = [p.citation_count for p in (winner, other) if p.citation_count is not None]
    return replace(winner, **{**gaps, "citation_count": max(counts) if counts else None})
