"""Readers' feedback as a question set: the file that WAYFINDER_FEEDBACK names (app/feedback.py writes it).

    wayfinder eval multi --questions feedback.jsonl --index my-index
    wayfinder eval answers --questions feedback.jsonl --index my-index

A paper judged right for a question has grade 2, one that a sentence or an answer judged good cites 1, one judged
wrong 0. Votes are counted: as many against as for is 0. Lines that are no votes are passed over.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

VERSION = 1
RIGHT, CITED, WRONG = 2, 1, 0


def is_feedback(text: str) -> bool:
    """Whether a file's first line is a vote."""
    return _vote(text.lstrip().split("\n", 1)[0]) is not None


def judged(text: str) -> Iterator[tuple[str, str, dict[str, int]]]:
    """Yield an id, the question and the grades of its papers, in the order in which questions were first judged."""
    questions: dict[str, str] = {}
    papers: dict[str, Counter[str]] = {}
    cited: dict[str, Counter[str]] = {}
    for row in _votes(text):
        asked = " ".join(row["question"].split())
        key = asked.casefold()
        questions.setdefault(key, asked)
        of = papers if row["about"] == "paper" else cited
        counts = of.setdefault(key, Counter())
        for paper in row["papers"]:
            counts[str(paper)] += 1 if row["good"] else -1
    for number, (key, asked) in enumerate(questions.items(), 1):
        grades = {paper: CITED for paper, n in cited.get(key, Counter()).items() if n > 0}
        for paper, n in papers.get(key, Counter()).items():
            grades[paper] = RIGHT if n > 0 else WRONG
        yield f"feedback-{number}", asked, grades


def _votes(text: str) -> list[dict[str, Any]]:
    """The votes that stand: of one cast again the last, those taken back left out."""
    last: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(text.split("\n")):
        row = _vote(line)
        if row is not None:
            last[str(row.get("vote") or number)] = row
    return [row for row in last.values() if row["good"] is not None]


def _vote(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or row.get("feedback") != VERSION:
        return None
    whole = (
        isinstance(row.get("question"), str)
        and row["question"].strip()
        and isinstance(row.get("papers"), list)
        and row.get("about") in ("answer", "sentence", "paper")
        and row.get("good") in (True, False, None)
    )
    return row if whole else None
