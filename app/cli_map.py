"""`wayfinder map ...`: the map of an index for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from app import show_map
from app.options import IndexOption
from app.terminal import JsonOption, QuietOption, index_directory, out, say
from retrieval import load_index

map_app = typer.Typer(help="The map of an index: where each paper lies, and in which clusters.", no_args_is_help=True)  # fmt: skip


@map_app.command("export")
def map_export(
    index: IndexOption = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="File to write: .csv, .json, .jsonl, .parquet, or .svg for a picture. Default: CSV on stdout.",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write each paper's place on the map and its clusters with their labels."""
    opened = load_index(index_directory(index, quiet))
    if file is None:
        out(show_map.export_text(opened, ".jsonl" if json_output else ".csv").rstrip("\n"))
        return
    n_papers = show_map.export_file(opened, file)
    say(f"{file}: {n_papers:,} papers")


@map_app.command("show")
def map_show(
    index: IndexOption = None, json_output: JsonOption = False, quiet: QuietOption = False
) -> None:
    """Say how the map was made, and list its clusters."""
    row = show_map.map_row(load_index(index_directory(index, quiet)))
    out(json.dumps(row, ensure_ascii=False) if json_output else show_map.map_page(row))
