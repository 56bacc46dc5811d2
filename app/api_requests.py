"""What programs may ask, typed: the same for the HTTP API and for the Model Context Protocol.

Names and meanings are those of the command line. Nothing is taken for another type, and an unknown name is
an error: a misspelt filter must not become a search without it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.options import search_settings
from retrieval.followup import MOST_KEPT, Context
from retrieval.impact import MOST_COMPARED, Kind, Scope
from retrieval.question_type import QuestionType
from retrieval.records import MAX_HYDE_ABSTRACTS, MAX_K, Mode, Preset, SearchFilters, SearchSettings
from retrieval.search import MAX_QUERY_CHARACTERS
from retrieval.similar import MOST_CHARACTERS, MOST_PAPERS, Likeness
from retrieval.synthesis import MAX_LANGUAGE_CHARACTERS, AnswerStyle

MOST_IDENTIFIERS = 10_000
MOST_READ = 50  # papers that one answer is made from
A_WORD = r"\S"

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=A_WORD)]
Identifier = Annotated[
    str,
    Field(min_length=1, max_length=200, pattern=A_WORD, description="A bibcode, arXiv id or DOI."),
]
Text = Annotated[str, Field(min_length=2, max_length=MAX_QUERY_CHARACTERS, pattern=r"\S\s*\S")]
Year = Annotated[int, Field(ge=1, le=9999)]
Weight = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
NPapers = Annotated[int, Field(ge=1, le=MAX_K)]
Identifiers = Annotated[list[Identifier], Field(min_length=1, max_length=MOST_IDENTIFIERS)]
Style = Literal["brief", "standard", "detailed"]
Audience = Literal["astronomer", "other field", "student", "press", "public", "child"]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Dated(_Asked):
    since: Year | None = Field(default=None, description="Only papers of this year or later.")
    until: Year | None = Field(default=None, description="Only papers of this year or earlier.")


class _Filtered(_Dated):
    min_citations: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        default=None, description="Only papers known to have this many citations."
    )
    author: Name | None = Field(default=None, description='Only papers by this author: "Riess, A".')
    facility: Name | None = Field(
        default=None, description='Only papers that name this facility: "JWST".'
    )
    among: Identifiers | None = Field(default=None, description="Only these papers.")


class _Ranked(_Filtered):
    recency: Weight = Field(default=0.0, description="Weight of recency.")
    impact: Weight = Field(
        default=0.0, description="Weight of citations among papers of the same year."
    )
    keyword_weight: Weight | None = Field(default=None, description="Words against meaning.")
    plain: bool = Field(default=False, description="Understand nothing in the question.")
    ignore: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=50)] = Field(
        default=[], description="Keys of understood things to take away."
    )
    hyde: bool = Field(
        default=False, description="Also search for abstracts that a model imagines."
    )
    rerank: bool | None = Field(
        default=None,
        description="Read the first papers again. Default: where a reranker is configured, and in hybrid search.",
    )

    def ranking(self, **others: Any) -> SearchSettings:
        """The search's settings; `others` are further ones by their own names."""
        return search_settings(
            since=self.since,
            until=self.until,
            min_citations=self.min_citations,
            author=self.author,
            facility=self.facility,
            among=tuple(self.among) if self.among is not None else None,
            plain=self.plain,
            ignore=self.ignore,
            recency=float(self.recency),
            impact=float(self.impact),
            keyword_weight=self.keyword_weight,
            hyde=self.hyde,
            rerank=self.rerank,
            **others,
        )


