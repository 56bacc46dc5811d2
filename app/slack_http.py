"""The bot over HTTP: Slack posts events, commands and buttons to /slack/events, each with its signature."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from slack_bolt import App
from slack_bolt.request import BoltRequest

from app import metrics
from app.http_server import ImpatientHTTP

log = logging.getLogger("wayfinder.slack")

PATH = "/slack/events"
HEALTH = "/healthz"
MOST_BYTES = 1_000_000  # of a request; Slack's are some kilobytes
MOST_DIGITS = 20  # of the time of a signature, in seconds
BODY_SECONDS = 10.0  # in which a request must have come

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class SlackEndpoint:
    """An ASGI app: what is too long, no text, unsigned or signed more than five minutes ago goes no further."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        path, method = scope["path"], scope["method"]
        if path == HEALTH and method in ("GET", "HEAD"):
            await _reply(send, 200, b"ok")
        elif path == metrics.PATH and method == "GET":
            found = metrics.metrics_page(_headers(scope))
            await _reply(send, found.status, found.body, found.media_type)
        elif path != PATH:
            await _reply(send, 404, b"not found")
        elif method != "POST":
            await _reply(send, 405, b"POST only")
        else:
            await self._slack(scope, receive, send)

    async def _slack(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(receive)
        except TimeoutError:
            await _reply(send, 408, b"too slow")
            return
        if body is None:
            await _reply(send, 413, b"too long")
            return
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            await _reply(send, 400, b"not UTF-8")
            return
        if not _may_be_signed(headers):
            await _reply(send, 401, b"not signed")
            return
        request = BoltRequest(
            body=text, query=scope["query_string"].decode("latin-1"), headers={**headers}
        )
        answered = await asyncio.to_thread(self._app.dispatch, request)
        if answered.status == 401:
            log.warning("A request with a wrong signature, or signed too long ago, was refused.")
        kind = answered.first_headers().get("content-type", "text/plain")
        await _reply(send, answered.status, answered.body.encode(), kind)


def server(app: App, *, host: str, port: int) -> uvicorn.Server:
    """A server for Slack to post to; `run` serves until it is told to stop."""
    return uvicorn.Server(
        uvicorn.Config(
            SlackEndpoint(app),
            host=host,
            port=port,
            http=ImpatientHTTP,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            limit_concurrency=200,
            timeout_keep_alive=15,
        )
    )


def _may_be_signed(headers: dict[str, str]) -> bool:
    """Whether a request has a time and a signature that Slack's library can compare without failing."""
    at, signature = (
        headers.get(f"x-slack-{name}", "") for name in ("request-timestamp", "signature")
    )
    return at.isdecimal() and len(at) <= MOST_DIGITS and signature.isascii()


def _headers(scope: Scope) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }


async def _body(receive: Receive) -> bytes | None:
    """A request's body, or None where it is longer than Slack's ever are."""
    body = bytearray()
    while True:
        part = await receive()
        body.extend(part.get("body", b""))
        if len(body) > MOST_BYTES:
            return None
        if part["type"] != "http.request" or not part.get("more_body", False):
            return bytes(body)


async def _reply(send: Send, status: int, body: bytes, kind: str = "text/plain") -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
