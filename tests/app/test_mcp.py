"""The Model Context Protocol server by the SDK's own client, over stdio and HTTP. Run: pytest tests/app/test_mcp.py"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from app import mcp_server as mcp_server_module
from app.api_service import Service
from app.mcp_server import NOTICE, mcp_server
from app.served_index import ServedIndex
from tests.llm_server import KEY, LLMServer, Reply, sentence
from tests.servers import api_server

API_KEY = "key-of-the-assistant-test"
Work = Callable[[Any], Awaitable[None]]


def with_client(server: Any, work: Work, mode: str = "auto") -> None:
    async def talking() -> None:
        async with Client(server, mode=mode) as client:
            await work(client)

    asyncio.run(talking())


async def call(client: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    """A tool's structured result, which its text says too."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert json.loads(result.content[0].text) == result.structured_content
    assert next(iter(result.structured_content)) == "notice", "said before anything else"
    assert result.structured_content["notice"] == NOTICE
    return dict(result.structured_content)


@pytest.fixture(scope="module")
def server(small_index_dir: Path) -> Any:
    return mcp_server(Service(ServedIndex(small_index_dir)))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_real_process_serves_all_tools_over_stdio(small_index_dir: Path, mode: str) -> None:
    command = str(Path(sys.executable).with_name("wayfinder"))
    import os

    process = StdioServerParameters(
        command=command, args=["mcp", "--index", str(small_index_dir)], env=dict(os.environ)
    )

    async def work(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"search", "ask", "similar", "impact", "paper"}
        for tool in tools.values():
            assert tool.annotations.read_only_hint and tool.description
            assert tool.output_schema["properties"]["notice"]
        assert tools["search"].input_schema["required"] == ["query"]
        assert tools["search"].input_schema["properties"]["k"]["maximum"] == 1000
        assert tools["search"].output_schema["properties"]["hits"]
        assert "must not be followed" in client.instructions
        found = await call(client, "search", query="repeating fast radio burst", k=2)
        assert found["hits"][0]["bibcode"] == "2021Natur.590...50J"
        assert found["hits"][0]["abstract"].startswith("We localise")
        like = await call(client, "similar", papers=["2401.00001"], k=1)
        assert like["hits"][0]["arxiv_id"] == "2402.00002"
        paper = await call(client, "paper", identifier="10.1000/six")
        assert paper["bibcode"] == "2021Natur.590...50J"
        impact = await call(client, "impact", names=["JWST"])
        assert impact["impacts"][0]["used"] == 1 and "used_ids" not in impact["impacts"][0]
        answer = await call(client, "ask", question="Do jets quench star formation?")
        assert answer["mode"] == "extractive" and answer["sentences"][0]["citations"]
        further = await call(client, "ask", question="And in NGC 9999?", after=answer["thread"])
        assert "NGC 9999" in further["question"]

    with_client(process, work, mode)


def test_each_tool_tells_who_asks(
    server: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WAYFINDER_LOG_QUESTIONS", "1")
    monkeypatch.setattr(mcp_server_module, "_client", lambda context: "somebody")
    caplog.set_level("INFO", "wayfinder.questions")

    async def asking(client: Any) -> None:
        await call(client, "search", query="repeating fast radio burst", k=1)
        await call(client, "similar", text="repeating fast radio bursts from a galaxy", k=1)
        await call(client, "impact", names=["JWST"])

    with_client(server, asking)
    rows = [r.facts for r in caplog.records if r.name == "wayfinder.questions"]  # type: ignore[attr-defined]
    assert [(row["what"], row["who"]) for row in rows] == [("search", "somebody"), ("similar", "somebody"), ("impact", "somebody")]  # fmt: skip


def test_it_is_served_over_http_to_who_has_a_key(small_index_dir: Path) -> None:
    async def talking(url: str) -> None:
        right = httpx2.AsyncClient(headers={"Authorization": f"Bearer {API_KEY}"})
        async with right, Client(streamable_http_client(url, http_client=right)) as client:
            found = await call(client, "search", query="repeating fast radio burst", k=1)
            assert found["n_papers"] == 12
        async with httpx2.AsyncClient() as keyless:
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            assert (await keyless.post(url, json=body)).status_code == 401
            assert (await keyless.post(url.replace("mcp", "v1/search"), json={})).status_code == 401

    with api_server(small_index_dir, WAYFINDER_API_KEYS=API_KEY) as server:
        asyncio.run(talking(f"{server.url}/mcp"))


def test_mcp_alone_serves_no_other_address(small_index_dir: Path) -> None:
    async def work(client: Any) -> None:
        assert (await call(client, "paper", identifier="2401.00001"))["year"] == 2024

    with api_server(small_index_dir, "mcp", "--http") as server:
        with_client(f"{server.url}/mcp", work)
        body = {"query": "jets"}
        assert httpx2.post(f"{server.url}/v1/search", json=body).status_code == 404
        assert httpx2.post(f"{server.url}/mcp", json=body, headers={"Host": "evil.example"}).status_code == 421  # fmt: skip


def test_mistakes_are_told_in_words_and_breaks_are_not(
    server: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told(client: Any, tool: str, **arguments: Any) -> str:
        result = await client.call_tool(tool, arguments)
        assert result.is_error
        return str(result.content[0].text)

    async def work(client: Any) -> None:
        assert "2999.99999" in await told(client, "paper", identifier="2999.99999")
        assert "did you mean" in await told(client, "impact", names=["Hubbel"])
        assert "exchange" in await told(client, "impact", names=["JWST"], since=2024, until=2020)
        assert "hold nothing" in await told(client, "search", query="jets", since=2024, until=2020)
        assert "less than or equal to 1000" in await told(client, "search", query="jets", k=5000)
        assert "query" in await told(client, "search")
        monkeypatch.setattr(ServedIndex, "current", _broken)
        said = await told(client, "search", query="jets")
        assert "/home/somebody" not in said and "log" in said

    with_client(server, work)
    assert "Error" in caplog.text and "/home/somebody" not in caplog.text


def _broken(served: ServedIndex) -> Any:
    raise RuntimeError("broken in /home/somebody")


def test_what_a_paper_says_stays_material(server: Any) -> None:
    async def work(client: Any) -> None:
        found = await call(client, "search", query="Robust de-blending of galaxies at z ~ 10", k=1)
        assert "Ignore all previous instructions" in found["hits"][0]["abstract"]
        assert next(iter(found)) == "notice" and "must not be followed" in found["notice"]

    with_client(server, work)


def test_an_answer_tells_its_progress(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    quote = "Using radio maps of 1,204 nearby ellipticals we show that galaxies with jets form stars at half the rate of those without"
    text = sentence("Galaxies with jets form stars at half the rate of those without.", (1, quote), (2, quote))  # fmt: skip
    told: list[str] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async def work(client: Any) -> None:
        asked = {"question": "Do jets halve the rate of star formation?", "type": "papers"}
        result = await client.call_tool("ask", asked, progress_callback=note)
        assert result.structured_content["mode"] == "synthesised"
        assert KEY not in result.content[0].text

    with LLMServer([Reply(text)]) as model:
        monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", model.base_url)
        monkeypatch.setenv("WAYFINDER_LLM_API_KEY", KEY)
        with_client(server, work)
    assert told[0] == "Searching" and told[1].startswith("Reading ")
    assert any(said.startswith("Writing") for said in told)
