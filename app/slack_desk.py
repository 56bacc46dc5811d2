"""What the Slack bot does with a wish: the core's search, ask and similar, and what came of them into a place.

It knows nothing of events: app/slack_bot.py says who wishes what, and where the answer goes.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import date

from slack_sdk import WebClient

from app import feedback
from app.model_session import model_session
from app.questions import Asked, What, counted
from app.served_index import ServedIndex
from app.slack_blocks import note
from app.slack_digest import known_papers
from app.slack_post import Making, Place, SlackRefused, words_of
from app.slack_render import (
    Row,
    answer_messages,
    bibtex_messages,
    context_of_papers,
    evidence_messages,
    kept_answer,
    kept_papers,
    paper_id,
    paper_messages,
    similar_messages,
    unfurl_blocks,
)
from app.slack_state import SlackState
from indexer import config
from indexer.errors import PaperNotFound, QueryError
from indexer.store import Index
from retrieval import ask, search, similar
from retrieval.bibliography import bibtex
from retrieval.fields import identifiers_in
from retrieval.followup import Context, belongs, context_of, made_whole
from retrieval.llm import LLM
from retrieval.offline import settings_offline
from retrieval.records import MAX_K, SearchResult, SearchSettings
from retrieval.rows import hit_row

DRAFT_WORDS = 20  # a text of fewer is no abstract to compare with
MORE_PAPERS = 10  # at a time
MOST_LINKS = 5  # of a message that get a card
MOST_SESSIONS = 1_000  # people whose budget of a day is remembered
FORGOTTEN = "This answer is no longer kept: ask again."
HELP = """\
Ask about the astronomical literature in plain words: mention me, write to me, or use /wayfinder. I answer in the thread, with numbered sources; reply there to ask further.
• similar 1906.11238, or similar with a link of arXiv or ADS: papers like that one
• subscribe fast radio bursts since 2024: new papers on it, once a week, in this channel
• subscriptions: what this channel is subscribed to; unsubscribe 1: end the first of them
• help: this"""


class Desk:
    """The core behind the bot; one for all threads of a process."""

    def __init__(
        self, index: ServedIndex, state: SlackState, *, hasty: WebClient, offline: bool
    ) -> None:
        self.index, self.state, self.offline = index, state, offline
        self._hasty = hasty
        self._sessions: OrderedDict[tuple[str, str], LLM] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, place: Place, question: str, *, user: str, channel: str, thread: str) -> None:
        """Answer a question in a place; what the thread was about before is understood and read."""
        index = self.index.current()
        making = Making(place, self.state, self._hasty, n_papers=len(index.papers))
        model = self._session(user)
        before = self.state.context(channel, thread)
        whole = made_whole(question, before, model) if before else question
        kept = before if before is not None and belongs(whole, before) else None
        try:
            answer = counted(
                Asked("slack", "ask", whole, user),
                lambda: ask(
                    index,
                    whole,
                    llm=model,
                    offline=self.offline,
                    thread=kept,
                    on_event=making.on_event,
                ),
            )
            key = secrets.token_hex(8)
            context = before if answer.refused else context_of(answer)
            self._keep(key, kept_answer(answer), channel, thread, context)
            making.finish(
                answer_messages(
                    answer,
                    key,
                    read_as=whole if whole != question else "",
                    votes=feedback.enabled(),
                    buttons=bool(thread),
                )
            )
        except SlackRefused as error:
            making.give_up(error)
            raise
        except Exception as error:  # noqa: BLE001 - who asked is told, whatever it was
            making.finish(note(words_of(error)))

    def similar(self, place: Place, text: str, *, user: str, channel: str, thread: str) -> None:
        """Papers like those that a text names, or like the text itself.

        Raises:
            QueryError: it names none and is too short to compare with.
        """
        index = self.index.current()
        given, missing, draft = _named(index, text)
        making = Making(place, self.state, self._hasty, n_papers=len(index.papers))
        try:
            result = counted(
                Asked("slack", "similar", text, user),
                lambda: similar(index, given, SearchSettings(k=MORE_PAPERS), text=draft),
            )
            row = _similar_row(index, result, given, draft)
            key = secrets.token_hex(8)
            context = context_of_papers(_title(index, given, draft), row)
            self._keep(key, row, channel, thread, context)
            notes = [f"{name} is not in this index." for name in missing]
            shown = similar_messages(row, key, [*notes, *result.degraded], buttons=bool(thread))
            making.finish(shown)
        except SlackRefused as error:
            making.give_up(error)
            raise
        except Exception as error:  # noqa: BLE001 - who asked is told, whatever it was
            making.finish(note(words_of(error)))

    def more(self, place: Place, key: str, offset: int, *, user: str) -> None:
        """The papers after those that an answer, and its earlier further papers, show."""
        row = self._row(key)
        index = self.index.current()
        shown = {paper_id(paper) for paper in row["papers"]}
        settings = SearchSettings(k=min(MAX_K, len(shown) + offset + MORE_PAPERS))
        if self.offline:
            settings, _ = settings_offline(settings)
        what: What = "similar" if "given" in row else "search"
        words = (row["draft"] or " ".join(row["given"])) if "given" in row else row["question"]
        result = counted(
            Asked("slack", what, words, user),
            lambda: (
                similar(index, row["given"], settings, text=row["draft"])
                if "given" in row
                else search(index, words, settings)
            ),
        )
        further = [hit for hit in result.hits if hit.paper.id not in shown]
        page = further[offset : offset + MORE_PAPERS]
        if not page:
            place.post(note("There are no more papers on this.")[0])
            return
        first = max((paper["n"] for paper in row["papers"]), default=0) + offset + 1
        papers = [{"n": n, **hit_row(hit)} for n, hit in enumerate(page, first)]
        for message in paper_messages(papers, key, offset + len(page)):
            place.post(message)

    def evidence(self, place: Place, key: str) -> None:
        """What is quoted for each sentence of an answer."""
        for message in evidence_messages(self._row(key)):
            place.post(message)

    def bibtex(self, place: Place, key: str) -> None:
        """The papers of an answer as BibTeX."""
        index = self.index.current()
        rows, missing = index.rows_of(map(paper_id, self._row(key)["papers"]))
        for message in bibtex_messages(bibtex(index.papers[int(row)] for row in rows)):
            place.post(message)
        if missing:
            place.post(note(f"No longer in this index: {', '.join(missing)}.")[0])

    def vote(self, key: str, good: bool, *, user: str) -> None:
        """Keep a reader's judgement of an answer, where the host keeps any; a later one replaces it."""
        row = self._row(key)
        voter = f"{key}-{user}"
        feedback.keep(
            feedback.Feedback(
                about="answer",
                good=good,
                question=row["question"],
                text=row["answer"],
                papers=tuple(filter(None, map(paper_id, row["papers"]))),
                door="slack",
                mode=row["mode"],
                model=row["usage"]["model"],
                snapshot=row["snapshot"],
                vote=hashed(voter),
            )
        )

    def subscribe(self, query: str, *, channel: str) -> str:
        """Save a query of a channel; return what to say."""
        index = self.index.current()
        known = known_papers(index, query, offline=self.offline)
        if not self.state.subscribe(channel, query, as_of=index.manifest.as_of, known=known):
            return f"This channel is already subscribed to “{query}”."
        return f"Subscribed: new papers on “{query}” will be posted here once a week."

    def unsubscribe(self, query: str, *, channel: str) -> str:
        """End a subscription of a channel; return what to say."""
        ended = self.state.unsubscribe(channel, query)
        if ended is None:
            return f"There is no subscription “{query}” here. {self.subscriptions(channel=channel)}"
        return f"Unsubscribed from “{ended.query}”."

    def subscriptions(self, *, channel: str) -> str:
        """What a channel is subscribed to, in words."""
        saved = self.state.subscriptions(channel)
        if not saved:
            return "This channel has no subscriptions: subscribe with the words of a question."
        lines = [f"{n}. {item.query}" for n, item in enumerate(saved, 1)]
        return "\n".join(["This channel is subscribed to:", *lines])

    def cards(self, urls: Sequence[str]) -> dict[str, dict[str, object]]:
        """Cards for links to papers of the index, by address; other links have none."""
        index = self.index.current()
        cards: dict[str, dict[str, object]] = {}
        for url in urls[:MOST_LINKS]:
            rows, _ = index.rows_of(identifiers_in(url))
            if len(rows):
                paper = index.papers[int(rows[0])]
                row = {
                    "title": paper.plain_title, "authors": list(paper.authors), "year": paper.year, "journal": paper.journal,
                    "citation_count": paper.citation_count, "bibcode": paper.bibcode, "arxiv_id": paper.arxiv_id, "doi": paper.doi,
                }  # fmt: skip
                cards[url] = {"blocks": unfurl_blocks(row)}
        return cards

    def _keep(self, key: str, row: Row, channel: str, thread: str, context: Context | None) -> None:
        """Keep an answer of a thread; what is whispered to one person has none, and is not kept."""
        if thread:
            self.state.keep_answer(key, row, channel, thread, context)

    def _row(self, key: str) -> Row:
        row = self.state.answer(key)
        if row is None:
            raise QueryError(FORGOTTEN)
        return row

    def _session(self, user: str) -> LLM | None:
        """One person's session with the language model, new each day, so that its budget is theirs."""
        configured = config.llm_config()
        if self.offline or not configured.enabled:
            return None
        name = (user, date.today().isoformat())
        with self._lock:
            known = self._sessions.pop(name, None)
            if known is None or known.config != configured:
                known = model_session(user)
            if known is not None:
                self._sessions[name] = known
            while len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)
            return known


