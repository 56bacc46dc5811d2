"""Wayfinder served by the command that people use, and Debian's Chromium to look at it with."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = Path("/usr/bin/chromium")
ARTIFACTS = Path(__file__).resolve().parents[1] / "artifacts"
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
WEBGL = FLAGS + " --enable-unsafe-swiftshader"
ASK = "Ask in plain words, or paste an abstract"  # stands in the empty box


@contextmanager
def served(directory: Path, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of an index served until the block ends; `environment` adds to this process's, LLMs left out."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [
        str(Path(sys.executable).with_name("wayfinder")),
        "serve",
        "--port",
        str(port),
        "--index",
        str(directory),
    ]
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("WAYFINDER_LLM", "OPENAI"))}
    server = subprocess.Popen(
        command,
        env={**plain, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://localhost:{port}"
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=2)
            break
        except OSError:
            time.sleep(0.5)
    try:
        yield url
    finally:
        os.killpg(server.pid, 15)
        server.wait()


def ask(page: Any, question: str) -> None:
    """Type a question and press Enter; return when its papers are there."""
    box = page.get_by_placeholder(ASK)
    box.fill(question)
    box.press("Enter")
    page.wait_for_selector(".wf-paper")


def serious(page: Any) -> list[str]:
    """What axe-core finds serious or critical on the page, each with the first element it is about."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']} ({len(one['nodes'])}): {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary'][:300]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
