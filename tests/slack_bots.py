"""A running bot, real bolt and all, connected to the Slack of tests/slack_server.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import langchain_openai  # noqa: F401 - takes seconds, which no test is to wait for
from slack_bolt.adapter.socket_mode import SocketModeHandler

from app.served_index import ServedIndex
from app.slack_bot import Bot, bolt_app, bot_user
from app.slack_desk import Desk
from app.slack_post import web_client
from app.slack_state import SlackState
from indexer.config import Secret, SlackConfig
from tests.slack_server import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, SlackServer


def slack_config(slack: SlackServer, state: Path, **others: Any) -> SlackConfig:
    """A configuration that speaks to that server, without limits that get in a test's way."""
    settings = SlackConfig(
        bot_token=Secret(BOT_TOKEN), app_token=Secret(APP_TOKEN), signing_secret=Secret(SIGNING_SECRET), url=slack.url,
        state=state, keep_days=7, user_per_minute=10_000, channel_per_minute=10_000,
    )  # fmt: skip
    return replace(settings, **others)


def make_bot(settings: SlackConfig, index: ServedIndex, *, offline: bool = False) -> Bot:
    """A bot that is not connected."""
    client = web_client(settings)
    state = SlackState(settings.state, keep_days=settings.keep_days)
    hasty = web_client(settings, patient=False)
    return Bot(settings, Desk(index, state, hasty=hasty, offline=offline), client, bot_user(client))


@contextmanager
def in_socket_mode(bot: Bot, slack: SlackServer) -> Iterator[Bot]:
    """The bot, connected by a websocket until the block ends."""
    before = slack.n_connected
    handler = SocketModeHandler(bolt_app(bot), str(bot.config.app_token))
    handler.client.connect()
    slack.connected(before + 1)
    try:
        yield bot
    finally:
        handler.client.auto_reconnect_enabled = False
        bot.close()
        handler.client.close()
