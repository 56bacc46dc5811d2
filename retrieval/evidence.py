"""Which of the papers found an answer is made from: near-duplicates are one, and no team crowds out the rest.

A preprint and its journal version are one paper since the index was built; what is left are texts that
say almost the same (a conference abstract and its paper, an erratum) and series of one team.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from indexer.records import Paper
from indexer.store import Index
from retrieval.consensus import one_team
from retrieval.records import Hit, SearchResult, SetAside

POOL = 3  # papers looked at for each that is read
TEAM_SHARE = 4  # one paper in so many may be of one team, but always FEWEST_OF_TEAM
FEWEST_OF_TEAM = 2
REPLACES = 0.9  # of a set-aside paper's score: what another must have to be read in its place
ALIKE_COSINE = 0.87  # below it texts are not compared
ALIKE_WORDS = 0.5  # of the runs of words of both that they share
RUN = 4  # words

_CORRECTION = re.compile(
    r"^(?:(?:publisher|author) )?(?:erratum|corrigendum|correction|addendum)s?\b(?: (?:to|for))?\s*[:.]?\s*",
    re.IGNORECASE,
)


def balanced(index: Index, found: SearchResult, n_papers: int) -> SearchResult:
    """Return the result with the `n_papers` hits to read, in their order; the rest is set aside or cut off.

    A further paper of a team that has its share waits, and is read after all where no other comes near
    its score. Where the question asks for an author, teams are no matter.
    """
    teams = not (_asks_for_author(found))
    most = max(FEWEST_OF_TEAM, n_papers // TEAM_SHARE)
    vectors = _vectors(index, found.hits)
    chosen: list[int] = []
    waiting: list[int] = []
    aside: dict[int, tuple[str, int]] = {}
    for i, hit in enumerate(found.hits):
        while waiting and len(chosen) < n_papers and hit.score < REPLACES * found.hits[waiting[0]].score:  # fmt: skip
            chosen.append(waiting.pop(0))
        if len(chosen) >= n_papers:
            break
        twin = next((j for j in chosen if _alike(found.hits[j], hit, float(vectors[i] @ vectors[j]))), None)  # fmt: skip
        mates = [j for j in chosen if teams and one_team(found.hits[j].paper, hit.paper)]
        if twin is not None:
            aside[i] = ("says almost the same as", twin)
        elif len(mates) >= most:
            waiting.append(i)
            aside[i] = ("is by the team of", mates[0])
        else:
            chosen.append(i)
    chosen += waiting[: n_papers - len(chosen)]
    kept = sorted(chosen)
    return replace(
        found,
        settings=replace(found.settings, k=n_papers),
        hits=tuple(found.hits[i] for i in kept),
        displaced=_displaced(found, set(kept), n_papers),
        set_aside=tuple(
            SetAside(found.hits[i], why, found.hits[j].row)
            for i, (why, j) in aside.items()
            if i not in kept
        ),
    )


def _asks_for_author(found: SearchResult) -> bool:
    asked = any(item.kind in ("author", "first author") for item in found.understood)
    return asked or found.settings.filters.author is not None


def _vectors(
    index: Index, hits: Sequence[Hit]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(index.vectors[[hit.row for hit in hits]], dtype=np.float32)


def _alike(first: Hit, second: Hit, cosine: float) -> bool:
    """Whether two papers are one for a reader: almost the same words, or a correction of the other."""
    if _corrects(first.paper, second.paper) and _bare_title(first.paper) == _bare_title(second.paper):  # fmt: skip
        return True
    if cosine < ALIKE_COSINE:
        return False
    one, other = _runs(first.paper), _runs(second.paper)
    return len(one & other) >= ALIKE_WORDS * min(len(one), len(other)) > 0


def _corrects(first: Paper, second: Paper) -> bool:
    return any(_CORRECTION.match(paper.plain_title) for paper in (first, second))


def _bare_title(paper: Paper) -> str:
    return re.sub(r"[\W_]+", "", _CORRECTION.sub("", paper.plain_title).strip("“”\"'").casefold())


def _runs(paper: Paper) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", paper.plain_abstract.casefold())
    return {tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}


def _displaced(found: SearchResult, kept: set[int], n_papers: int) -> tuple[Hit, ...]:
    """The papers that weights of date and citations keep out of the first `n_papers`."""
    if not (found.settings.recency or found.settings.impact):
        return ()
    others = [hit for i, hit in enumerate(found.hits) if i not in kept and hit.rank > n_papers]
    lost = [hit for hit in (*others, *found.displaced) if hit.plain_rank <= n_papers]
    return tuple(sorted(lost, key=lambda hit: hit.plain_rank))
