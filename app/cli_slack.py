"""`wayfinder slack`: the Slack bot, and the digest that a scheduler runs once a week."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from app.logs import start_log
from app.options import IndexOption
from app.terminal import JsonOption, QuietOption, index_directory, out, say
from indexer import config
from indexer.config import SlackConfig
from indexer.errors import MissingCredential, RemoteError

if TYPE_CHECKING:
    from app.slack_bot import Bot
    from app.slack_digest import Digest

slack_app = typer.Typer(help="Wayfinder in Slack.", invoke_without_command=True)
OfflineOption = Annotated[
    bool, typer.Option("--offline", help="No language model: quote the sentences that answer.")
]


@slack_app.callback()
def slack(
    context: typer.Context,
    index: IndexOption = None,
    http: Annotated[
        bool,
        typer.Option(
            "--http",
            help="Let Slack post to this machine, instead of Socket Mode. Default: where no app-level token is set.",
        ),
    ] = False,
    port: Annotated[int, typer.Option(help="Port for --http.", min=1, max=65535)] = 3000,
    host: Annotated[str, typer.Option(help="Address for --http; 0.0.0.0 for all.")] = "localhost",
    offline: OfflineOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run the Slack bot: it answers mentions, direct messages and /wayfinder until it is stopped.

    SLACK_BOT_TOKEN (xoxb-...) is needed, and SLACK_APP_TOKEN (xapp-...) for Socket Mode or SLACK_SIGNING_SECRET for HTTP.
    """
    if context.invoked_subcommand is not None:
        return
    settings = _configured()
    http = http or not settings.app_token
    if http and not settings.signing_secret:
        raise MissingCredential(
            "Slack needs one more secret: set SLACK_APP_TOKEN (xapp-...) for Socket Mode, or SLACK_SIGNING_SECRET for HTTP."
        )
    directory = index_directory(index, quiet)
    from app.served_index import ServedIndex
    from app.slack_bot import Bot, bot_user
    from app.slack_desk import Desk
    from app.slack_post import web_client
    from app.slack_state import SlackState

    client = web_client(settings)
    state = SlackState(settings.state, keep_days=settings.keep_days)
    user = bot_user(client)
    hasty = web_client(settings, patient=False)
    desk = Desk(ServedIndex(directory), state, hasty=hasty, offline=offline)
    bot = Bot(settings, desk, client, user)
    bot.clean_up()
    if http:
        _serve_http(bot, host=host, port=port)
    else:
        _serve_socket(bot)
    if bot.reason:
        raise MissingCredential(bot.reason)


@slack_app.command()
def digest(
    index: IndexOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All subscriptions, not only those whose week is over.")
    ] = False,
    offline: OfflineOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Post the new papers of each subscription whose week is over; run it daily or weekly, after `index update`.

    Exit status 1 where one could not be posted; it is tried again by the next run.
    """
    settings = _configured()
    from app.slack_digest import run_digests
    from app.slack_post import web_client
    from app.slack_state import SlackState
    from retrieval import load_index

    def tell(done: Digest) -> None:
        out(json.dumps(_row(done), ensure_ascii=False) if json_output else done.text)

    n_failed = run_digests(
        web_client(settings),
        load_index(index_directory(index, quiet)),
        SlackState(settings.state, keep_days=settings.keep_days),
        offline=offline,
        all_of_them=everything,
        tell=tell,
    )
    if n_failed:
        raise RemoteError(
            f"{n_failed} of the digests could not be posted; the next run tries again."
        )


def _row(done: Digest) -> dict[str, object]:
    papers = [{"id": hit.paper.id, "title": hit.paper.plain_title} for hit in done.papers]
    saved = done.subscription
    return {"channel": saved.channel, "query": saved.query, "papers": papers, "error": done.error}


def _configured() -> SlackConfig:
    settings = config.slack_config()
    if not settings.bot_token:
        raise MissingCredential(
            "Slack needs the bot's token: make the app with the manifest of README.md, install it, and set SLACK_BOT_TOKEN (xoxb-...)."
        )
    start_log()
    return settings


def _serve_socket(bot: Bot) -> None:
    from slack_bolt.adapter.socket_mode import SocketModeHandler

    from app.slack_bot import bolt_app, socket_error

    handler = SocketModeHandler(bolt_app(bot), str(bot.config.app_token))
    with _stopping(bot.stopped):
        try:
            handler.client.connect()
        except Exception as error:
            handler.client.close()
            raise socket_error(error) from error
        say("Wayfinder is in Slack (Socket Mode). Ctrl-C ends it.")
        bot.stopped.wait()
        handler.client.auto_reconnect_enabled = False
        bot.close()
        handler.client.close()


def _serve_http(bot: Bot, *, host: str, port: int) -> None:
    from app.slack_bot import bolt_app
    from app.slack_http import PATH, server

    serving = server(bolt_app(bot), host=host, port=port)

    def stop() -> None:
        bot.stopped.wait()
        serving.should_exit = True

    threading.Thread(target=stop, daemon=True).start()
    say(f"Wayfinder listens for Slack on http://{host}:{port}{PATH}. Ctrl-C ends it.")
    serving.run()
    bot.close()


@contextmanager
def _stopping(event: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set an event while the block runs."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: event.set()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
