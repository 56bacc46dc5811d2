"""The `wayfinder` command: results on stdout, everything else on stderr, one JSON object a line.

Exit status: 0, 2 for the user's mistake, 1 for ours.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from app import cli_llm, cli_research, show
from app.cli_api import api, mcp
from app.cli_facilities import facilities
from app.cli_impact import impact
from app.cli_index import index_app
from app.cli_map import map_app
from app.cli_slack import slack_app
from app.exports import ANSWER, SEARCH, Exports
from app.options import (
    AmongOption,
    AuthorOption,
    CitationsOption,
    DiversityOption,
    ExportOption,
    FacilityOption,
    HalfLifeOption,
    HydeAbstractsOption,
    HydeOption,
    HydeWeightOption,
    IgnoreOption,
    ImpactOption,
    IndexOption,
    KeywordOption,
    KOption,
    ModeOption,
    PlainOption,
    PresetOption,
    RecencyOption,
    RerankOption,
    ReviewsOption,
    SinceOption,
    UntilOption,
    search_settings,
)
from app.progress import writing
from app.terminal import JsonOption, QuietOption, index_directory, out, say
from indexer import config
from indexer.document import MOST_BYTES
from indexer.errors import QueryError, SourceError, WayfinderError
from indexer.store import Index
from retrieval import ask as ask_question
from retrieval import load_index
from retrieval import search as search_papers
from retrieval import similar as similar_papers
from retrieval.consensus import level_in
from retrieval.followup import context_of_row, made_whole
from retrieval.fulltext import FullTexts, read_full_texts
from retrieval.llm import configured_llm
from retrieval.offline import forbid_network
from retrieval.paper_sets import identifiers_in
from retrieval.records import Checking, Mode, SearchFilters, SearchResult, SearchSettings
from retrieval.rows import answer_row, coverage_row, hit_row, understood_row
from retrieval.similar import Likeness
from retrieval.synthesis import AnswerStyle

_HELP = """Search the astronomical literature in plain words, with answers you can check.

Try it now, nothing to set up (a small starter corpus is indexed on first use):

    wayfinder search "how do black holes quench star formation"
    wayfinder ask "What are JWST's little red dots?"
    wayfinder serve

Your own literature: `wayfinder index build --from papers.jsonl --out my-index`, then add
`--index my-index` to any command, or set WAYFINDER_INDEX=my-index.
"""

app = typer.Typer(
    help=_HELP,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(index_app, name="index")
app.add_typer(map_app, name="map")
app.add_typer(cli_llm.app, name="llm")
app.add_typer(slack_app, name="slack")
app.command()(facilities)
app.command()(impact)


@app.command()
def search(
    query: Annotated[
        str | None,
        typer.Argument(help="What you are looking for, in plain words.", show_default=False),
    ] = None,
    index: IndexOption = None,
    queries: Annotated[
        Path | None,
        typer.Option(
            help='A file of lines {"query_id", "query"} to search one after the other, with --json.',
            show_default=False,
        ),
    ] = None,
    k: KOption = 10,
    mode: ModeOption = "hybrid",
    since: SinceOption = None,
    until: UntilOption = None,
    min_citations: CitationsOption = None,
    author: AuthorOption = None,
    facility: FacilityOption = None,
    among: AmongOption = None,
    recency: RecencyOption = 0.0,
    impact: ImpactOption = 0.0,
    preset: PresetOption = "wayfinder",
    keyword_weight: KeywordOption = None,
    plain: PlainOption = False,
    ignore: IgnoreOption = None,
    half_life: HalfLifeOption = 5.0,
    hyde: HydeOption = False,
    hyde_abstracts: HydeAbstractsOption = 1,
    hyde_weight: HydeWeightOption = 0.5,
    rerank: RerankOption = None,
    diversity: DiversityOption = 0.0,
    reviews_first: ReviewsOption = False,
    export: ExportOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find the papers that answer QUERY, best first."""
    settings = search_settings(
        since=since,
        until=until,
        min_citations=min_citations,
        author=author,
        facility=facility,
        among=_among(among),
        k=k,
        mode=_mode(mode),
        preset=preset,  # SearchSettings refuses what is no preset
        recency=recency,
        impact=impact,
        keyword_weight=keyword_weight,
        plain=plain,
        ignore=ignore,
        half_life_years=half_life,
        hyde=hyde,
        hyde_abstracts=hyde_abstracts,
        hyde_weight=hyde_weight,
        rerank=rerank,
        diversity=diversity,
        reviews_first=reviews_first,
    )
    if (query is None) == (queries is None):
        raise QueryError("Give either a QUERY or --queries FILE.")
    if queries is not None:
        if not json_output:
            raise QueryError("--queries prints JSON lines: add --json.")
        if export:
            raise QueryError(
                "--export writes what one QUERY found: it cannot be given with --queries."
            )
        _search_file(_open(index, quiet), queries, settings)
        return
    exports = Exports(export, SEARCH)
    result = search_papers(_open(index, quiet), query or "", settings)
    _say_understood(result)
    for note in (*result.degraded, *_coverage_note(result)):
        say(note)
    shared = {
        "understood": [understood_row(item) for item in result.understood],
        "coverage": coverage_row(result),
    }
    try:
        exports.write(result, result.hits)
    finally:  # what was found is shown even so
        _print_hits(result, shared if json_output else None)


