"""How well used and mentioned facilities are told apart, on labelled abstracts; and the confusions, one by one.

The labelled papers are parted by the first byte of the sha256 of their identifier: even ones are for
developing, odd ones were measured once rules and tables were written.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer.errors import SourceError
from indexer.facilities import detect
from indexer.facility_scan import detect_all
from indexer.records import Paper

N_RESAMPLES, SEED = 5_000, 0
CONFUSIONS = Path(__file__).with_name("data") / "confusions.jsonl"


@dataclass(frozen=True)
class Labelled:
    """A paper with the names of the facilities it used and of those it only mentions."""

    paper: Paper
    used: frozenset[str]
    mentioned: frozenset[str]

    @property
    def half(self) -> str:
        """`dev`, which rules were written on, or `test`."""
        digest = hashlib.sha256(self.paper.id.encode()).digest()
        return "test" if digest[0] % 2 else "dev"


@dataclass(frozen=True)
class Score:
    """F1 over all names of all papers, with its bootstrap interval (95 %, papers resampled)."""

    f1: float
    low: float
    high: float
    precision: float
    recall: float
    n_papers: int
    n_labels: int


@dataclass(frozen=True)
class Confusion:
    """A sentence, what must not be found in it, what must be, and what was."""

    text: str
    wrong: tuple[str, ...]
    right: tuple[str, ...]
    found: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing wrong was found and nothing right missed."""
        return not set(self.wrong) & set(self.found) and set(self.right) <= set(self.found)


def read_labelled(path: Path) -> list[Labelled]:
    """Read JSON lines with title, abstract, an identifier, used and mentioned.

    Raises:
        SourceError: the file cannot be read; the line is named.
    """
    labelled = []
    for number, row in json_rows(path):
        try:
            paper = Paper(
                title=row["title"], abstract=row["abstract"],
                arxiv_id=row.get("arxiv_id"), bibcode=row.get("bibcode"), doi=row.get("doi"),
            )  # fmt: skip
            labelled.append(
                Labelled(paper, frozenset(row["used"]), frozenset(row["mentioned"]) - set(row["used"]))
            )  # fmt: skip
        except (KeyError, TypeError) as error:
            raise SourceError(
                f"{path}, line {number} needs title, abstract, used [...] and mentioned [...]: {error}"
            ) from error
    return labelled


def scores(labelled: Sequence[Labelled]) -> dict[str, Score]:
    """F1 on used, and on used or mentioned."""
    used, named = [], []
    for one in labelled:
        found = detect(one.paper)
        used.append(_counts(set(found.used), one.used))
        named.append(_counts({*found.used, *found.mentioned}, one.used | one.mentioned))
    return {"used": _score(used), "used or mentioned": _score(named)}


def errors(labelled: Sequence[Labelled]) -> list[dict[str, Any]]:
    """The papers on which detection and labels differ, with the sentences."""
    rows = []
    for one in labelled:
        found = detect(one.paper)
        if set(found.used) != one.used or set(found.mentioned) != one.mentioned:
            rows.append({
                "id": one.paper.id, "title": one.paper.plain_title,
                "used": sorted(found.used), "used_label": sorted(one.used),
                "mentioned": sorted(found.mentioned), "mentioned_label": sorted(one.mentioned),
                "evidence": {e.name: e.sentence for e in found.facilities},
            })  # fmt: skip
    return rows


def confusions(path: Path = CONFUSIONS) -> list[Confusion]:
    """Sentences in which a facility's name means something else, or seems to."""
    found = []
    for _, row in json_rows(path):
        detection = detect(Paper(title="On a matter of names", abstract=row["text"]))
        names = (*detection.used, *detection.mentioned)
        found.append(
            Confusion(row["text"], tuple(row["wrong"]), tuple(row.get("right", ())), names)
        )
    return found


def speed(
    papers: Iterable[Paper],
    *,
    workers: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, float]:
    """Seconds to scan `papers`, and how many a second."""
    ready = list(papers)
    began = clock()
    n_named = sum(bool(found.found) for _, found in detect_all(ready, workers=workers))
    seconds = clock() - began
    return {"papers": len(ready), "with_facility": n_named, "seconds": round(seconds, 2), "papers_a_second": round(len(ready) / seconds, 1)}  # fmt: skip


def _counts(found: set[str], labels: frozenset[str]) -> tuple[int, int, int]:
    """Right, wrong and missed names."""
    return len(found & labels), len(found - labels), len(labels - found)


def _score(counts: Sequence[tuple[int, int, int]]) -> Score:
    table = np.asarray(counts, dtype=np.int64).reshape(-1, 3)  # (n_papers, right wrong missed)
    drawn = np.random.default_rng(SEED).integers(0, len(table), (N_RESAMPLES, len(table)))
    resampled = f1(table[drawn].sum(axis=1))
    low, high = np.percentile(resampled, [2.5, 97.5])
    right, wrong, missed = table.sum(axis=0)
    return Score(
        f1=float(f1(table.sum(axis=0)[None])[0]),
        low=float(low),
        high=float(high),
        precision=float(right / max(1, right + wrong)),
        recall=float(right / max(1, right + missed)),
        n_papers=len(table),
        n_labels=int(right + missed),
    )


def f1(sums: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """F1 of rows of (right, wrong, missed); 1 where there is nothing to find and nothing found."""
    right, wrong, missed = sums.T
    total = 2 * right + wrong + missed
    return np.where(total == 0, 1.0, 2 * right / np.maximum(total, 1))


def json_rows(path: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    """The objects of a file of JSON lines, with their line numbers.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        return [(i, json.loads(line)) for i, line in enumerate(lines, 1) if line.strip()]
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read as JSON lines: {error}") from error