class SearchRequest(_Ranked):
    """A search in plain words."""

    query: Text = Field(description="What you are looking for, in plain words.")
    k: NPapers = Field(default=10, description="How many papers.")
    mode: Mode = Field(
        default="hybrid", description="Words and meaning, meaning alone, words alone."
    )
    preset: Preset = "wayfinder"
    half_life: Annotated[float, Field(ge=0.1, le=100, allow_inf_nan=False)] = Field(
        default=5.0, description="Years after which recency has halved."
    )
    hyde_abstracts: Annotated[int, Field(ge=1, le=MAX_HYDE_ABSTRACTS)] = 1
    hyde_weight: Weight = 0.5
    diversity: Weight = Field(default=0.0, description="Prefer papers unlike those before them.")
    reviews_first: bool = False
    abstracts: bool = Field(default=False, description="Give each paper's abstract too.")

    def settings(self) -> SearchSettings:
        """What the core searches with."""
        return self.ranking(
            k=self.k,
            mode=self.mode,
            preset=self.preset,
            half_life_years=self.half_life,
            hyde_abstracts=self.hyde_abstracts,
            hyde_weight=self.hyde_weight,
            diversity=self.diversity,
            reviews_first=self.reviews_first,
        )


class Thread(_Asked):
    """What an answer leaves for a further question: `thread` of its reply."""

    question: Text
    papers: Annotated[list[Identifier], Field(max_length=MOST_KEPT)] = []

    def context(self) -> Context:
        """As the core has it."""
        return Context(self.question, tuple(self.papers))


class AskRequest(_Ranked):
    """A question to be answered from the papers."""

    question: Text = Field(description="A question in plain words.")
    after: Thread | None = Field(
        default=None, description="The question goes on from this: `thread` of an earlier reply."
    )
    type: QuestionType | None = Field(
        default=None, description="Kind of question. Default: found out."
    )
    statement: Text | None = Field(default=None, description="The statement that a verdict is on.")
    style: Style = "standard"
    audience: Audience = "astronomer"
    language: Annotated[str, Field(min_length=1, max_length=MAX_LANGUAGE_CHARACTERS)] = "English"
    papers: Annotated[int, Field(ge=1, le=MOST_READ)] = Field(
        default=8, description="How many papers are read."
    )
    balance: bool = Field(default=True, description="Near-duplicates make room for other papers.")
    repair: bool = Field(default=True, description="Have failed sentences written once more.")
    drop_unsupported: bool = Field(
        default=False, description="Leave out sentences that fail checks."
    )
    offline: bool = Field(default=False, description="No language model: quote the papers.")

    def wording(self) -> AnswerStyle:
        """Length, reader and language."""
        return AnswerStyle(style=self.style, audience=self.audience, language=self.language)


class SimilarRequest(_Dated):
    """Papers like given ones, like a text, or like both."""

    papers: Annotated[list[Identifier], Field(max_length=MOST_PAPERS)] = Field(
        default=[], description="Papers of the index."
    )
    text: Annotated[str, Field(max_length=MOST_CHARACTERS)] = Field(
        default="", description="An abstract or a draft; what it cites by identifier is left out."
    )
    by: Likeness = Field(default="meaning", description="What is compared.")
    k: NPapers = Field(default=10, description="How many papers.")
    min_citations: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    diversity: Weight = 0.0
    reviews_first: bool = False
    abstracts: bool = Field(default=False, description="Give each paper's abstract too.")

    def settings(self) -> SearchSettings:
        """What the core searches with."""
        return SearchSettings(
            k=self.k,
            filters=SearchFilters(
                since=self.since, until=self.until, min_citations=self.min_citations
            ),
            diversity=float(self.diversity),
            reviews_first=self.reviews_first,
        )


class ImpactRequest(_Dated):
    """What facilities, methods or topics contributed."""

    names: Annotated[list[Name], Field(min_length=1, max_length=MOST_COMPARED)] = Field(
        description="Facilities by any of their names, methods or topics."
    )
    kind: Kind = "facility"
    query: Annotated[str, Field(max_length=1000)] = Field(
        default="", description="Only papers whose title or abstract holds all these words."
    )
    papers: Identifiers | None = Field(default=None, description="Only these papers.")
    identifiers: bool = Field(default=True, description="List the papers behind each number.")

    def scope(self) -> Scope:
        """The papers that are looked at."""
        papers = tuple(self.papers) if self.papers is not None else None
        return Scope(self.query, self.since, self.until, papers)
