"""The records of a research run: its limits, its plan, where it looked, and its report."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from retrieval.errors import QueryError
from retrieval.records import Evidence, Hit, Sentence, Usage

MOST_PARTS = 6
MOST_PART_CHARACTERS = 300

_REACHED = {  # how the reasons for which a run stops name its limits
    "max_steps": r"limit of [\d,]+ steps",
    "max_tokens": r"limit of [\d,]+ tokens",
    "max_seconds": r"limit of \S+ seconds",
    "max_usd": r"limit of \$",
}

PlanBy = Literal["user", "model", "rules"]
How = Literal["question", "references", "similar", "gap"]
WrittenBy = Literal["model", "notes", "quotes", "nothing"]


@dataclass(frozen=True)
class Limits:
    """Where a run stops at the latest, over all its parts and resumptions.

    A step is one round of searching and reading for one sub-question. Reading stops early enough
    that the report can be written within the rest.
    """

    max_steps: int = 12
    max_tokens: int = 150_000
    max_seconds: float = 900.0
    max_usd: float | None = None

    def __post_init__(self) -> None:
        """Refuse limits that no run can keep."""
        for name in ("max_steps", "max_tokens", "max_seconds", "max_usd"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise QueryError(f"{name} is {value}: give a number above 0.")

    def raised(self, reasons: Iterable[str], seconds: float = 0.0) -> tuple[Limits, str]:
        """The limits with those doubled that stopped a run after `seconds`, and what was raised, in words."""
        said = " ".join(reasons)
        more = {
            name: 2 * (max(value, seconds) if name == "max_seconds" else value)
            for name, pattern in _REACHED.items()
            if (value := getattr(self, name)) is not None and re.search(pattern, said)
        }
        words = ", ".join(
            f"{name.replace('_', '-')} {round(value, 4):,}" for name, value in more.items()
        )
        return replace(self, **more), words


@dataclass(frozen=True)
class Plan:
    """The sub-questions of a run, and what made them."""

    parts: tuple[str, ...]
    by: PlanBy
    note: str = ""  # why it is not the model's, where one was asked

    def __post_init__(self) -> None:
        """Refuse an empty plan and one that no report could hold."""
        if not 1 <= len(self.parts) <= MOST_PARTS:
            raise QueryError(
                f"The plan has {len(self.parts)} sub-questions: give 1 to {MOST_PARTS}."
            )
        for part in self.parts:
            if not 2 <= len(part.strip()) <= MOST_PART_CHARACTERS:
                raise QueryError(
                    f"The sub-question {part[:40]!r} has {len(part.strip())} characters: "
                    f"give 2 to {MOST_PART_CHARACTERS}."
                )


@dataclass(frozen=True)
class Look:
    """One place where a run looked for papers: a search, reference lists, papers alike."""

    part: int  # of the plan, from 1
    round: int
    how: How
    query: str  # the words searched for, or whose references and likeness were followed
    n_found: int
    n_new: int  # of them not read for this part before


@dataclass(frozen=True)
class Cited:
    """A checked sentence and the papers, by row, that its numbers mean."""

    sentence: Sentence
    rows: tuple[int, ...]

    @property
    def cited_rows(self) -> tuple[int, ...]:
        """The rows of the papers it cites."""
        return tuple(self.rows[n - 1] for n in self.sentence.citations)

    def numbered(self, numbers: Mapping[int, int]) -> Sentence:
        """The sentence with the numbers that `numbers` gives to its rows."""
        sentence = self.sentence
        problems = tuple(self._renamed(problem, numbers) for problem in sentence.problems)
        return replace(
            sentence,
            citations=tuple(numbers[row] for row in self.cited_rows),
            evidence=tuple(
                Evidence(numbers[self.rows[item.n - 1]], item.quote, item.found)
                for item in sentence.evidence
                if self.rows[item.n - 1] in numbers
            ),
            problems=problems,
        )

    def _renamed(self, problem: str, numbers: Mapping[int, int]) -> str:
        if "but there are" in problem:
            return f"{problem.split(' [', maxsplit=1)[0]} a paper that it was not given"
        for n, row in sorted(enumerate(self.rows, 1), reverse=True):
            if f"[{n}]" in problem:
                return problem.replace(f"[{n}]", f"[{numbers[row]}]" if row in numbers else "")
        return problem


@dataclass(frozen=True)
class Section:
    """What was found for one sub-question; sentences cite the report's papers."""

    question: str
    sentences: tuple[Sentence, ...]
    by: WrittenBy
    note: str = ""
    dropped: tuple[Sentence, ...] = ()  # a model's, of which none passed its checks
    n_read: int = 0


@dataclass(frozen=True)
class Report:
    """What a run found: `papers[i]` is cited as i + 1 everywhere in it."""

    question: str
    plan: Plan
    short_answer: tuple[Sentence, ...]
    sections: tuple[Section, ...]
    disagreements: tuple[Sentence, ...]
    not_found: tuple[str, ...]
    looks: tuple[Look, ...]
    papers: tuple[Hit, ...]
    n_read: int
    years: tuple[int, int] | None  # first and last of the papers read
    n_papers: int  # in the index
    as_of: str
    snapshot: str
    stopped: tuple[str, ...]  # limits reached, a cancellation: why there is no more
    degraded: tuple[str, ...]
    usage: Usage
    tokens: int  # as its server counted them, else estimated from the texts
    seconds: float
    steps: int
    limits: Limits
    finished: bool  # neither cancelled nor stopped by a limit or a failing model
    trace: str = ""  # where its trace lies, if anywhere
    short_answer_dropped: tuple[Sentence, ...] = ()  # a model's, of which none passed its checks

    @property
    def by_model(self) -> bool:
        """Whether a language model wrote any of its sections, or notes for one."""
        return any(section.by in ("model", "notes") for section in self.sections)

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """All its sentences, in order."""
        of_sections = [s for section in self.sections for s in section.sentences]
        return (*self.short_answer, *of_sections, *self.disagreements)
