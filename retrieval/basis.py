"""From what an answer was made, and what was not searched: said with every answer."""

from __future__ import annotations

from dataclasses import dataclass

from retrieval.ads_link import ads_search_url
from retrieval.passages import in_full
from retrieval.records import Answer


@dataclass(frozen=True)
class Basis:
    """What an answer rests on. Years are None where no paper read has one."""

    n_read: int
    first_year: int | None
    last_year: int | None
    n_candidates: int  # papers that passed the filters
    n_papers: int  # papers in the index
    as_of: str  # corpus date, ISO
    not_searched: tuple[str, ...]
    ads_url: str  # the same words at ADS
    counted: bool = False  # counted in all papers that passed the filters, none read
    n_full_text: int = 0  # of those read, with passages of their full text

    @property
    def text(self) -> str:
        """The basis in one sentence."""
        if self.counted:
            return (
                f"Counted in {self.n_candidates:,} papers, out of {self.n_papers:,} in this index as of {self.as_of}. "
                f"Not searched: {'; '.join(self.not_searched)}."
            )
        n = f"{self.n_read} paper{'' if self.n_read == 1 else 's'}"
        years = ""
        if self.first_year is not None:
            same = self.first_year == self.last_year
            years = f" of {self.first_year}" + ("" if same else f" to {self.last_year}")
        in_full = ""
        if self.n_full_text:
            in_full = f", {self.n_full_text} of them with full text"
        return (
            f"From {n}{years}{in_full}, out of {self.n_papers:,} in this index as of {self.as_of}. "
            f"Not searched: {'; '.join(self.not_searched)}."
        )


def basis(answer: Answer) -> Basis:
    """Say what `answer` was made from; of a refusal, what was looked at."""
    search = answer.search
    years = [hit.paper.year for hit in answer.papers if hit.paper.year is not None]
    left_out = search.n_papers - search.n_candidates
    n_full_text = len(in_full(hit.paper for hit in answer.papers))
    others = "full texts of the other papers" if n_full_text else "full texts"
    not_searched = [others, "papers outside this index"]
    if left_out:
        not_searched.insert(1, f"{left_out:,} papers that the conditions leave out")
    meant = search.understood
    return Basis(
        n_read=len(answer.papers),
        first_year=min(years, default=None),
        last_year=max(years, default=None),
        n_candidates=search.n_candidates,
        n_papers=search.n_papers,
        as_of=search.as_of,
        not_searched=tuple(not_searched),
        ads_url=ads_search_url(
            answer.question,
            since=max((i.since for i in meant if i.since is not None), default=None),
            until=min((i.until for i in meant if i.until is not None), default=None),
        ),
        counted=answer.mode == "computed",
        n_full_text=n_full_text,
    )
