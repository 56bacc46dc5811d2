"""Full texts that a reader adds: read, matched with papers of the index, their best passages chosen.

They live as long as the reader's session and are written nowhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from indexer.document import Document
from indexer.document_reader import read_document
from indexer.encoder import Encoder
from indexer.errors import DocumentError, PaperNotFound
from indexer.store import Index
from indexer.tokens import tokens
from retrieval.coverage import Coverage, Nearness, coverage
from retrieval.extract import shared_words
from retrieval.passages import Passage, ReadPaper, read_with
from retrieval.records import Hit, ScoreParts, SearchResult
from retrieval.split import split

MOST_FILES = 10
LONGEST_NAME = 120  # characters of a file's name that are shown, its last
MOST_ENCODED = 40  # passages of one file; beyond, those that share most words with the question
PAPER_CHARACTERS = 6000  # of passages read of one paper
ALL_CHARACTERS = 24_000  # of passages read of all
MEANING_WEIGHT = 0.6  # against words in common
NEAREST = 3  # passages that say whether a file covers a question
READERS = 2  # files read at the same time
LONG_TITLE = 25  # letters: from here on a title names one paper

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FullText:
    """A document in passages; vectors are kept, so that a further question encodes nothing again."""

    document: Document
    passages: tuple[Passage, ...]
    vectors: dict[tuple[str, int], Vectors] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, eq=False)
class FullTexts:
    """The files of a reader that could be read, and in words what could not be."""

    texts: tuple[FullText, ...] = ()
    problems: tuple[str, ...] = ()


def read_full_texts(files: Iterable[tuple[str, bytes]]) -> FullTexts:
    """Read files, each a name and its bytes; one that cannot be read is a problem and stops no other."""
    known: dict[str, tuple[str, bytes]] = {}
    for given, data in files:
        name = given.encode("utf-8", "replace").decode().replace("\0", "")[-LONGEST_NAME:]
        known.setdefault(hashlib.sha256(data).hexdigest(), (name, data))
    wanted = list(known.values())
    problems = [
        f"{name} was not read: at most {MOST_FILES} files are read at a time."
        for name, _ in wanted[MOST_FILES:]
    ]
    with ThreadPoolExecutor(READERS) as pool:
        read = list(pool.map(lambda file: _read(*file), wanted[:MOST_FILES]))
    texts: list[FullText] = []
    for one in read:
        if isinstance(one, str):
            problems.append(one)
            continue
        texts.append(FullText(one, split(one)))
        problems += [f"{one.name}: {note}." for note in one.notes]
    return FullTexts(tuple(texts), tuple(problems))


def together(read: Iterable[FullTexts]) -> FullTexts:
    """Files that were read one after the other, as one."""
    every = list(read)
    return FullTexts(
        tuple(text for one in every for text in one.texts),
        tuple(problem for one in every for problem in one.problems),
    )


def _read(name: str, data: bytes) -> Document | str:
    try:
        return read_document(name, data)
    except DocumentError as error:
        return f"Not read: {error}"


@dataclass(frozen=True)
class _Chosen:
    """The passages of one full text that are read for a question, and how near it is to it."""

    passages: tuple[Passage, ...]
    near: Nearness
    score: float


def with_full_texts(
    index: Index, found: SearchResult, added: FullTexts
) -> tuple[SearchResult, Coverage | None]:
    """Return the result with each full text at its paper, and how well the files cover the question.

    A paper that the search did not find stands behind those that it did, one that the index lacks as a
    paper of its own. The coverage is the best of the files', None without files or where it is unknown.
    """
    hits, notes = list(found.hits), [*found.degraded, *added.problems]
    best: Coverage | None = None
    room = min(PAPER_CHARACTERS, ALL_CHARACTERS // max(len(added.texts), 1))
    for text in added.texts:
        name = text.document.name
        row = matched_row(index, text.document)
        at = next((i for i, hit in enumerate(hits) if _same_paper(hit, row, text.document)), None)
        if at is not None and isinstance(hits[at].paper, ReadPaper):
            other = hits[at].paper.file  # type: ignore[attr-defined]
            notes.append(f"{name} is the same paper as {other}, which was read.")
            continue
        chosen = _chosen(found.words or found.query, text, index.encoder, room)
        best = _better(best, _coverage(index, chosen.near))
        if at is not None:
            paper = read_with(hits[at].paper, chosen.passages, name)
            hits[at] = replace(hits[at], paper=paper)
        else:
            hits.append(_hit(index, row, text.document, chosen, len(hits) + 1))
    return replace(found, hits=tuple(hits), degraded=tuple(notes)), best


def matched_row(index: Index, document: Document) -> int | None:
    """The row of the paper of the index that a document is: by identifier, else by its title."""
    for identifier in document.identifiers:
        try:
            return index.row_of(identifier)
        except PaperNotFound:
            continue
    begins = _letters(f"{document.title} {document.opening}")
    words = document.title or document.opening[:300]
    if not words.strip():
        return None
    scores = index.lexical.scores(words)
    for row in np.argsort(-scores, kind="stable")[:5]:
        title = _letters(index.papers[int(row)].plain_title)
        if scores[row] > 0 and title and _is_title(title, begins, _letters(document.title)):
            return int(row)
    return None


def _is_title(title: str, begins: str, own: str) -> bool:
    return title == own or (len(title) >= LONG_TITLE and title in begins)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _same_paper(hit: Hit, row: int | None, document: Document) -> bool:
    if row is not None:
        return hit.row == row
    mine = isinstance(hit.paper, ReadPaper) and hit.paper.own
    return mine and _letters(hit.paper.title) == _letters(document.title) != ""


def _chosen(question: str, text: FullText, encoder: Encoder, room: int) -> _Chosen:
    """The best passages by meaning and words, in the order of the text, neighbours joined."""
    if not text.passages:
        return _Chosen((), Nearness(0.0, 0.0), 0.0)
    words = shared_words(question, [frozenset(tokens(p.text)) for p in text.passages])
    looked_at = np.argsort(-words, kind="stable")[:MOST_ENCODED]
    meaning = _vectors(text, looked_at, encoder) @ encoder.encode([question])[0]
    worth = MEANING_WEIGHT * meaning + (1 - MEANING_WEIGHT) * words[looked_at]
    taken: list[int] = []
    for i in np.argsort(-worth, kind="stable"):
        n = int(looked_at[i])
        if (cost := len(text.passages[n].text)) <= room:
            taken.append(n)
            room -= cost
    top = np.argsort(-worth, kind="stable")[:NEAREST]
    held = _words_held(question, " ".join(text.passages[int(looked_at[i])].text for i in top))
    near = Nearness(float(np.sort(meaning)[-NEAREST:].mean()), held)
    return _Chosen(_joined(text.passages, sorted(taken)), near, float(max(0.0, worth.max())))


def _vectors(
    text: FullText, wanted: Sequence[int] | npt.NDArray[np.intp], encoder: Encoder
) -> Vectors:
    missing = [int(n) for n in wanted if (encoder.id, int(n)) not in text.vectors]
    if missing:
        vectors = encoder.encode([_with_section(text.passages[n]) for n in missing])
        text.vectors.update({(encoder.id, n): v for n, v in zip(missing, vectors, strict=True)})
    return np.stack([text.vectors[encoder.id, int(n)] for n in wanted])


def _with_section(passage: Passage) -> str:
    return f"{passage.section}. {passage.text}" if passage.section else passage.text


def _words_held(question: str, text: str) -> float:
    asked = set(tokens(question))
    return len(asked & set(tokens(text))) / len(asked) if asked else 0.0


def _joined(passages: Sequence[Passage], taken: Sequence[int]) -> tuple[Passage, ...]:
    """The passages taken; those that follow each other in a section are one, to be quoted across."""
    found: list[Passage] = []
    previous = -2
    for n in taken:
        passage = passages[n]
        if n == previous + 1 and found and found[-1].section == passage.section:
            found[-1] = Passage(passage.section, f"{found[-1].text} {passage.text}")
        else:
            found.append(passage)
        previous = n
    return tuple(found)


def _hit(index: Index, row: int | None, document: Document, chosen: _Chosen, rank: int) -> Hit:
    """A full text whose paper the search did not find, as a hit behind those that it found."""
    paper = (
        _own_paper(document, chosen.passages)
        if row is None
        else read_with(index.papers[row], chosen.passages, document.name)
    )
    meaning = min(1.0, max(0.0, chosen.near.meaning))
    score = min(1.0, chosen.score)
    parts = ScoreParts(dense=meaning, lexical=chosen.near.words, relevance=score, recency=0.0, impact=0.0)  # fmt: skip
    return Hit(paper, -1 if row is None else row, rank, rank, score, parts)


def _own_paper(document: Document, passages: tuple[Passage, ...]) -> ReadPaper:
    doi = next((i for i in document.identifiers if i.startswith("10.")), None)
    arxiv_id = next((i for i in document.identifiers if not i.startswith("10.")), None)
    return ReadPaper(
        title=document.title or document.name,
        abstract=document.abstract,
        authors=document.authors,
        year=document.year,
        arxiv_id=arxiv_id,
        doi=doi,
        passages=passages,
        file=document.name,
        own=True,
    )


def _coverage(index: Index, near: Nearness) -> Coverage | None:
    return coverage(
        near,
        encoder=index.manifest.encoder,
        n_papers=len(index.papers),
        named={},
        by_authors=False,
        last_year=9999,
        since=None,
    )


def _better(first: Coverage | None, second: Coverage | None) -> Coverage | None:
    known = [one for one in (first, second) if one is not None]
    return max(known, key=lambda one: one.probability, default=None)
