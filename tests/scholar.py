"""A loopback language model that does research honestly: it plans, notes and writes by quoting what it is given.

    with Scholar(parts=["First?", "Second?"]) as server: ...

`stages` names what each request asked for. A stage can be scripted to fail or to talk nonsense.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from indexer.store import Index
from retrieval.llm import LLM
from retrieval.research_records import Report
from retrieval.verify import Draft, check_sentence
from tests.llm_server import LLMServer, Reply

QUESTION = "How do jets affect star formation, and what powers fast radio bursts?"
PARTS = ["How do jets affect star formation?", "What powers fast radio bursts?"]

_STAGES = {
    "You plan how to research": "plan",
    "You read abstracts": "read",
    "Sentences of an answer failed": "repair",
    "Give the short answer": "short",
    "Say only where": "disagree",
}
_PAPER = re.compile(r"^PAPER (\d+): .*\nTitle: (.*)\nAbstract: (.*)$", re.MULTILINE)


def stage_of(body: dict[str, Any]) -> str:
    """What a request asks for: plan, read, section, repair, short or disagree."""
    system = body["messages"][0]["content"]
    return next((name for words, name in _STAGES.items() if words in system), "section")


def first_sentences(body: dict[str, Any]) -> list[tuple[int, str]]:
    """The papers of a prompt: number and first sentence of the abstract."""
    found = _PAPER.findall(body["messages"][1]["content"])
    return [(int(n), abstract.split(". ")[0].strip(". ") + ".") for n, _, abstract in found]


class Scholar(LLMServer):
    """Answers each stage in its form, from the papers of the prompt."""

    def __init__(
        self,
        parts: list[str],
        *,
        script: dict[str, Reply] | None = None,
        missing: str = "",
        wrong: dict[str, Any] | None = None,
        meet: int = 0,
        counts_tokens: bool = True,
        heard: Callable[[str], object] = lambda stage: None,
    ) -> None:
        super().__init__([])
        self.parts, self.scripted, self.missing = parts, script or {}, missing
        self.wrong = [wrong] if wrong else []  # sentences at the end of each section
        self.heard = heard  # called with the stage of each request
        self.counts_tokens = counts_tokens  # else they are estimated from the texts, which is more
        self.stages: list[str] = []
        self.barrier = threading.Barrier(meet) if meet else None
        self.met = 0  # requests for reading that were open together with another one

    def reply_to(self, body: dict[str, Any]) -> Reply:
        """See `LLMServer.reply_to`."""
        return replace(self._said(body), usage=self.counts_tokens)

    def _said(self, body: dict[str, Any]) -> Reply:
        stage = stage_of(body)
        self.stages.append(stage)
        self.heard(stage)
        if stage == "read" and self.barrier is not None:
            try:
                self.barrier.wait(timeout=20)
                self.met += 1
            except threading.BrokenBarrierError:
                pass
        if stage in self.scripted:
            return self.scripted[stage]
        if stage == "plan":
            return Reply(json.dumps({"sub_questions": self.parts}))
        if stage == "disagree":
            return Reply('{"sentences": []}')
        sentences = [
            {"text": text, "citations": [n], "quotes": [{"n": n, "quote": text}]}
            for n, text in first_sentences(body)[:3]
        ]
        if stage == "read":
            return Reply(json.dumps({"notes": sentences, "missing": self.missing}))
        more = self.wrong if stage == "section" else []
        return Reply(json.dumps({"sentences": [*sentences, *more]}))


def model(server: LLMServer, **more: Any) -> LLM:
    return LLM(replace(server.config(), **more))


def passes_again(report: Report, index: Index) -> None:
    """Every sentence that the report shows as supported passes the checks against the report's papers."""
    papers = [hit.paper for hit in report.papers]
    assert report.sentences
    for s in report.sentences:
        assert all(1 <= n <= len(papers) for n in s.citations)
        if s.supported:
            draft = Draft(s.text, s.citations, tuple((e.n, e.quote) for e in s.evidence))
            quoted = any(f"“{e.quote}”" in s.text for e in s.evidence)
            again = check_sentence(draft, papers, None if quoted else index.encoder)
            assert again.supported, (s.text, again.problems)
