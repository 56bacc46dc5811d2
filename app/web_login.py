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
import tomllib
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlencode

from itsdangerous import BadSignature, TimestampSigner
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app import metrics
from app.limits import CLIENT, Limit, TooOften
from app.logs import note
from indexer.config import LOOK, WebConfig

PATH = "/login"
COOKIE = "wayfinder_login"
DAYS = 14
TRIES_PER_MINUTE = 10  # of one visitor
ALL_TRIES_PER_MINUTE = 120
MOST_PASSWORD = 1_000  # characters
_EVERYBODY = "everybody"
_log = logging.getLogger("wayfinder.web")
_STYLE = """
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; font: 1rem/1.5 'Source Sans', 'Source Sans Pro', system-ui, sans-serif;
  color: var(--text); background: var(--page); }
main { width: min(24rem, 100%); padding: 2rem; border: 1px solid light-dark(#dcdcd3, #2c3442); border-radius: .75rem; background: var(--soft); }
h1 { margin: 0 0 1.5rem; line-height: 0; text-align: center; }
h1 svg { width: 11rem; max-width: 100%; height: auto; }
label { display: block; font-weight: 600; margin-bottom: .4rem; }
input, button { font: inherit; width: 100%; min-height: 2.75rem; padding: .5rem .75rem; border-radius: .5rem; }
input { color: inherit; background: var(--page); border: 1px solid light-dark(#82898f, #6b7686); }
input[aria-invalid] { border-color: light-dark(#a33c0a, #f2a36b); }
button { margin-top: 1rem; font-weight: 600; cursor: pointer; color: light-dark(#fff, #11151c); background: var(--accent); border: 1px solid transparent; }
button:hover { filter: brightness(1.08); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.error { margin: .6rem 0 0; color: light-dark(#a33c0a, #f2a36b); }
@media (forced-colors: active) { button { border-color: currentColor; } }
"""


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
            return _form(
                wanted,
                "That is not the password. Try again, or ask whoever runs this Wayfinder.",
                401,
            )
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
    told = f'<p class="error" id="said" role="alert">{html.escape(said)}</p>' if said else ""
    marked = ' aria-invalid="true" aria-describedby="said"' if said else ""
    action = html.escape(f"?{urlencode({'next': wanted})}")
    return HTMLResponse(
        f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Log in · Wayfinder</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<style>{_look()}</style></head><body><main><h1>{_logo()}</h1>
<form method="post" action="{action}"><label for="password">Password of this Wayfinder</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="{MOST_PASSWORD}" required autofocus{marked}>
{told}<button>Log in</button></form></main></body></html>""",
        status,
        headers={
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'",
        },
    )


@cache
def _logo() -> str:
    """The pages' mark, within this one."""
    return Path(__file__).with_name("wayfinder.svg").read_text(encoding="utf-8")


@cache
def _look() -> str:
    """The style sheet, with the colours of the pages' theme."""
    theme = tomllib.loads(LOOK.read_text(encoding="utf-8"))["theme"]
    colours = "".join(
        f"--{name}: light-dark({theme['light'][setting]}, {theme['dark'][setting]}); "
        for name, setting in (("accent", "primaryColor"), ("page", "backgroundColor"), ("soft", "secondaryBackgroundColor"), ("text", "textColor"))
    )  # fmt: skip
    return f":root {{ color-scheme: light dark; {colours}}}{_STYLE}"
