"""A printable report of impacts: numbers with definitions, dates and papers; one HTML file, everything escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from datetime import date

from app import charts
from indexer.store import Index
from retrieval.impact import Impact
from retrieval.impact_places import Places
from retrieval.impact_rows import DEFINITIONS, impact_row, top_rows
from retrieval.landscape import named

NOT_OF_TOPICS = (
    "papers that only mention it",
    "first data",
    "median years from first data to paper",
)
MOVED_SHOWN = 10  # clusters, more only where more were gained and lost
_STYLE = """
body { font: 11pt/1.45 Georgia, serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2rem; } h3 { font-size: 1rem; margin-bottom: .3rem; }
table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0; } th, td { text-align: left; padding: .15rem .7rem .15rem 0; border-bottom: 1px solid #ccc; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } svg { max-width: 100%; height: auto; }
.ids { font: .72rem/1.5 monospace; overflow-wrap: anywhere; } .small { font-size: .85rem; color: #444; }
@media print { body { margin: 0; max-width: none; } h2 { break-before: page; } h2.first { break-before: auto; } svg, tr { break-inside: avoid; } }
"""


def report(index: Index, impacts: Sequence[Impact]) -> str:
    """The report as one HTML page that needs nothing else."""
    names = ", ".join(one.name for one in impacts)
    first = impacts[0]
    where = first.scope.label or "all papers of the index"
    parts = [
        f"<h1>Impact of {_e(names)}</h1>",
        f"<p class=small>{_e(where[:1].upper() + where[1:])}. {len(index.papers):,} papers are in the index, "
        f"{first.n_scope:,} within the restrictions. Counts as of {_e(first.as_of)} (snapshot {_e(first.snapshot)}), "
        f"written {date.today().isoformat()} by Wayfinder. They are of this index, not of the whole literature.</p>",
        charts.svg(charts.share_chart(impacts)) if any(one.years for one in impacts) else "",
    ]
    for number, one in enumerate(impacts):
        parts.append(_one(index, one, first=number == 0))
    parts += ["<h2>Definitions</h2>", _table(("number", "definition"), DEFINITIONS.items())]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Impact of {_e(names)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _one(index: Index, found: Impact, *, first: bool) -> str:
    row = impact_row(index, found)
    head = f'<h2 class="{"first" if first else ""}">{_e(found.name)}</h2>'
    if not len(found.used):
        return f"{head}<p>No paper within the restrictions {'is on it' if found.kind == 'topic' else f'used it; {len(found.mentioned):,} mention it'}.</p>"
    return "".join([
        head,
        _table(("number", "value"), numbers(found)),
        charts.svg(charts.papers_chart(found)) if found.years else "",
        "<h3>Most cited papers</h3>" if found.top else "",
        _table(("paper", "year", "citations", "identifier"), ((f"{p['authors']}: {p['title']}", p["year"], p["citation_count"], p["id"]) for p in top_rows(index, found))) if found.top else "",
        "<h3>Used together with</h3>" + charts.svg(charts.company_chart(found)) if found.together else "",
        "<h3>Terms of titles gained and lost</h3>" + _table(("term", "before", "after", "z"), terms(found)) if found.terms.gained or found.terms.lost else "",
        _on_map(index, found),
        f"<h3>The {len(found.used):,} papers that {found.did}</h3>",
        *(f"<p class=ids><b>{y['year']}</b> {_e(' '.join(y['used_ids']))}</p>" for y in row["years"] if y["used_ids"]),
    ])  # fmt: skip


def _on_map(index: Index, found: Impact) -> str:
    if found.places is None or not found.places.clusters:
        return ""
    return (
        f"<h3>On the map</h3>{charts.svg(charts.map_chart(index, found))}"
        f"<p class=small>{_e(moved_words(found.places))}</p>{_table(moved_head(found.places), moved(found.places))}"
    )


def numbers(found: Impact) -> list[tuple[str, str]]:
    """The single numbers in words."""
    cited, growth = found.cited, found.growth
    lines = [
        (f"papers that {found.did}", f"{len(found.used):,}"),
        ("papers that only mention it", f"{len(found.mentioned):,}"),
        ("share of the papers looked at", f"{len(found.used) / found.n_scope:.2%} of {found.n_scope:,}"),
        ("first data", _known(found.entry.first_year if found.entry else None)),
        (f"first paper that {'is on it' if found.kind == 'topic' else found.did}", _known(found.first_paper_year)),
        ("median years from first data to paper", _known(found.median_age)),
        ("growth", _interval(growth.ratio, growth.low, growth.high) + f" ({growth.late[0]}–{growth.late[1]} against {growth.early[0]}–{growth.early[1]})"),
        ("citations", f"{'unknown' if cited.total is None else f'{cited.total:,}'} (known for {cited.n_known:,} papers, unknown for {cited.n_unknown:,})"),
        ("median citations", _known(cited.median)),
        ("h-index", _known(cited.h_index)),
        ("citations against papers of the same year and category", _interval(cited.ratio, cited.ratio_low, cited.ratio_high)),
    ]  # fmt: skip
    for within in cited.within:
        why = "" if within.mean is not None else _why_unknown(within.n, within.covered)
        against = f", {within.expected:.2f} expected" if within.expected is not None else ""
        value = (
            f"{within.mean:.2f} a paper{against}" if within.mean is not None else f"unknown{why}"
        )
        lines.append((f"citations within {within.years} years", value))
    return [line for line in lines if found.kind != "topic" or line[0] not in NOT_OF_TOPICS]


def terms(found: Impact) -> list[tuple[str, str, str, str]]:
    """The terms gained and lost: share of titles before and after."""
    changed = (*found.terms.gained, *found.terms.lost)
    return [(t.text, f"{t.early:.1%}", f"{t.late:.1%}", f"{t.z:+.1f}") for t in changed]


def moved_words(places: Places) -> str:
    """How many of its papers are on the map, and which clusters it gained and lost."""
    n = len(places.early) + len(places.late)
    words = [f"{n:,} of its papers have a place on the map and a year"]
    if places.n_without_place:
        words.append(f"{places.n_without_place:,} have no place")
    if places.n_year_unknown:
        words.append(f"{places.n_year_unknown:,} no year")
    said = "; ".join(words) + "."
    if places.split_year is None:
        return f"{said} They are of one year: nothing can have moved."
    compared = [one for one in places.clusters if one.change is not None]
    if not compared:
        return f"{said} They are too few to tell whether it moved."
    sides = [(way, [one for one in compared if one.direction == way]) for way in ("gained", "lost")]
    clear = [f"{len(some)} {way}" for way, some in sides if some] or ["no clear change"]
    return f"{said} Of {len(compared)} clusters compared: {', '.join(clear)}."


def moved_head(places: Places) -> tuple[str, ...]:
    """The head of the table that `moved` fills."""
    year = places.split_year
    periods = (f"before {year}", f"since {year}") if year else ("all", "")
    return ("cluster of the map", "papers", *periods, "change, % points", "")


def moved(places: Places) -> list[tuple[str, ...]]:
    """The clusters gained and lost, and the largest others: shares of its papers, and the change with its interval."""
    rows: list[tuple[str, ...]] = []
    for one in places.clusters:
        if len(rows) == MOVED_SHOWN and not one.direction:
            break
        change = ""
        if one.change is not None and one.low is not None and one.high is not None:
            change = f"{100 * one.change:+.1f} [{100 * one.low:+.1f}, {100 * one.high:+.1f}]"
        shares = (places.share(one.early, late=False), places.share(one.late, late=True))
        said = ["" if share is None else f"{share:.1%}" for share in shares]
        rows.append((named(one.cluster), f"{one.n:,}", *said, change, one.direction))
    return rows


def _why_unknown(n: int, covered: float | None) -> str:
    if not n:
        return ": no paper is old enough"
    return f": references are known for {covered or 0:.0%} of the papers that could cite"


def _known(value: float | int | None) -> str:
    """A small number or a year; a half keeps its digit."""
    return "unknown" if value is None else f"{value:g}"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return "unknown"
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    titles = "".join(f"<th>{_e(name)}</th>" for name in head)
    body = "".join(
        "<tr>"
        + "".join(f"<td>{_e('unknown' if cell is None else cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<table><tr>{titles}</tr>{body}</table>"


def _e(text: object) -> str:
    return html.escape(str(text))
