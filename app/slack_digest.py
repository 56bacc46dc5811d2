"""New papers for the saved queries of Slack channels, once a week: what `wayfinder slack digest` does.

A paper is new for a query when it is among the best hundredth of the index for it, none of its
identifiers was there before, and it is not dated long before the digest before this one.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from slack_sdk import WebClient

from app.slack_post import SlackRefused, ThreadPlace
from app.slack_render import context_of_papers, digest_messages, kept_papers
from app.slack_state import DAY, SlackState, Subscription
from indexer.records import Paper
from indexer.store import Index
from retrieval import search
from retrieval.offline import settings_offline
from retrieval.records import MAX_K, Hit, SearchSettings

SHARE = 100  # one paper in so many of the index is looked at for each query
FEWEST = 20
SHOWN = 10  # papers of a digest
OVERLAP_YEARS = 60 / 365  # papers reach an index late, and journals date ahead or back
WEEK = 6.5 * DAY  # so that a weekly run a little early still counts


@dataclass(frozen=True)
class Digest:
    """What a run did for one subscription."""

    subscription: Subscription
    papers: tuple[Hit, ...]  # new ones, best first
    error: str = ""  # why it could not be posted

    @property
    def text(self) -> str:
        """It in one line, for whoever runs it."""
        head = f"{self.subscription.channel}: {len(self.papers)} new on “{self.subscription.query}”"
        return f"{head}, not posted: {self.error}" if self.error else head


def known_papers(index: Index, query: str, *, offline: bool) -> list[str]:
    """All identifiers of the papers that a query finds now.

    Raises:
        QueryError: the query is empty or a single character.
    """
    return [name for hit in _best(index, query, offline=offline) for name in hit.paper.identifiers]


def new_papers(
    index: Index, state: SlackState, subscription: Subscription, *, offline: bool
) -> list[Hit]:
    """The papers that a subscription has not seen, best first."""
    known = state.reported(subscription)
    before = date.fromisoformat(subscription.as_of)
    oldest = before.year + (before.timetuple().tm_yday - 1) / 365 - OVERLAP_YEARS
    return [
        hit
        for hit in _best(index, subscription.query, offline=offline)
        if known.isdisjoint(hit.paper.identifiers) and _dated_after(hit.paper, oldest)
    ]


def due(state: SlackState, *, now: float | None = None, all_of_them: bool = False) -> list[Subscription]:  # fmt: skip
    """The subscriptions whose week is over."""
    now = time.time() if now is None else now
    return [item for item in state.subscriptions() if all_of_them or now - item.last >= WEEK]


def post_digest(
    client: WebClient, index: Index, state: SlackState, subscription: Subscription, *, offline: bool
) -> Digest | None:
    """Post one subscription's new papers, if there are any; None where another process did."""
    if not state.take(subscription, time.time()):
        return None
    found = new_papers(index, state, subscription, offline=offline)
    done = Digest(subscription, tuple(found))
    if found:
        try:
            _post(client, index, state, done)
        except SlackRefused as error:
            state.give_back(subscription)
            return replace(done, error=str(error))
    names = [name for hit in found for name in hit.paper.identifiers]
    state.report(subscription, names, as_of=index.manifest.as_of)
    return done


def run_digests(
    client: WebClient,
    index: Index,
    state: SlackState,
    *,
    offline: bool,
    all_of_them: bool,
    tell: Callable[[Digest], None],
) -> int:
    """Post what is due, one after the other; return how many could not be posted."""
    n_failed = 0
    for subscription in due(state, all_of_them=all_of_them):
        done = post_digest(client, index, state, subscription, offline=offline)
        if done is not None:
            tell(done)
            n_failed += bool(done.error)
    return n_failed


def _best(index: Index, query: str, *, offline: bool) -> tuple[Hit, ...]:
    k = min(MAX_K, max(FEWEST, len(index.papers) // SHARE))
    settings = SearchSettings(k=k, rerank=False)
    if offline:
        settings, _ = settings_offline(settings)
    return search(index, query, settings).hits


def _dated_after(paper: Paper, oldest: float) -> bool:
    """Whether a paper may be new; one without a date may. A year alone counts to its end."""
    when = paper.decimal_year
    if when is None:
        return True
    return (when if paper.date and len(paper.date) > 4 else int(when) + 1.0) >= oldest


def _post(client: WebClient, index: Index, state: SlackState, done: Digest) -> None:
    query, channel = done.subscription.query, done.subscription.channel
    key = secrets.token_hex(8)
    row = kept_papers(query, done.papers[:SHOWN])
    n_more = max(0, len(done.papers) - SHOWN)
    first, *others = digest_messages(query, row["papers"], n_more, key)
    thread = ThreadPlace(client, channel, None).post(first)
    for message in others:
        ThreadPlace(client, channel, thread).post(message)
    state.keep_answer(key, row, channel, thread, context_of_papers(query, row))
