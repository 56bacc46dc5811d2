"""The options of the command line that several commands share: which index, which papers, which first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from retrieval.records import SearchFilters, SearchSettings

IndexOption = Annotated[
    Path | None,
    typer.Option(
        "--index",
        help="Index directory. Default: WAYFINDER_INDEX, else the starter corpus.",
        show_default=False,
    ),
]
KOption = Annotated[int, typer.Option("-k", help="How many papers, 1 to 1000.")]
ModeOption = Annotated[
    str, typer.Option(help="hybrid (words and meaning), dense (meaning) or lexical (words).")
]
SinceOption = Annotated[
    int | None, typer.Option(help="Only papers of this year or later.", show_default=False)
]
UntilOption = Annotated[
    int | None, typer.Option(help="Only papers of this year or earlier.", show_default=False)
]
CitationsOption = Annotated[
    int | None,
    typer.Option(
        "--min-citations", help="Only papers known to have this many citations.", show_default=False
    ),
]
AuthorOption = Annotated[
    str | None,
    typer.Option(help='Only papers by this author: "Riess" or "Riess, A".', show_default=False),
]
FacilityOption = Annotated[
    str | None,
    typer.Option(help='Only papers that name this facility, such as "JWST".', show_default=False),
]
AmongOption = Annotated[
    Path | None,
    typer.Option(
        help="Only papers listed in this file: a bibcode, arXiv id or DOI a line.",
        show_default=False,
    ),
]
RecencyOption = Annotated[float, typer.Option(help="Weight of recency, 0 (off) to 1.")]
ImpactOption = Annotated[
    float, typer.Option(help="Weight of citations among papers of the same year, 0 (off) to 1.")
]
PresetOption = Annotated[
    str,
    typer.Option(help="`pathfinder`: rank by Pathfinder's published formulas, for comparison."),
]
PlainOption = Annotated[
    bool,
    typer.Option("--plain", help="Take the question as plain words: understand nothing in it."),
]
IgnoreOption = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore",
        help='Take away one thing understood, by its key: "years:since 2022". Repeatable.',
        show_default=False,
    ),
]
KeywordOption = Annotated[
    float | None,
    typer.Option(
        "--keyword-weight",
        help="Words against meaning, 0 (meaning only) to 1. Default: 0.5 for questions, 0.6 for other words.",
        show_default=False,
    ),
]
HalfLifeOption = Annotated[
    float, typer.Option("--half-life", help="Years after which --recency has halved.")
]
HydeOption = Annotated[
    bool, typer.Option("--hyde", help="Also search for abstracts that a language model imagines.")
]
HydeAbstractsOption = Annotated[
    int, typer.Option("--hyde-abstracts", help="How many abstracts it imagines, 1 to 8.")
]
HydeWeightOption = Annotated[
    float, typer.Option("--hyde-weight", help="Their weight against the question's, 0 to 1.")
]
DiversityOption = Annotated[
    float, typer.Option(help="Prefer papers unlike those before them, 0 (off) to 1.")
]
ReviewsOption = Annotated[
    bool, typer.Option("--reviews-first", help="Reviews among the best 100 papers come first.")
]
ExportOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--export",
        help="Also write it to this file, in the form of its ending: .md, .html or .json, or its papers as .bib, .ris or .csv. "
        "Repeatable.",
        show_default=False,
    ),
]
RerankOption = Annotated[
    bool | None,
    typer.Option(
        "--rerank/--no-rerank",
        help="Read the first papers again, with WAYFINDER_RERANKER or what ships. Default: where it is set, and in hybrid search.",
        show_default=False,
    ),
]


def search_settings(
    *,
    since: int | None,
    until: int | None,
    min_citations: int | None,
    author: str | None,
    facility: str | None,
    among: tuple[str, ...] | None = None,
    plain: bool,
    ignore: list[str] | None,
    **others: Any,
) -> SearchSettings:
    """The settings that the options mean; `others` are settings by their own names."""
    filters = SearchFilters(
        since=since,
        until=until,
        min_citations=min_citations,
        author=author,
        facility=facility,
        among=among,
    )
    return SearchSettings(
        filters=filters, understand=not plain, ignored=tuple(ignore or ()), **others
    )
