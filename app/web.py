"""The web app as one ASGI application in one process: Streamlit's pages behind a gate, health, metrics, login.

`wayfinder serve` runs it.
"""

from __future__ import annotations

import gc
import logging
import signal
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from streamlit.starlette import App
from streamlit.web.bootstrap import load_config_options

from app import metrics, web_login, web_messages
from app.http_server import ImpatientHTTP
from app.library_file import folder_made_ready
from app.logs import start_log
from app.page_parts import literal
from app.problems import told_visitor
from app.questions import queue
from app.served_index import ServedIndex, served
from app.web_gate import HEALTH, MOST_UPLOAD_BYTES, Gate
from app.web_login import Login
from app.web_visitor import Visitors
from indexer import config
from indexer.config import LOOK, WebConfig
from indexer.errors import WayfinderError

PAGE = Path(__file__).with_name("page.py")
MOST_CONNECTIONS = 2_000
MOST_MESSAGE_BYTES = 1_000_000  # of one message of a page, which is what its controls hold
STOP_SECONDS = 3  # that open pages have when the server stops
_log = logging.getLogger("wayfinder.web")


def serve(directory: Path, *, host: str, port: int) -> None:
    """Serve an index until SIGINT or SIGTERM.

    Raises:
        WayfinderError: a setting cannot be used, or the index cannot be opened.
    """
    settings = config.web_config()
    queue()  # a setting that cannot be used is said now, not at the first question
    (
        config.metrics_key(),
        config.visitor_day_tokens(),
        config.llm_config(),
        config.reranker_config(),
    )
    start_log()
    if folder_made_ready() is not None and not settings.login_header:
        _log.warning("WAYFINDER_LIBRARY keeps nobody's library: without WAYFINDER_LOGIN_HEADER nobody has a name.")  # fmt: skip
    _set_streamlit(settings, host=host, port=port)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(served(directory), settings),
            host=host,
            port=port,
            http=ImpatientHTTP,
            log_config=None,
            access_log=False,  # addresses and what was read are nobody's business
            server_header=False,
            proxy_headers=False,  # app/web_visitor.py reads them, after it has seen who sends them
            limit_concurrency=MOST_CONNECTIONS,
            ws_max_size=MOST_MESSAGE_BYTES,
            ws_per_message_deflate=False,  # 64 kB of it unpack to 64 MB before a message is looked at
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    )
    try:
        server.run()
    except KeyboardInterrupt:  # all is closed: end as SIGTERM would, whatever threads still do
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    if not server.started:
        raise SystemExit(1)


def create_app(index: ServedIndex, settings: WebConfig) -> App:
    """The application; Streamlit's own settings are made before (`_set_streamlit`)."""
    login = Login(settings)
    base = settings.base_path

    async def health(request: Request) -> Response:
        return _health(index)

    async def measured(request: Request) -> Response:
        page = metrics.metrics_page(request.headers, lambda: _set_gauges(index))
        return Response(page.body, page.status, headers=page.headers, media_type=page.media_type)

    paths = dict.fromkeys((HEALTH, f"{base}{HEALTH}"))
    return App(
        PAGE,
        routes=[
            *(Route(path, health) for path in paths),
            Route(f"{base}{metrics.PATH}", measured),
            Route(f"{base}{web_login.PATH}", login.page, methods=["GET", "POST"]),
        ],
        middleware=[
            Middleware(Visitors, config=settings),
            Middleware(
                Gate,
                config=settings,
                login=login,
                wanted=web_messages.wanted,
                holds=web_messages.holds,
            ),
        ],
        lifespan=_life,
        on_script_error=_failed,
    )


def _failed(error: Exception) -> bool:
    """Say on the page that it failed, in place of what Streamlit says; true: it is said."""
    st.error(literal(told_visitor(error)), icon=":material/error:")
    return True


@asynccontextmanager
async def _life(app: App) -> AsyncIterator[None]:
    start_log()  # again: Streamlit's loggers are all there now
    # pandas and what pages draw with: not while the first visitor waits
    from app import card_tools, map_parts, page_actions, page_settings  # noqa: F401

    gc.freeze()  # what is loaded stays: no collection looks through it again while everybody waits
    yield


def _health(index: ServedIndex) -> Response:
    """Whether the index is open; no paths, no names."""
    try:
        opened = index.current()
        open_now = len(opened.papers) > 0
    except (WayfinderError, OSError):
        open_now = False
    if not open_now:
        return JSONResponse({"status": "failing", "index": "not open"}, 503)
    snapshot = opened.manifest.snapshot
    return JSONResponse({"status": "ok", "index": "open", "snapshot": snapshot, "newer_snapshot": index.behind})  # fmt: skip


def _set_gauges(index: ServedIndex) -> None:
    queue().set_gauges()
    opened = index.current()
    metrics.papers.set(len(opened.papers))
    metrics.snapshot.info({"snapshot": opened.manifest.snapshot, "as_of": opened.manifest.as_of})


def _set_streamlit(settings: WebConfig, *, host: str, port: int) -> None:
    """Streamlit's settings: the look beside this package, wherever it is started, and where it is served."""
    look = tomllib.loads(LOOK.read_text(encoding="utf-8"))
    load_config_options(
        {
            **_flat(look),
            "server.address": host,
            "server.port": port,
            "server.baseUrlPath": settings.base_path.strip("/"),
            "logger.level": "warning",
            "logger.enableRich": False,  # it prints what an error says past the log
            # A collection of everything after each drawing stops all pages for a while (docs/decisions.md).
            "runner.postScriptGC": False,
            "server.maxUploadSize": MOST_UPLOAD_BYTES // 1024**2,
        }
    )


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted names."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}  # fmt: skip
    return flat
