"""What passes to the pages and what does not: login, open pages of one visitor, sizes, floods.

It stands before all of Streamlit: pages, files, uploads and the WebSocket.
"""

from __future__ import annotations

import html
import logging
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import metrics, web_login
from app.limits import CLIENT, Limit, TooOften
from app.logs import note
from app.web_login import Login
from app.web_uploads import Place, Uploads
from app.web_visitor import LOGGED_IN
from indexer.config import WebConfig

HEALTH = "/healthz"
STREAMLITS_HEALTH = "/_stcore/health"
# Messages at once, and in how many seconds as many again: of one page, of all pages of one visitor. Each can
# begin a thread that draws a page; what comes faster is not read before its time.
PAGE_MESSAGES, PAGE_SECONDS = 15, 5.0
VISITOR_MESSAGES, VISITOR_SECONDS = 150, 10.0
MOST_UPLOAD_BYTES = 64 * 1024 * 1024  # a file of MOST_BYTES and what HTTP puts around it
MOST_BODY_BYTES = 64 * 1024  # of anything else
_POLICY_VIOLATION = 1008
_UPLOAD = "/_stcore/upload_file/"
_LOOPBACK = ("localhost", "127.0.0.1")  # pages of the visitor's own machine, as Streamlit has it
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # a question stands in the address: it goes to no other site
}
_log = logging.getLogger("wayfinder.web")


class Gate:
    """An ASGI middleware before the pages.

    `wanted` tells of a page's message whether it goes on, `holds` of an upload whether it is still in memory.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: WebConfig,
        login: Login,
        wanted: Callable[[bytes], bool],
        holds: Callable[[str, str], bool],
    ) -> None:
        self.app, self.config, self.login, self.wanted = app, config, login, wanted
        self._uploads = Uploads(holds)
        self._open: Counter[str] = Counter()  # pages by visitor
        self._of_page = Limit(PAGE_MESSAGES, "messages", seconds=PAGE_SECONDS)
        self._of_visitor = Limit(VISITOR_MESSAGES, "messages", seconds=VISITOR_SECONDS)
        paths = (HEALTH, STREAMLITS_HEALTH, metrics.PATH, web_login.PATH)
        self._public = {HEALTH, *(config.base_path + path for path in paths)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer why not."""
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            request = Request(scope)
            passed = self._refusal(request) or self._through(request)
            await passed(scope, receive, _secured(send))
        else:
            await self.app(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        path = request.scope["path"]  # as it is routed; the address is made of the Host header too
        if (why := _too_long(request.headers, path, request.method)) is not None:
            return self._refused("size", why)
        if path in self._public:
            return None
        if not self._admitted(request):
            return self._asked_to_log_in(request)
        if _is_page(request) and self._full(request.scope):
            said = "Too many pages of Wayfinder are open from where you are: close some and load this one again."
            return self._refused("pages", _told(said, 429))
        return None

    def _through(self, request: Request) -> ASGIApp:
        """The pages, for an upload as long as it is counted; or why it is not taken."""
        place = _uploaded_to(request.scope["path"])
        if request.method != "PUT" or place is None:
            return self.app
        who = request.scope[CLIENT]
        why = self._uploads.begin(who, place, int(request.headers["content-length"]))
        if why:
            return self._refused("uploads", PlainTextResponse(f"{why}\n", 413))

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await self.app(scope, receive, send)
            finally:
                self._uploads.end(who, place)

        return counted

    def _admitted(self, connection: HTTPConnection) -> bool:
        if self.config.login_header:
            return bool(connection.scope[LOGGED_IN])
        return self.login.admits(connection)

    def _asked_to_log_in(self, request: Request) -> Response:
        metrics.refused.labels("login").inc()
        if self.config.login_header:
            return _told("This Wayfinder is opened through its host's login: use the address that your host gave you.", 401)  # fmt: skip
        if _is_page(request):
            return self.login.ask(request)
        return PlainTextResponse("Log in first.\n", 401)

    def _full(self, scope: Scope) -> bool:
        most = self.config.connections
        return most is not None and self._open[scope[CLIENT]] >= most

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        who = scope[CLIENT]
        if not self._admitted(HTTPConnection(scope)):
            await self._closed(send, "login")
            return
        if _foreign(Headers(scope=scope)):
            await self._closed(send, "origin")
            return
        if self._full(scope):
            await self._closed(send, "pages")
            return
        self._open[who] += 1
        metrics.connections.inc()
        page = f"{id(scope)}"
        try:
            await self.app(scope, self._paced(page, who, receive), send)
        finally:
            metrics.connections.dec()
            self._of_page.forget(page)
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]

    def _paced(self, page: str, who: str, receive: Receive) -> Receive:
        """Receive messages that are wanted, none before its time; what waits stays in the network."""

        async def received() -> Message:
            while True:
                message = await receive()
                if message["type"] != "websocket.receive":
                    return message
                for limit, name in ((self._of_page, page), (self._of_visitor, who)):
                    await _in_time(limit, name)
                data = message.get("bytes")
                if data is None or self.wanted(data):
                    return message
                self._noted("message")

        return received

    async def _closed(self, send: Send, why: str) -> None:
        self._noted(why)
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": why})

    def _refused(self, why: str, response: Response) -> Response:
        self._noted(why)
        return response

    def _noted(self, why: str) -> None:
        metrics.refused.labels(why).inc()
        note(_log, "refused", why=why)


async def _in_time(limit: Limit, name: str) -> None:
    """Wait until there is one more to take."""
    while True:
        try:
            limit.take(name)
        except TooOften as error:
            metrics.refused.labels("too fast").inc()
            await anyio.sleep(max(0.01, error.seconds))
        else:
            return


def _foreign(headers: Headers) -> bool:
    """Whether a page of another site opens a WebSocket.

    Streamlit would refuse it too, but only after it has asked a server elsewhere for this machine's address.
    """
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        told = urlsplit(origin)
        return told.netloc != headers.get("host") and told.hostname not in _LOOPBACK
    except ValueError:
        return True


def _is_page(request: Request) -> bool:
    """Whether a person looks at the answer."""
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")


def _uploaded_to(path: str) -> Place | None:
    """Session and file of an upload's address."""
    _, found, place = path.rpartition(_UPLOAD)
    session, _, file = place.partition("/")
    return (session, file) if found else None


def _too_long(headers: Headers, path: str, method: str) -> Response | None:
    """Why a body is not read."""
    upload = _UPLOAD in path
    most = MOST_UPLOAD_BYTES if upload else MOST_BODY_BYTES
    told = headers.get("content-length", "" if upload and method == "PUT" else "0")
    if not told or "transfer-encoding" in headers:
        return PlainTextResponse("Tell the length of the body.\n", 411)
    if told.isdecimal() and int(told[:20]) <= most:
        return None
    what = "file" if upload else "body"
    return PlainTextResponse(f"The {what} is too large: at most {most // 1024:,} KB are read.\n", 413)  # fmt: skip


def _told(said: str, status: int) -> Response:
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Wayfinder</title></head>'
        f'<body style="font: 1rem/1.5 system-ui, sans-serif; max-width: 30rem; margin: 18vh auto 0; padding: 0 1rem">'
        f"<h1>Wayfinder</h1><p>{html.escape(said)}</p></body></html>",
        status,
        headers={"Cache-Control": "no-store"},
    )


def _secured(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_SECURITY)
        await send(message)

    return sent
