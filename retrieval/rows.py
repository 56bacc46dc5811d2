"""Results as plain JSON objects, the same for the command line, the page and other programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from indexer.records import Paper
from indexer.store import Index
from retrieval.basis import basis
from retrieval.followup import context_of
from retrieval.passages import ReadPaper
from retrieval.records import Answer, Hit, SearchResult, Sentence
from retrieval.understood import Understood

if TYPE_CHECKING:
    from retrieval.writing import AnswerEvent

Row = dict[str, Any]


def hit_row(hit: Hit) -> Row:
    """One search row: rank, score and its parts, identifiers and bibliographic facts."""
    return {
        "rank": hit.rank,
        "plain_rank": hit.plain_rank,
        "score": round(hit.score, 6),
        **_facts(hit.paper),
        "parts": {name: round(value, 6) for name, value in asdict(hit.parts).items()},
    }


def _facts(paper: Paper) -> Row:
    """Identifiers and bibliographic facts, wherever a paper is shown."""
    return {
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
    }


def paper_row(index: Index, row: int) -> Row:
    """All that the index knows of one paper; `used` and `mentioned` are None where nobody looked."""
    paper = index.papers[row]
    named = index.uses.facilities.of(row) if index.uses is not None else None
    methods = index.uses.methods.of(row) if index.uses is not None else None
    return {
        **_facts(paper),
        "abstract": paper.plain_abstract,
        "date": paper.date,
        "doctype": paper.doctype,
        "keywords": list(paper.keywords),
        "categories": list(paper.categories),
        "references": list(paper.references),
        "aliases": list(paper.aliases),
        "used": _of_status(named, used=True),
        "mentioned": _of_status(named, used=False),
        "methods": _of_status(methods, used=True),
        "snapshot": index.manifest.snapshot,
        "as_of": index.manifest.as_of,
    }


def _of_status(named: list[tuple[str, bool]] | None, *, used: bool) -> list[str] | None:
    return None if named is None else [name for name, is_used in named if is_used == used]


def result_row(result: SearchResult, *, abstracts: bool = False) -> Row:
    """A whole search as one object: its hits in order, what was understood, what was not done."""
    return {
        "query": result.query,
        "hits": [
            {**hit_row(hit), **({"abstract": hit.paper.plain_abstract} if abstracts else {})}
            for hit in result.hits
        ],
        "displaced": [hit_row(hit) for hit in result.displaced],
        "understood": [understood_row(item) for item in result.understood],
        "coverage": coverage_row(result),
        "degraded": list(result.degraded),
        "n_candidates": result.n_candidates,
        "n_papers": result.n_papers,
        "seconds": _seconds(result.seconds),
        "snapshot": result.snapshot,
        "as_of": result.as_of,
    }


def event_row(event: AnswerEvent) -> Row:
    """What just happened to an answer in the making: its stage, and what came with it."""
    row: Row = {"stage": event.stage}
    if event.search is not None:
        row["papers"] = [{"n": n, **hit_row(hit)} for n, hit in enumerate(event.search.hits, 1)]
        row["n_candidates"] = event.search.n_candidates
    if event.sentence is not None:
        row["sentence"] = sentence_row(event.sentence)
    if event.words:
        row["words"] = event.words  # of the sentence being written, not yet checked
    return row


def _seconds(stages: Mapping[str, float]) -> Row:
    return {stage: round(seconds, 4) for stage, seconds in stages.items()}


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
        "seconds": _seconds(answer.seconds),
        "thread": asdict(context_of(answer)),
        "snapshot": answer.search.snapshot,
        "as_of": answer.search.as_of,
    }
