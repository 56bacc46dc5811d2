"""What the bot remembers, in one SQLite file: messages answered, threads and their answers, subscriptions.

Threads and answers are kept for a few days so that follow-ups and buttons work after a restart;
subscriptions until they are ended. Each call is one transaction: it is in the file or it is not.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.errors import QueryError, StorageError
from retrieval.followup import Context

VERSION = 1
DAY = 86_400.0
MOST_SUBSCRIPTIONS = 20  # of one channel
_TABLES = """
CREATE TABLE seen (key TEXT PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE threads (channel TEXT, thread TEXT, at REAL NOT NULL, context TEXT, PRIMARY KEY (channel, thread));
CREATE TABLE answers (key TEXT PRIMARY KEY, at REAL NOT NULL, row TEXT NOT NULL);
CREATE TABLE begun (channel TEXT, ts TEXT, at REAL NOT NULL, PRIMARY KEY (channel, ts));
CREATE TABLE subscriptions (id INTEGER PRIMARY KEY, channel TEXT NOT NULL, query TEXT NOT NULL, last REAL NOT NULL,
  as_of TEXT NOT NULL, UNIQUE (channel, query));
CREATE TABLE reported (subscription INTEGER, paper TEXT, PRIMARY KEY (subscription, paper));
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class Subscription:
    """A saved query of a channel, when it was last looked at (Unix, s) and of which corpus date (ISO)."""

    id: int
    channel: str
    query: str
    last: float
    as_of: str


class SlackState:
    """The file; every process may open it at the same time."""

    def __init__(self, path: Path, *, keep_days: int) -> None:
        self.path, self.keep_seconds = path, keep_days * DAY

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """One transaction on the file, made where there is none.

        Raises:
            StorageError: it cannot be read or written, or a later version wrote it.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=10, isolation_level=None)) as opened:
                opened.execute("BEGIN IMMEDIATE")
                try:
                    self._prepare(opened)
                    yield opened
                    opened.execute("COMMIT")
                except BaseException:
                    opened.execute("ROLLBACK")
                    raise
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"The Slack bot's file {self.path} cannot be used ({error}): free some space, or name another in WAYFINDER_SLACK_STATE."
            ) from error

    def _prepare(self, opened: sqlite3.Connection) -> None:
        version = opened.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise StorageError(
                f"{self.path} was written by a later Wayfinder (version {version}, this one knows {VERSION}): "
                "update Wayfinder, or name another file in WAYFINDER_SLACK_STATE."
            )
        if version == 0:
            for statement in filter(str.strip, _TABLES.split(";\n")):
                opened.execute(statement)
            opened.execute(f"PRAGMA user_version = {VERSION}")
            self.path.chmod(0o600)

    def claim(self, key: str) -> bool:
        """Whether this is the first time that `key` is seen, by any process."""
        with self._opened() as opened:
            done = opened.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, time.time()))
            return done.rowcount == 1

    def release(self, key: str) -> None:
        """Let `key` be claimed again."""
        with self._opened() as opened:
            opened.execute("DELETE FROM seen WHERE key = ?", (key,))

    def open_thread(self, channel: str, thread: str) -> None:
        """Know a thread from now on."""
        with self._opened() as opened:
            opened.execute(
                "INSERT OR IGNORE INTO threads VALUES (?, ?, ?, NULL)",
                (channel, thread, time.time()),
            )

    def knows(self, channel: str, thread: str) -> bool:
        """Whether the bot takes part in a thread."""
        with self._opened() as opened:
            asked = "SELECT 1 FROM threads WHERE channel = ? AND thread = ?"
            return opened.execute(asked, (channel, thread)).fetchone() is not None

    def context(self, channel: str, thread: str) -> Context | None:
        """What a thread is about, None where it had no answer yet."""
        with self._opened() as opened:
            asked = "SELECT context FROM threads WHERE channel = ? AND thread = ?"
            found = opened.execute(asked, (channel, thread)).fetchone()
        if found is None or found[0] is None:
            return None
        question, papers = json.loads(found[0])
        return Context(question, tuple(papers))

    def keep_answer(
        self, key: str, row: Row, channel: str, thread: str, context: Context | None
    ) -> None:
        """Keep an answer for its buttons, and its thread's context for what is asked further."""
        now = time.time()
        with self._opened() as opened:
            opened.execute("INSERT INTO answers VALUES (?, ?, ?)", (key, now, json.dumps(row)))
            if context is not None:
                said = json.dumps([context.question, list(context.papers)])
                opened.execute(
                    "INSERT OR REPLACE INTO threads VALUES (?, ?, ?, ?)",
                    (channel, thread, now, said),
                )

    def answer(self, key: str) -> Row | None:
        """A kept answer; None once it is forgotten."""
        with self._opened() as opened:
            found = opened.execute("SELECT row FROM answers WHERE key = ?", (key,)).fetchone()
        return None if found is None else json.loads(found[0])

    def begin(self, channel: str, ts: str) -> None:
        """Note a message that says that an answer is being made."""
        with self._opened() as opened:
            opened.execute("INSERT OR REPLACE INTO begun VALUES (?, ?, ?)", (channel, ts, time.time()))  # fmt: skip

    def end(self, channel: str, ts: str) -> None:
        """Note that its answer came."""
        with self._opened() as opened:
            opened.execute("DELETE FROM begun WHERE channel = ? AND ts = ?", (channel, ts))

    def cut_off(self) -> list[tuple[str, str]]:
        """Messages (channel, ts) whose answer never came, each once: what a killed bot left."""
        with self._opened() as opened:
            found = opened.execute("DELETE FROM begun RETURNING channel, ts").fetchall()
        return [(channel, ts) for channel, ts in found]

    def forget_old(self) -> None:
        """Forget threads and answers older than they are to be kept."""
        oldest = time.time() - self.keep_seconds
        with self._opened() as opened:
            for table in ("seen", "threads", "answers", "begun"):
                opened.execute(f"DELETE FROM {table} WHERE at < ?", (oldest,))  # noqa: S608 - names from here

    def subscribe(self, channel: str, query: str, *, as_of: str, known: Iterable[str]) -> bool:
        """Save a query of a channel with the papers that it already finds; False where it was saved before.

        Raises:
            QueryError: the channel has its most.
        """
        with self._opened() as opened:
            asked = "SELECT COUNT(*) FROM subscriptions WHERE channel = ?"
            if opened.execute(asked, (channel,)).fetchone()[0] >= MOST_SUBSCRIPTIONS:
                raise QueryError(
                    f"This channel has {MOST_SUBSCRIPTIONS} subscriptions, the most that it may: unsubscribe from one first."
                )
            done = opened.execute(
                "INSERT OR IGNORE INTO subscriptions (channel, query, last, as_of) VALUES (?, ?, ?, ?)",
                (channel, query, time.time(), as_of),
            )
            if done.rowcount == 1:
                _report(opened, int(done.lastrowid or 0), known)
            return done.rowcount == 1

    def unsubscribe(self, channel: str, query: str) -> Subscription | None:
        """End a channel's subscription by its query or its number in `subscriptions`; None where there is none."""
        saved = self.subscriptions(channel)
        named = [item for item in saved if item.query.casefold() == query.casefold()]
        if not named:
            named = [item for number, item in enumerate(saved, 1) if query == str(number)]
        if not named:
            return None
        with self._opened() as opened:
            opened.execute("DELETE FROM reported WHERE subscription = ?", (named[0].id,))
            opened.execute("DELETE FROM subscriptions WHERE id = ?", (named[0].id,))
        return named[0]

    def subscriptions(self, channel: str | None = None) -> list[Subscription]:
        """The saved queries of a channel, or of all, oldest first."""
        with self._opened() as opened:
            asked = "SELECT id, channel, query, last, as_of FROM subscriptions WHERE ? IS NULL OR channel = ? ORDER BY id"
            return [Subscription(*row) for row in opened.execute(asked, (channel, channel))]

    def take(self, subscription: Subscription, now: float) -> bool:
        """Take a subscription's turn at the digest; False where another process took it, or it was ended."""
        with self._opened() as opened:
            done = opened.execute(
                "UPDATE subscriptions SET last = ? WHERE id = ? AND last = ?",
                (now, subscription.id, subscription.last),
            )
            return done.rowcount == 1

    def give_back(self, subscription: Subscription) -> None:
        """Let a turn be taken again, because its digest could not be posted."""
        with self._opened() as opened:
            opened.execute(
                "UPDATE subscriptions SET last = ? WHERE id = ?",
                (subscription.last, subscription.id),
            )

    def reported(self, subscription: Subscription) -> set[str]:
        """Identifiers of the papers that a subscription knows."""
        with self._opened() as opened:
            asked = "SELECT paper FROM reported WHERE subscription = ?"
            return {paper for (paper,) in opened.execute(asked, (subscription.id,))}

    def report(self, subscription: Subscription, papers: Iterable[str], *, as_of: str) -> None:
        """Note papers as known, and the corpus date that they were found in."""
        with self._opened() as opened:
            _report(opened, subscription.id, papers)
            opened.execute(
                "UPDATE subscriptions SET as_of = ? WHERE id = ?", (as_of, subscription.id)
            )


def _report(opened: sqlite3.Connection, subscription: int, papers: Iterable[str]) -> None:
    rows = [(subscription, paper) for paper in papers]
    opened.executemany("INSERT OR IGNORE INTO reported VALUES (?, ?)", rows)
