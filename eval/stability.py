"""How far an answer depends on how the question is put: ten paraphrases of each question, compared with it.

wayfinder eval stability --index my-index
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.measures import Values, estimate
from eval.metered import written_by_model
from eval.questions import numbered_lines
from eval.understanding import Finding
from indexer.encoder import Encoder
from indexer.errors import QueryError
from indexer.store import Index
from retrieval import ask, search
from retrieval.consensus import level_in
from retrieval.llm import LLM
from retrieval.notation import numbers_in
from retrieval.records import MODES, Answer, SearchSettings

Progress = Callable[[str, int, int | None], None]

AT = 10  # papers of each ranking that are compared
PERSISTENCE = 0.9  # of the reader of rank-biased overlap


@dataclass(frozen=True)
class Asked:
    """A question and other ways to put it, each with its style: typos, lay words, keywords."""

    query_id: str
    question: str
    paraphrases: tuple[tuple[str, str], ...]  # (style, text)


def read_paraphrases(path: Path) -> list[Asked]:
    """Read JSON lines {query_id, question, paraphrases: [{style, text}, ...]}.

    Raises:
        QueryError: the file cannot be read, or a line is no such object; the line is named.
    """
    found = []
    for number, line in numbered_lines(path):
        try:
            row = json.loads(line)
            texts = tuple((str(p["style"]), str(p["text"])) for p in row["paraphrases"])
            found.append(Asked(str(row["query_id"]), str(row["question"]), texts))
        except (ValueError, TypeError, KeyError) as error:
            wanted = '{"query_id", "question", "paraphrases": [{"style", "text"}]}'
            raise QueryError(f"{path}, line {number}: expected {wanted}.") from error
        if not texts:
            raise QueryError(f"{path}, line {number}: there is no paraphrase.")
    if not found:
        raise QueryError(f"{path} holds no question.")
    return found


def jaccard(first: Sequence[str] | set[str], second: Sequence[str] | set[str]) -> float:
    """Shared members over all members; two empty sets are equal."""
    a, b = set(first), set(second)
    return len(a & b) / len(a | b) if a | b else 1.0


def rank_biased_overlap(first: Sequence[str], second: Sequence[str], depth: int = AT) -> float:
    """Rank-biased overlap of two rankings cut at `depth`, scaled so that equal ones have 1.

    The sum of Webber, Moffat & Zobel 2010 (ACM TOIS 28, 20), eq. 4, with p = 0.9, over its most.
    """
    depth = min(depth, max(len(first), len(second)))
    weights = PERSISTENCE ** np.arange(depth)
    shared = [len(set(first[:d]) & set(second[:d])) / d for d in range(1, depth + 1)]
    return float((weights * shared).sum() / weights.sum()) if depth else 1.0


def searches(index: Index, asked: Sequence[Asked], progress: Progress) -> list[Finding]:
    """The first papers under each paraphrase against those of the question, by mode and by style."""
    overlap: dict[str, list[float]] = {}
    by_style: dict[str, list[float]] = {}
    for done, question in enumerate(asked):
        progress("searching", done, len(asked))
        for mode in MODES:
            settings = SearchSettings(k=AT, mode=mode)
            first = _papers(index, question.question, settings)
            others = [(s, _papers(index, text, settings)) for s, text in question.paraphrases]
            shared = [jaccard(first, papers) for _, papers in others]
            biased = [rank_biased_overlap(first, papers) for _, papers in others]
            overlap.setdefault(f"{mode}: shared papers (Jaccard@{AT})", []).append(_mean(shared))
            overlap.setdefault(f"{mode}: rank-biased overlap@{AT}", []).append(_mean(biased))
            if mode == "hybrid":
                for (style, _), value in zip(others, shared, strict=True):
                    by_style.setdefault(f"hybrid, {style}: Jaccard@{AT}", []).append(value)
    progress("searching", len(asked), len(asked))
    return [_finding(name, values) for name, values in {**overlap, **by_style}.items()]


def answers(
    index: Index, asked: Sequence[Asked], model: LLM | None, progress: Progress
) -> list[Finding]:
    """The answers to each paraphrase against that to the question: papers, verdict, numbers, sense."""
    values: dict[str, list[float]] = {}
    written: list[float] = []
    for done, question in enumerate(asked):
        progress("asking", done, len(asked))
        first = ask(index, question.question, llm=model, offline=model is None)
        others = [
            ask(index, text, llm=model, offline=model is None) for _, text in question.paraphrases
        ]
        written += map(float, written_by_model([first, *others]))
        compared: dict[str, list[float]] = {}
        for other in others:
            for name, value in _compared(first, other, index.encoder):
                compared.setdefault(name, []).append(value)
        for name, several in compared.items():
            values.setdefault(name, []).append(_mean(several))
    progress("asking", len(asked), len(asked))
    if model is not None and written:
        values["written by the model"] = written
    return [_finding(f"answers: {name}", several) for name, several in values.items()]


def _compared(first: Answer, other: Answer, encoder: Encoder) -> Iterator[tuple[str, float]]:
    """What two answers share, by name; what neither has is not compared."""
    yield "both answered, or both refused", float(first.refused == other.refused)
    yield "same kind of question", float(first.kind == other.kind)
    if first.refused or other.refused:
        return
    yield "cited papers shared (Jaccard)", jaccard(cited(first), cited(other))
    numbers = [set().union(*(numbers_in(s.text) for s in a.sentences)) for a in (first, other)]
    if any(numbers):
        yield "numbers shared (Jaccard)", jaccard(*numbers)
    levels = [level_in(a.sentences) for a in (first, other)]
    if any(levels):
        yield "same verdict", float(levels[0] == levels[1])
    if first.sentences and other.sentences:
        yield "likeness in meaning (cosine of mean vectors)", likeness(first, other, encoder)


def cited(answer: Answer) -> list[str]:
    """The identifiers of the papers that an answer cites, in its order."""
    numbers = dict.fromkeys(n for sentence in answer.sentences for n in sentence.citations)
    return [answer.papers[n - 1].paper.id for n in numbers]


def likeness(first: Answer, other: Answer, encoder: Encoder) -> float:
    """Cosine of the mean vectors of two answers' sentences, (dimension,) each."""
    means = [encoder.encode([s.text for s in a.sentences]).mean(axis=0) for a in (first, other)]
    norms = np.linalg.norm(means[0]) * np.linalg.norm(means[1])
    return float(means[0] @ means[1] / max(float(norms), 1e-12))


def _papers(index: Index, query: str, settings: SearchSettings) -> list[str]:
    return [hit.paper.id for hit in search(index, query, settings).hits]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _finding(name: str, values: Sequence[float]) -> Finding:
    array: Values = np.array(values, dtype=np.float64)
    return Finding(name, estimate(array))