@app.command()
def similar(
    papers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BIBCODE_OR_ARXIV_ID]...", help="Papers of the index.", show_default=False
        ),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            "--text",
            help="A file with an abstract or a draft, `-` for standard input; what it cites by identifier is left out.",
            allow_dash=True,
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str, typer.Option(help="Alike by meaning, references (shared ones) or citations.")
    ] = "meaning",
    index: IndexOption = None,
    k: KOption = 10,
    since: SinceOption = None,
    until: UntilOption = None,
    min_citations: CitationsOption = None,
    diversity: DiversityOption = 0.0,
    reviews_first: ReviewsOption = False,
    export: ExportOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find the papers most like given ones, or what a draft is missing."""
    filters = SearchFilters(since=since, until=until, min_citations=min_citations)
    settings = SearchSettings(
        k=k, filters=filters, diversity=diversity, reviews_first=reviews_first
    )
    exports = Exports(export, SEARCH)
    draft = _text_of(text) if text else ""
    likeness: Likeness = by  # type: ignore[assignment]  # refused by `similar` if it is none
    result = similar_papers(_open(index, quiet), papers or (), settings, text=draft, by=likeness)
    for note in result.degraded:
        say(note)
    try:
        exports.write(result, result.hits)
    finally:  # what was found is shown even so
        _print_hits(result, {} if json_output else None)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="A question in plain words.", show_default=False)],
    index: IndexOption = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="No language model: quote the sentences that answer.")
    ] = False,
    style: Annotated[
        str, typer.Option(help="Length of a written answer: brief, standard or detailed.")
    ] = "standard",
    audience: Annotated[
        str,
        typer.Option(
            help="Reader of a written answer: astronomer, other field, student, press, public or child."
        ),
    ] = "astronomer",
    language: Annotated[str, typer.Option(help="Language of a written answer.")] = "English",
    kind: Annotated[
        str | None,
        typer.Option(
            "--type",
            help="Kind of question: fact, papers, summary, definition, consensus, what-if, bibliometric, compositional or "
            "time-sensitive. Default: found out.",
            show_default=False,
        ),
    ] = None,
    statement: Annotated[
        str | None,
        typer.Option(
            help="The statement that a verdict is on. Default: made of the question.",
            show_default=False,
        ),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    min_citations: CitationsOption = None,
    author: AuthorOption = None,
    facility: FacilityOption = None,
    among: AmongOption = None,
    recency: RecencyOption = 0.0,
    impact: ImpactOption = 0.0,
    keyword_weight: KeywordOption = None,
    plain: PlainOption = False,
    ignore: IgnoreOption = None,
    hyde: HydeOption = False,
    rerank: RerankOption = None,
    after: Annotated[
        Path | None,
        typer.Option(
            help="An answer of `ask --json`, in a file: QUESTION goes on from it, with its papers.",
            show_default=False,
        ),
    ] = None,
    balance: Annotated[
        bool,
        typer.Option(
            help="Near-duplicates and further papers of one team make room for others that fit as well."
        ),
    ] = True,
    full_text: Annotated[
        list[Path] | None,
        typer.Option(
            "--full-text",
            help="Read this paper's full text too: a PDF, an HTML page, or LaTeX source (.tex, .tar.gz, .zip). Repeatable.",
            show_default=False,
        ),
    ] = None,
    repair: Annotated[
        bool, typer.Option(help="Have the model write failed sentences once more.")
    ] = True,
    drop_unsupported: Annotated[
        bool, typer.Option(help="Leave out sentences that fail their checks, instead of marking.")
    ] = False,
    export: ExportOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Answer QUESTION from the papers; every sentence cites one and is checked against it.

    With OPENAI_API_KEY or WAYFINDER_LLM_BASE_URL set a language model writes; else the answer is quoted from the papers.
    """
    settings = search_settings(
        since=since,
        until=until,
        min_citations=min_citations,
        author=author,
        facility=facility,
        among=_among(among),
        recency=recency,
        impact=impact,
        keyword_weight=keyword_weight,
        plain=plain,
        ignore=ignore,
        hyde=hyde,
        rerank=rerank,
    )
    exports = Exports(export, ANSWER)
    if offline:
        forbid_network()
    wording = AnswerStyle(style=style, audience=audience, language=language)
    thread = context_of_row(_row_of(after)) if after else None
    if thread is not None:
        question = made_whole(question, thread, None if offline else configured_llm())
        say(f"Read as: {question}")
    opened = _open(index, quiet)
    with writing(quiet=quiet) as on_event:
        answer = ask_question(
            opened,
            question,
            settings,
            offline=offline,
            style=wording,
            kind=kind,
            thread=thread,
            statement=statement,
            balance=balance,
            full_texts=_full_texts(full_text or []),
            checking=Checking(repair=repair, drop=drop_unsupported),
            on_event=on_event,
        )
    _say_understood(answer.search)
    if answer.usage.model:
        judged = level_in(answer.sentences) is not None
        say(answer.usage.told(written=answer.mode == "synthesised" or judged))
    for note in answer.degraded:
        say(note)
    try:
        exports.write(answer, answer.papers)
    finally:  # what was found is shown even so
        out(
            json.dumps(answer_row(answer), ensure_ascii=False)
            if json_output
            else show.answer_page(answer)
        )


