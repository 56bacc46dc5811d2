"""The Slack bot: who wishes what, in which order, how often, and where its answer goes. `wayfinder slack` runs it.

Every listener only notes what came and returns, so that Slack has its acknowledgement within its three
seconds; a few workers do the rest. What Slack sends twice is answered once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from slack_bolt import App
from slack_bolt.error import BoltError, BoltUnhandledRequestError
from slack_bolt.response import BoltResponse
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from app.limits import Limit, TooOften
from app.slack_blocks import Message, note
from app.slack_desk import HELP, Desk
from app.slack_post import (
    TOKEN_ERRORS,
    Place,
    SlackRefused,
    ThreadPlace,
    Whisper,
    refused,
    words_of,
)
from app.slack_render import BAD, BIBTEX, EVIDENCE, GOOD, MORE, SIMILAR
from app.slack_text import Wish, asks, escaped, plain, wish
from app.slack_turns import Turns
from indexer.config import SlackConfig
from indexer.errors import MissingCredential, UserError, WayfinderError
from retrieval.fields import identifiers_in

log = logging.getLogger("wayfinder.slack")

Body = dict[str, Any]
EARLY_SECONDS = 120.0  # that a reply is kept which came before the message it replies to
MOST_EARLY, MOST_EARLY_OF_THREAD = 200, 10  # threads, and replies of one
MOST_CHARACTERS = 20_000  # of what is asked
FORGET_EVERY_SECONDS = 3600.0
BUSY = "Too many questions are waiting: ask again in a minute."
LEAVING = "I am being restarted: ask again in a minute."
CUT_OFF = "I was restarted before this was answered: ask again."
_UNREACHABLE = ("not_in_channel", "channel_not_found", "restricted_action", "missing_scope")


class Bot:
    """The listeners. `stopped` is set when nothing more can be done, with the reason in `reason`."""

    def __init__(self, config: SlackConfig, desk: Desk, client: WebClient, user: str) -> None:
        self.config, self.desk, self.state, self.client = config, desk, desk.state, client
        self.user = user  # the bot's own
        self.turns = Turns()
        self.stopped = threading.Event()
        self.reason = ""
        self._closing = False
        self._of_user = Limit(config.user_per_minute, "questions of yours")
        self._of_channel = Limit(config.channel_per_minute, "questions of this channel")
        self._early: OrderedDict[str, list[tuple[float, Body]]] = OrderedDict()
        self._lock = threading.Lock()
        self._forgot = time.monotonic()

    def on_message(self, event: Body) -> None:
        """A mention, a direct message, or a message in a thread or channel that may be none of ours."""
        subtype = event.get("subtype")
        if event.get("bot_id") or subtype not in (None, "file_share", "thread_broadcast"):
            return
        text, channel = str(event.get("text") or ""), str(event["channel"])
        thread = str(event.get("thread_ts") or event["ts"])
        mentioned = event["type"] == "app_mention" or f"<@{self.user}>" in text
        addressed = mentioned or event.get("channel_type") == "im"
        if not addressed:
            if "thread_ts" not in event or not asks(text):
                return
            if not self.state.knows(channel, thread):
                self._keep_early(f"{channel}:{thread}", event)
                return
        if not self.state.claim(f"{channel}:{event['ts']}"):
            return
        self.state.open_thread(channel, thread)
        place = ThreadPlace(self.client, channel, thread)
        asked = wish(plain(text)[:MOST_CHARACTERS])
        self._take(place, asked, user=str(event.get("user")), channel=channel, thread=thread, at=float(event["ts"]))  # fmt: skip
        for early in self._take_early(f"{channel}:{thread}"):
            self.on_message(early)

    def on_command(self, ack: Callable[..., Any], command: Body, respond: Callable[..., Any]) -> None:  # fmt: skip
        """`/wayfinder ...`: asked in the channel for all to see, or whispered where the bot may not post."""
        ack()
        if not self.state.claim(f"command:{command['trigger_id']}"):
            return
        channel, user = str(command["channel_id"]), str(command["user_id"])
        asked = wish(plain(str(command.get("text") or ""))[:MOST_CHARACTERS])
        whisper = Whisper(respond)
        if asked.verb in ("help", "subscriptions"):
            self._do(whisper, asked, user=user, channel=channel, thread="")
            return

        def begin() -> None:
            place, thread = self._begun(channel, user, asked, whisper)
            self._do(place, asked, user=user, channel=channel, thread=thread)

        self._queue(whisper, begin, user=user, channel=channel, thread=f"{channel}:{command['trigger_id']}", at=time.time())  # fmt: skip

    def on_action(self, ack: Callable[..., Any], body: Body, action: Body) -> None:
        """A button."""
        ack()
        channel, thread = _where(body)
        user, name, value = str(body["user"]["id"]), action["action_id"], str(action.get("value"))
        if name in (GOOD, BAD):
            self._quickly(channel, user, lambda: self._vote(value, name == GOOD, channel, user, thread))  # fmt: skip
            return
        once = f"action:{channel}:{thread}:{name}:{value}"
        if not self.state.claim(once):
            self._quickly(channel, user, lambda: self.whisper(channel, user, "That is in this thread already.", thread))  # fmt: skip
            return
        place = ThreadPlace(self.client, channel, thread)

        def press() -> None:
            try:
                self._press(place, name, value, user=user, channel=channel, thread=thread)
            except Exception:
                self.state.release(once)
                raise

        if not self._queue(place, press, user=user, channel=channel, thread=f"{channel}:{thread}", at=time.time()):  # fmt: skip
            self.state.release(once)

    def on_shortcut(
        self, ack: Callable[..., Any], shortcut: Body, respond: Callable[..., Any]
    ) -> None:
        """“Similar papers” of a message's menu."""
        ack()
        if not self.state.claim(f"shortcut:{shortcut['trigger_id']}"):
            return
        message, channel = shortcut["message"], str(shortcut["channel"]["id"])
        user = str(shortcut["user"]["id"])
        thread = str(message.get("thread_ts") or message["ts"])
        text = plain(str(message.get("text") or ""))[:MOST_CHARACTERS]
        place = ThreadPlace(self.client, channel, thread)
        self.state.open_thread(channel, thread)

        def compare() -> None:
            try:
                self.desk.similar(place, text, user=user, channel=channel, thread=thread)
            except SlackRefused as error:
                if error.code not in _UNREACHABLE:
                    raise
                self.desk.similar(Whisper(respond), text, user=user, channel=channel, thread="")
            except UserError as error:
                Whisper(respond).post(note(str(error))[0])

        self._queue(place, compare, user=user, channel=channel, thread=f"{channel}:{thread}", at=time.time())  # fmt: skip

    def on_link(self, event: Body) -> None:
        """Links of arXiv or ADS in a message: a card with a button for each paper of the index."""
        where = {"channel": event["channel"], "ts": event["message_ts"]}
        if event.get("unfurl_id") and event.get("source"):
            where = {"unfurl_id": event["unfurl_id"], "source": event["source"]}
        urls = [str(item["url"]) for item in event.get("links", ())]

        def unfurl() -> None:
            cards = self.desk.cards(urls)
            if cards:
                self._call(lambda: self.client.chat_unfurl(unfurls=cards, **where))

        name = ":".join(map(str, where.values()))
        if self.state.claim(f"unfurl:{name}"):
            self.turns.submit(f"unfurl:{name}", time.time(), self._guarded(None, unfurl))

    def clean_up(self) -> None:
        """Say at the start which answers a killed bot left unfinished."""
        for channel, ts in self.state.cut_off():
            with suppress(SlackRefused):
                ThreadPlace(self.client, channel, None).replace(ts, note(CUT_OFF)[0])

    def close(self) -> None:
        """Finish what has begun; who waits is told to ask again."""
        self._closing = True
        self.turns.close()

    def whisper(self, channel: str, user: str, text: str, thread: str | None = None) -> None:
        """A line that one person sees.

        Raises:
            SlackRefused: Slack did not take it.
        """
        self._call(
            lambda: self.client.chat_postEphemeral(
                channel=channel, user=user, thread_ts=thread, text=escaped(text)
            )
        )

    def _take(
        self, place: Place, asked: Wish, *, user: str, channel: str, thread: str, at: float
    ) -> None:
        def work() -> None:
            self._do(place, asked, user=user, channel=channel, thread=thread)

        self._queue(place, work, user=user, channel=channel, thread=f"{channel}:{thread}", at=at)

    def _queue(
        self, place: Place, work: Callable[[], None], *, user: str, channel: str, thread: str, at: float
    ) -> bool:  # fmt: skip
        """Have a worker do it, unless its person or channel asks too often or too many wait."""
        self._forget()
        said = ""
        try:
            self._of_user.take(user)
            self._of_channel.take(channel)
        except TooOften as error:
            said = f"{error} In {error.seconds:.0f} s I can answer again."
        if not said and self.turns.submit(thread, at, self._guarded(place, work)):
            return True
        said = said or BUSY
        if isinstance(place, Whisper):
            self._aside(lambda: place.post(note(said)[0]))
        else:
            within = getattr(place, "thread", None)
            self._aside(lambda: self.whisper(channel, user, said, within))
        return False

    def _quickly(self, channel: str, user: str, work: Callable[[], None]) -> None:
        """Do something small that counts for no limit."""
        self.turns.submit(f"small:{channel}:{user}", time.time(), self._guarded(None, work))

    def _aside(self, work: Callable[[], object]) -> None:
        """Tell something that may be lost."""

        def tell() -> None:
            self._guarded(None, work)()

        threading.Thread(target=tell, daemon=True).start()

    def _guarded(self, place: Place | None, work: Callable[[], object]) -> Callable[[], None]:
        """`work`, whose errors become words in its place; an expired token stops the bot."""

        def guarded() -> None:
            try:
                if self._closing and place is not None:
                    place.post(note(LEAVING)[0])
                    return
                work()
            except SlackRefused as error:
                self._refused(error)
            except Exception as error:  # noqa: BLE001 - the worker goes on, whatever it was
                said = words_of(error)
                try:
                    if place is not None:
                        place.post(note(said)[0])
                except SlackRefused as other:
                    self._refused(other)

        return guarded

    def _refused(self, error: SlackRefused) -> None:
        log.error("%s", error)
        if error.code in TOKEN_ERRORS:
            self.reason = str(error)
            self.stopped.set()

    def _call(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (SlackClientError, OSError, ValueError) as error:
            raise refused(error) from error

    def _do(self, place: Place, asked: Wish, *, user: str, channel: str, thread: str) -> None:
        """What is wished; the words for a wish that the desk does not answer itself."""
        if asked.verb == "ask":
            self.desk.answer(place, asked.words, user=user, channel=channel, thread=thread)
            return
        if asked.verb == "similar":
            text = asked.words or self._first_words(channel, thread)
            self.desk.similar(place, text, user=user, channel=channel, thread=thread)
            return
        said = {
            "help": lambda: HELP,
            "subscribe": lambda: self.desk.subscribe(asked.words, channel=channel),
            "unsubscribe": lambda: self.desk.unsubscribe(asked.words, channel=channel),
            "subscriptions": lambda: self.desk.subscriptions(channel=channel),
        }[asked.verb]()
        for message in note(said):
            place.post(message)

    def _first_words(self, channel: str, thread: str) -> str:
        """The text of the message that a thread began with: `similar` in it means its link."""
        if not thread:
            return ""
        try:
            found = self._call(
                lambda: self.client.conversations_replies(channel=channel, ts=thread, limit=1)
            )
        except SlackRefused as error:
            if error.code in TOKEN_ERRORS:
                raise
            log.warning("The beginning of a thread cannot be read: %s", error)
            return ""
        first: Body = next(iter(found.get("messages") or []), {})
        text = plain(str(first.get("text") or ""))
        return text if any(identifiers_in(text)) else ""

    def _begun(self, channel: str, user: str, asked: Wish, whisper: Whisper) -> tuple[Place, str]:
        """The thread under a message that says what was asked, or a whisper where none can be posted."""
        said = f"/wayfinder {asked.verb if asked.verb != 'ask' else ''}".rstrip()
        message = _asked_by(user, said, asked.words)
        try:
            thread = ThreadPlace(self.client, channel, None).post(message)
        except SlackRefused as error:
            if error.code not in _UNREACHABLE:
                raise
            whisper.post(note("I am not in this channel, so only you see this: invite me to answer all.")[0])  # fmt: skip
            return whisper, ""
        self.state.claim(f"{channel}:{thread}")
        self.state.open_thread(channel, thread)
        return ThreadPlace(self.client, channel, thread), thread

    def _press(self, place: Place, name: str, value: str, *, user: str, channel: str, thread: str) -> None:  # fmt: skip
        key, _, offset = value.partition(":")
        if name == MORE:
            self.desk.more(place, key, int(offset) if offset.isdecimal() else 0, user=user)
        elif name == EVIDENCE:
            self.desk.evidence(place, key)
        elif name == BIBTEX:
            self.desk.bibtex(place, key)
        elif name == SIMILAR:
            self.state.open_thread(channel, thread)
            self.desk.similar(place, value, user=user, channel=channel, thread=thread)

    def _vote(self, key: str, good: bool, channel: str, user: str, thread: str) -> None:
        try:
            self.desk.vote(key, good, user=user)
            said = "Thank you: your vote is kept."
        except WayfinderError as error:
            said = str(error)
        self.whisper(channel, user, said, thread)

    def _keep_early(self, thread: str, event: Body) -> None:
        now = time.monotonic()
        with self._lock:
            waiting = [one for one in self._early.get(thread, []) if now - one[0] < EARLY_SECONDS]
            self._early[thread] = [*waiting, (now, event)][-MOST_EARLY_OF_THREAD:]
            self._early.move_to_end(thread)
            while len(self._early) > MOST_EARLY:
                self._early.popitem(last=False)

    def _take_early(self, thread: str) -> list[Body]:
        """Replies that came before what they reply to."""
        oldest = time.monotonic() - EARLY_SECONDS
        with self._lock:
            kept = self._early.pop(thread, [])
        return [event for came, event in kept if came >= oldest]

    def _forget(self) -> None:
        """Forget old threads, once an hour."""
        now = time.monotonic()
        with self._lock:
            due = now - self._forgot > FORGET_EVERY_SECONDS
            self._forgot = now if due else self._forgot
        if due:
            self.state.forget_old()


def bot_user(client: WebClient) -> str:
    """The bot's own user id, by its token.

    Raises:
        MissingCredential: Slack does not know the token, or it has expired.
        SlackRefused: Slack does not reply.
    """
    try:
        return str(client.auth_test()["user_id"])
    except (SlackClientError, OSError, ValueError) as error:
        why = refused(error)
        if why.code in TOKEN_ERRORS:
            raise MissingCredential(f"Slack does not take the bot's token. {why}") from error
        raise why from error


def socket_error(error: Exception) -> WayfinderError:
    """Why Socket Mode did not begin, in words."""
    why = refused(error)
    if why.code in TOKEN_ERRORS or why.code == "not_allowed_token_type":
        return MissingCredential(
            f"Slack does not take the app-level token ({why.code}): make one with connections:write under Basic Information, "
            "and set SLACK_APP_TOKEN."
        )
    return why


def bolt_app(bot: Bot) -> App:
    """Bolt's app with the bot's listeners; it checks signatures and their age."""
    quiet = logging.getLogger(
        "wayfinder.slack.bolt"
    )  # its INFO holds whole requests, its warnings whole bodies
    quiet.setLevel(max(logging.ERROR, log.getEffectiveLevel()))
    try:
        app = App(
            client=bot.client,
            signing_secret=str(bot.config.signing_secret),
            raise_error_for_unhandled_request=True,
            logger=quiet,
        )
    except BoltError as error:
        raise MissingCredential(f"Slack's library cannot begin: {error}") from error
    app.event("app_mention")(bot.on_message)
    app.event("message")(bot.on_message)
    app.event("link_shared")(bot.on_link)
    app.command("/wayfinder")(bot.on_command)
    app.message_shortcut(SIMILAR)(bot.on_shortcut)
    for name in (MORE, EVIDENCE, BIBTEX, GOOD, BAD, SIMILAR):
        app.action(name)(bot.on_action)
    app.error(_unhandled)
    return app


def _unhandled(error: Exception) -> BoltResponse:
    """What no listener takes, or breaks one: said in the log without what people wrote."""
    if isinstance(error, BoltUnhandledRequestError):
        return BoltResponse(status=200, body="")
    words_of(error)
    return BoltResponse(status=500, body="")


def _asked_by(user: str, said: str, text: str) -> Message:
    from app.slack_blocks import messages, section, words

    who = {"type": "user", "user_id": user}
    parts = [section(who, words(f" {said} ", code=True), words(f" {text}"))]
    return messages(parts, fallback=text)[0]


def _where(body: Body) -> tuple[str, str]:
    """Channel and thread of a button."""
    container, message = body.get("container") or {}, body.get("message") or {}
    channel = container.get("channel_id") or (body.get("channel") or {}).get("id")
    ts = container.get("message_ts") or message.get("ts")
    thread = message.get("thread_ts") or container.get("thread_ts") or ts
    return str(channel), str(thread)
