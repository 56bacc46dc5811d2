"""The door to language models against a server on loopback. Run: pytest tests/retrieval/test_llm.py"""

from __future__ import annotations

import time

import pytest

from indexer.config import LLMConfig
from retrieval.errors import LLMBadRequest, LLMError, LLMRejected, LLMUnavailable
from retrieval.llm import LLM, Reply
from retrieval.records import Usage
from tests.llm_server import KEY, LLMServer
from tests.llm_server import Reply as Scripted


def said(*script: Scripted, timeout_seconds: float = 5.0) -> tuple[str, Reply, LLMServer]:
    """The text that comes of a script, what was noted, and the server."""
    reply = Reply()
    with LLMServer(list(script)) as server:
        model = LLM(server.config(timeout_seconds=timeout_seconds))
        text = "".join(model.stream("rules", "question", reply))
    return text, reply, server


def test_text_tokens_and_the_end_are_noted() -> None:
    text, reply, server = said(Scripted("Jets heat the gas of halos.", finish_reason="length"))
    assert text == "Jets heat the gas of halos."
    assert reply.usage == Usage("toy-1", 100, 20, 1)
    assert reply.finish_reason == "length"
    assert [m["content"] for m in server.requests[0]["messages"]] == ["rules", "question"]
    assert server.requests[0]["stream_options"] == {"include_usage": True}


def test_a_server_that_knows_few_settings_is_asked_plainly() -> None:
    text, reply, server = said(Scripted(status=400), Scripted("Fine.", usage=False))
    assert text == "Fine."
    assert set(server.requests[1]) == {"model", "messages", "stream"}
    assert reply.usage == Usage("toy-1", None, None, 2)


@pytest.mark.parametrize(
    ("script", "error", "n_requests"),
    [
        (Scripted(status=401), LLMRejected, 1),
        (Scripted(status=403), LLMRejected, 1),
        (Scripted(status=404), LLMRejected, 1),
        (Scripted(status=400), LLMBadRequest, 2),
        (Scripted(status=500), LLMUnavailable, 3),
        (Scripted(status=429), LLMUnavailable, 3),
        (Scripted(status=429, headers={"Retry-After": "60"}), LLMUnavailable, 1),
    ],
)
def test_errors_are_typed_and_tries_are_bounded(
    script: Scripted, error: type[LLMError], n_requests: int
) -> None:
    with LLMServer([script]) as server, pytest.raises(error) as raised:
        "".join(LLM(server.config(timeout_seconds=5.0)).stream("rules", "question", Reply()))
    assert len(server.requests) == n_requests
    assert KEY not in str(raised.value) + repr(raised.value)


@pytest.mark.parametrize(
    "script", [Scripted("x", hang_before_seconds=30), Scripted("x" * 50, hang_after_characters=7)]
)
def test_a_hang_meets_the_deadline(script: Scripted) -> None:
    began = time.monotonic()
    with pytest.raises(LLMUnavailable, match="within 1 s|did not answer"):
        said(script, timeout_seconds=1.0)
    assert time.monotonic() - began < 5


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with LLMServer([Scripted()]) as server:
        gone = server.config()
    with pytest.raises(LLMUnavailable, match="check that it runs"):
        "".join(LLM(gone).stream("rules", "question", Reply()))


def test_a_server_of_ones_own_needs_no_key() -> None:
    with LLMServer([Scripted("Fine.")]) as server:
        model = LLM(LLMConfig(base_url=server.base_url, model="toy-1"))
        assert "".join(model.stream("rules", "question", Reply())) == "Fine."


def test_the_key_stays_out_of_sight() -> None:
    with LLMServer([Scripted("Fine.")]) as server:
        model = LLM(server.config())
        list(model.stream("rules", "question", Reply()))
        assert KEY not in repr(model) + repr(vars(model))