app.command()(cli_research.research)
app.command()(api)
app.command()(mcp)


@app.command()
def serve(
    index: IndexOption = None,
    port: Annotated[int, typer.Option(help="Port of the web app.", min=1, max=65535)] = 8501,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "localhost",
    quiet: QuietOption = False,
) -> None:
    """Start the web app on the index."""
    directory = index_directory(index, quiet)
    directory = directory.resolve()
    os.environ["WAYFINDER_INDEX"] = str(directory)
    from app.web import serve as serve_pages

    path = config.web_config().base_path
    say(f"Wayfinder is starting on http://{host}:{port}{path} with {directory}")
    serve_pages(directory, host=host, port=port)


def commands() -> typer.Typer:
    """The whole command: these and what other packages add through the entry-point group."""
    for command in entry_points(group="wayfinder.commands"):
        if command.name not in {group.name for group in app.registered_groups}:
            app.add_typer(command.load(), name=command.name)
    return app


def main() -> None:
    """Run the command; turn errors into words and an exit status."""
    try:
        commands()()
    except WayfinderError as error:
        say(f"wayfinder: {error}")
        raise SystemExit(error.exit_status) from None
    except BrokenPipeError:
        raise SystemExit(0) from None
    except OSError as error:  # a full disk, mostly: what is not yet written can go nowhere
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        say(
            f"wayfinder: {error.filename or 'the output'} cannot be read or written: {error.strerror or error}"
        )
        raise SystemExit(1) from None


def _full_texts(paths: list[Path]) -> FullTexts | None:
    """The files read, None where there are none; one that is not there is a mistake to mend first."""
    if not paths:
        return None
    files = []
    for path in paths:
        try:
            with path.open("rb") as opened:
                files.append((path.name, opened.read(MOST_BYTES + 1)))
        except OSError as error:
            raise QueryError(f"{path} cannot be opened ({error.strerror}): give a file.") from error
    return read_full_texts(files)


def _among(path: Path | None) -> tuple[str, ...] | None:
    """The identifiers that --among names."""
    return None if path is None else identifiers_in(path)


def _row_of(path: Path) -> dict[str, Any]:
    """The first JSON object of a file."""
    try:
        row = json.loads(_text_of(path).split("\n", 1)[0])
    except ValueError as error:
        raise QueryError(f"{path} holds no JSON line: give an answer of `ask --json`.") from error
    return row if isinstance(row, dict) else {}


def _text_of(path: Path) -> str:
    """A text file's content, or standard input's for `-`."""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read as UTF-8 text: {error}") from error


def _search_file(index: Index, path: Path, settings: SearchSettings) -> None:
    """Search each line of a file; a line that cannot be searched is answered with its error."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read as UTF-8 JSON lines: {error}") from error
    failed = 0
    for number, line in enumerate(filter(str.strip, lines), 1):
        row: dict[str, Any] = {"query_id": str(number), "query": None, "hits": []}
        try:
            asked = json.loads(line)
            row |= {"query_id": asked["query_id"], "query": asked["query"]}
            if not isinstance(asked["query"], str):
                raise TypeError("a query is a text")
            result = search_papers(index, asked["query"], settings)
            row["hits"] = [hit_row(hit) for hit in result.hits]
            row["coverage"] = coverage_row(result)
            row["understood"] = [understood_row(item) for item in result.understood]
        except (QueryError, ValueError, KeyError, TypeError) as error:
            row["error"] = (
                f"{error}" if isinstance(error, QueryError) else 'expected {"query_id", "query"}'
            )
            failed += 1
        out(json.dumps(row, ensure_ascii=False))
    if failed:
        raise QueryError(
            f"{failed} of the lines of {path} could not be searched; each has its error."
        )


def _coverage_note(result: SearchResult) -> list[str]:
    """A warning where the index covers the question thinly or not at all."""
    if result.coverage is None or result.coverage.level == "well":
        return []
    return [result.coverage.reason]


def _print_hits(result: SearchResult, shared: dict[str, Any] | None) -> None:
    """The papers found: for people, or as JSON lines that each hold `shared` too."""
    if shared is None:
        out(show.hits_page(result))
        return
    for hit in result.hits:
        out(json.dumps({**hit_row(hit), **shared}, ensure_ascii=False))


def _say_understood(result: SearchResult) -> None:
    if result.understood:
        say("Understood: " + "; ".join(f"{i.label} ({i.effect})" for i in result.understood))


def _mode(name: str) -> Mode:
    return name  # type: ignore[return-value]  # SearchSettings refuses what is not a mode


def _open(named: Path | None, quiet: bool) -> Index:
    return load_index(index_directory(named, quiet))
