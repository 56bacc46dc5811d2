"""All that is measured of answers, on any server or without one, in one report.

wayfinder eval answer-report --index my-index --out report
wayfinder eval answer-report --index my-index --out report --offline

The report is written anew after each section, so that what was measured before an end half-way stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from eval import answers, leading, stability
from eval.answer_sets import AnswerQuestion, read_answer_questions
from eval.metered import Metered, Stopped, require_reply
from eval.runs import conditions, write_result, write_text
from eval.understanding import Finding
from indexer.config import REPOSITORY
from indexer.store import Index

DATA = REPOSITORY / "eval" / "data"
ATTACKED = "How do black holes suppress star formation?"

Progress = Callable[[str, int, int | None], None]
Section = tuple[str, Callable[[], list[Finding]]]


def write(
    index: Index,
    folder: Path,
    model: Metered | None,
    progress: Progress,
    *,
    limit: int | None = None,
    sets: Sequence[Path] = (),
    data: Path = DATA,
    say: Callable[[str], object] = lambda text: None,
) -> Path:
    """Measure everything and write `answers.md` and `result.json` into `folder`; return the first's path.

    `limit` is the most questions of each file, `sets` are further files of questions with ideal answers,
    `data` holds Wayfinder's own. Without a model the quoted answers are measured.

    Raises:
        LLMUnavailable: the server does not reply at all.
        Stopped: a budget or the server ended it; the sections before are written.
        QueryError: a question file is missing or wrong.
        StorageError: the folder cannot be written.
    """
    sections = list(_sections(index, model, progress, limit, sets, data))
    able = require_reply(model) if model is not None else []
    if model is not None and model.config.cache is None:
        say(
            "Replies are not kept (WAYFINDER_LLM_CACHE=0): a report that ends half-way begins anew.\n"
        )
    done: list[tuple[str, list[Finding]]] = []
    try:
        for title, measure in sections:
            say(f"{title}\n")
            done.append((title, measure()))
            path = _written(index, folder, model, able, done, of=len(sections))
    except Stopped as stopped:
        _written(index, folder, model, able, done, of=len(sections), ended=str(stopped))
        raise
    return path


def _sections(
    index: Index,
    model: Metered | None,
    progress: Progress,
    limit: int | None,
    sets: Sequence[Path],
    data: Path,
) -> Iterator[Section]:
    """Every measurement; files are read here, so that a wrong one is said before the first call."""

    def answered(rows: Sequence[AnswerQuestion]) -> Callable[[], list[Finding]]:
        return lambda: answers.answers(index, rows, model, progress)

    topics = read_answer_questions(data / "topics_dev.jsonl", qrels=data / "topics_dev.qrels")
    yield "Citations, on topics with judged papers", answered(topics[:limit])
    scope = read_answer_questions(data / "scope.jsonl")
    inside = [row for row in scope if row.covered][:limit]
    outside = [row for row in scope if not row.covered][:limit]
    yield "Refusals, on questions inside and outside of astronomy", answered([*inside, *outside])
    for path in sets:
        beside = path.with_suffix(".qrels")
        rows = read_answer_questions(path, qrels=beside if beside.is_file() else None)
        yield f"Questions of {path.name}", answered(rows[:limit])
    asked = stability.read_paraphrases(data / "paraphrases.jsonl")[:limit]
    yield "Stability: search", lambda: stability.searches(index, asked, progress)
    yield "Stability: answers", lambda: stability.answers(index, asked, model, progress)
    presuming = leading.read_leading(data / "leading.jsonl")[:limit]
    yield "Leading questions", lambda: leading.leading(index, presuming, model, progress)
    attacks = answers.read_attacks(data / "attacks.jsonl")[:limit]
    yield "Attacks", lambda: answers.attacks(index, ATTACKED, attacks, model, progress)


def _written(
    index: Index,
    folder: Path,
    model: Metered | None,
    able: Sequence[str],
    done: Sequence[tuple[str, list[Finding]]],
    *,
    of: int,
    ended: str = "",
) -> Path:
    """Write what is measured so far."""
    facts = conditions(index)
    used = asdict(model.used) if model is not None else None
    result = {
        "model": model.config.model if model is not None else None,
        "server": list(able),
        "used": used,
        "complete": len(done) == of,
        "ended": ended,
        "sections": {title: [asdict(finding) for finding in found] for title, found in done},
    }
    write_result(folder, result, index)
    lines = ["# Answers, measured", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines.append(f"- answers: {_by(model)}")
    lines += [f"- server {line}" for line in able]
    if len(done) < of:
        lines += ["", f"**Not complete: {len(done)} of {of} parts. {ended}**"]
    for title, found in done:
        lines += ["", f"## {title}", "", "| | mean | 95 % interval | n |", "| --- | --- | --- | --- |"]  # fmt: skip
        lines += [
            f"| {f.name} | {f.estimate.mean:.3f} | {f.estimate.interval} | {f.estimate.n} |"
            for f in found
        ]
    return write_text(folder / "answers.md", "\n".join(lines) + "\n")


def _by(model: Metered | None) -> str:
    if model is None:
        return "quoted, without a language model"
    used = model.used
    cost = "" if used.cost_usd is None else f", ${used.cost_usd:.4f}"
    return (
        f"written by {model.config.model}; {used.calls} calls and {used.cached} kept replies, "
        f"tokens in {_number(used.prompt_tokens)}, out {_number(used.completion_tokens)}{cost}"
    )


def _number(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"
