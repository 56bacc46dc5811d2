"""Whether the papers read name what a question names: an answer about other objects must say so first."""

from __future__ import annotations

from collections.abc import Iterable

from indexer.records import Paper
from retrieval.agreement import stands
from retrieval.names import host_names
from retrieval.notation import folded
from retrieval.passages import passages_of
from retrieval.question_type import QuestionType
from retrieval.records import SearchResult
from retrieval.understood import Understood


def objects_of(found: Iterable[Understood], kind: QuestionType) -> tuple[Understood, ...]:
    """The objects that an answer has to be about: designations, and whatever a fact is asked of."""
    return tuple(
        item
        for item in found
        if item.kind == "object" and (kind == "fact" or any(c.isdigit() for c in item.value))
    )


def names_one(paper: Paper, names: Iterable[str]) -> bool:
    """Whether a paper's title, abstract or full text holds one of the names in any notation."""
    texts = (paper.plain_title, paper.plain_abstract, *(p.text for p in passages_of(paper)))
    whole = folded(" \n".join(texts))
    return any(stands(name, whole) for name in names)


def not_named(result: SearchResult, kind: QuestionType) -> str:
    """Say which objects of the question no paper read names, in words; nothing where each is named."""
    papers = [hit.paper for hit in result.hits]
    asked = objects_of(result.understood, kind)
    absent = [i for i in asked if not any(names_one(p, (i.words, *i.names)) for p in papers)]
    if not absent:
        return ""
    note = f"None of the papers read names {' or '.join(item.value for item in absent)}"
    hosts = [host for item in absent for host in host_names(item.value)]
    if any(names_one(paper, hosts) for paper in papers):
        return f"{note}, only its star; what follows may be about other objects."
    return (
        f"{note}; what follows is about other objects." if len(absent) == len(asked) else f"{note}."
    )
