"""What programs get, typed: the rows of retrieval.rows and retrieval.impact_rows, described for OpenAPI and MCP.

The rows are made there, for the command line too; a test holds these descriptions to them.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from retrieval.coverage import Level
from retrieval.question_type import QuestionType
from retrieval.records import AnswerMode, Cell, Source
from retrieval.understood import Kind as UnderstoodKind


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Parts(_Reply):
    """What a score was made of, each in [0, 1]."""

    dense: float
    lexical: float
    relevance: float
    recency: float
    impact: float
    reread: float
    named: float
    shared_references: float
    citations: float


class PaperFacts(_Reply):
    """A paper's identifiers and bibliographic facts."""

    bibcode: str | None
    arxiv_id: str | None
    doi: str | None
    title: str
    authors: list[str]
    year: int | None
    citation_count: int | None
    journal: str | None
    ads_url: str | None
    arxiv_url: str | None


class HitRow(PaperFacts):
    """One paper found, its rank and score, and why it is there."""

    rank: int
    plain_rank: int
    score: float
    parts: Parts
    abstract: str | None = None


class UnderstoodRow(_Reply):
    """One thing understood of a question; `ignore` takes its key."""

    kind: UnderstoodKind
    label: str
    effect: Literal["narrows", "boosts", "first", "corrects"]
    key: str


class CoverageRow(_Reply):
    """Whether the index holds papers on the question's subject."""

    level: Level
    probability: float
    reason: str


class SearchReply(_Reply):
    """A search: papers in order, what was understood, what was not done."""

    query: str
    hits: list[HitRow]
    displaced: list[HitRow]
    understood: list[UnderstoodRow]
    coverage: CoverageRow | None
    degraded: list[str]
    n_candidates: int
    n_papers: int
    seconds: dict[str, float]
    snapshot: str
    as_of: str


class PaperReply(PaperFacts):
    """All that the index knows of one paper."""

    abstract: str
    date: str | None
    doctype: str | None
    keywords: list[str]
    categories: list[str]
    references: list[str]
    aliases: list[str]
    used: list[str] | None
    mentioned: list[str] | None
    methods: list[str] | None
    snapshot: str
    as_of: str


class EvidenceRow(_Reply):
    """A quotation, and whether and where it stands in paper `n`."""

    n: int
    quote: str
    found: bool
    source: Source
    section: str


class SentenceRow(_Reply):
    """One sentence with the papers it cites and what its checks found."""

    text: str
    citations: list[int]
    supported: bool
    problems: list[str]
    entailment: float | None
    repaired: bool
    theme: str
    evidence: list[EvidenceRow]


class CitedRow(HitRow):
    """A paper of an answer, cited by its number."""

    n: int
    full_text: dict[str, Any] | None = None


class SetAsideRow(HitRow):
    """A paper found and not read, and why."""

    because: str


class BasisRow(_Reply):
    """From what an answer was made, and what was not searched."""

    n_read: int
    first_year: int | None
    last_year: int | None
    n_candidates: int
    n_papers: int
    as_of: str
    not_searched: list[str]
    ads_url: str
    counted: bool
    n_full_text: int
    text: str


class TypeRow(_Reply):
    """The kind of question, and what decided it."""

    name: QuestionType
    by: str


class StatementRow(_Reply):
    """The statement that a verdict is on."""

    text: str
    by: str


class PresumedRow(_Reply):
    """What a question takes for granted."""

    text: str
    n: int
    quote: str


class TableRow(_Reply):
    """Rows computed by code."""

    title: str
    columns: list[str]
    rows: list[list[Cell]]
    plot: list[str] | None
    errors: list[str] | None
    url: str


class UsageRow(_Reply):
    """What the language model cost."""

    model: str
    prompt_tokens: int | None
    completion_tokens: int | None
    calls: int
    cost_usd: float | None
    cached: int


class ThreadRow(_Reply):
    """Goes back as `after` of a further question."""

    question: str
    papers: list[str]


class AskReply(_Reply):
    """An answer: its sentences with citations and evidence, its papers, and what was not done."""

    question: str
    answer: str
    sentences: list[SentenceRow]
    dropped: list[SentenceRow]
    papers: list[CitedRow]
    set_aside: list[SetAsideRow]
    refused: bool
    reason: str
    mode: AnswerMode
    basis: BasisRow
    type: TypeRow
    statement: StatementRow | None
    presumed: PresumedRow | None
    tables: list[TableRow]
    understood: list[UnderstoodRow]
    coverage: CoverageRow | None
    degraded: list[str]
    usage: UsageRow
    seconds: dict[str, float]
    thread: ThreadRow
    snapshot: str
    as_of: str


class StageRow(_Reply):
    """One event of an answer in the making."""

    stage: Literal["searching", "reading", "writing", "repairing"]
    papers: list[CitedRow] | None = None
    n_candidates: int | None = None
    sentence: SentenceRow | None = None
    words: str | None = None


class HealthReply(_Reply):
    """What is served."""

    status: Literal["ok"]
    version: str
    n_papers: int
    snapshot: str
    as_of: str
    encoder: str
    facilities: bool
    map: bool
    writes: bool
