"""The records that cross boundaries on the way out: settings, hits, results and answers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from indexer.records import Paper
from retrieval.coverage import Coverage, Nearness
from retrieval.errors import QueryError
from retrieval.understood import Understood

Mode = Literal["hybrid", "dense", "lexical"]
Preset = Literal["wayfinder", "pathfinder"]
PRESETS: tuple[Preset, ...] = ("wayfinder", "pathfinder")
MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")
MAX_K = 1000
MAX_HYDE_ABSTRACTS = 8


@dataclass(frozen=True)
class SearchFilters:
    """What a paper must be to be found at all; held inside the candidate search."""

    since: int | None = None  # first year, inclusive
    until: int | None = None  # last year, inclusive
    min_citations: int | None = None  # papers with unknown counts do not pass
    author: str | None = None  # family name, optionally with initials: "Riess" or "Riess, A"
    facility: str | None = None
    among: tuple[str, ...] | None = None  # bibcodes, arXiv ids or DOIs of the papers to look in

    def __post_init__(self) -> None:
        """Refuse empty names: they would pass nothing."""
        for name in ("author", "facility"):
            if getattr(self, name) is not None and not getattr(self, name).strip():
                raise QueryError(f"The {name} is empty: give a name, or leave it out.")
        if self.among is not None and not self.among:
            raise QueryError("The set of papers to look in is empty: name some, or leave it out.")

    @property
    def active(self) -> dict[str, str | int]:
        """The filters that are set, by name; a set of papers by how many they are."""
        values = asdict(self) | {"among": f"{len(self.among)} papers" if self.among else None}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class SearchSettings:
    """All that changes a result; `key` names it in caches.

    recency and impact are weights in [0, 1] added to a relevance in [0, 1]: 0 is the plain order.
    """

    k: int = 10
    mode: Mode = "hybrid"
    preset: Preset = "wayfinder"  # pathfinder: its published formulas, for comparison
    filters: SearchFilters = field(default_factory=SearchFilters)
    recency: float = 0.0
    impact: float = 0.0
    half_life_years: float = 5.0
    keyword_weight: float | None = None  # of words against meaning, in hybrid mode; None: by form
    understand: bool = True  # take years, objects, facilities, authors and fields from the question
    ignored: tuple[str, ...] = ()  # keys of understood items that the user took away
    hyde: bool = False  # also search for abstracts that a language model imagines
    hyde_abstracts: int = 1
    hyde_weight: float = 0.5  # of the imagined abstracts against the question
    rerank: bool | None = (
        None  # None: where one is configured, and in hybrid mode by the one that ships
    )
    diversity: float = 0.0  # above 0: papers unlike those before them are preferred
    offline: bool = False  # ask no server, SIMBAD included
    reviews_first: bool = False  # the reviews among the best papers come first

    def __post_init__(self) -> None:
        """Refuse settings out of range; k beyond MAX_K is refused too."""
        if not 1 <= self.k <= MAX_K:
            raise QueryError(f"k is {self.k}: ask for 1 to {MAX_K} papers.")
        if self.mode not in MODES:
            raise QueryError(f"mode is {self.mode!r}: choose one of {', '.join(MODES)}.")
        if self.preset not in PRESETS:
            raise QueryError(f"preset is {self.preset!r}: choose one of {', '.join(PRESETS)}.")
        for name in ("recency", "impact", "keyword_weight", "hyde_weight", "diversity"):
            if getattr(self, name) is not None and not 0 <= getattr(self, name) <= 1:
                raise QueryError(
                    f"{name} is {getattr(self, name)}: give a weight from 0 (off) to 1."
                )
        if not 1 <= self.hyde_abstracts <= MAX_HYDE_ABSTRACTS:
            raise QueryError(
                f"hyde_abstracts is {self.hyde_abstracts}: ask for 1 to {MAX_HYDE_ABSTRACTS}."
            )
        if not 0.1 <= self.half_life_years <= 100:
            raise QueryError(f"half_life_years is {self.half_life_years}: give 0.1 to 100 years.")
        since, until = self.filters.since, self.filters.until
        if since is not None and until is not None and since > until:
            raise QueryError(
                f"The years {since} to {until} hold nothing: the first must not be after the last."
            )

    @property
    def key(self) -> str:
        """A hash of every setting."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ScoreParts:
    """What a score was made of, each in [0, 1]: score = relevance + a·recency + b·impact.

    relevance = (1 - w)·dense + w·lexical in hybrid mode, w the keyword weight (unset, 0.5 for questions and
    0.6 for words as typed into a search box); where the question names
    an object or a facility, papers that name it gain NAMED_WEIGHTS and the sum is divided by its most.
    Where a reranker read the paper, its scores have a share in relevance, `reread` as they are between the worst (0) and
    the best (1) of the papers read. With the preset `pathfinder` relevance
    is the product of its formulas.
    """

    dense: float
    lexical: float
    relevance: float
    recency: float
    impact: float
    reread: float = 0.0  # what a reranker found
    named: float = 0.0  # 1 where the paper names what the question names
    shared_references: float = 0.0  # with the papers that `similar` was given
    citations: float = 0.0  # to, from or together with those papers


