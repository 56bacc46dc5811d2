"""The HTTP API in its own process's application: replies, refusals, limits, snapshots. Run: pytest tests/app/test_api.py"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from app import api_guard, limits
from app.api import _stages, create_app
from app.api_replies import AskReply, PaperReply, SearchReply, StageRow
from app.api_requests import AskRequest, Audience, ImpactRequest, SearchRequest, Style
from app.api_service import Service
from app.cli import app as command
from app.impact_replies import ImpactReply
from app.limits import Lanes, Limit, TooOften
from app.problems import MEDIA_TYPE
from app.served_index import ServedIndex
from indexer import config
from indexer.config import ApiConfig, Secret
from indexer.errors import QueryError
from retrieval.synthesis import AUDIENCES, STYLES
from retrieval.tables import objects
from retrieval.writing import OnEvent
from tests.llm_server import KEY, LLMServer, Reply, sentence
from tests.papers import PAPERS, build_small_index

OPEN = ApiConfig(calls_per_minute=None, answers_per_minute=None)
API_KEY = "0123456789abcdef-one"
TIMED = ("seconds", "usage")


@pytest.fixture(scope="module")
def service(small_index_dir: Path) -> Service:
    return Service(ServedIndex(small_index_dir))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(create_app(service, OPEN), raise_server_exceptions=False) as opened:
        yield opened


def printed(*words: str) -> list[dict[str, Any]]:
    """What the command line prints."""
    done = CliRunner().invoke(command, [*words, "--json", "--quiet"], catch_exceptions=False)
    assert done.exit_code == 0
    return [json.loads(line) for line in done.stdout.splitlines()]


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def test_a_search_gives_the_rows_of_the_command_line(
    client: TestClient, small_index_dir: Path
) -> None:
    asked = {"query": "jets and star formation since 2020", "k": 3, "recency": 0.2}
    reply = client.post("/v1/search", json=asked).json()
    SearchReply.model_validate(reply)
    rows = printed("search", asked["query"], "-k", "3", "--recency", "0.2", "--index", str(small_index_dir))  # fmt: skip
    assert [hit | {"understood": reply["understood"], "coverage": reply["coverage"]} for hit in reply["hits"]] == rows  # fmt: skip
    assert [item["key"] for item in reply["understood"]] == ["years:since 2020"]
    plain = client.post("/v1/search", json=asked | {"ignore": ["years:since 2020"], "k": 12}).json()
    assert {hit["year"] for hit in plain["hits"]} >= {2019, 2024}
    with_text = client.post("/v1/search", json=asked | {"abstracts": True}).json()["hits"][0]
    assert with_text["abstract"].startswith(("We follow a massive galaxy", "The link between jets"))


def test_an_answer_is_the_row_of_the_command_line_and_goes_on(
    client: TestClient, small_index_dir: Path
) -> None:
    question = "Do jets quench star formation?"
    reply = client.post("/v1/ask", json={"question": question}).json()
    AskReply.model_validate(reply)
    (row,) = printed("ask", question, "--index", str(small_index_dir))
    assert without(reply, *TIMED) == without(row, *TIMED)
    further = {"question": "And in NGC 9999?", "after": reply["thread"]}
    went_on = client.post("/v1/ask", json=further).json()
    assert "star formation" in went_on["question"] and "NGC 9999" in went_on["question"]


def test_similar_impact_and_a_paper(client: TestClient, small_index_dir: Path) -> None:
    where = ("--index", str(small_index_dir))
    reply = client.post("/v1/similar", json={"papers": ["2401.00001"], "k": 2}).json()
    SearchReply.model_validate(reply)
    assert reply["hits"] == printed("similar", "2401.00001", "-k", "2", *where)
    found = client.post("/v1/impact", json={"names": ["JWST"]}).json()
    ImpactReply.model_validate(found)
    assert found["impacts"] == printed("impact", "JWST", *where)
    short = client.post("/v1/impact", json={"names": ["JWST"], "identifiers": False}).json()
    ImpactReply.model_validate(short)
    assert "_ids" not in json.dumps(short) and short["impacts"][0]["used"] == 1
    for identifier in ("2023A&A...670...10G", "arXiv:2301.00004", "10.1000/one"):
        paper = client.get(f"/v1/papers/{identifier.replace('&', '%26')}").json()
        PaperReply.model_validate(paper)
    assert paper["bibcode"] == "2024ApJ...900....1A" and paper["abstract"].startswith("We follow")


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("search", {"query": "   "}, 422, "String should match pattern"),
        ("search", {"query": "jets", "k": "10"}, 422, "'10'"),
        ("search", {"query": "jets", "sinze": 2020}, 422, "Extra inputs are not permitted"),
        ("search", {"query": "jets", "since": 2024, "until": 2020}, 422, "2024 to 2020 hold nothing"),
        ("search", {"query": "\ud800 jets"}, 422, "body.query"),
        ("search", {"query": "jets", "among": []}, 422, "at least 1 item"),
        ("ask", {"question": "Do jets heat?", "language": "9"}, 422, "language is '9'"),
        ("similar", {}, 422, "Give at least one paper"),
        ("similar", {"papers": ["2999.99999"]}, 404, "2999.99999"),
        ("impact", {"names": ["Hubbel"]}, 422, "did you mean"),
        ("impact", {"names": ["JWST"], "since": 2024, "until": 2020}, 422, "exchange them"),
        ("impact", {"names": []}, 422, "at least 1 item"),
        ("nowhere", {}, 404, "/openapi.json"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_a_problem_that_says_what_to_do(
    client: TestClient, path: str, body: dict[str, Any], status: int, said: str
) -> None:
    content = json.dumps(body).encode()
    reply = client.post(
        f"/v1/{path}", content=content, headers={"Content-Type": "application/json"}
    )
    assert (reply.status_code, reply.headers["content-type"]) == (status, MEDIA_TYPE)
    problem = reply.json()
    assert problem["status"] == status and said in json.dumps(problem)


def test_a_key_is_asked_for_where_one_is_set(service: Service) -> None:
    keyed = ApiConfig(keys=(Secret("another-key-of-somebody"), Secret(API_KEY)))
    with TestClient(create_app(service, keyed)) as opened:
        ask = {"json": {"query": "jets"}}
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": API_KEY}):
            refused = opened.post("/v1/search", headers=headers, **ask)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert API_KEY not in refused.text and "wrong" not in refused.text
        assert opened.post("/mcp", json={}).status_code == 401
        right = {"Authorization": f"Bearer {API_KEY}"}
        assert opened.post("/v1/search", headers=right, **ask).status_code == 200
        assert opened.get("/v1/health").status_code == 200
        assert opened.get("/openapi.json").json()["paths"]["/v1/ask"]["post"]["security"] == [{"key": []}]  # fmt: skip
    assert API_KEY not in repr(keyed)


def test_each_client_has_its_calls_and_answers_of_the_minute(small_index_dir: Path) -> None:
    service = Service(ServedIndex(small_index_dir), answers_per_minute=1)
    limited = ApiConfig(keys=(Secret("a" * 16), Secret("b" * 16)), calls_per_minute=3)
    with TestClient(create_app(service, limited)) as opened:
        first, second = ({"Authorization": f"Bearer {c * 16}"} for c in "ab")
        question = {"json": {"question": "Do jets quench star formation?"}}
        assert opened.post("/v1/ask", headers=first, **question).status_code == 200
        spent = opened.post("/v1/ask", headers=first, **question)
        assert spent.status_code == 429 and "1 answers a minute" in spent.json()["detail"]
        assert 1 <= int(spent.headers["retry-after"]) <= 61
        search = {"json": {"query": "jets"}}
        replies = [opened.post("/v1/search", headers=first, **search) for _ in range(2)]
        assert [reply.status_code for reply in replies] == [200, 429]
        assert opened.post("/v1/ask", headers=second, **question).status_code == 200
        assert opened.get("/v1/health", headers=first).status_code == 200


def test_a_limit_fills_again() -> None:
    now = [0.0]
    limit = Limit(2, "calls", clock=lambda: now[0])
    limit.take("a"), limit.take("a")
    with pytest.raises(TooOften) as refused:
        limit.take("a")
    assert refused.value.seconds == pytest.approx(30)
    limit.take("b")
    now[0] = 30.0
    limit.take("a")
    with pytest.raises(TooOften):
        limit.take("a")


def test_too_many_waiting_are_told_to_come_back(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_WAITING", 0)
    reply = client.post("/v1/search", json={"query": "jets"})
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
    ((name, problem),) = events_of(
        client.post("/v1/ask/stream", json={"question": "Do jets heat?"}).text
    )
    assert (name, problem["status"]) == ("error", 503)


def test_only_its_own_names_and_pages_are_served(service: Service) -> None:
    named = ApiConfig(hosts=("wayfinder.example.org",))
    with TestClient(create_app(service, named), base_url="http://wayfinder.example.org") as opened:
        ask = {"json": {"query": "jets"}}
        assert opened.post("/v1/search", **ask).status_code == 200
        rebound = opened.post("/v1/search", headers={"Host": "evil.example.com"}, **ask)
        assert rebound.status_code == 421
        for origin in ("https://evil.example.com", "null"):
            assert opened.post("/mcp", headers={"Origin": origin}, json={}).status_code == 403
        own = {"Origin": "https://wayfinder.example.org:8443"}
        assert opened.post("/v1/search", headers=own, **ask).status_code == 200


def test_a_body_is_short_and_comes_in_time(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Content-Type": "application/json"}
    pieces = [b'{"query": "', *[b"x" * 100_000] * 12, b'"}']
    for path in ("/v1/search", "/mcp"):
        for body in (b"".join(pieces), iter(pieces)):  # with its length, and in chunks
            reply = client.post(path, content=body, headers=headers)
            assert (reply.status_code, reply.headers["content-type"]) == (413, MEDIA_TYPE)
    monkeypatch.setattr(api_guard, "BODY_SECONDS", 0.01)
    sent: list[dict[str, Any]] = []

    async def slow() -> None:
        began = {"type": "http.request", "body": b'{"query', "more_body": True}
        waiting = asyncio.Event()

        async def receive() -> dict[str, Any]:
            nonlocal began
            if began:
                began, message = {}, began
                return message
            await waiting.wait()
            raise AssertionError("never")

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": "POST", "path": "/v1/search", "raw_path": b"/v1/search", "root_path": "",
            "query_string": b"", "headers": [(b"content-type", b"application/json"), (b"host", b"testserver")],
            "client": ("127.0.0.1", 1), "server": ("testserver", 80), "scheme": "http", "http_version": "1.1", "app": client.app,
        }  # fmt: skip
        await client.app(scope, receive, send)

    asyncio.run(slow())
    assert sent[0]["status"] == 408


def test_what_breaks_stays_in_the_log(
    small_index_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Service):
        def search(self, asked: SearchRequest, client: str = "") -> dict[str, Any]:
            raise RuntimeError(f"{API_KEY} in /home/somebody")

    app = create_app(Broken(ServedIndex(small_index_dir)), OPEN)
    with TestClient(app, raise_server_exceptions=False) as opened:
        reply = opened.post("/v1/search", json={"query": "jets"})
    assert (reply.status_code, reply.headers["content-type"]) == (500, MEDIA_TYPE)
    assert API_KEY not in reply.text and "/home" not in reply.text and "Traceback" not in reply.text
    assert reply.json()["reference"] in caplog.text
    assert "builtins.RuntimeError" in caplog.text and f"{__file__}:" in caplog.text
    assert API_KEY not in caplog.text and "/home/somebody" not in caplog.text


def test_an_index_without_facilities_says_no_path(tmp_path: Path) -> None:
    directory = build_small_index(tmp_path)
    shutil.rmtree(directory / "facilities")
    service = Service(ServedIndex.__new__(ServedIndex))
    service.served.current = lambda: _without_uses(directory)  # type: ignore[method-assign]
    with TestClient(create_app(service, OPEN)) as opened:
        reply = opened.post("/v1/impact", json={"names": ["JWST"]})
    assert reply.status_code == 503 and str(tmp_path) not in reply.text


def _without_uses(directory: Path) -> Any:
    from indexer.store import Index, read_manifest

    return Index(directory, read_manifest(directory))


def test_what_only_the_host_can_mend_is_told_without_its_path(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("WAYFINDER_OBJECTS", str(tmp_path / "lost.csv"))
    objects.cache_clear()
    try:
        reply = client.post("/v1/search", json={"query": "jets"})
    finally:
        objects.cache_clear()
    assert reply.status_code == 503 and str(tmp_path) not in reply.text
    assert reply.json()["reference"] in caplog.text and "lost.csv" in caplog.text


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.strip().split("\n\n")]  # fmt: skip
    return [(block["event"], json.loads(block["data"])) for block in blocks if "event" in block]


def test_an_answer_streams_its_stages(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    quote = "Using radio maps of 1,204 nearby ellipticals we show that galaxies with jets form stars at half the rate of those without"
    text = sentence("Galaxies with jets form stars at half the rate of those without.", (1, quote), (2, quote))  # fmt: skip
    with LLMServer([Reply(text)]) as server:
        monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", server.base_url)
        monkeypatch.setenv("WAYFINDER_LLM_API_KEY", KEY)
        asked = {"question": "Do jets halve the rate of star formation?", "type": "papers", "repair": False}  # fmt: skip
        reply = client.post("/v1/ask/stream", json=asked)
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = events_of(reply.text)
    assert [name for name, _ in events[:-1]] == ["stage"] * (len(events) - 1)
    stages = [StageRow.model_validate(row) for name, row in events if name == "stage"]
    assert list(dict.fromkeys(row.stage for row in stages)) == ["searching", "reading", "writing"]
    assert any(row.words for row in stages) and any(row.sentence for row in stages)
    name, answer = events[-1]
    assert (name, answer["mode"]) == ("answer", "synthesised")
    assert KEY not in reply.text and len(server.requests) == 1
    AskReply.model_validate(answer)


def test_a_stream_ends_with_words_where_the_answer_fails(client: TestClient) -> None:
    asked = {"question": "Do jets heat halos?", "since": 2024, "until": 2020}
    ((name, problem),) = events_of(client.post("/v1/ask/stream", json=asked).text)
    assert (name, problem["status"]) == ("error", 422)
    assert "hold nothing" in problem["detail"]


def test_an_answer_that_nobody_waits_for_ends(small_index_dir: Path) -> None:
    class Watched(Service):
        seen: ClassVar[list[str]] = []
        ended = False

        def ask(self, asked: AskRequest, client: str = "", on_event: OnEvent = lambda e: None) -> Any:  # fmt: skip
            def watching(event: Any) -> None:
                self.seen.append(event.stage)
                loop.call_soon_threadsafe(happened.set)
                left.wait(20)
                on_event(event)

            try:
                return super().ask(asked, client, watching)
            finally:
                self.ended = True

    import threading

    left = threading.Event()
    service = Watched(ServedIndex(small_index_dir))

    async def leave() -> None:
        nonlocal loop, happened
        loop, happened = asyncio.get_running_loop(), asyncio.Event()
        lanes = Lanes()
        asked = AskRequest(question="Do jets quench star formation?")
        stages = _stages(service, lanes, asked, "somebody")
        reading = asyncio.ensure_future(anext(stages))
        await happened.wait()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await stages.aclose()
        left.set()
        while not service.ended:
            await asyncio.sleep(0.01)

    loop: Any = None
    happened: Any = None
    asyncio.run(leave())
    assert service.seen == ["searching"], "nothing was read or written for nobody"


def test_a_new_snapshot_is_served_without_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = build_small_index(tmp_path, PAPERS[:4])
    with TestClient(create_app(Service(ServedIndex(directory)), OPEN)) as opened:
        before = opened.get("/v1/health").json()
        build_small_index(tmp_path)
        after = opened.get("/v1/health").json()
        assert (before["n_papers"], after["n_papers"]) == (4, 12)
        hits = opened.post("/v1/search", json={"query": "repeating fast radio burst"}).json()
        assert hits["hits"][0]["bibcode"] == "2021Natur.590...50J"
        assert hits["snapshot"] == after["snapshot"] != before["snapshot"]
        manifest = directory / "manifest.json"
        whole = manifest.read_text(encoding="utf-8")
        manifest.write_text("{", encoding="utf-8")
        with caplog.at_level(logging.ERROR):
            assert opened.get("/v1/health").json() == after
        assert "cannot be opened" in caplog.text
        manifest.unlink()
        assert opened.get("/v1/health").json() == after
        manifest.write_text(whole, encoding="utf-8")


def test_each_client_has_its_own_session_with_the_model(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert service.model("a") is None
    monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", "http://127.0.0.1:9/v1")
    first, again, other = service.model("a"), service.model("a"), service.model("b")
    assert first is again is not other
    assert first is not None and other is not None and first.budget is not other.budget
    monkeypatch.setenv("WAYFINDER_LLM_MODEL", "another")
    assert service.model("a") is not first


def test_choices_are_those_of_the_core() -> None:
    assert set(get_args(Style)) == set(STYLES)
    assert set(get_args(Audience)) == set(AUDIENCES)
    assert AskRequest(question="Why jets?").wording().is_default
    assert ImpactRequest(names=["JWST"]).scope().label == ""


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.api_config() == ApiConfig()
    monkeypatch.setenv("WAYFINDER_API_KEYS", f"{API_KEY}, {'z' * 20}")
    monkeypatch.setenv("WAYFINDER_API_CALLS_PER_MINUTE", "0")
    monkeypatch.setenv("WAYFINDER_API_HOSTS", "A.example.org,b")
    assert config.api_config() == ApiConfig((Secret(API_KEY), Secret("z" * 20)), None, 30, ("a.example.org", "b"))  # fmt: skip
    monkeypatch.setenv("WAYFINDER_API_ANSWERS_PER_MINUTE", "-1")
    with pytest.raises(QueryError, match="'-1'"):
        config.api_config()
    monkeypatch.setenv("WAYFINDER_API_KEYS", "short-secret")
    with pytest.raises(QueryError) as refused:
        config.api_config()
    assert "short-secret" not in str(refused.value)


def test_the_documentation_names_every_address(client: TestClient) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    for path in client.get("/openapi.json").json()["paths"]:
        assert f"`{path}`" in page, path
    for line in filter(str.strip, (config.__doc__ or "").splitlines()):
        if "WAYFINDER_API_" in line:
            assert line.split("|")[1].strip() in page
    assert os.environ.get("WAYFINDER_API_KEYS") is None
