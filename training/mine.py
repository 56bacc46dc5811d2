"""What a search puts high for a question: lists for the reranker and, less what may answer it too, hard negatives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from indexer.lexical import LexicalIndex
from training.material import Asked

POOL = 200  # best papers of the hybrid that negatives are taken from
FALSE_FROM = 0.95  # a paper that the teacher scores above this share of the answer's score may be an answer too
TWIN_COSINE = 0.85  # and so may one this like the answer
WORDS = 0.5  # what words count for in the hybrid, against meaning
TOGETHER = 256  # questions whose cosines are taken at once
LISTED_WORDS = 0.2  # and in the lists for the reranker, after the joined encoder

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


def hybrid(cosine: Floats, words: Floats, share: float = WORDS) -> Floats:
    """Scores of all papers, `(n_papers,)`: cosine and BM25, each over its best, added, with `share` for the words."""
    dense = np.clip((cosine - cosine.mean()) / max(float(cosine.max() - cosine.mean()), 1e-6), 0, 1)
    lexical = words / max(float(words.max()), 1e-6)
    mixed: Floats = (1 - share) * dense + share * lexical
    return mixed


def best(
    questions: Sequence[Asked],
    vectors: Floats,
    papers: Floats,
    lexical: LexicalIndex,
    *,
    n: int,
    words: float = LISTED_WORDS,
) -> Rows:
    """Rows of the `n` best papers a question, or of all, the best first: `(n_questions, n)`; `words` is their share."""
    found = np.zeros((len(questions), min(n, len(papers))), dtype=np.int64)
    for start in range(0, len(questions), TOGETHER):
        cosines = vectors[start : start + TOGETHER] @ papers.T
        for i, cosine in enumerate(cosines, start):
            score = hybrid(cosine, lexical.scores(questions[i].question), words)
            first = np.argpartition(-score, found.shape[1] - 1)[: found.shape[1]]
            found[i] = first[np.argsort(-score[first], kind="stable")]
    return found


def negatives(
    questions: Sequence[Asked],
    vectors: Floats,
    papers: Floats,
    lexical: LexicalIndex,
    *,
    each: int,
    seed: int,
) -> list[Rows]:
    """Up to `each` rows per question, the better ranked the likelier.

    `vectors` are the teacher's of the questions, `(n_questions, dimension)`, `papers` its of the papers.
    """
    random = np.random.default_rng(seed)
    return [
        _drawn(_hard(q, v, papers, lexical), each, random)
        for q, v in zip(questions, vectors, strict=True)
    ]


def _hard(question: Asked, vector: Floats, papers: Floats, lexical: LexicalIndex) -> Rows:
    """The best papers for a question that do not answer it, in the order of their score."""
    score = hybrid(papers @ vector, lexical.scores(question.question))
    best = np.argsort(-score, kind="stable")[:POOL]
    answer = papers[question.row]
    wrong = (papers[best] @ vector < FALSE_FROM * float(answer @ vector)) & (
        papers[best] @ answer < TWIN_COSINE
    )
    found: Rows = best[wrong & (best != question.row)]
    return found


def _drawn(rows: Rows, each: int, random: np.random.Generator) -> Rows:
    """`each` of the rows without repetition, with weights 1/rank."""
    if len(rows) <= each:
        return rows
    weight = 1.0 / np.arange(1, len(rows) + 1)
    drawn: Rows = random.choice(rows, size=each, replace=False, p=weight / weight.sum())
    return drawn
