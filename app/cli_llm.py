"""`wayfinder llm check`: what a language model's server can do."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

app = typer.Typer(help="The language model that writes answers.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The language model that writes answers."""


@app.command()
def check(
    json_output: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Probe the configured server and say what works: streaming, token counts, structured output, tools.

    Exit status 1 if it does not reply at all.
    """
    from retrieval.errors import QueryError
    from retrieval.llm import configured_llm
    from retrieval.llm_check import check as probe

    model = configured_llm()
    if model is None:
        raise QueryError(
            "No language model is set: set OPENAI_API_KEY, or WAYFINDER_LLM_BASE_URL and WAYFINDER_LLM_MODEL."
        )
    found = probe(model)
    for item in found:
        line = f"{'yes' if item.works else 'no ':<4}{item.name:<20}{item.detail}"
        sys.stdout.write((json.dumps(asdict(item)) if json_output else line) + "\n")
    if not found[0].works:
        raise typer.Exit(1)
