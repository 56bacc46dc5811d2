"""Every switch that users are offered, on and off, on every question set.

wayfinder eval ablation --questions questions.jsonl --questions topics.jsonl --index my-index
"""

from __future__ import annotations

from dataclasses import replace

from eval.baselines import System, served
from eval.measures import CITATIONS, MULTI, SINGLE
from eval.questions import Question
from eval.ranking import SERVED
from indexer import config
from indexer.store import Index
from retrieval.records import SearchSettings


def switches(index: Index, k: int) -> dict[str, System]:
    """The default as `wayfinder`, then the default with one switch turned; models where configured."""
    default = SearchSettings(k=k)
    turned: dict[str, SearchSettings] = {
        "plain words": replace(default, understand=False),
        "words only": replace(default, mode="lexical"),
        "meaning only": replace(default, mode="dense"),
        "keywords .3": replace(default, keyword_weight=0.3),
        "keywords .7": replace(default, keyword_weight=0.7),
        "recency .1": replace(default, recency=0.1),
        "recency .3": replace(default, recency=0.3),
        "impact .1": replace(default, impact=0.1),
        "impact .3": replace(default, impact=0.3),
        "diversity .3": replace(default, diversity=0.3),
        "reviews first": replace(default, reviews_first=True),
    }
    if config.reranker_config().name != "none":
        turned["no reranking"] = replace(default, rerank=False)
    if config.llm_config().enabled:
        turned["hyde"] = replace(default, hyde=True)
        turned["hyde, 3 abstracts"] = replace(default, hyde=True, hyde_abstracts=3)
    return {
        SERVED: served(index, default),
        **{name: served(index, settings) for name, settings in turned.items()},
    }


def measures_for(questions: tuple[Question, ...]) -> tuple[object, ...]:
    """SINGLE where each question has one right paper, MULTI where papers are graded, else CITATIONS."""
    if all(len(q.grades) == 1 for q in questions):
        return SINGLE
    graded = any(grade != 1 for q in questions for grade in q.grades.values())
    return MULTI if graded else CITATIONS
