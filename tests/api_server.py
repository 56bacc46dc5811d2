"""`wayfinder api` or `wayfinder mcp --http` as a process of its own on a free port, for tests that speak HTTP to it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("wayfinder"))
START_SECONDS = 120.0


@contextmanager
def api_server(index: Path, *words: str, **environment: str) -> Iterator[str]:
    """Yield the server's address once it answers; its output is shown where it never does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://localhost:{port}"
    with tempfile.TemporaryFile("w+") as said:
        server = subprocess.Popen(
            [COMMAND, *(words or ("api",)), "--index", str(index), "--port", str(port)],
            stdout=said,
            stderr=said,
            env={**os.environ, **environment},
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _answers(f"{url}/v1/health"):
                if server.poll() is not None or time.monotonic() > deadline:
                    said.seek(0)
                    raise AssertionError(f"the server does not answer: {said.read()}")
                time.sleep(0.1)
            yield url
        finally:
            server.terminate()
            server.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
