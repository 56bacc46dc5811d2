"""A door of Wayfinder as a process of its own on a free port, for tests that speak to it over the network."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

COMMAND = str(Path(sys.executable).with_name("wayfinder"))
START_SECONDS = 120.0
CACHE = "WAYFINDER_CACHE"
SETTINGS = ("WAYFINDER_", "OPENAI_", "ADS_", "SLACK_")


@dataclass
class Server:
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
def server(*words: str, health: str, **environment: str) -> Iterator[Server]:
    """`wayfinder` with these words once it answers at `health`; what it said is shown where it never does.

    Of the settings of whoever runs the tests it knows none but where the cache is.
    """
    plain = {k: v for k, v in os.environ.items() if k == CACHE or not k.startswith(SETTINGS)}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "said.log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                [COMMAND, *words, "--host", "127.0.0.1", "--port", str(port)],
                stdout=said, stderr=said, cwd=folder, start_new_session=True,
                env={**plain, "WAYFINDER_LLM_CACHE": "0", **environment},
            )  # fmt: skip
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _answers(f"{url}{health}"):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"the server does not answer: {log.read_text()}")
                time.sleep(0.1)
            yield Server(process, url, log)
        finally:
            with suppress(ProcessLookupError):  # a test has ended it
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)


def web_server(index: Path, **environment: str) -> AbstractContextManager[Server]:
    """`wayfinder serve`."""
    return server("serve", "--index", str(index), health="/healthz", **environment)


def api_server(index: Path, *words: str, **environment: str) -> AbstractContextManager[Server]:
    """`wayfinder api`, or what `words` say instead."""
    return server(*(words or ("api",)), "--index", str(index), health="/v1/health", **environment)


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
