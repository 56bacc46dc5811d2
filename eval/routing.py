"""Kinds of questions told by rules, measured on a labelled list.

wayfinder eval routing
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from eval.measures import estimate
from eval.understanding import Finding, Row
from retrieval.question_type import route


def routing(rows: Sequence[Row]) -> list[Finding]:
    """Accuracy of the rules; a row has question, type, and split: the rules were mended on `calibrate`.

    Of consensus, which reads more papers and has a verdict, precision and recall too.
    """
    pairs = [(route(row["question"]).kind, row["type"], row["split"]) for row in rows]
    values = {
        f"{split}: accuracy": [said == right for said, right, s in pairs if split in ("all", s)]
        for split in ("all", "calibrate", "test")
    }
    values["consensus: precision"] = [r == "consensus" for said, r, _ in pairs if said == "consensus"]  # fmt: skip
    values["consensus: recall"] = [said == "consensus" for said, r, _ in pairs if r == "consensus"]
    return [Finding(n, estimate(np.array(v, dtype=np.float64))) for n, v in values.items() if v]


def mistakes(rows: Sequence[Row]) -> Iterator[str]:
    """Each question that the rules take for another kind."""
    for row in rows:
        said = route(row["question"]).kind
        if said != row["type"]:
            yield f"{row['query_id']} {row['split']}: {row['question']} ({row['type']}, taken as {said})"
