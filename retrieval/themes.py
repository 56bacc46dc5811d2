"""Themes of a quoted answer: its papers under short headings in their own words, where there are several.

A heading is a term that the papers under it share as a subject: it stands in their titles or in what is quoted,
or returns in their abstracts. Terms are weighed by the class-based TF-IDF that names the regions of
the map, against the papers that the search found. Where no good headings part the answer it has none.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from indexer.labels import TermCounts, forms, usual, worth
from indexer.store import Index
from indexer.tokens import tokens
from retrieval.records import Hit, Sentence
from retrieval.tables import kinds

REST = "Other points"  # what stands under no heading
FEWEST_SENTENCES = 6  # of an answer that is parted
FEWEST_PAPERS = 2  # under a heading
MOST_THEMES = 4
MOST_SHARE = 0.7  # of the papers quoted, under one heading
LEAST_COVERED = 0.5  # of the papers quoted, under headings
SUBJECT = 2  # mentions that make a term a paper's subject; in title or quotation one is enough

_ACRONYM = re.compile(r"[A-Z]{3,6}s?")
# A heading ends in a noun: "dense circumstellar" and "magnetically driven" are pieces.
_NO_NOUN = re.compile(
    r"(?:ed|ing|ly|al|ive|ous|ic|able|ible|ent|ant|ary|ar|est|er|tum|-(?:driven|like|type|mass|scale))$"
)
_NOUN_AFTER_ALL = re.compile(
    r"(?:micro|re)?(?:lens|brak|cool|heat|quench|cluster|mix|coupl|scatter|broaden|tim|r|spr|w)ing"
)
# and in none of these: "discs around" goes on
_GOES_ON = re.compile(
    r"(?:.* )?(?:around|between|within|across|towards?|through|among|near|during|via|from|beyond|inside|per|using|than)"
)
_PIECE = re.compile(r"^(?:many|more|less|same|new|such|various|several|similar|different|other)\b")
_ONE_WORD_KINDS = ("compact object", "star", "standard", "planet", "particle", "molecule")

Stems = tuple[str, ...]


@dataclass(frozen=True)
class _Heading:
    words: str
    papers: frozenset[int]  # that have it as a subject, by their numbers in the answer
    worth: float


def themed(
    question: str,
    sentences: Sequence[Sentence],
    hits: Sequence[Hit],
    index: Index,
    found: Sequence[int],
) -> list[Sentence]:
    """The quoted sentences by theme, the best theme first, or as they are where no headings part them.

    Each sentence quotes one paper; a paper's sentences stay together and in their order. `found` are the
    rows of the papers that the search found, among which a heading's words must be rare.
    """
    papers = list(dict.fromkeys(sentence.citations[0] for sentence in sentences))
    if len(sentences) < FEWEST_SENTENCES or len(papers) < 2 * FEWEST_PAPERS:
        return list(sentences)
    themes = _chosen(_headings(question, sentences, hits, index, found), papers)
    covered = {n for _, group in themes for n in group}
    if len(themes) < 2 or len(covered) < LEAST_COVERED * len(papers):
        return list(sentences)
    rest = frozenset(papers) - covered
    themes.sort(key=lambda theme: min(map(papers.index, theme[1])))
    return [
        replace(sentence, theme=heading)
        for heading, group in [*themes, (REST, rest)]
        for sentence in sentences
        if sentence.citations[0] in group
    ]


def _headings(
    question: str,
    sentences: Sequence[Sentence],
    hits: Sequence[Hit],
    index: Index,
    found: Sequence[int],
) -> list[_Heading]:
    """What could stand over two papers and more, with its worth."""
    n_papers = len({sentence.citations[0] for sentence in sentences})
    rows = {hits[s.citations[0] - 1].row for s in sentences} | set(found)
    counted = np.array(sorted(row for row in rows if row >= 0), dtype=np.int64)
    if not len(counted):
        return []
    counts = TermCounts(index.lexical, counted)
    columns, bonus = counts.columns, counts.bonus
    mentions, written = _mentions(sentences, hits, columns)
    everywhere = np.asarray(counts.matrix.mean(axis=0)).ravel()
    asked = tokens(question)
    headings = []
    for stems, weights in mentions.items():
        group = frozenset(n for n, weight in weights.items() if weight >= SUBJECT)
        if not FEWEST_PAPERS <= len(group) <= MOST_SHARE * n_papers:
            continue
        words = usual(written[stems])
        if _reads_well(stems, words, asked):
            at = columns[stems]
            value = float(worth(np.ones(1), everywhere[[at]], bonus[[at]])[0])
            headings.append(_Heading(words, group, value))
    return headings


def _mentions(
    sentences: Sequence[Sentence], hits: Sequence[Hit], terms: Container[Stems]
) -> tuple[Mapping[Stems, Counter[int]], Mapping[Stems, Counter[str]]]:
    """How much each paper quoted is about each of the `terms`, and how the papers write it."""
    mentions: defaultdict[Stems, Counter[int]] = defaultdict(Counter)
    written: defaultdict[Stems, Counter[str]] = defaultdict(Counter)
    for n in dict.fromkeys(sentence.citations[0] for sentence in sentences):
        paper = hits[n - 1].paper
        quotes = [e.quote for s in sentences if s.citations[0] == n for e in s.evidence]
        weighed = [(paper.plain_title, SUBJECT), (paper.plain_abstract, 1)]
        for text, weight in [*weighed, *((quote, SUBJECT) for quote in quotes)]:
            for stems, form in forms(text, terms):
                mentions[stems][n] += weight
                written[stems][form] += 1
    return mentions, written


def _reads_well(stems: Stems, words: str, asked: Sequence[str]) -> bool:
    """Whether a term says more than the question, ends in a noun and is no piece of a phrase."""
    if set(stems) <= set(asked) or _PIECE.search(words) or " and " in words:
        return False
    last = words.rsplit(maxsplit=1)[-1]
    if len(stems) == 1:
        return bool(_ACRONYM.fullmatch(words)) or words.casefold() in _one_word()
    if _GOES_ON.fullmatch(words):
        return False
    if last.islower() and _NO_NOUN.search(last) and not _NOUN_AFTER_ALL.fullmatch(last):
        return False
    repeated = [word for word in stems if word in asked]
    together = " ".join(repeated) in " ".join(asked)
    return len(repeated) < 2 or (together and " of " not in words)


@cache
def _one_word() -> frozenset[str]:
    """The single words that name a kind of thing in the sky."""
    return frozenset(
        form.casefold() + plural
        for kind, rows in kinds()
        if kind in _ONE_WORD_KINDS
        for members in rows
        for form in members
        for plural in ("", "s")
    )


def _chosen(
    headings: Sequence[_Heading], papers: Sequence[int]
) -> list[tuple[str, frozenset[int]]]:
    """The headings that part the papers best, each with those that no better one has taken."""
    left = frozenset(papers)
    chosen: list[tuple[str, frozenset[int]]] = []
    while len(chosen) < MOST_THEMES:
        useful = [h for h in headings if len(h.papers & left) >= FEWEST_PAPERS]
        best = max(useful, key=lambda h: (h.worth * len(h.papers & left) ** 0.5, h.words), default=None)  # fmt: skip
        if best is None or best.worth <= 0:
            break
        chosen.append((best.words[:1].upper() + best.words[1:], best.papers & left))
        left -= best.papers
    return chosen
