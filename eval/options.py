"""What the commands of `wayfinder eval` share: their options, the index they measure, their progress."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from indexer import config
from indexer.errors import IndexMissing
from indexer.store import Index
from retrieval import load_index

IndexOption = Annotated[
    Path | None,
    typer.Option(help="Index directory. Default: WAYFINDER_INDEX.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def opened_index(directory: Path | None) -> Index:
    """The index at `directory`, else the one that WAYFINDER_INDEX names.

    Raises:
        IndexMissing: neither is given, or there is none.
    """
    directory = directory or config.index_dir()
    if directory is None:
        raise IndexMissing("No index is named: give --index DIR, or set WAYFINDER_INDEX.")
    return load_index(directory)


def progress(stage: str, done: int, total: int | None) -> None:
    """Say on stderr what is done."""
    if done == total:
        sys.stderr.write(f"{stage}: {done} questions\n")
