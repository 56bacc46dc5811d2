"""Who passes the gate of the web app, how often, and what a forged request gets. Run: pytest tests/app/test_web_gate.py"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.proto.BackMsg_pb2 import BackMsg

from app import limits, web_gate, web_login, web_uploads
from app.limits import Lane, Limit, TooBusy
from app.web_gate import Gate
from app.web_login import Login
from app.web_messages import MOST_FILE_NAMES, wanted
from app.web_visitor import VISITOR, Visitors
from indexer import config
from indexer.config import Secret, WebConfig
from indexer.errors import QueryError
from retrieval.budget import Budget, DayTokens
from retrieval.errors import LLMBudgetExceeded

PAGE = {"Accept": "text/html"}
PROXY, OTHER = ("10.1.2.3", 1), ("192.0.2.7", 1)
BEHIND = WebConfig(login_header="x-remote-user", trusted_proxies=("10.1.0.0/16",))


def client(
    settings: WebConfig,
    address: tuple[str, int] = OTHER,
    held: set[tuple[str, str]] | None = None,
) -> TestClient:
    """The gate before a page that tells who it takes its visitor for; `held` are the uploads in memory."""

    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.headers[VISITOR])

    async def stream(websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text") or BackMsg.FromString(message["bytes"]).WhichOneof("type")
            await websocket.send_text(f"{text} {websocket.headers[VISITOR]}")

    login = Login(settings)
    base = settings.base_path
    app = Starlette(
        routes=[
            Route(f"{base}/login", login.page, methods=["GET", "POST"]),
            WebSocketRoute(f"{base}/_stcore/stream", stream),
            Route(f"{base}/{{path:path}}", page, methods=["GET", "PUT", "POST"]),
        ],
        middleware=[
            Middleware(Visitors, config=settings),
            Middleware(
                Gate,
                config=settings,
                login=login,
                wanted=wanted,
                holds=lambda *place: held is not None and place in held,
            ),
        ],
    )
    return TestClient(app, client=address, follow_redirects=False)


def test_a_visitor_is_an_address_and_a_forged_name_or_address_is_not_believed() -> None:
    forged = {VISITOR: "user root", "X-Forwarded-For": "1.2.3.4", "X-Remote-User": "root"}
    assert client(WebConfig()).get("/", headers=forged).text == "192.0.2.7"
    trusting = WebConfig(trusted_proxies=("10.1.0.0/16",))
    assert client(trusting, PROXY).get("/", headers=forged).text == "1.2.3.4"
    chain = {"X-Forwarded-For": "6.6.6.6, 1.2.3.4, 10.1.9.9"}
    assert client(trusting, PROXY).get("/", headers=chain).text == "1.2.3.4"
    assert client(trusting).get("/", headers=forged).text == "192.0.2.7"
    assert client(WebConfig(), ("2001:db8::1:2", 1)).get("/").text == "2001:db8::/64"


def test_a_proxys_login_counts_from_the_proxy_alone() -> None:
    name = {"X-Remote-User": "Zoë".encode()}
    behind = client(BEHIND, PROXY)
    assert behind.get("/", headers=name).text.startswith("user Zo")
    for opened, headers in (
        (behind, {}),
        (behind, {"X-Remote-User": " "}),
        (client(BEHIND, OTHER), name),
        (client(BEHIND, OTHER), {**name, "X-Forwarded-For": PROXY[0]}),
    ):
        reply = opened.get("/", headers={**headers, **PAGE})
        assert reply.status_code == 401 and "login" in reply.text
        with pytest.raises(WebSocketDisconnect), opened.websocket_connect("/_stcore/stream", headers=headers):  # fmt: skip
            pass
    twice = [("X-Remote-User", "me"), ("X-Remote-User", "root")]
    assert behind.get("/", headers=twice).status_code == 401
    with behind.websocket_connect("/_stcore/stream", headers={"X-Remote-User": "ada"}) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello user ada"


def test_the_password_opens_everything_and_wrong_tries_are_slowed_down() -> None:
    secret = WebConfig(password=Secret("correct horse"))
    opened = client(secret)
    assert opened.get("/static/x.js").status_code == 401
    sent = opened.get("/search?q=a", headers=PAGE)
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=%2Fsearch%3Fq%3Da")
    form = opened.get(sent.headers["location"])
    assert "Password of this Wayfinder" in form.text and "default-src 'none'" in form.headers["content-security-policy"]  # fmt: skip
    wrong = opened.post("/login?next=/search", data={"password": "wrong"})
    assert wrong.status_code == 401 and "not the password" in wrong.text
    assert 'aria-describedby="said"' in wrong.text and 'id="said"' in wrong.text
    assert "aria-describedby" not in form.text
    # Nothing is loaded: no address in it but the name of SVG.
    assert set(re.findall(r"(?:src|url|@import|https?:)[^\s\"]*", form.text)) == {"http://www.w3.org/2000/svg"}  # fmt: skip
    good = opened.post("/login?next=%2Fsearch%3Fq%3Da", data={"password": "correct horse"})
    assert (good.status_code, good.headers["location"]) == (303, "/search?q=a")
    assert opened.get("/static/x.js").status_code == 200
    with opened.websocket_connect("/_stcore/stream") as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello 192.0.2.7"
    cookie = opened.cookies[web_login.COOKIE]
    after_restart = client(secret)
    after_restart.cookies.set(web_login.COOKIE, cookie)
    assert after_restart.get("/x").status_code == 200
    changed = client(WebConfig(password=Secret("another horse")))
    changed.cookies.set(web_login.COOKIE, cookie)
    assert changed.get("/x").status_code == 401
    statuses = [opened.post("/login", data={"password": f"{n}"}).status_code for n in range(20)]
    assert statuses[0] == 401 and statuses[-1] == 429
    assert opened.post("/login", data={"password": "correct horse"}).status_code == 429


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\n/evil", "/wayfinderx", '/"><script>'],
)  # fmt: skip
def test_a_forged_link_leads_nowhere_else(wanted: str) -> None:
    opened = client(WebConfig(base_path="/wayfinder", password=Secret("correct horse")))
    form = opened.get("/wayfinder/login", params={"next": wanted})
    assert "evil" not in form.text and "<script" not in form.text
    good = opened.post("/wayfinder/login", params={"next": wanted}, data={"password": "correct horse"})  # fmt: skip
    assert good.headers["location"] == "/wayfinder/"


def test_sizes_and_open_pages_have_limits_that_are_told() -> None:
    opened = client(WebConfig(connections=2))
    upload = "/_stcore/upload_file/session/file"
    reply = opened.put(upload, content=b"x", headers={"Content-Length": str(200 * 10**6)})
    assert reply.status_code == 413 and "too large: at most 65,536 KB" in reply.text
    assert opened.put(upload, content=b"x" * 100_000).status_code == 200
    assert opened.post("/anything", content=b"x" * 100_000).status_code == 413
    with opened.websocket_connect("/_stcore/stream"), opened.websocket_connect("/_stcore/stream"):
        with (
            pytest.raises(WebSocketDisconnect),
            opened.websocket_connect("/_stcore/stream"),
        ):
            pass
        full = opened.get("/", headers=PAGE)
        assert full.status_code == 429 and "Too many pages" in full.text
        assert opened.get("/static/x.js").status_code == 200
    with opened.websocket_connect("/_stcore/stream"):
        assert opened.get("/", headers=PAGE).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "http://testserver:1", "http://[", "null", "http://localhost.evil.example"])  # fmt: skip
def test_a_page_of_another_site_opens_no_websocket(origin: str) -> None:
    opened = client(WebConfig())
    with pytest.raises(WebSocketDisconnect), opened.websocket_connect("/_stcore/stream", headers={"Origin": origin}):  # fmt: skip
        pass
    for own in ({"Origin": "http://testserver"}, {"Origin": "http://localhost:8501"}, {}):
        with opened.websocket_connect("/_stcore/stream", headers=own) as page:
            page.send_bytes(BackMsg(app_heartbeat=True).SerializeToString())
            assert page.receive_text().startswith("app_heartbeat")


def test_a_page_cannot_ask_for_what_concerns_all_visitors() -> None:
    unwanted = [BackMsg(clear_cache=True), BackMsg(load_git_info=True), BackMsg(debug_shutdown_runtime=True)]  # fmt: skip
    flood = BackMsg()
    flood.file_urls_request.file_names.extend([""] * (MOST_FILE_NAMES + 1))
    few = BackMsg()
    few.file_urls_request.file_names.extend(["paper.pdf"])
    with client(WebConfig()).websocket_connect("/_stcore/stream") as page:
        for message in (*unwanted, flood, few, BackMsg(app_heartbeat=True)):
            page.send_bytes(message.SerializeToString())
        assert page.receive_text() == "file_urls_request 192.0.2.7"
        assert page.receive_text() == "app_heartbeat 192.0.2.7"


def test_uploads_in_memory_have_a_limit_for_one_visitor_and_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_uploads, "MOST_OF_VISITOR", 250)
    monkeypatch.setattr(web_uploads, "MOST_OF_ALL", 350)
    held = {("s", name) for name in "abcdefgh"}
    trusting = client(WebConfig(trusted_proxies=("10.1.0.0/16",)), PROXY, held)

    def put(name: str, who: str = "1.2.3.4") -> int:
        headers = {"X-Forwarded-For": who}
        reply = trusting.put(f"/_stcore/upload_file/s/{name}", content=b"x" * 100, headers=headers)
        return reply.status_code

    assert [put("a"), put("b"), put("c")] == [200, 200, 413]
    assert put("a") == 200  # replaces the one before
    assert [put("d", "5.6.7.8"), put("e", "5.6.7.8")] == [200, 413]
    held -= {("s", "a"), ("s", "d")}  # taken away
    assert [put("c"), put("f")] == [200, 413]
    assert put("g", "never kept") == 200 and put("e", "5.6.7.8") == 413
    held.discard(("s", "g"))
    assert put("e", "5.6.7.8") == 200


def test_an_upload_says_how_long_it_is() -> None:
    def endless() -> Iterator[bytes]:
        yield b"x"

    reply = client(WebConfig()).put("/_stcore/upload_file/s/f", content=endless())
    assert reply.status_code == 411


def test_messages_that_come_too_fast_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    now = [0.0]
    monkeypatch.setattr(web_gate, "anyio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(web_gate, "Limit", lambda most, what, seconds: Limit(most, what, lambda: now[0], seconds=seconds))  # fmt: skip
    with client(WebConfig()).websocket_connect("/_stcore/stream") as flood:
        for n in range(web_gate.PAGE_MESSAGES + 9):
            flood.send_text(f"{n}")
        told = [flood.receive_text() for _ in range(web_gate.PAGE_MESSAGES + 9)]
    assert told[-1].startswith(f"{web_gate.PAGE_MESSAGES + 8} ")  # all of them, in order
    assert sum(slept) == pytest.approx(9 * web_gate.PAGE_SECONDS / web_gate.PAGE_MESSAGES, rel=0.1)


def test_a_lane_lets_in_who_came_first_and_forgets_who_goes() -> None:
    lane, order, heard = Lane(1), [], []
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with lane.turn():
            inside.set()
            leave.wait(10)

    def come(name: str) -> Callable[[], None]:
        def work() -> None:
            with lane.turn(lambda ahead: heard.append((name, ahead))):
                order.append(name)

        return work

    def go_away() -> None:
        def gone(ahead: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), lane.turn(gone):
            raise AssertionError("it was never its turn")

    threads = [threading.Thread(target=hold)]
    threads[0].start()
    assert inside.wait(10)
    go_away()
    for n, name in enumerate("ab", 1):
        threads.append(threading.Thread(target=come(name)))
        threads[-1].start()
        while lane.n_waiting < n:
            pass
    deadline = time.monotonic() + 10
    while not {("a", 0), ("b", 1)} <= set(heard) and time.monotonic() < deadline:
        time.sleep(0.01)
    leave.set()
    for thread in threads:
        thread.join(10)
    assert order == ["a", "b"] and {("a", 0), ("b", 1)} <= set(heard)
    assert len(heard) < 12, "nobody is told each time that somebody comes or goes"
    assert (lane.n_waiting, lane.n_working) == (0, 0)


def test_a_lane_that_is_full_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_WAITING", 0)
    with pytest.raises(TooBusy, match="come back"), Lane(1).turn():
        pass


def test_one_person_has_one_day_in_all_visits() -> None:
    person = DayTokens(1_000)
    first, second = (Budget(config.LLMConfig(), person=person) for _ in range(2))
    reserved = first.reserve(500, 300)
    with pytest.raises(LLMBudgetExceeded, match="800 of the 1,000 tokens"):
        second.reserve(200, 100)
    first.settle(reserved, 100, 0)
    second.reserve(500, 300)
    assert second.spent_tokens == 800
    person.add("2999-01-01", 1_000, limited=True)  # another day begins anew


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"WAYFINDER_PASSWORD": "short"}, "longer one"),
        ({"WAYFINDER_LOGIN_HEADER": "X-User"}, "needs WAYFINDER_TRUSTED_PROXIES"),
        ({"WAYFINDER_TRUSTED_PROXIES": "proxy.example"}, "addresses or networks"),
        ({"WAYFINDER_BASE_PATH": "/a/../b"}, "path such as"),
        ({"WAYFINDER_VISITOR_QUESTIONS": "many"}, "whole number"),
        (
            {"WAYFINDER_PASSWORD": "long enough", "WAYFINDER_LOGIN_HEADER": "X-User", "WAYFINDER_TRUSTED_PROXIES": "10.0.0.1"},
            "keep one",
        ),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_used_is_refused(
    environment: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(QueryError, match=said):
        config.web_config()
