"""Speaking to Slack: messages into a thread or to one person, progress that is seen, and errors with what they ask for."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry import HttpRequest, HttpResponse, RetryHandler, RetryState
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler

from app.logs import outline
from app.problems import told_visitor
from app.slack_blocks import Message, note
from app.slack_state import SlackState
from indexer.config import SlackConfig
from indexer.errors import RemoteError, WayfinderError
from retrieval.writing import AnswerEvent

log = logging.getLogger("wayfinder.slack")

ATTEMPTS = 4
MOST_WAIT_SECONDS = 60  # that a 429 may ask for
SECONDS_BETWEEN_UPDATES = 1.5  # of a message that shows progress: Slack takes about one a second
MOST_WHISPERED = 4  # messages through a response_url, which takes five
TOKEN_ERRORS = frozenset(
    ["token_expired", "token_revoked", "invalid_auth", "not_authed", "account_inactive"]
)


class RetryAfter(RetryHandler):
    """Waits as long as a 429 says, a few times, and not for hours."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__(max_retry_count=ATTEMPTS - 1)
        self._sleep = sleep

    def _can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        limited = response is not None and response.status_code == 429
        return limited and _seconds_asked(response) <= MOST_WAIT_SECONDS

    def prepare_for_next_attempt(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> None:
        """Wait; the client then asks again."""
        self._sleep(_seconds_asked(response))
        state.next_attempt_requested = True
        state.increment_current_attempt()


def _seconds_asked(response: HttpResponse | None) -> int:
    """What Retry-After says, whole seconds; 1 where it says nothing that can be read."""
    headers = {} if response is None else response.headers
    for name, values in headers.items():
        value = values[0] if isinstance(values, list) else values
        if name.lower() == "retry-after" and str(value).strip().isdigit():
            return int(value)
    return 1


def web_client(config: SlackConfig, *, patient: bool = True) -> WebClient:
    """A client of Slack's Web API; a patient one waits where Slack says 429."""
    handlers: list[RetryHandler] = [ConnectionErrorRetryHandler()]
    if patient:
        handlers.append(RetryAfter())
    return WebClient(
        token=str(config.bot_token), base_url=config.url, retry_handlers=handlers, logger=log
    )


class SlackRefused(RemoteError):
    """Slack took no message; `code` is its own word for why."""

    def __init__(self, code: str) -> None:
        super().__init__(f"Slack says {code}: {remedy(code)}.")
        self.code = code


def remedy(code: str) -> str:
    """What to do about an error of Slack."""
    if code in TOKEN_ERRORS:
        return "make a new token under OAuth & Permissions, or install the app anew, and set SLACK_BOT_TOKEN"
    if code in ("missing_scope", "no_permission"):
        return "install the app anew with the manifest of README.md, which asks for all scopes"
    if code in ("not_in_channel", "channel_not_found", "restricted_action", "is_archived"):
        return "invite the app into that channel, if the channel still exists"
    if code == "ratelimited":
        return "it is asked too often: wait, then ask again"
    return "see docs.slack.dev for this word"


def refused(error: Exception) -> SlackRefused:
    """The error of a call in one word."""
    if isinstance(error, SlackApiError):
        response: Any = error.response
        code = response.get("error") if hasattr(response, "get") else None
        status = getattr(response, "status_code", "")
        return SlackRefused(str(code or f"http_{status}"))
    return SlackRefused(f"unreachable ({type(error).__name__})")


def words_of(error: Exception) -> str:
    """An error in words for people; what nobody expected is logged under a number, without what was asked."""
    if isinstance(error, WayfinderError):
        return told_visitor(error)
    number = secrets.token_hex(4)
    log.error("Error %s: %s", number, outline(error))
    return f"Something broke here. Ask again; if it happens again, whoever runs Wayfinder finds it in the log under {number}."


class Place(Protocol):
    """Where an answer goes."""

    def post(self, message: Message) -> str:
        """Post a message; return what names it."""
        ...

    def replace(self, name: str, message: Message) -> None:
        """Put another message in its place."""
        ...


class ThreadPlace:
    """A thread of a channel; a message in the making is noted, so that a restart can say that it was cut off."""

    def __init__(self, client: WebClient, channel: str, thread: str | None) -> None:
        self.client, self.channel, self.thread = client, channel, thread

    def post(self, message: Message) -> str:
        """Post into the thread, or into the channel where there is none.

        Raises:
            SlackRefused: Slack did not take it.
        """
        try:
            posted = self.client.chat_postMessage(
                channel=self.channel,
                thread_ts=self.thread,
                blocks=message.blocks,
                text=message.text,
                unfurl_links=False,
                unfurl_media=False,
            )
        except (SlackClientError, OSError, ValueError) as error:
            raise refused(error) from error
        return str(posted["ts"])

    def replace(self, name: str, message: Message) -> None:
        """Update a message.

        Raises:
            SlackRefused: Slack did not take it.
        """
        self._update(self.client, name, message)

    def hurried(self, hasty: WebClient, name: str, message: Message) -> None:
        """Update a message with a client that does not wait.

        Raises:
            SlackRefused: Slack did not take it.
        """
        self._update(hasty, name, message)

    def _update(self, client: WebClient, name: str, message: Message) -> None:
        try:
            client.chat_update(
                channel=self.channel, ts=name, blocks=message.blocks, text=message.text
            )
        except (SlackClientError, OSError, ValueError) as error:
            raise refused(error) from error


class Whisper:
    """One person's eyes only, through a command's response_url: for channels that the bot cannot post in."""

    def __init__(self, respond: Callable[..., Any]) -> None:
        self._respond = respond
        self._n = 0

    def post(self, message: Message) -> str:
        """Show a message, the first few only.

        Raises:
            SlackRefused: Slack did not take it.
        """
        self._n += 1
        if self._n <= MOST_WHISPERED:
            try:
                answered = self._respond(
                    blocks=message.blocks, text=message.text, response_type="ephemeral"
                )
            except (SlackClientError, OSError, ValueError) as error:
                raise refused(error) from error
            if answered is not None and answered.status_code != 200:
                raise SlackRefused(f"http_{answered.status_code}")
        return ""

    def replace(self, name: str, message: Message) -> None:
        """Show it beside what was there."""
        self.post(message)


class Making:
    """An answer in the making: one message that says how far it is, and becomes the answer."""

    def __init__(self, place: Place, state: SlackState, hasty: WebClient, *, n_papers: int) -> None:
        self._place, self._state, self._hasty = place, state, hasty
        self._shown = time.monotonic()
        self._n_sentences = 0
        self._lock = threading.Lock()
        self._name = place.post(note(f"Searching {n_papers:,} papers …")[0])
        if isinstance(place, ThreadPlace):
            state.begin(place.channel, self._name)

    def on_event(self, event: AnswerEvent) -> None:
        """Say what is being done, at most once in a while; that nobody sees it costs no answer."""
        self._n_sentences += event.sentence is not None
        now = time.monotonic()
        with self._lock:
            due = now - self._shown >= SECONDS_BETWEEN_UPDATES
            if not isinstance(self._place, ThreadPlace) or not (due or event.search is not None):
                return
            self._shown = now
        try:
            said = note(_stage(event, self._n_sentences))[0]
            self._place.hurried(self._hasty, self._name, said)
        except SlackRefused as error:
            if error.code in TOKEN_ERRORS:
                raise
            log.warning("Slack did not show progress: %s", error.code)

    def finish(self, messages: Sequence[Message]) -> None:
        """Put the answer in the message's place, and what does not fit behind it.

        Raises:
            SlackRefused: Slack did not take it.
        """
        first, *others = messages
        try:
            self._place.replace(self._name, first)
        except SlackRefused as error:
            if error.code not in ("message_not_found", "cant_update_message", "edit_window_closed"):
                raise
            self._place.post(first)
        for message in others:
            self._place.post(message)
        self.close()

    def give_up(self, error: SlackRefused) -> None:
        """Say, where Slack still takes words, that it did not take the answer."""
        if error.code not in TOKEN_ERRORS:
            with suppress(SlackRefused):
                self._place.replace(self._name, note(f"The answer cannot be shown. {error}")[0])
        self.close()

    def close(self) -> None:
        """Nothing more will come."""
        if isinstance(self._place, ThreadPlace):
            self._state.end(self._place.channel, self._name)


def _stage(event: AnswerEvent, n_sentences: int) -> str:
    if event.search is not None:
        read = len(event.search.hits)
        return f"Reading the {read} best of {event.search.n_candidates:,} papers …"
    if event.stage == "writing" and n_sentences:
        written = f"{n_sentences} sentence{'' if n_sentences == 1 else 's'}"
        return f"Writing: {written} checked against the papers …"
    said = {"searching": "Searching", "reading": "Reading", "writing": "Writing"}
    return f"{said.get(event.stage, 'Writing failed sentences once more')} …"
