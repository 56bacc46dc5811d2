"""More like this: papers like given ones, or like a pasted draft, by meaning or by who cites whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from indexer.errors import PaperNotFound, QueryError
from indexer.sentences import split_sentences
from indexer.store import Index
from retrieval.candidates import Candidates, Floats, Mask, Rows, candidates
from retrieval.clock import Clock
from retrieval.conditions import conditions, passing, which_to_drop
from retrieval.fields import identifiers_in
from retrieval.ranking import Extra, keyword_weight, ranked
from retrieval.records import SearchResult, SearchSettings

Likeness = Literal["meaning", "references", "citations"]
LIKENESSES: tuple[Likeness, ...] = ("meaning", "references", "citations")
MOST_PAPERS = 50  # that a list to compare with may hold
MOST_CHARACTERS = 100_000
PARAGRAPH_CHARACTERS = 1200  # about what the encoder reads of one text


def similar(
    index: Index,
    papers: str | Sequence[str] = (),
    settings: SearchSettings | None = None,
    *,
    text: str = "",
    by: Likeness = "meaning",
) -> SearchResult:
    """Return the papers most like those given (bibcode, arXiv id or DOI), like a text, or like both.

    meaning: cosine with the mean of their vectors, for a text together with its words. references:
    shared references over the geometric mean of both lists' lengths (bibliographic coupling, Kessler
    1963). citations: the share of the given papers that a paper cites or is cited by, or with which
    it is cited together (co-citation, Small 1973), the higher. Each hit's parts hold all three.
    What the text cites by identifier is taken as given: neither it nor the given papers are found.

    Raises:
        PaperNotFound: the index does not hold one of `papers`.
        QueryError: nothing is given, or an unknown `by`.
    """
    settings = settings or SearchSettings()
    if by not in LIKENESSES:
        raise QueryError(f"by is {by!r}: choose one of {', '.join(LIKENESSES)}.")
    clock = Clock()
    named = [papers] if isinstance(papers, str) else list(papers)
    text = text.replace("\x00", " ").strip()
    n_characters, text = len(text), text[:MOST_CHARACTERS]
    if not text and not named:
        raise QueryError("Give at least one paper, or a text, to find papers like it.")
    if len(named) > MOST_PAPERS:
        raise QueryError(f"{len(named)} papers are given: compare with at most {MOST_PAPERS}.")
    given = [index.row_of(name) for name in named]
    mentioned = list(identifiers_in(text))
    cited = [row for row in (_row_or_none(index, name) for name in mentioned) if row is not None]
    rows = np.unique(np.array([*given, *cited], dtype=np.int64))
    required = conditions(index, settings.filters)
    allowed = passing(required)
    others = np.ones(len(index.papers), dtype=np.bool_) if allowed is None else allowed.copy()
    others[rows] = False
    notes = [] if others.any() else [which_to_drop(required) if required else _NOTHING_ELSE]
    if n_characters > len(text):
        notes.append(
            f"The text has {n_characters:,} characters; the first {len(text):,} were used."
        )
    clock.stage("filters")
    shared = _shared_references(index, given, mentioned)
    linked = _links(index, rows)
    if by != "meaning" and not index.graph:
        notes.append("This index holds no reference lists: nothing can be found by them.")
    elif by != "meaning" and not len(rows) and not mentioned:
        notes.append("The text cites no paper by identifier: nothing can be found by citations.")
    vector = _vector(index, given, text)
    bm25 = index.lexical.scores(text) if text and by == "meaning" else None
    also = (
        np.flatnonzero((shared if by == "references" else linked) * others)
        if by != "meaning"
        else None
    )
    found = candidates(index, vector, bm25, others, also)
    keywords = 0.0 if bm25 is None else keyword_weight(settings, text, index.manifest.encoder)
    relevance = (1 - keywords) * found.dense + keywords * found.lexical
    if by != "meaning":
        relevance = (shared if by == "references" else linked)[found.rows]
        found = _kept(found, relevance > 0)
        relevance = relevance[relevance > 0]
    clock.stage("candidates")
    extra = Extra(shared_references=shared[found.rows], citations=linked[found.rows])
    hits, displaced = ranked(index, found, relevance, settings, extra=extra)
    clock.stage("ranking")
    return SearchResult(
        query=text or "; ".join(index.papers[row].plain_title for row in given),
        words=text,
        understood=(),
        settings=settings,
        hits=hits,
        displaced=displaced,
        best_cosine=found.best_cosine,
        n_candidates=int(others.sum()),
        n_papers=len(index.papers),
        degraded=tuple(notes),
        seconds=clock.seconds,
        snapshot=index.manifest.snapshot,
        as_of=index.manifest.as_of,
        given=tuple(index.papers[int(row)] for row in rows),
    )


_NOTHING_ELSE = "The index holds no other paper than those given."


def _row_or_none(index: Index, identifier: str) -> int | None:
    try:
        return index.row_of(identifier)
    except PaperNotFound:
        return None


def _vector(index: Index, given: Sequence[int], text: str) -> Floats:
    """The unit mean of the papers' vectors and of the text's paragraphs'."""
    parts = [index.vectors[given].astype(np.float32)] if given else []
    if text:
        parts.append(index.encoder.encode(_paragraphs(text)))
    mean = np.concatenate(parts).mean(axis=0)
    unit: Floats = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
    return unit


