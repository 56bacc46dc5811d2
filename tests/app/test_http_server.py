"""Clients that open connections and say nothing. Run: pytest tests/app/test_http_server.py"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect

from app import http_server
from app.http_server import ImpatientHTTP


async def length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())} bytes")


async def echo(page: WebSocket) -> None:
    await page.accept()
    async for text in page.iter_text():
        await page.send_text(text)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(http_server, "HEAD_SECONDS", 1.0)
    monkeypatch.setattr(http_server, "BODY_SECONDS", 1.5)
    monkeypatch.setattr(http_server, "LEAST_BYTES_A_SECOND", 100)
    routes = [Route("/", length, methods=["GET", "POST"]), WebSocketRoute("/page", echo)]
    app = Starlette(routes=routes)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, http=ImpatientHTTP, log_config=None))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


def closed_after(port: int, first: bytes) -> float:
    """Seconds until the server hangs up on a client that sends this, and then a letter again and again."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(first)
        client.settimeout(0.1)
        while time.monotonic() - began < 10:
            try:
                if not client.recv(65_536):
                    break
            except TimeoutError:
                client.sendall(b"X")
            except OSError:
                break
    return time.monotonic() - began


def test_a_client_that_dawdles_is_hung_up_on(port: int) -> None:
    whole = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    body = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90\r\n\r\n"
    assert 0.8 < closed_after(port, b"") < 5
    assert 0.8 < closed_after(port, whole[:20]) < 5
    assert 0.8 < closed_after(port, whole + whole[:20]) < 5  # in the second of two requests
    assert 1.8 < closed_after(port, body) < 7


def test_a_client_that_is_slow_within_reason_is_answered(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        for n in range(2):
            for piece in (
                b"POST / HTTP/1.1\r\nHost: a\r\n",
                b"Content-Length: 300\r\n\r\n",
                b"x" * 100,
                b"x" * 100,
                b"x" * 100,
            ):
                client.sendall(piece)
                time.sleep(0.6)
            assert b"300 bytes" in client.recv(65_536), n


def test_an_open_page_that_says_nothing_stays_open(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/page") as page:
        time.sleep(4)  # longer than any head or body may take
        page.send("still here")
        assert page.recv(timeout=5) == "still here"
