"""`wayfinder eval load` and `paint`: the web app under many visitors, and as fast as one visitor sees it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from eval.options import IndexOption, JsonOption, opened_index

app = typer.Typer()

QuestionsOption = Annotated[
    Path, typer.Option(help="JSON lines of questions; each visitor asks others of them.")
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        help="Address of a `wayfinder serve` that runs here, with the same index and no language model. Default: one is started.",
        show_default=False,
    ),
]


@app.command()
def load(
    questions: QuestionsOption,
    index: IndexOption = None,
    visitors: Annotated[int, typer.Option(help="Visitors at a time.", min=1)] = 50,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Instead of all at once, ask evenly over this time.", min=0.1, show_default=False
        ),
    ] = None,
    questions_in_all: Annotated[
        int, typer.Option(help="How many are asked in that time.", min=1)
    ] = 720,
    url: UrlOption = None,
    app_port: Annotated[
        list[int] | None,
        typer.Option(
            help="Port of each process of it, where a proxy listens at the address: their memory and processor time count.",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Visitors asking at once over WebSockets: errors, answers mixed up, seconds, the server's memory."""
    from eval.load import at_once, soak, table
    from eval.questions import read_questions
    from eval.serving import web_app

    asked = [question.text for question in read_questions(questions)]
    opened = opened_index(index)
    with web_app(opened.path, url, app_port or ()) as (address, server):
        if minutes is None:
            found = at_once(opened, asked, url=address, server=server, visitors=visitors)
        else:
            found = soak(
                opened,
                asked,
                url=address,
                server=server,
                visitors=visitors,
                minutes=minutes,
                in_all=questions_in_all,
            )
    sys.stdout.write((json.dumps(asdict(found)) if json_output else table(found)) + "\n")
    raise typer.Exit(1 if found.errors or found.mixed or found.wrong else 0)


@app.command()
def paint(
    questions: QuestionsOption,
    index: IndexOption = None,
    runs: Annotated[int, typer.Option(help="How often each is measured.", min=1)] = 7,
    chromium: Annotated[
        Path | None,
        typer.Option(help="The browser. Default: /usr/bin/chromium.", show_default=False),
    ] = None,
    url: UrlOption = None,
    json_output: JsonOption = False,
) -> None:
    """Ask's first paint and when it can be typed into, and Search from Enter to results, in a real Chromium."""
    from eval.paint import paints, table
    from eval.questions import read_questions
    from eval.serving import web_app

    asked = [question.text for question in read_questions(questions)]
    opened = opened_index(index)
    with web_app(opened.path, url) as (address, _):
        found = paints(opened, asked, url=address, runs=runs, chromium=chromium)
    sys.stdout.write((json.dumps(asdict(found)) if json_output else table(found)) + "\n")
