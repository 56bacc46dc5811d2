"""What a training brought, on the questions held back: no paper of theirs was trained on with a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from indexer.late import LateInteraction
from indexer.lexical import LexicalIndex
from training.material import Asked
from training.mine import best

SHARES = (0.2, 0.3, 0.5)  # of words against meaning: each model gets its own best
READ_AGAIN = 30  # best papers that the reranker orders

Floats = npt.NDArray[np.float32]
Found = tuple[float, float]  # success@10 and reciprocal rank@10


def found(
    questions: Sequence[Asked],
    models: Mapping[str, tuple[Floats, Floats]],
    lexical: LexicalIndex,
    *,
    reranker: LateInteraction,
    texts: Sequence[str],
) -> dict[str, Found]:
    """How well each model finds the questions' papers together with BM25, and the last one read again.

    `models` have the vectors of the questions, `(n_questions, dimension)`, and of the papers, `(n_papers, dimension)`.
    """
    told: dict[str, Found] = {}
    lists = np.zeros((len(questions), 0), dtype=np.int64)
    for name, (asked, papers) in models.items():
        tried = [
            best(questions, asked, papers, lexical, n=READ_AGAIN, words=share) for share in SHARES
        ]
        lists = max(tried, key=lambda rows: scored(questions, rows)[1])
        told[name] = scored(questions, lists)
    again = lists.copy()
    for question, rows in zip(questions, again, strict=True):
        scores = reranker.scores(question.question, reranker.read([texts[row] for row in rows]))
        rows[:] = rows[np.argsort(-scores, kind="stable")]
    told["the order of the reranker alone"] = scored(questions, again)
    return told


def scored(questions: Sequence[Asked], lists: npt.NDArray[np.integer]) -> Found:
    """Success@10 and reciprocal rank@10 of lists of rows, `(n_questions, n)`, the best first."""
    right = lists[:, :10] == np.array([q.row for q in questions])[:, None]
    place = np.where(right.any(axis=1), right.argmax(axis=1) + 1.0, np.inf)
    return float(right.any(axis=1).mean()), float((1.0 / place).mean())
