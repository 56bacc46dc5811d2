"""What `wayfinder index ...` prints: what a build did, what an index holds, where a paper comes from."""

from __future__ import annotations

import os
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from indexer.encoder import ASTRO_ID, MINILM_ID, ships_no_more
from indexer.merge import shared_keys
from indexer.origins import Origin
from indexer.records import IngestReport
from indexer.snapshots import kept_snapshots
from indexer.store import Index
from indexer.weights import UNKNOWN_CITATIONS, UNKNOWN_YEAR


def build_summary(out: Path, n_papers: int, report: IngestReport) -> str:
    """What a build or an update did with every record."""
    skipped = sum(report.skipped.values())
    lines = [
        f"{out}: {report.read:,} records read = {report.indexed:,} indexed + {report.merged:,} merged "
        f"+ {skipped:,} skipped; {n_papers:,} papers"
    ]
    for reason, n in report.skipped.most_common():
        lines.append(f"  skipped {n:,}: {reason} (first: {report.examples[reason]})")
    return "\n".join(lines)


def status_row(index: Index) -> dict[str, Any]:
    """The status of an index as one JSON object; sizes in bytes."""
    manifest = index.manifest
    years = Counter(int(year) for year in index.year)
    unknown = years.pop(UNKNOWN_YEAR, 0)
    by_source = np.bincount(index.source, minlength=len(manifest.harvests))
    as_of = date.fromisoformat(manifest.as_of)
    return {
        "index": str(index.path),
        "snapshot": manifest.snapshot,
        "n_papers": manifest.n_papers,
        "encoder": manifest.encoder,
        "dimension": manifest.dimension,
        "dense": index.dense.kind,
        "created": manifest.created,
        "as_of": manifest.as_of,
        "days_old": (date.today() - as_of).days,
        "newest_paper": _newest(index),
        "sources": list(manifest.sources),
        "harvests": [
            {**harvest, "papers": int(by_source[i])} for i, harvest in enumerate(manifest.harvests)
        ],
        "counts": manifest.counts,
        "citations_known": int(np.count_nonzero(index.citations != UNKNOWN_CITATIONS)),
        "facilities_known": index.uses is not None,
        "years": {str(year): years[year] for year in sorted(years)},
        "year_unknown": unknown,
        "map": _map(index),
        "bytes": {name: part["bytes"] for name, part in manifest.parts.items()},
        "earlier": [
            {"snapshot": k.snapshot, "created": k.created, "n_papers": k.n_papers, "bytes": _size(k.path)}
            for k in kept_snapshots(index.path)
        ],
    }  # fmt: skip


def _map(index: Index) -> dict[str, int] | None:
    """How many papers the map was laid out from, and how many were placed later; None without a map."""
    found = index.landscape
    return None if found is None else {"laid": found.n_laid, "placed": found.n_placed}


def status_page(status: dict[str, Any]) -> str:
    """The status of an index for people."""
    counts, years = status["counts"], {int(y): n for y, n in status["years"].items()}
    megabytes = sum(status["bytes"].values()) / 1e6
    lines = [
        f"{status['index']}",
        f"  papers    {status['n_papers']:,}"
        + (f", {min(years)} to {max(years)}" if years else ""),
        f"  as of     {status['as_of']}, {status['days_old']:,} days ago "
        f"(built {status['created']}, snapshot {status['snapshot']})",
        f"  encoder   {status['encoder']}, {status['dimension']} dimensions; {status['dense']}",
        f"  records   {counts['read']:,} read = {counts['indexed']:,} indexed + {counts['merged']:,} merged "
        f"+ {sum(counts['skipped'].values()):,} skipped",
        *_harvest_lines(status["harvests"]),
        f"  size      {megabytes:,.1f} MB: " + ", ".join(_part_sizes(status["bytes"])),
        *(
            f"  earlier   {one['snapshot']} of {one['created']}, {one['n_papers']:,} papers, {one['bytes'] / 1e6:,.1f} MB"
            for one in status["earlier"]
        ),
    ]
    if status["encoder"] == MINILM_ID or ships_no_more(status["encoder"]):
        lines.append(
            f"  {'better' if status['encoder'] == MINILM_ID else 'needs':<9} encoder {ASTRO_ID}, tuned on astronomers' questions: "
            f"`wayfinder index reencode {status['index']}` changes to it, no source is read again"
        )
    if not status["facilities_known"]:
        lines.append(
            f"  lacks     facilities and methods: `wayfinder index facilities {status['index']}` adds them"
        )
    if status["map"] is None:
        lines.append(f"  lacks     a map: `wayfinder index map {status['index']}` makes one")
    else:
        laid, placed = status["map"]["laid"], status["map"]["placed"]
        lines.append(f"  map       {laid:,} papers laid out, {placed:,} placed later")
    if years:
        lines.append(
            "  by decade " + ", ".join(f"{d}s {n:,}" for d, n in sorted(_by_decade(years).items()))
        )
    if status["year_unknown"]:
        lines.append(f"            year unknown {status['year_unknown']:,}")
    return "\n".join(lines)


