"""Several processes of the web app behind Caddy, as compose.yaml has them. Run: pytest tests/app/test_proxy.py"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from tests.servers import Server, asked, web_server

CADDYFILE = Path(__file__).resolve().parents[2] / "Caddyfile"
COOKIE = "wayfinder-process"

pytestmark = pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not installed")


@contextmanager
def proxied(*apps: Server) -> Iterator[str]:
    """The address of Caddy before these, with the project's Caddyfile."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    started = subprocess.Popen(
        ["caddy", "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"],
        env={**os.environ, "SITE": url, "APPS": " ".join(app.url.removeprefix("http://") for app in apps)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(100):
            try:
                requests.get(f"{url}/healthz", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield url
    finally:
        started.terminate()
        started.wait(timeout=30)


def upload(site: Server, cookies: dict[str, str]) -> int:
    """What a visit with these cookies gets for a file that it sends beside its WebSocket: 204 from the process that knows it."""
    together = "; ".join(f"{name}={value}" for name, value in cookies.items())
    token = cookies["_streamlit_xsrf"]
    with site.open_page(together) as websocket:
        session = re.search(r'session_id: "([^"]+)"', asked(websocket, ""))
        assert session is not None
        address = f"{site.url}/_stcore/upload_file/{session[1]}/one"
        headers = {"Cookie": together, "X-Xsrftoken": token}
        return requests.put(address, files={"f": ("a.tex", b"x")}, headers=headers, timeout=30).status_code  # fmt: skip


def test_each_visitor_stays_with_one_of_several_processes(small_index_dir: Path) -> None:
    with ExitStack() as stack:
        apps = [
            stack.enter_context(web_server(small_index_dir, WAYFINDER_TRUSTED_PROXIES="127.0.0.1"))
            for _ in range(2)
        ]
        site = replace(apps[0], url=stack.enter_context(proxied(*apps)))
        visits = []
        for _ in range(16):
            visit = requests.Session()
            visit.get(f"{site.url}/_stcore/health", timeout=30)
            visits.append(visit.cookies.get_dict())
        assert len({cookies[COOKIE] for cookies in visits}) == 2, "both are asked"
        assert [upload(site, cookies) for cookies in visits[:6]] == [204] * 6
        without = {name: value for name, value in visits[0].items() if name != COOKIE}
        assert 400 in [upload(site, without) for _ in range(12)], "the other one does not know it"
        apps[0].process.kill()
        apps[0].process.wait(timeout=30)
        assert all(requests.get(f"{site.url}/healthz", cookies=c, timeout=30).ok for c in visits), "and who was with it goes to the other"  # fmt: skip
