"""`wayfinder index ...`: make an index of papers, keep it current, and see what is in it."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from app import show
from app.progress import reporting
from app.terminal import JsonOption, QuietOption, index_directory, out
from indexer import config
from indexer.build import build_index
from indexer.encoder import load_encoder
from indexer.store import read_manifest, verify_parts
from retrieval import load_index

index_app = typer.Typer(
    help="Make an index of papers, and see what is in one.", no_args_is_help=True
)


@index_app.command("build")
def index_build(
    sources: Annotated[
        list[str],
        typer.Option(
            "--from",
            help="A file (.jsonl, .jsonl.gz, .csv, .parquet, .bib), `ads:QUERY` or `starter`. Repeatable.",
        ),
    ],
    directory: Annotated[
        Path,
        typer.Option("--out", help="Directory of the index; replaced in one step if it is there."),
    ],
    limit: Annotated[
        int | None,
        typer.Option(help="Stop after this many usable papers.", min=1, show_default=False),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="`minilm`, a sentence-transformers model by name or path, or `openai:MODEL`. Default: WAYFINDER_ENCODER, else minilm.",
            show_default=False,
        ),
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Date that ages are counted from. Default: today.",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Index papers: read, merge duplicates, encode, write.

    Papers encoded before are not encoded again. The index at OUT stays usable until the new one is complete.
    """
    day = as_of.date() if as_of else date.today()
    chosen = load_encoder(encoder or config.encoder_name())
    with reporting(quiet=quiet) as progress:
        manifest, report = build_index(
            sources, directory, encoder=chosen, limit=limit, as_of=day, progress=progress
        )
    summary = {
        "index": str(directory),
        "snapshot": manifest.snapshot,
        "encoder": manifest.encoder,
        **manifest.counts,
    }
    out(
        json.dumps(summary, ensure_ascii=False)
        if json_output
        else show.build_summary(directory, report)
    )


@index_app.command("status")
def index_status(
    directory: Annotated[
        Path | None,
        typer.Argument(
            help="Index directory. Default: WAYFINDER_INDEX, else the starter corpus.",
            show_default=False,
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every part again and compare its checksum.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Say what an index holds: papers, years, encoder, sources, size, and what was kept out and why."""
    path = index_directory(directory)
    manifest = read_manifest(path)
    verify_parts(path, manifest, trust_unchanged=not verify)
    status = show.status_row(load_index(path))
    out(json.dumps(status, ensure_ascii=False) if json_output else show.status_page(status))
