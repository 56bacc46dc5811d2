"""What balancing the evidence of an answer costs and brings: relevance of the papers read, and teams heard.

wayfinder eval evidence --questions eval/data/topics_dev.jsonl --qrels eval/data/topics_dev.qrels --index my-index
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ir_measures import nDCG

from eval.measures import Values, estimate, paired_p_value, per_question
from eval.questions import QuestionSet, document
from eval.understanding import Finding
from indexer.store import Index
from retrieval import search
from retrieval.consensus import one_team
from retrieval.evidence import POOL, balanced
from retrieval.records import SearchResult, SearchSettings

N_READ = 10
MEASURE = nDCG @ N_READ

Progress = Callable[[str, int, int | None], None]


def balance(index: Index, questions: QuestionSet, progress: Progress) -> list[Finding]:
    """Measure the first ten papers as ranked and as balanced, question by question."""
    asked = questions.questions
    found = {}
    for done, question in enumerate(asked):
        progress("searching", done, len(asked))
        found[question.query_id] = search(index, question.text, SearchSettings(k=POOL * N_READ))
    progress("searching", len(asked), len(asked))
    even = {query: balanced(index, result, N_READ) for query, result in found.items()}
    qrels = questions.qrels(in_corpus_only=True)

    def relevance(results: dict[str, SearchResult]) -> Values:
        run = {q: {document(h.row): -float(h.rank) for h in r.hits[:N_READ]} for q, r in results.items()}  # fmt: skip
        return per_question([MEASURE], qrels, run)[str(MEASURE)]

    plain, after = relevance(found), relevance(even)
    heard = np.array([_teams(result) for result in found.values()])
    heard_after = np.array([_teams(result) for result in even.values()])
    set_aside = np.array([float(len(result.set_aside)) for result in even.values()])
    p_value = paired_p_value(after, plain)
    return [
        Finding("nDCG@10 as ranked", estimate(plain)),
        Finding("nDCG@10 balanced", estimate(after)),
        Finding(
            f"difference (paired permutation test: p = {p_value:.2f})", estimate(after - plain)
        ),
        Finding("different teams among ten papers, as ranked", estimate(heard)),
        Finding("different teams among ten papers, balanced", estimate(heard_after)),
        Finding("difference in teams", estimate(heard_after - heard)),
        Finding("papers set aside a question", estimate(set_aside)),
    ]


def _teams(result: SearchResult) -> float:
    """How many teams wrote the papers that are read; papers that share a team are joined."""
    papers = [hit.paper for hit in result.hits[:N_READ]]
    team = list(range(len(papers)))
    for i, paper in enumerate(papers):
        for j in range(i):
            if one_team(paper, papers[j]):
                team = [team[j] if one == team[i] else one for one in team]
    return float(len(set(team)))
