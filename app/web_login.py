"""One password for the web app: the page that asks for it, and the cookie that says it was given.

The cookie is a random name, signed with a key derived from the password: it holds neither, outlives a restart,
and ends when the password changes.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import logging
import secrets
from urllib.parse import quote, urlencode

from itsdangerous import BadSignature, TimestampSigner
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app import metrics
from app.limits import CLIENT, Limit, TooOften
from app.logs import note
from indexer.config import WebConfig

PATH = "/login"
COOKIE = "wayfinder_login"
DAYS = 14
TRIES_PER_MINUTE = 10  # of one visitor
ALL_TRIES_PER_MINUTE = 120
MOST_PASSWORD = 1_000  # characters
_EVERYBODY = "everybody"
_log = logging.getLogger("wayfinder.web")


class Login:
    """The password of an app; without one everybody is in."""

    def __init__(self, config: WebConfig) -> None:
        self.config = config
        self._tries = Limit(TRIES_PER_MINUTE, "tries")
        self._all_tries = Limit(ALL_TRIES_PER_MINUTE, "tries of all visitors")
        self._password = config.password.encode()
        # Slow on purpose: a cookie is no way to try passwords fast.
        key = hashlib.scrypt(self._password, salt=b"wayfinder login", n=2**14, r=8, p=1) if self._password else b"none"  # fmt: skip
        self._signer = TimestampSigner(key, salt="wayfinder.login", digest_method=hashlib.sha256)

    def admits(self, connection: HTTPConnection) -> bool:
        """Whether a request may pass: no password is set, or its cookie is good."""
        if not self._password:
            return True
        try:
            self._signer.unsign(connection.cookies.get(COOKIE, ""), max_age=DAYS * 86_400)
        except BadSignature:
            return False
        return True

    def ask(self, request: Request) -> Response:
        """Send a visitor to the page that asks, and from there to where they wanted to go."""
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{self.config.base_path}{PATH}?{urlencode({'next': wanted})}", 303)

    async def page(self, request: Request) -> Response:
        """The page that asks for the password, and what becomes of an answer."""
        wanted = self._inside(request.query_params.get("next", ""))
        if not self._password:
            return RedirectResponse(wanted, 303)
        if request.method != "POST":
            return _form(wanted)
        try:
            self._tries.take(str(request.scope.get(CLIENT, "")))
            self._all_tries.take(_EVERYBODY)
        except TooOften as error:
            metrics.logins.labels("limited").inc()
            return _form(wanted, str(error), 429)
        async with request.form(max_files=0, max_fields=2) as form:
            given = str(form.get("password", ""))[:MOST_PASSWORD]
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._password):
            metrics.logins.labels("wrong").inc()
            note(_log, "login", outcome="wrong")
            return _form(wanted, "That is not the password.", 401)
        metrics.logins.labels("good").inc()
        return self._admitted(request, wanted)

    def _admitted(self, request: Request, wanted: str) -> Response:
        reply = RedirectResponse(wanted, 303)
        reply.set_cookie(
            COOKIE,
            self._signer.sign(secrets.token_urlsafe(16)).decode(),
            max_age=DAYS * 86_400,
            path=self.config.base_path or "/",
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return reply

    def _inside(self, wanted: str) -> str:
        """Where to go after the login: an address of this app, whatever a forged link says."""
        home = f"{self.config.base_path}/"
        plain = wanted.isprintable() and "\\" not in wanted and not wanted.startswith("//")
        return quote(wanted, safe="/?&=%+:,;@!$'()*~.-_") if plain and wanted.startswith(home) else home  # fmt: skip


def _form(wanted: str, said: str = "", status: int = 200) -> Response:
    told = f'<p role="alert">{html.escape(said)}</p>' if said else ""
    action = html.escape(f"?{urlencode({'next': wanted})}")
    return HTMLResponse(
        f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Wayfinder</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 22rem; margin: 18vh auto 0; padding: 0 1rem; }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .5rem .7rem; margin-top: .5rem; }}
</style></head><body><main><h1>Wayfinder</h1>{told}
<form method="post" action="{action}"><label for="password">Password of this Wayfinder</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="{MOST_PASSWORD}" required autofocus>
<button>Enter</button></form></main></body></html>""",
        status,
        headers={
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'",
        },
    )
