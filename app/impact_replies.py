"""An impact's row described for OpenAPI and MCP; see app/api_replies.py. Lists of identifiers are left out on request."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from retrieval.impact import Kind


def _left_out(ids: list[str] | None) -> bool:
    return ids is None


Ids = Annotated[list[str] | None, Field(exclude_if=_left_out)]


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")


class YearRow(_Reply):
    """One year: papers that used it and that only mention it, and their share with its interval."""

    year: int
    used: int
    mentioned: int
    papers: int
    share: float | None
    low: float | None
    high: float | None
    since_first: int | None
    used_ids: Ids = None


class GrowthRow(_Reply):
    """The share in the last years against the years before."""

    ratio: float | None
    low: float | None
    high: float | None
    late: list[int]
    early: list[int]


class WithinRow(_Reply):
    """Citations within so many years."""

    years: int
    papers: int
    covered: float | None
    mean: float | None
    expected: float | None
    ids: Ids = None


class CitationsRow(_Reply):
    """How often its papers are cited, against papers like them."""

    known: int
    unknown: int
    total: int | None
    median: float | None
    h_index: int | None
    h_ids: Ids = None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    compared: int
    without_category: int
    within: list[WithinRow]


class TopRow(_Reply):
    """One of its most cited papers."""

    id: str
    title: str
    authors: str
    year: int | None
    citation_count: int | None


class TogetherRow(_Reply):
    """A facility that the same papers used."""

    name: str
    papers: int
    ids: Ids = None


class CommonRow(_Reply):
    """A term of many titles."""

    term: str
    papers: int


class ChangedRow(_Reply):
    """A term that titles gained or lost."""

    term: str
    early: float
    late: float
    z: float
    ids: Ids = None


class TermsRow(_Reply):
    """Terms of titles, and which were gained and lost."""

    common: list[CommonRow]
    split_year: int | None
    early: int
    late: int
    gained: list[ChangedRow]
    lost: list[ChangedRow]


class ClusterRow(_Reply):
    """A cluster of the map: shares of the papers before and after."""

    cluster: str
    level: int
    number: int
    share_early: float | None
    share_late: float | None
    change: float | None
    low: float | None
    high: float | None
    direction: Literal["gained", "lost"] | None
    early_ids: Ids = None
    late_ids: Ids = None


class PlacesRow(_Reply):
    """Where on the map its papers lie."""

    split_year: int | None
    early: int
    late: int
    without_place: int
    year_unknown: int
    clusters: list[ClusterRow]


class ImpactRow(_Reply):
    """What one facility, method or topic contributed; `definitions` says what each number is."""

    name: str
    kind: Kind
    restricted: str | None
    as_of: str
    snapshot: str
    first_data: int | None
    last_data: int | None
    papers_in_scope: int
    used: int
    mentioned: int
    year_unknown: int
    first_paper_year: int | None
    median_age: float | None
    years: list[YearRow]
    growth: GrowthRow
    citations: CitationsRow
    top: list[TopRow]
    together: list[TogetherRow]
    matrix: list[list[int]]
    terms: TermsRow
    places: PlacesRow | None
    used_ids: Ids = None
    mentioned_ids: Ids = None
    definitions: dict[str, str]


class ImpactReply(_Reply):
    """Impacts side by side."""

    impacts: list[ImpactRow]