@dataclass(frozen=True)
class Hit:
    """One paper found, its rank from 1, and why it is there. No page sorts again."""

    paper: Paper
    row: int  # the paper's row in the index; -1 of a file that is not of it
    rank: int
    plain_rank: int  # the rank by relevance alone, without time and citation weights
    score: float
    parts: ScoreParts


@dataclass(frozen=True)
class SetAside:
    """A paper that was found and is not read, so that others are."""

    hit: Hit
    because: str  # "is by the team of", "says almost the same as"
    row: int  # of the paper that is read in its place


@dataclass(frozen=True)
class SearchResult:
    """A query as understood, what it found, and what was not done."""

    query: str
    words: str  # of the query, searched for; empty where it is all conditions
    understood: tuple[Understood, ...]  # taken from the question
    settings: SearchSettings
    hits: tuple[Hit, ...]
    best_cosine: (
        float | None
    )  # of the nearest paper by meaning; None where meaning was not asked for
    n_candidates: int  # papers that passed the filters
    n_papers: int  # papers in the index
    degraded: tuple[str, ...]  # what was asked for and not done, in words
    seconds: dict[str, float]  # by stage
    snapshot: str  # id of the index snapshot
    as_of: str  # the corpus date, ISO
    nearness: Nearness | None = None  # what coverage is judged by; None without meaning
    coverage: Coverage | None = None  # None where it cannot be judged
    displaced: tuple[Hit, ...] = ()  # among the first k without time and citation weights
    given: tuple[Paper, ...] = ()  # what `similar` compared with
    set_aside: tuple[SetAside, ...] = ()  # from an answer's evidence


Source = Literal["abstract", "full text"]


@dataclass(frozen=True)
class Evidence:
    """A quotation from paper `n` of the answer; `found` says whether it stands in that paper, and where."""

    n: int
    quote: str
    found: bool
    source: Source = "abstract"  # title and abstract are one
    section: str = ""  # of the full text, where it has a name


@dataclass(frozen=True)
class Sentence:
    """One sentence of an answer; supported only if every check of it passed."""

    text: str
    citations: tuple[int, ...]  # numbers of papers, from 1, that exist in the answer
    evidence: tuple[Evidence, ...]
    supported: bool
    problems: tuple[str, ...] = ()  # why it is not supported, in words
    entailment: float | None = None  # that its quotations carry it; None where not judged
    repaired: bool = False  # the model wrote it again after its first version failed
    theme: str = ""  # the heading that it stands under in a quoted answer that has several

    def text_with_citations(self) -> str:
        """The sentence followed by its numbers in brackets."""
        return self.text + "".join(f" [{n}]" for n in self.citations)


@dataclass(frozen=True)
class Checking:
    """What becomes of sentences that fail their checks: one repair, then marked or dropped."""

    repair: bool = True
    drop: bool = False  # what still fails is left out, and kept in `Answer.dropped`


