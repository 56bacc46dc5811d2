"""What all commands share: results to stdout, talk to stderr, the options that every command has."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.default_index import default_index_dir
from app.progress import reporting

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object per line on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]


def index_directory(named: Path | None, quiet: bool = False) -> Path:
    """The index directory to use when `named` may be missing; the starter index is built if needed."""
    with reporting(quiet=quiet) as progress:
        return default_index_dir(named, progress)


# What steers a terminal; texts of files and of papers may hold it.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def out(text: str) -> None:
    """A line of results; half of a surrogate pair comes out escaped, control characters not at all."""
    sys.stdout.write(_CONTROL.sub("", text).encode("utf-8", "backslashreplace").decode() + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """A line for people, on stderr, without control characters."""
    shown = _CONTROL.sub("", text)
    Console(stderr=True, highlight=False, soft_wrap=True).print(shown, markup=False)
