"""The web app as one hosted process: sub-path, login, log, metrics, snapshots, its end. Run: pytest tests/app/test_web.py"""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from app.web import MOST_MESSAGE_BYTES
from app.web_login import COOKIE
from tests.papers import PAPERS, build_small_index
from tests.servers import Server, asked, web_server

BASE = "/wayfinder"
PASSWORD = "correct horse"
KEY = "k" * 24
PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    folder = tmp_path_factory.mktemp("hosted")
    with web_server(
        build_small_index(folder, PAPERS[:4]), WAYFINDER_BASE_PATH=f"{BASE}/", WAYFINDER_PASSWORD=PASSWORD,
        WAYFINDER_LOG="json", WAYFINDER_METRICS_KEY=KEY,
    ) as server:  # fmt: skip
        yield server, folder


@pytest.fixture
def cookie(hosted: tuple[Server, Path]) -> str:
    reply = requests.post(f"{hosted[0].url}{BASE}/login", data={"password": PASSWORD}, allow_redirects=False, timeout=30)  # fmt: skip
    assert (reply.status_code, reply.headers["Location"]) == (303, f"{BASE}/")
    assert "HttpOnly" in reply.headers["Set-Cookie"] and f"Path={BASE}" in reply.headers["Set-Cookie"]  # fmt: skip
    assert PASSWORD.split(maxsplit=1)[0] not in reply.headers["Set-Cookie"]
    return f"{COOKIE}={reply.cookies[COOKIE]}"


def test_without_the_password_there_is_health_and_nothing_else(
    hosted: tuple[Server, Path],
) -> None:
    server, _ = hosted
    get = requests.Session().get
    health = get(f"{server.url}{BASE}/healthz", timeout=30).json()
    assert (health["status"], health["index"]) == ("ok", "open")
    page = get(f"{server.url}{BASE}/search?q=a%26b", headers=PAGE, allow_redirects=False, timeout=30)  # fmt: skip
    assert page.status_code == 303
    assert page.headers["Location"] == f"{BASE}/login?next=%2Fwayfinder%2Fsearch%3Fq%3Da%2526b"
    for path in ("/", "/static/index.js", "/_stcore/host-config", "/media/x", "/component/x", "/metrics"):  # fmt: skip
        assert get(f"{server.url}{BASE}{path}", timeout=30).status_code == 401, path
    upload = f"{server.url}{BASE}/_stcore/upload_file/session/file"
    assert requests.put(upload, data=b"x", timeout=30).status_code == 401
    for wrong in ("", f"{COOKIE}=forged.aGVsbG8.signature"):
        with pytest.raises(InvalidStatus, match="403"):
            server.open_page(wrong, BASE)
    assert get(f"{server.url}/", timeout=30).status_code == 401


def test_page_assets_and_websocket_work_under_the_path(
    hosted: tuple[Server, Path], cookie: str
) -> None:
    server, _ = hosted
    headers = {"Cookie": cookie, **PAGE}
    page = requests.get(f"{server.url}{BASE}/search", headers=headers, timeout=30)
    assets = re.findall(r'(?:src|href)="(?:\./|/wayfinder/)?(static/[^"]+\.(?:js|css))"', page.text)
    assert assets
    for asset in assets[:3]:
        found = requests.get(f"{server.url}{BASE}/{asset}", headers=headers, timeout=30)
        assert found.status_code == 200 and len(found.content) > 1_000
    with server.open_page(cookie, BASE, Origin=server.url) as websocket:
        told = asked(websocket, "q=How+do+jets+suppress+star+formation%3F")
    assert "Almeida" in told and "wf-paper" in told and "Privacy on this host" in told
    with pytest.raises(InvalidStatus):
        server.open_page(cookie)  # not under the path


def test_the_log_and_the_metrics_count_questions_and_do_not_hold_them(
    hosted: tuple[Server, Path], cookie: str
) -> None:
    server, _ = hosted
    with server.open_page(cookie, BASE) as websocket:
        asked(websocket, "q=Unmistakable+jets+suppress+star+formation%3F")
        asked(websocket, "q=unmistakable+jets", "search")
    text = server.log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    rows = [row for row in lines if row["event"] == "question"]
    ask, search = rows[-2:]
    assert (ask["door"], ask["what"], ask["outcome"]) == ("page", "ask", "extractive")
    assert {"search", "write", "candidates"} <= set(ask["stages"]) and len(ask["snapshot"]) == 16
    assert (search["what"], search["outcome"]) == ("search", "found")
    assert "nmistakable" not in text and "127.0.0.1" not in "".join(map(json.dumps, rows))
    key = {"Authorization": f"Bearer {KEY}"}
    told = requests.get(f"{server.url}{BASE}/metrics", headers=key, timeout=30).text
    assert 'wayfinder_questions_total{door="page",outcome="found",what="search"} 1.0' in told
    assert "wayfinder_papers" in told and "nmistakable" not in told
    wrong = {"Authorization": f"Bearer {KEY}x"}
    assert requests.get(f"{server.url}{BASE}/metrics", headers=wrong, timeout=30).status_code == 401


