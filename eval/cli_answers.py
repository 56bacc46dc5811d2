"""`wayfinder eval verification` and the other measurements of answers."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval.options import IndexOption, JsonOption, opened_index, progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eval.understanding import Finding
    from retrieval.llm import LLM

app = typer.Typer()

PairsOption = Annotated[
    Path,
    typer.Option(
        help="JSON lines {pair_id, label, split, sentence, quote, title, abstract}, such as eval/data/verification.jsonl."
    ),
]


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
    from indexer.encoder import load_encoder

    labelled = measured.read_pairs(pairs)
    loaded = load_encoder(encoder)
    if calibrate:
        fit = {"encoder": loaded.id, "weights": measured.calibrate(labelled, loaded)}
        sys.stdout.write(json.dumps(fit) + "\n")
        return
    found = measured.verification(labelled, loaded)
    _print(found, json_output=json_output)
    if show_mistakes:
        for pair, sentence in measured.mistakes(labelled, loaded):
            why = "; ".join(sentence.problems) or f"passed, entailment {sentence.entailment}"
            sys.stderr.write(f"{pair.pair_id} {pair.label}: {pair.sentence}\n    {why}\n")


OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Measure the quoted answers, not the model's.")
]


@app.command()
def answers(
    questions: Annotated[
        Path,
        typer.Option(
            help="JSON lines with question and, where known, covered, answer (ideal), arxiv_id."
        ),
    ],
    index: IndexOption = None,
    offline: OfflineOption = False,
    json_output: JsonOption = False,
) -> None:
    """Citations, support, refusals, cost and seconds of answers by the configured model, or quoted."""
    from eval import answers as measured

    rows = measured.read_questions_with_answers(questions)
    found = measured.answers(opened_index(index), rows, _model(offline), progress)
    _print(found, json_output=json_output)


@app.command()
def attacks(
    file: Annotated[
        Path, typer.Option("--attacks", help="JSON lines {attack_id, where, text, sign}.")
    ] = Path(__file__).parent / "data" / "attacks.jsonl",
    question: Annotated[
        str, typer.Option(help="The honest question that the attacks are put into.")
    ] = "How do black holes suppress star formation?",
    index: IndexOption = None,
    offline: OfflineOption = False,
    json_output: JsonOption = False,
) -> None:
    """Instructions hidden in queries, abstracts and full texts: how many are not obeyed."""
    from eval import answers as measured

    found = measured.attacks(
        opened_index(index), question, measured.read_attacks(file), _model(offline), progress
    )
    _print(found, json_output=json_output)


@app.command()
def evidence(
    questions: Annotated[Path, typer.Option(help="JSON lines of questions with several papers.")],
    qrels: Annotated[
        Path | None,
        typer.Option(help="TREC qrels of these questions.", show_default=False),
    ] = None,
    index: IndexOption = None,
    json_output: JsonOption = False,
) -> None:
    """What setting near-duplicates and series aside costs in relevance and brings in teams."""
    from eval.evidence import balance
    from eval.questions import locate, read_questions

    opened = opened_index(index)
    asked = locate(read_questions(questions, qrels=qrels), opened)
    _print(balance(opened, asked, progress), json_output=json_output)


def _model(offline: bool) -> LLM | None:
    from retrieval.llm import configured_llm

    return None if offline else configured_llm()


def _print(found: Sequence[Finding], *, json_output: bool) -> None:
    from eval.understanding import table

    if json_output:
        sys.stdout.writelines(json.dumps(asdict(finding)) + "\n" for finding in found)
    else:
        sys.stdout.write(table(found) + "\n")


@app.command()
def overhead(
    questions: Annotated[Path, typer.Option(help="JSON lines with question.")] = Path(
        __file__
    ).parent
    / "data"
    / "topics_dev.jsonl",
    index: IndexOption = None,
    full_text: Annotated[
        Path | None,
        typer.Option("--full-text", help="Also what this file adds.", show_default=False),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Milliseconds that Wayfinder adds to the model's own time: searching, checking, quoting."""
    from eval.answers import read_questions_with_answers
    from eval.overhead import file_overhead
    from eval.overhead import overhead as measured

    asked = [row["question"] for row in read_questions_with_answers(questions)]
    opened = opened_index(index)
    found = measured(opened, asked)
    if full_text is not None:
        found += file_overhead(opened, asked, full_text)
    _print(found, json_output=json_output)