def _paragraphs(text: str) -> list[str]:
    """A text in pieces of whole paragraphs, of long ones whole sentences, that the encoder reads to their ends."""
    pieces = [""]
    for paragraph in filter(str.strip, text.split("\n\n")):
        short = len(paragraph) <= PARAGRAPH_CHARACTERS
        for part in [paragraph] if short else split_sentences(paragraph):
            if pieces[-1] and len(pieces[-1]) + len(part) > PARAGRAPH_CHARACTERS:
                pieces.append("")
            pieces[-1] = f"{pieces[-1]} {' '.join(part.split())}".strip()
    return pieces


def _shared_references(index: Index, given: Sequence[int], mentioned: Sequence[str]) -> Floats:
    """Bibliographic coupling of every paper with one list: `(n_papers,)` in [0, 1].

    The list is the references of the given papers and what the text mentions.
    """
    listed = [reference for row in given for reference in index.papers[row].references]
    references = list(dict.fromkeys([*listed, *mentioned]))
    score = np.zeros(len(index.papers), dtype=np.float32)
    for row, count in zip(*index.graph.shared(references), strict=True):
        score[row] = count / np.sqrt(len(references) * len(index.papers[int(row)].references))
    return np.minimum(score, 1.0)


def _links(index: Index, rows: Rows) -> Floats:
    """Direct citation and co-citation of every paper with the given ones: `(n_papers,)` in [0, 1]."""
    direct = np.zeros(len(index.papers), dtype=np.float32)
    together = np.zeros(len(index.papers), dtype=np.float32)
    for row in rows:
        paper = index.papers[int(row)]
        citing = index.graph.citing(paper.identifiers)
        cited = _held(index, paper.references)
        direct[np.unique(np.concatenate([citing, cited]))] += 1.0 / len(rows)
        for other in citing:
            with_it = _held(index, index.papers[int(other)].references)
            together[with_it] += 1.0 / (len(rows) * len(citing))
    return np.maximum(direct, np.minimum(together, 1.0))


def _held(index: Index, references: Sequence[str]) -> Rows:
    """The rows of the papers of a reference list that the index holds."""
    rows = {_row_or_none(index, reference) for reference in references}
    return np.array(sorted(row for row in rows if row is not None), dtype=np.int64)


def _kept(found: Candidates, keep: Mask) -> Candidates:
    return Candidates(found.rows[keep], found.dense[keep], found.lexical[keep], found.cosine[keep])