def test_a_page_that_breaks_is_logged_by_type_and_place(
    hosted: tuple[Server, Path], cookie: str
) -> None:
    server, folder = hosted
    part = folder / "index" / "map"  # no part of this index: nothing has checked it
    part.mkdir()
    (part / "map.json").write_text('{"regions": [{"terms": [], "PRIVATE words": 1}]}')
    with server.open_page(cookie, BASE) as websocket:
        told = asked(websocket, "", "about")
    shutil.rmtree(part)
    text = server.log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    (row,) = (row for row in lines if "error" in row)
    assert row["error"].startswith("builtins.TypeError\n") and "indexer/landscape.py:" in row["error"]  # fmt: skip
    assert "PRIVATE" not in text and "PRIVATE" not in told and str(folder) not in told
    said = re.search(r"Something failed here.* in its log, under (\w{8})", told)
    assert said and said[1] in text, "who hosts it finds it by what the visitor read"


def test_a_file_of_200_megabytes_is_refused_before_it_is_read(
    hosted: tuple[Server, Path], cookie: str
) -> None:
    server, _ = hosted
    host, port = server.url.removeprefix("http://").split(":")
    head = (
        f"PUT {BASE}/_stcore/upload_file/session/file HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n"
        f"Content-Length: {200 * 10**6}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + b"x" * 1_000)
        reply = ""
        while "too large" not in reply and (piece := connection.recv(65_536)):
            reply += piece.decode()
    assert reply.startswith("HTTP/1.1 413") and "too large" in reply


def test_a_page_uploads_and_cannot_empty_the_caches_of_all(
    hosted: tuple[Server, Path], cookie: str
) -> None:
    server, _ = hosted
    health = f"{server.url}{BASE}/_stcore/health"
    token = requests.get(health, timeout=30).cookies["_streamlit_xsrf"]
    headers = {"Cookie": f"{cookie}; _streamlit_xsrf={token}", "X-Xsrftoken": token}
    with server.open_page(cookie, BASE) as websocket:
        session = re.search(r'session_id: "([^"]+)"', asked(websocket, ""))
        assert session is not None
        for name in ("one", "two"):
            url = f"{server.url}{BASE}/_stcore/upload_file/{session[1]}/{name}"
            sent = requests.put(url, files={"f": ("a.tex", b"x" * 1_000)}, headers=headers, timeout=30)  # fmt: skip
            assert sent.status_code == 204
        websocket.send(BackMsg(clear_cache=True).SerializeToString())
        assert "4 papers" in asked(websocket, "")
    key = {"Authorization": f"Bearer {KEY}"}
    told = requests.get(f"{server.url}{BASE}/metrics", headers=key, timeout=30).text
    assert 'wayfinder_refused_total{why="message"} 1.0' in told


def test_messages_are_neither_compressed_nor_large(
    hosted: tuple[Server, Path], cookie: str
) -> None:
    server, _ = hosted
    with server.open_page(cookie, BASE) as websocket:
        assert websocket.response is not None
        assert "Sec-WebSocket-Extensions" not in websocket.response.headers
        message = BackMsg(app_heartbeat=True).SerializeToString()
        websocket.send(message + bytes(MOST_MESSAGE_BYTES))
        with pytest.raises(ConnectionClosedError) as refused:
            websocket.recv(timeout=30)
        assert refused.value.rcvd is not None and refused.value.rcvd.code == 1009


def test_a_new_snapshot_is_on_the_page_without_a_restart(
    hosted: tuple[Server, Path], cookie: str
) -> None:
    server, folder = hosted
    before = requests.get(f"{server.url}/healthz", timeout=30).json()["snapshot"]
    with server.open_page(cookie, BASE) as websocket:
        assert "4 papers" in asked(websocket, "")
        build_small_index(folder)
        assert "12 papers" in asked(websocket, "")
    assert requests.get(f"{server.url}/healthz", timeout=30).json()["snapshot"] != before


def test_sigterm_ends_it_within_seconds_though_a_page_is_open(
    hosted: tuple[Server, Path], cookie: str
) -> None:
    server, _ = hosted
    with server.open_page(cookie, BASE) as websocket:
        asked(websocket, "")
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=15) == -signal.SIGTERM
        assert time.monotonic() - began < 8
    with pytest.raises(OSError):
        socket.create_connection(server.url.removeprefix("http://").split(":"), timeout=2)  # type: ignore[arg-type]