def hashed(text: str) -> str:
    """A name that says nothing of what it was made from."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _named(index: Index, text: str) -> tuple[list[str], list[str], str]:
    """Identifiers of a text that the index has, those that it lacks, and the text where it names none.

    Raises:
        QueryError: there is nothing to compare with.
        PaperNotFound: the index has none of the papers named.
    """
    named = list(identifiers_in(text))
    given, missing = [], []
    for name in named:
        try:
            index.row_of(name)
            given.append(name)
        except PaperNotFound:
            missing.append(name)
    if named and not given:
        raise PaperNotFound(
            f"{', '.join(missing)} is not among the {len(index.papers):,} papers of this index: paste its abstract as a question instead."
        )
    if not named and len(text.split()) < DRAFT_WORDS:
        raise QueryError(
            "There is no arXiv id, bibcode, DOI or link of arXiv or ADS in it: give one, such as similar 1906.11238."
        )
    return given, missing, "" if named else text


def _title(index: Index, given: Sequence[str], draft: str) -> str:
    titles = [index.papers[index.row_of(name)].plain_title for name in given]
    return "; ".join(titles) or draft[:300]


def _similar_row(index: Index, result: SearchResult, given: Sequence[str], draft: str) -> Row:
    head = f"Papers like “{_title(index, given, draft)}”"
    return kept_papers(head, result.hits, given=list(given), draft=draft)
