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

    from eval.metered import Metered
    from eval.understanding import Finding

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
    encoder: Annotated[str, typer.Option(help="Encoder of the entailment score.")] = "astro",
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


DATA = Path(__file__).parent / "data"
LimitOption = Annotated[
    int | None, typer.Option(help="Only the first N questions.", min=1, show_default=False)
]
OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Measure the quoted answers, not the model's.")
]


@app.command()
def answers(
    questions: Annotated[
        Path,
        typer.Option(
            help="JSON lines or CSV with question and, where known, covered, answer (ideal), arxiv_id."
        ),
    ],
    qrels: Annotated[
        Path | None,
        typer.Option(
            help="TREC qrels of papers for these questions. Default: NAME.qrels beside NAME.jsonl.",
            show_default=False,
        ),
    ] = None,
    index: IndexOption = None,
    offline: OfflineOption = False,
    limit: LimitOption = None,
    json_output: JsonOption = False,
) -> None:
    """Citations, support, refusals, cost and seconds of answers by the configured model, or quoted."""
    from eval import answers as measured
    from eval.answer_sets import read_answer_questions

    beside = questions.with_suffix(".qrels")
    rows = read_answer_questions(questions, qrels=qrels or (beside if beside.is_file() else None))
    found = measured.answers(opened_index(index), rows[:limit], _model(offline), progress)
    _print(found, json_output=json_output)


@app.command()
def attacks(
    file: Annotated[
        Path, typer.Option("--attacks", help="JSON lines {attack_id, where, text, sign}.")
    ] = DATA / "attacks.jsonl",
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


@app.command()
def stability(
    paraphrases: Annotated[
        Path, typer.Option(help="JSON lines {query_id, question, paraphrases: [{style, text}]}.")
    ] = DATA / "paraphrases.jsonl",
    index: IndexOption = None,
    offline: OfflineOption = False,
    limit: LimitOption = None,
    json_output: JsonOption = False,
) -> None:
    """The same question in ten other wordings: how far papers, verdicts and numbers stay the same."""
    from eval import stability as measured

    opened, model = opened_index(index), _model(offline)
    asked = measured.read_paraphrases(paraphrases)[:limit]
    found = measured.searches(opened, asked, progress)
    found += measured.answers(opened, asked, model, progress)
    _print(found, json_output=json_output)


@app.command()
def leading(
    questions: Annotated[
        Path,
        typer.Option(
            help="JSON lines {leading_id, question, leading: [text], presumes, asserts, literature}."
        ),
    ] = DATA / "leading.jsonl",
    index: IndexOption = None,
    offline: OfflineOption = False,
    limit: LimitOption = None,
    json_output: JsonOption = False,
) -> None:
    """Questions that presume what is false or disputed: does the answer follow, or say so?"""
    from eval import leading as measured

    asked = measured.read_leading(questions)[:limit]
    _print(
        measured.leading(opened_index(index), asked, _model(offline), progress),
        json_output=json_output,
    )


@app.command()
def routing(
    questions: Annotated[
        Path, typer.Option(help="JSON lines {query_id, question, type, split}.")
    ] = DATA / "routing.jsonl",
    show_mistakes: Annotated[
        bool, typer.Option("--mistakes", help="Also print each question taken for another kind.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Kinds of questions told by rules, on a labelled list: accuracy, and precision and recall of consensus."""
    from eval import routing as measured
    from eval.understanding import read_set

    rows = read_set(questions, "type", "split")
    _print(measured.routing(rows), json_output=json_output)
    if show_mistakes:
        sys.stderr.writelines(f"{line}\n" for line in measured.mistakes(rows))


@app.command("answer-report")
def answer_report(
    out: Annotated[Path, typer.Option(help="Folder for answers.md and result.json.")],
    index: IndexOption = None,
    offline: OfflineOption = False,
    questions: Annotated[
        list[Path] | None,
        typer.Option(
            help="Also measure on this set of question, ideal answer and arXiv id (JSON lines or CSV). Repeatable.",
            show_default=False,
        ),
    ] = None,
    limit: LimitOption = None,
) -> None:
    """All that is measured of answers, on the configured server, in one report: citations, support,
    refusals, stability, leading questions, attacks, cost and seconds.

    Stopped half-way, by Ctrl-C or a budget, it goes on with the same command: replies are kept, and kept ones
    cost nothing. WAYFINDER_LLM_SESSION_TOKENS, _DAY_TOKENS and _DAY_USD limit it.
    """
    from eval import answer_report as measured

    model = _model(offline)
    opened = opened_index(index)
    path = measured.write(
        opened, out, model, progress, limit=limit, sets=questions or (), say=sys.stderr.write
    )
    sys.stdout.write(f"{path}\n")


def _model(offline: bool) -> Metered | None:
    from eval.metered import metered_model

    return None if offline else metered_model()


def _print(found: Sequence[Finding], *, json_output: bool) -> None:
    from eval.understanding import table

    if json_output:
        sys.stdout.writelines(json.dumps(asdict(finding)) + "\n" for finding in found)
    else:
        sys.stdout.write(table(found) + "\n")


@app.command()
def overhead(
    questions: Annotated[Path, typer.Option(help="JSON lines with question.")] = DATA
    / "topics_dev.jsonl",
    index: IndexOption = None,
    full_text: Annotated[
        Path | None,
        typer.Option("--full-text", help="Also what this file adds.", show_default=False),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Milliseconds that Wayfinder adds to the model's own time: searching, checking, quoting."""
    from eval.answer_sets import read_answer_questions
    from eval.overhead import file_overhead
    from eval.overhead import overhead as measured

    asked = [row.question for row in read_answer_questions(questions)]
    opened = opened_index(index)
    found = measured(opened, asked)
    if full_text is not None:
        found += file_overhead(opened, asked, full_text)
    _print(found, json_output=json_output)
