"""Citation precision and recall of an answer, as ALCE defines them, by Wayfinder's own checks.

Gao, Yen, Yu & Chen 2023 (arXiv:2305.14627), section 3: a sentence is recalled if the passages that it
cites support it together; a citation is precise if its sentence is recalled and it supports the
sentence alone, or the others do not without it. There a model of entailment judges, here
`check_sentence`; the passages are the quotations.
"""

from __future__ import annotations

from collections.abc import Sequence

from eval.questions import Grades
from indexer.encoder import Encoder
from indexer.records import Paper
from retrieval.consensus import level_in
from retrieval.records import Answer, Sentence
from retrieval.verify import Draft, check_sentence


def citation_recall(answer: Answer) -> float | None:
    """The share of sentences that need support and have it; None of an answer without such sentences."""
    sentences = _claims(answer)
    if not sentences:
        return None
    return sum(s.supported and bool(s.citations) for s in sentences) / len(sentences)


def citation_precision(answer: Answer, encoder: Encoder) -> float | None:
    """The share of citations that are precise; None where nothing is cited."""
    papers = [hit.paper for hit in answer.papers]
    judged = [_precise(s, n, papers, encoder) for s in _claims(answer) for n in s.citations]
    return sum(judged) / len(judged) if judged else None


def graded_precision(answer: Answer, grades: Grades) -> tuple[float | None, float | None]:
    """Of the papers cited: the share judged, and the share of those judged that are relevant (grade 1 or more)."""
    cited = {n for sentence in answer.sentences for n in sentence.citations}
    papers = [answer.papers[n - 1].paper for n in cited]
    known = [grade for paper in papers if (grade := _grade(paper, grades)) is not None]
    judged = len(known) / len(papers) if papers else None
    return judged, sum(grade > 0 for grade in known) / len(known) if known else None


def _claims(answer: Answer) -> list[Sentence]:
    """The sentences that papers must support: a computed verdict is none of them."""
    return [s for s in answer.sentences if level_in([s]) is None]


def _precise(sentence: Sentence, n: int, papers: Sequence[Paper], encoder: Encoder) -> bool:
    if not sentence.supported:
        return False
    if len(sentence.citations) == 1:
        return True
    others = [m for m in sentence.citations if m != n]
    return _supports(sentence, [n], papers, encoder) or not _supports(
        sentence, others, papers, encoder
    )


def _supports(
    sentence: Sentence, numbers: Sequence[int], papers: Sequence[Paper], encoder: Encoder
) -> bool:
    quotes = tuple((e.n, e.quote) for e in sentence.evidence if e.n in numbers)
    return check_sentence(Draft(sentence.text, tuple(numbers), quotes), papers, encoder).supported


def _grade(paper: Paper, grades: Grades) -> int | None:
    known = (paper.arxiv_id, paper.bibcode, paper.doi)
    return next((grades[name] for name in known if name and name in grades), None)
