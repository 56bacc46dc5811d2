"""Who may use the HTTP API: host names, keys, calls a minute, and how long a body may be and take to arrive.

It stands before everything else, Model Context Protocol included.
"""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import metrics
from app.limits import CLIENT, NOBODY, Limit, TooOften
from app.network import client_address
from app.problems import MEDIA_TYPE, Problem, problem_of
from indexer.config import ApiConfig

OPEN_PATHS = frozenset({"/v1/health", "/openapi.json", metrics.PATH})
MOST_BODY_BYTES = 1_000_000
BODY_SECONDS = 20.0
TOO_LONG = f"The body is longer than {MOST_BODY_BYTES:,} bytes: send less."
TOO_SLOW = f"The body took longer than {BODY_SECONDS:g} seconds to arrive."


class Guard:
    """An ASGI middleware that answers what may not pass with problem details."""

    def __init__(self, app: ASGIApp, config: ApiConfig) -> None:
        self.app = app
        self.config = config
        self._keys = [sha256(key.encode()).digest() for key in config.keys]
        self._calls = Limit(config.calls_per_minute, "calls")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer why not."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        problem = self._refusal(scope)
        if problem is None:
            await self.app(scope, _bounded(receive), send)
        else:
            await reply(problem)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        if scope["path"].removeprefix(scope.get("root_path", "")) in OPEN_PATHS:
            return None
        headers = Headers(scope=scope)
        if foreign := self._foreign(headers):
            return foreign
        declared = headers.get("content-length", "0")
        if declared.isdecimal() and int(declared[:20]) > MOST_BODY_BYTES:
            return Problem(413, TOO_LONG)
        key = _key(headers)
        digest = sha256(key.encode("utf-8", "surrogateescape")).digest() if key else b""
        known = any(hmac.compare_digest(digest, one) for one in self._keys)
        if self._keys and not known:
            said = "This key is not known here" if key else "A key is needed"
            detail = f"{said}: send it as `Authorization: Bearer KEY`."
            return Problem(401, detail, headers={"WWW-Authenticate": "Bearer"})
        scope[CLIENT] = f"key {digest.hex()[:16]}" if known else client_address(scope)
        try:
            self._calls.take(scope[CLIENT])
        except TooOften as error:
            return problem_of(error)
        return None

    def _foreign(self, headers: Headers) -> Problem | None:
        """A page of another site, or a name that is not this server's, would act for whoever opened it."""
        host = _name(headers.get("host", ""))
        hosts = self.config.hosts
        if hosts and host not in hosts:
            return Problem(
                421, "This server does not answer to that host name (WAYFINDER_API_HOSTS)."
            )
        origin = headers.get("origin")
        if origin is not None and _name(origin) not in (hosts or (host,)):
            return Problem(403, "Pages of other sites may not use this server from a browser.")
        return None


def reply(problem: Problem) -> Response:
    """A problem as a response."""
    return Response(
        json.dumps(problem.row), problem.status, headers=problem.headers, media_type=MEDIA_TYPE
    )


def client_of(request: Request) -> str:
    """Who asks, for limits."""
    return str(request.scope.get(CLIENT, NOBODY))


def _key(headers: Headers) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _name(address: str) -> str:
    """The host name of a Host or Origin header, lower case, without port."""
    try:
        return urlsplit(address if "//" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""


def _bounded(receive: Receive) -> Receive:
    """Receive a body of MOST_BODY_BYTES within BODY_SECONDS in all; else its reader is told."""
    deadline = anyio.current_time() + BODY_SECONDS
    n_bytes, whole = 0, False

    async def received() -> Message:
        nonlocal n_bytes, whole
        if whole:
            return await receive()
        try:
            with anyio.fail_after(max(0.0, deadline - anyio.current_time())):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, TOO_SLOW) from None
        n_bytes += len(message.get("body", b""))
        if n_bytes > MOST_BODY_BYTES:
            raise HTTPException(413, TOO_LONG)
        whole = not message.get("more_body", False)
        return message

    return received
