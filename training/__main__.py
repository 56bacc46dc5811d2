"""`python -m training`: train the models that ship, from a corpus of papers and the written questions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from indexer import config
from indexer.errors import WayfinderError
from training.recipe import Recipe

DATA = config.REPOSITORY / "eval" / "data"
QUESTIONS = (DATA / "questions_train.jsonl", DATA / "questions_written.jsonl")
KEPT_OUT = (DATA / "questions_single_dev.jsonl",)


def main(
    corpus: Annotated[
        str, typer.Argument(help="Papers with abstracts: a .jsonl or .jsonl.gz file.")
    ],
    work: Annotated[
        Path, typer.Option(help="Where steps are kept: a training that was stopped goes on.")
    ],
) -> None:
    """Train encoders and rerankers into WORK/models; say what they bring, and the checksums that the code has to know."""
    work.mkdir(parents=True, exist_ok=True)
    try:
        Recipe(corpus, QUESTIONS, KEPT_OUT, work, say=_say).run()
    except WayfinderError as error:
        _say(str(error))
        raise typer.Exit(1) from error


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    typer.run(main)
