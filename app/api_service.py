"""What programs may ask of an index: one method a request, the command line's rows back.

The HTTP API and the Model Context Protocol server are doors to it and add nothing of their own.
"""

from __future__ import annotations

import time
from importlib.metadata import version
from threading import Lock
from typing import Any

from app.api_requests import AskRequest, ImpactRequest, SearchRequest, SimilarRequest
from app.limits import NOBODY, Limit
from app.model_session import model_session
from app.questions import Asked, counted
from app.served_index import ServedIndex
from indexer import config
from indexer.errors import QueryError
from retrieval import ask, search, similar
from retrieval.followup import made_whole
from retrieval.impact import compare
from retrieval.impact_rows import impact_row, without_papers
from retrieval.llm import LLM
from retrieval.records import Answer, Checking
from retrieval.rows import answer_row, paper_row, result_row
from retrieval.writing import OnEvent

Row = dict[str, Any]

SESSION_SECONDS = 3600.0  # after its last answer a client's session with the model ends


class Service:
    """All that programs may ask, for many threads; `client` is who asks."""

    def __init__(self, served: ServedIndex, answers_per_minute: int | None = None) -> None:
        self.served = served
        self.answers = Limit(answers_per_minute, "answers")
        self._sessions: dict[str, tuple[LLM, float]] = {}
        self._lock = Lock()

    def search(self, asked: SearchRequest, client: str = NOBODY) -> Row:
        """The papers that answer a query, best first."""
        model = self.model(client)
        found = counted(
            Asked("api", "search", asked.query, client),
            lambda: search(self.served.current(), asked.query, asked.settings(), llm=model),
        )
        return result_row(found, abstracts=asked.abstracts)

    def similar(self, asked: SimilarRequest, client: str = NOBODY) -> Row:
        """The papers most like given ones, or like a text."""
        found = counted(
            Asked("api", "similar", asked.text or " ".join(asked.papers), client),
            lambda: similar(
                self.served.current(), asked.papers, asked.settings(), text=asked.text, by=asked.by
            ),
        )
        return result_row(found, abstracts=asked.abstracts)

    def ask(
        self,
        asked: AskRequest,
        client: str = NOBODY,
        on_event: OnEvent = lambda event: None,
    ) -> Row:
        """The answer to a question, every sentence with its papers.

        Raises:
            TooOften: this client has had its answers of the minute.
        """
        answer = counted(
            Asked("api", "ask", asked.question, client),
            lambda: self._answer(asked, client, on_event),
        )
        return answer_row(answer)

    def _answer(self, asked: AskRequest, client: str, on_event: OnEvent) -> Answer:
        self.answers.take(client)
        model = None if asked.offline else self.model(client)
        thread = asked.after.context() if asked.after else None
        question = made_whole(asked.question, thread, model) if thread else asked.question
        return ask(
            self.served.current(),
            question,
            asked.ranking(),
            llm=model,
            offline=asked.offline,
            style=asked.wording(),
            kind=asked.type,
            checking=Checking(repair=asked.repair, drop=asked.drop_unsupported),
            n_papers=asked.papers,
            thread=thread,
            balance=asked.balance,
            statement=asked.statement,
            on_event=on_event,
        )

    def impact(self, asked: ImpactRequest, client: str = NOBODY) -> Row:
        """What each name contributed, side by side."""
        if asked.since is not None and asked.until is not None and asked.since > asked.until:
            raise QueryError(f"since {asked.since} is after until {asked.until}: exchange them.")
        index = self.served.current()
        found = counted(
            Asked("api", "impact", ", ".join(asked.names), client),
            lambda: compare(index, asked.names, asked.kind, asked.scope()),
        )
        rows = [impact_row(index, one) for one in found]
        return {"impacts": rows if asked.identifiers else [without_papers(row) for row in rows]}

    def paper(self, identifier: str) -> Row:
        """All that the index knows of one paper.

        Raises:
            PaperNotFound: it holds no such paper.
        """
        index = self.served.current()
        return paper_row(index, index.row_of(identifier))

    def health(self) -> Row:
        """What is served; no path, no key."""
        index = self.served.current()
        return {
            "status": "ok",
            "version": version("wayfinder"),
            "n_papers": len(index.papers),
            "snapshot": index.manifest.snapshot,
            "as_of": index.manifest.as_of,
            "encoder": index.manifest.encoder,
            "facilities": index.uses is not None,
            "map": index.landscape is not None,
            "writes": config.llm_config().enabled,
        }

    def model(self, client: str) -> LLM | None:
        """This client's session with the language model, whose budget of tokens is its own; None without one."""
        configured = config.llm_config()
        if not configured.enabled:
            return None
        now = time.monotonic()
        with self._lock:
            open_ones = self._sessions.items()
            self._sessions = {
                who: (llm, at)
                for who, (llm, at) in open_ones
                if now - at < SESSION_SECONDS and llm.config == configured
            }
            kept = self._sessions.get(client)
            llm = kept[0] if kept else model_session(client)
            if llm is not None:
                self._sessions[client] = (llm, now)
        return llm
