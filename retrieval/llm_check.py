"""Asks a language model's server what it can do, through the same door that answers use."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from retrieval.errors import LLMError, LLMRejected
from retrieval.llm import LLM, Reply
from retrieval.synthesis import SENTENCES_SCHEMA, read_drafts

_SYSTEM = "You are being tested. Do exactly what is asked."
_SENTENCE = (
    '{"text": "Stars shine.", "citations": [1], "quotes": [{"n": 1, "quote": "stars shine"}]}'
)


@dataclass(frozen=True)
class Probe:
    """One thing tried: whether it works, and what was seen or went wrong, in words."""

    name: str
    works: bool
    detail: str


def check(model: LLM) -> list[Probe]:
    """Try a streamed reply, token counts, structured output, sentences as answers need them, tools and embeddings.

    Three short calls, one with a tool and one for a vector; where the first fails nothing else is tried. Replies
    kept from before say nothing of the server: none is taken.
    """
    model = model.asking_anew()
    model.client()  # its import takes seconds, not the server's
    reply = Reply()
    began = time.monotonic()
    first = None
    try:
        for _ in model.stream(_SYSTEM, "Reply with the one word: ready", reply):
            first = first or time.monotonic() - began
    except LLMError as error:
        return [Probe("replies", False, str(error))]
    text = "".join(reply.pieces).strip()
    probes = [
        Probe("replies", bool(text), f"{model.config.model} said {text[:40]!r}"),
        Probe(
            "streams",
            len(reply.pieces) > 1,
            f"first word after {1000 * (first or 0):.0f} ms, in {len(reply.pieces)} pieces",
        ),
        Probe("counts tokens", reply.prompt_tokens is not None, _counted(reply)),
        Probe(
            "says when it ends", bool(reply.finish_reason), reply.finish_reason or "no reason given"
        ),
    ]
    return [*probes, _tried("structured output", lambda: _structured(model)),
            _tried("cited sentences", lambda: _sentences(model)),
            _tried("tool calls", lambda: _tools(model)),
            _tried("embeddings", lambda: _embeds(model))]  # fmt: skip


def _counted(reply: Reply) -> str:
    if reply.prompt_tokens is None:
        return "no: budgets and costs will be estimates"
    return f"{reply.prompt_tokens} in, {reply.completion_tokens} out"


def _tried(name: str, probe: Callable[[], tuple[bool, str]]) -> Probe:
    try:
        works, detail = probe()
    except LLMError as error:
        works, detail = False, str(error)
    return Probe(name, works, detail)


def _structured(model: LLM) -> tuple[bool, str]:
    reply = Reply()
    ask = f'Give an object {{"sentences": [...]}} whose only sentence is {_SENTENCE}'
    text = "".join(model.stream(_SYSTEM, ask, reply, schema=SENTENCES_SCHEMA))
    if not reply.structured and not reply.cached:
        return False, "the server refuses JSON schemas: replies are read without"
    n = len(list(read_drafts([text])))
    return n > 0, f"{n} sentence read" if n else "the schema was taken and not followed"


def _sentences(model: LLM) -> tuple[bool, str]:
    reply = Reply()
    drafts = list(
        read_drafts(model.stream(_SYSTEM, f"Reply with this line only: {_SENTENCE}", reply))
    )
    whole = any(draft.citations and draft.quotes for draft in drafts)
    return whole, "read with citation and quotation" if whole else "the line was not repeated"


def _tools(model: LLM) -> tuple[bool, str]:
    tool = {
        "name": "look_up",
        "description": "Look a word up.",
        "parameters": {
            "type": "object",
            "properties": {"word": {"type": "string"}},
            "required": ["word"],
        },
    }
    calls = model.tool_calls(_SYSTEM, "Look up the word: star", [tool])
    named: list[Any] = [call["name"] for call in calls]
    return "look_up" in named, f"called {', '.join(map(str, named)) or 'nothing'}"


def _embeds(model: LLM) -> tuple[bool, str]:
    try:
        vector = model.embedding("stars shine")
    except LLMRejected:
        return False, "none here: the index's own encoder is used"
    return bool(vector), f"vectors of {len(vector)} numbers"
