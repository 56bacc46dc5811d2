"""Results as plain JSON objects, the same for the command line, the page and other programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from retrieval.basis import basis
from retrieval.passages import ReadPaper
from retrieval.records import Answer, Hit, SearchResult, Sentence
from retrieval.understood import Understood

Row = dict[str, Any]


def hit_row(hit: Hit) -> Row:
    """One search row: rank, score and its parts, identifiers and bibliographic facts."""
    paper = hit.paper
    return {
        "rank": hit.rank,
        "plain_rank": hit.plain_rank,
        "score": round(hit.score, 6),
        "bibcode": paper.bibcode,
        "arxiv_id": paper.arxiv_id,
        "doi": paper.doi,
        "title": paper.plain_title,
        "authors": list(paper.authors),
        "year": paper.year,
        "citation_count": paper.citation_count,
        "journal": paper.journal,
        "ads_url": paper.ads_url,
        "arxiv_url": paper.arxiv_url,
        "parts": {name: round(value, 6) for name, value in asdict(hit.parts).items()},
    }


def full_text_row(hit: Hit) -> Row | None:
    """The file and the passages that are read of a paper's full text; None where only its abstract is."""
    paper = hit.paper
    if not isinstance(paper, ReadPaper):
        return None
    passages = [asdict(passage) for passage in paper.passages]
    return {"file": paper.file, "in_index": not paper.own, "passages": passages}


def understood_row(item: Understood) -> Row:
    """One thing understood of a question; `key` takes it away again (`--ignore`)."""
    return {"kind": item.kind, "label": item.label, "effect": item.effect, "key": item.key}


def coverage_row(result: SearchResult) -> Row | None:
    """How well the index covers the question, or None where it cannot be judged."""
    return asdict(result.coverage) if result.coverage else None


def sentence_row(sentence: Sentence) -> Row:
    """One sentence with its citations, its quoted evidence, and what its checks found."""
    score = sentence.entailment
    return {
        "text": sentence.text,
        "citations": list(sentence.citations),
        "supported": sentence.supported,
        "problems": list(sentence.problems),
        "entailment": None if score is None else round(score, 4),
        "repaired": sentence.repaired,
        "theme": sentence.theme,
        "evidence": [asdict(evidence) for evidence in sentence.evidence],
    }


def basis_row(answer: Answer) -> Row:
    """From what the answer was made and what was not searched."""
    found = basis(answer)
    return {**asdict(found), "text": found.text}


def answer_row(answer: Answer) -> Row:
    """One answer: its sentences with citations and evidence, its papers, and what was not done."""
    return {
        "question": answer.question,
        "answer": answer.text,
        "sentences": [sentence_row(sentence) for sentence in answer.sentences],
        "dropped": [sentence_row(sentence) for sentence in answer.dropped],
        "papers": [
            {"n": n, **hit_row(hit), "full_text": full_text_row(hit)}
            for n, hit in enumerate(answer.papers, 1)
        ],
        "set_aside": [{**hit_row(hit), "because": because} for hit, because in answer.set_aside],
        "refused": answer.refused,
        "reason": answer.reason,
        "mode": answer.mode,
        "basis": basis_row(answer),
        "type": {"name": answer.kind, "by": answer.kind_by},
        "statement": {"text": answer.statement, "by": answer.statement_by}
        if answer.statement
        else None,
        "presumed": asdict(answer.presumed) if answer.presumed else None,
        "tables": [asdict(table) for table in answer.tables],
        "understood": [understood_row(item) for item in answer.search.understood],
        "coverage": coverage_row(answer.search),
        "degraded": list(answer.degraded),
        "usage": asdict(answer.usage),
        "seconds": {stage: round(seconds, 4) for stage, seconds in answer.seconds.items()},
        "snapshot": answer.search.snapshot,
        "as_of": answer.search.as_of,
    }