@dataclass(frozen=True)
class Presumed:
    """What a question takes for granted, and the passage of the papers read that is nearest to saying it."""

    text: str
    n: int = 0  # the paper's number in the answer; 0 where no passage has most of its words
    quote: str = ""

    @property
    def told(self) -> str:
        """What the reader is told before the answer."""
        taken = f"The question takes for granted that {self.text}."
        if self.n:
            return f"{taken} Judge it first; the passage nearest to it is in paper {self.n}: “{self.quote}”"
        return f"{taken} No passage of the papers read says so: read what follows without it."


Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows computed by code, and which columns to plot against each other."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    plot: tuple[str, str] | None = None  # columns of x and y
    errors: tuple[str, str] | None = None  # columns of y's errors, down and up: points, not bars
    url: str = ""  # the same question at ADS


AnswerMode = Literal["synthesised", "extractive", "computed", "refused"]


@dataclass(frozen=True)
class Usage:
    """What the model cost: tokens as the server counted them, or None where it did not say."""

    model: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    calls: int = 0
    cost_usd: float | None = None  # None where no prices are set or tokens are unknown
    cached: int = 0  # replies that were kept from before and cost nothing

    @property
    def text(self) -> str:
        """Model, tokens and cost for people."""
        parts = [self.model]
        if self.cached and not self.calls:
            parts.append("kept from before")
        if self.prompt_tokens is not None and self.completion_tokens is not None:
            parts.append(f"{self.prompt_tokens + self.completion_tokens:,} tokens")
        if self.cost_usd is not None:
            parts.append(f"${self.cost_usd:.4f}")
        return ", ".join(parts)

    def told(self, *, written: bool) -> str:
        """What came of it: an answer, or nothing that could be used."""
        return f"Written by {self.text}" if written else f"{self.text} used, nothing usable came"

    def __add__(self, other: Usage) -> Usage:
        """Both together; a count that either server left out while it was called is unknown."""
        return Usage(
            self.model or other.model,
            _sum(self, other, "prompt_tokens"),
            _sum(self, other, "completion_tokens"),
            self.calls + other.calls,
            _sum(self, other, "cost_usd"),
            self.cached + other.cached,
        )


def _sum(first: Usage, second: Usage, name: str) -> Any:
    counts = [getattr(usage, name) for usage in (first, second) if usage.calls]
    return None if None in counts or not counts else sum(counts)


@dataclass(frozen=True)
class Answer:
    """A question, its answer sentence by sentence, and the papers it stands on.

    `papers[i]` is the paper cited as `i + 1`. `refused` answers hold no sentence but say why, with
    the nearest papers. `degraded` says what was asked for and not done.
    """

    question: str
    mode: AnswerMode
    sentences: tuple[Sentence, ...]
    papers: tuple[Hit, ...]
    refused: bool
    reason: str  # of the refusal, in words; empty otherwise
    degraded: tuple[str, ...]
    usage: Usage
    seconds: dict[str, float]
    search: SearchResult
    kind: str = "papers"  # of question: see question_type.TYPES
    kind_by: str = "default"  # what decided it: rules, model, user or default
    tables: tuple[Table, ...] = ()
    statement: str = ""  # what a verdict is on
    statement_by: str = ""  # rules, model, user, or question: as it was asked
    presumed: Presumed | None = None  # what the question takes for granted
    dropped: tuple[Sentence, ...] = ()  # failed their checks and were to be left out

    @property
    def set_aside(self) -> list[tuple[Hit, str]]:
        """The papers found and not read, each with the reason: "is by the team of [1]"."""
        number = {hit.row: n for n, hit in enumerate(self.papers, 1)}
        return [
            (aside.hit, f"{aside.because} [{number[aside.row]}]")
            for aside in self.search.set_aside
            if aside.row in number and aside.hit.row not in number
        ]

    @property
    def text(self) -> str:
        """The answer as one paragraph with citation numbers, or the reason of the refusal."""
        return (
            " ".join(s.text_with_citations() for s in self.sentences)
            if self.sentences
            else self.reason
        )
