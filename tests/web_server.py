"""`wayfinder serve` as a process of its own on a free port, and a page of it opened by Streamlit's own messages."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

COMMAND = str(Path(sys.executable).with_name("wayfinder"))
START_SECONDS = 120.0


@dataclass
class WebServer:
    """A process that serves; `url` has no slash at its end."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def open_page(self, cookie: str = "", path: str = "", **headers: str) -> ClientConnection:
        """The WebSocket of a page, as a browser opens it."""
        given = {**headers, **({"Cookie": cookie} if cookie else {})}
        address = f"ws{self.url.removeprefix('http')}{path}/_stcore/stream"
        return connect(address, subprotocols=["streamlit"], additional_headers=given, max_size=None)


@contextmanager
def web_server(index: Path, folder: Path, **environment: str) -> Iterator[WebServer]:
    """The server once it answers; what it said is shown where it never does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "serve.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [COMMAND, "serve", "--index", str(index), "--port", str(port), "--host", "127.0.0.1"],
            stdout=said, stderr=said, cwd=folder, env={**os.environ, **environment},
        )  # fmt: skip
    server = WebServer(process, f"http://127.0.0.1:{port}", log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(f"{server.url}/healthz"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server does not answer: {log.read_text()}")
            time.sleep(0.1)
        yield server
    finally:
        process.kill()
        process.wait(timeout=30)


def asked(page: ClientConnection, query: str, page_name: str = "") -> str:
    """Have the page drawn for an address's query; return all that it sent until it was done."""
    message = BackMsg()
    message.rerun_script.query_string = query
    message.rerun_script.page_name = page_name
    page.send(message.SerializeToString())
    told = ""
    while True:
        received = ForwardMsg.FromString(page.recv(timeout=60))
        told += str(received)
        if received.WhichOneof("type") == "script_finished":
            return told


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
