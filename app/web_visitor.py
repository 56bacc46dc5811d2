"""Who a visitor of the web app is: a name that a trusted proxy tells, else an address.

A proxy is trusted by the address of its connection, before anything that its headers say is believed.
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.limits import CLIENT
from app.network import client_address
from indexer.config import WebConfig

VISITOR = "x-wayfinder-visitor"  # a header within this process: the page reads it, nobody sends it
LOGGED_IN = "wayfinder.logged-in"  # in a request's scope: a trusted proxy told a name
NAMED = "user "  # before a name, so that no address is taken for one
_MOST_NAME = 200  # characters; a longer one is its beginning and a hash


class Visitors:
    """An ASGI middleware that notes in the scope who asks."""

    def __init__(self, app: ASGIApp, config: WebConfig) -> None:
        self.config = config
        self._networks = [ipaddress.ip_network(one) for one in config.trusted_proxies]
        # Its types are asgiref's, Starlette's are wider.
        addressed: Any = ProxyHeadersMiddleware
        self._addressed: ASGIApp = addressed(_Named(app), [*config.trusted_proxies])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its visitor's name."""
        if scope["type"] in ("http", "websocket"):
            scope[LOGGED_IN] = self._told_name(scope)
        await self._addressed(scope, receive, send)

    def _told_name(self, scope: Scope) -> str:
        """The name that a trusted proxy tells, once; empty otherwise."""
        if not self.config.login_header or not self._trusted(scope):
            return ""
        told = Headers(scope=scope).getlist(self.config.login_header)
        return _bounded(told[0].strip()) if len(told) == 1 else ""

    def _trusted(self, scope: Scope) -> bool:
        try:
            address = ipaddress.ip_address((scope.get("client") or ("",))[0])
        except ValueError:
            return False
        mapped = address.ipv4_mapped if address.version == 6 else None
        return any((mapped or address) in network for network in self._networks)


def _bounded(name: str) -> str:
    """A name of at most _MOST_NAME characters that is no other's."""
    if len(name) <= _MOST_NAME:
        return name
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name[: _MOST_NAME - len(mark) - 1]}~{mark}"


class _Named:
    """Innermost: the address is the visitor's own by now."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            name = scope[LOGGED_IN]
            scope[CLIENT] = f"{NAMED}{name}" if name else client_address(scope)
            headers = MutableHeaders(scope=scope)
            # A backslash is escaped too: two people never become one.
            headers[VISITOR] = scope[CLIENT].encode("unicode_escape").decode("ascii")
        await self.app(scope, receive, send)
