"""`wayfinder eval verification` and the other measurements of answers."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

PairsOption = Annotated[
    Path,
    typer.Option(
        help="JSON lines {pair_id, label, split, sentence, quote, title, abstract}, such as eval/data/verification.jsonl."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command()
def verification(
    pairs: PairsOption,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Instead of measuring, fit the entailment score.")
    ] = False,
    show_mistakes: Annotated[
        bool, typer.Option("--mistakes", help="Also print each pair that is judged wrongly.")
    ] = False,
    encoder: Annotated[str, typer.Option(help="Encoder of the entailment score.")] = "minilm",
    json_output: JsonOption = False,
) -> None:
    """The checks of sentences on labelled pairs: precision, recall, and what is caught."""
    from eval import verification as measured
    from eval.understanding import table
    from indexer.encoder import load_encoder

    labelled = measured.read_pairs(pairs)
    loaded = load_encoder(encoder)
    if calibrate:
        fit = {"encoder": loaded.id, "weights": measured.calibrate(labelled, loaded)}
        sys.stdout.write(json.dumps(fit) + "\n")
        return
    found = measured.verification(labelled, loaded)
    if json_output:
        sys.stdout.writelines(json.dumps(asdict(finding)) + "\n" for finding in found)
    else:
        sys.stdout.write(table(found) + "\n")
    if show_mistakes:
        for pair, sentence in measured.mistakes(labelled, loaded):
            why = "; ".join(sentence.problems) or f"passed, entailment {sentence.entailment}"
            sys.stderr.write(f"{pair.pair_id} {pair.label}: {pair.sentence}\n    {why}\n")
