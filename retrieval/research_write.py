"""The sentences of a research report: written by the model and checked, else noted, else quoted.

Every sentence passes retrieval.verify.check_sentence against the papers it was written from; one that
fails is written once more, and stays marked when it fails again.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import numpy as np

from indexer.sentences import split_sentences
from indexer.store import Index
from retrieval.errors import LLMError
from retrieval.extract import extract
from retrieval.llm import LLM, Reply
from retrieval.prompts import render
from retrieval.records import Hit, Sentence
from retrieval.repair import repaired
from retrieval.research_read import Strand
from retrieval.research_records import Cited, WrittenBy
from retrieval.sentence_vectors import sentence_vectors
from retrieval.synthesis import (
    AUDIENCES,
    SENTENCES_SCHEMA,
    SYSTEM,
    USER,
    AnswerStyle,
    paper_blocks,
    read_drafts,
)
from retrieval.verify import Draft, check_sentence

SECTION_PAPERS = 10
OVERVIEW_PAPERS = 12
MOST_NOTES = 8  # of a section that is made of notes

SECTION = (
    "Answer the question from several papers: what each adds, and how they fit together.",
    "Answer in four to seven sentences.",
)
SHORT_ANSWER = (
    "Give the short answer to the whole question: what follows from the papers together.",
    "Answer in two to four sentences.",
)
DISAGREEMENTS = (
    "Say only where these papers disagree, in results or in interpretation: both sides in one sentence, "
    "each with its papers. Do not repeat on what they agree.",
    'Write no more than four sentences. If they disagree on nothing, reply with {"sentences": []} alone.',
)

MOST_DEBATED, MOST_QUOTED_WORDS = 4, 70
_DEBATE = re.compile(
    r"\b(?:tensions?|disagree\w*|debate[ds]?|controvers\w+|discrepan\w+|inconsistent with|contradict\w*|contrary to"
    r"|in contrast (?:to|with)|at odds)\b",
    re.IGNORECASE,
)


@dataclass
class Written:
    """A section's sentences and what made them."""

    sentences: list[Cited] = field(default_factory=list)
    by: WrittenBy = "nothing"
    note: str = ""
    dropped: list[Cited] = field(default_factory=list)


@dataclass(frozen=True)
class Writer:
    """Writes from papers that a run has read."""

    index: Index
    model: LLM | None

    def section(self, strand: Strand) -> Written:
        """The section on one sub-question, from the papers that said most on it."""
        if not strand.hits:
            return Written(note=strand.refusal or "It was not searched: the run ended before.")
        hits = _best(strand)
        written, note = self.written(strand.question, hits, *SECTION)
        if any(c.sentence.supported for c in written):
            return Written(written, "model", note)
        if written:
            note = f"None of the model's {len(written)} sentences passed its checks."
        if strand.notes:
            return Written(strand.notes[:MOST_NOTES], "notes", note, dropped=written)
        quoted = self.quoted(strand.question, hits)
        return Written(quoted, "quotes" if quoted else "nothing", note, dropped=written)

    def written(
        self, question: str, hits: Sequence[Hit], task: str, length: str
    ) -> tuple[list[Cited], str]:
        """The model's sentences on `question`, checked and repaired once, and a note on what failed."""
        if self.model is None or not hits:
            return [], ""
        papers = [hit.paper for hit in hits]
        fence = f"MATERIAL-{secrets.token_hex(8)}"
        style = AnswerStyle()
        system = render(SYSTEM, fence=fence, task=task, length=length, language=style.language,
                        audience=AUDIENCES[style.audience])  # fmt: skip
        user = render(
            USER, fence=fence, papers=paper_blocks(papers), question=question, n_papers=len(papers)
        )
        sentences: list[Sentence] = []
        note = ""
        reply = Reply()
        try:
            pieces = self.model.stream(system, user, reply, schema=SENTENCES_SCHEMA)
            for draft in read_drafts(pieces):
                sentences.append(check_sentence(draft, papers, self.index.encoder))
            if any(not s.supported for s in sentences):
                sentences = repaired(
                    self.model, sentences, papers, style, Reply(),
                    lambda draft: check_sentence(draft, papers, self.index.encoder),
                )  # fmt: skip
        except LLMError as error:
            note = str(error)
        else:
            if not sentences and '"sentences"' not in "".join(reply.pieces):
                note = "The language model gave no usable sentences."
        rows = tuple(hit.row for hit in hits)
        return [Cited(sentence, rows) for sentence in sentences], note

    def quoted(self, question: str, hits: Sequence[Hit]) -> list[Cited]:
        """The papers' own sentences on a question."""
        rows = tuple(hit.row for hit in hits)
        return [Cited(sentence, rows) for sentence in extract(question, hits, self.index.encoder)]

    def debated(self, question: str, hits: Sequence[Hit]) -> list[Cited]:
        """Sentences of the papers that speak of tension or debate, quoted, nearest to the question first."""
        found = [
            (n, text)
            for n, hit in enumerate(hits, 1)
            for text in split_sentences(hit.paper.plain_abstract)
            if _DEBATE.search(text) and len(text.split()) <= MOST_QUOTED_WORDS
        ]
        if not found:
            return []
        vectors = sentence_vectors([question, *(text for _, text in found)], self.index.encoder)
        order = np.argsort(-(vectors[1:] @ vectors[0]), kind="stable")[:MOST_DEBATED]
        papers, rows = [hit.paper for hit in hits], tuple(hit.row for hit in hits)
        cited = []
        for n, text in (found[i] for i in order):
            checked = check_sentence(Draft(text, (n,), ((n, text),)), papers)
            who = f"{papers[n - 1].author_label} ({papers[n - 1].year or 'year unknown'})"
            cited.append(Cited(replace(checked, text=f"{who}: “{text}”"), rows))
        return cited


def _best(strand: Strand) -> list[Hit]:
    """The papers a section is written from: by turns one that the search found and one that following it led to.

    Those that said something come before those that did not.
    """
    found = {hit.row for hit in strand.result.hits} if strand.result else set()
    useful = dict.fromkeys(strand.useful)
    searched = [row for row in useful if row in found]
    led_to = sorted(
        (row for row in useful if row not in found), key=lambda r: -strand.hits[r].score
    )
    by_turns = [row for pair in zip_longest(searched, led_to) for row in pair if row is not None]
    rows = dict.fromkeys([*by_turns, *strand.hits])
    return [strand.hits[row] for row in list(rows)[:SECTION_PAPERS]]


def most_cited(sections: Sequence[Written], strands: Sequence[Strand]) -> list[Hit]:
    """The papers that the sections stand on, the most cited first, at least one of each section."""
    hits = {row: hit for strand in strands for row, hit in strand.hits.items()}
    counts: dict[int, int] = {}
    leading: dict[int, None] = {}
    for section in sections:
        cited = [row for c in section.sentences if c.sentence.supported for row in c.cited_rows]
        for row in cited:
            counts[row] = counts.get(row, 0) + 1
        leading |= dict.fromkeys(cited[:1])
    rest = sorted(counts, key=lambda row: -counts[row])
    return [hits[row] for row in dict.fromkeys([*leading, *rest])][:OVERVIEW_PAPERS]