def facilities_row(index: Index) -> dict[str, Any]:
    """How many papers used and mention each facility and method, most used first; empty where it was not detected."""
    row: dict[str, Any] = {"index": str(index.path), "n_papers": len(index.papers)}
    kinds = (
        {"facilities": index.uses.facilities, "methods": index.uses.methods} if index.uses else {}
    )
    for kind, uses in kinds.items():
        used, named = uses.counts(used=True), uses.counts()
        order = sorted(named, key=lambda name: (-used.get(name, 0), name))
        row[kind] = {
            name: {"used": used.get(name, 0), "mentioned": named[name] - used.get(name, 0)}
            for name in order
        }
    return row


def facilities_page(row: dict[str, Any]) -> str:
    """The most used facilities and methods for people."""
    lines = [f"{row['index']}: {row['n_papers']:,} papers"]
    for kind in ("facilities", "methods"):
        counts = row.get(kind, {})
        lines.append(f"  {len(counts):,} {kind} named; most used, and only mentioned:")
        lines += [
            f"    {name:<40}{n['used']:>7,}{n['mentioned']:>7,}"
            for name, n in list(counts.items())[:15]
        ]
    return "\n".join(lines)


def explain_row(index: Index, identifier: str) -> dict[str, Any]:
    """The records of the paper that has `identifier`, and what each shares with one before it.

    Raises:
        PaperNotFound: no paper has it.
    """
    row = index.row_of(identifier)
    paper = index.papers[row]
    origins = index.origins.of(row) or [Origin.of(paper, int(index.source[row]))]
    harvests = index.manifest.harvests
    return {
        "bibcode": paper.bibcode,
        "arxiv_id": paper.arxiv_id,
        "title": paper.plain_title,
        "identifiers": list(paper.identifiers),
        "records": [
            {
                "source": harvests[origin.source]["source"],
                "harvested": harvests[origin.source]["harvested"],
                "identifiers": list(origin.identifiers),
                "title": origin.title,
                "year": origin.year,
                "shares": _shares(origin, origins[:i]),
            }
            for i, origin in enumerate(origins)
        ],
    }


def explain_page(row: dict[str, Any]) -> str:
    """The records of a paper for people."""
    n = len(row["records"])
    lines = [
        row["title"],
        f"  found by  {', '.join(row['identifiers']) or 'its title alone'}",
        f"  made of   {n} record{'s' if n > 1 else ''}",
    ]
    for number, record in enumerate(row["records"], 1):
        named = ", ".join(record["identifiers"]) or "no identifier"
        lines.append(f"  {number:>3}. {record['source']} of {record['harvested']}: {named}")
        if record["shares"]:
            lines.append(f"       one paper by {'; '.join(record['shares'])}")
    return "\n".join(lines)


def _shares(origin: Origin, before: list[Origin]) -> list[str]:
    found = [key for one in before for key in shared_keys(one.as_paper(), origin.as_paper())]
    return list(dict.fromkeys(found))


def _newest(index: Index) -> float | None:
    known = index.decimal_year[~np.isnan(index.decimal_year)]
    return round(float(known.max()), 3) if len(known) else None


def _harvest_lines(harvests: list[dict[str, Any]]) -> list[str]:
    lines = []
    for one in harvests:
        promised = f" of {one['found']:,} found" if one["found"] is not None else ""
        lines.append(
            f"            {one['source']} of {one['harvested']}: {one['read']:,} read{promised}, {one['papers']:,} papers"
        )
        lines += [
            f"              skipped {n:,}: {reason} (first: {one['examples'].get(reason, '')})"
            for reason, n in one["skipped"].items()
        ]
    return lines


def _part_sizes(sizes: dict[str, int]) -> list[str]:
    by_part: Counter[str] = Counter()
    for name, n_bytes in sizes.items():
        by_part[name.split("/")[0].split(".")[0]] += n_bytes
    return [f"{name} {n / 1e6:,.1f}" for name, n in by_part.most_common()]


def _size(folder: Path) -> int:
    return sum(
        (Path(top) / name).stat().st_size for top, _, names in os.walk(folder) for name in names
    )


def _by_decade(years: dict[int, int]) -> Counter[int]:
    decades: Counter[int] = Counter()
    for year, n in years.items():
        decades[year // 10 * 10] += n
    return decades
