"""A language model that counts what a measurement uses, and stops it where a budget ends.

An answer whose model is refused by the budget, or whose server is gone, is quoted instead, and a measurement
would go on with quotations without a word; so here both are errors that end the measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from indexer import config
from indexer.config import LLMConfig
from indexer.errors import UserError
from retrieval.errors import LLMBudgetExceeded, LLMRejected, LLMUnavailable, QueryError
from retrieval.llm import LLM, Reply
from retrieval.llm_check import check
from retrieval.records import Answer, Usage

MOST_FAILURES = 3  # calls in a row that may fail after their retries


class Stopped(UserError):
    """Something ended a measurement before its end."""


class BudgetSpent(Stopped):
    """A limit of tokens or money ended a measurement."""


class ServerGone(Stopped):
    """The language model's server refuses, or has failed several times in a row."""


class Metered(LLM):
    """A session with the language model; `used` is what all its calls used together."""

    def __init__(self, config: LLMConfig) -> None:
        super().__init__(config)
        self._meter = [Usage()]  # shared with the session that asks anew
        self._failures = 0  # in a row

    @property
    def used(self) -> Usage:
        """What all calls used together."""
        return self._meter[0]

    def stream(
        self, system: str, user: str, reply: Reply, *, schema: dict[str, Any] | None = None
    ) -> Iterator[str]:
        """See `LLM.stream`.

        Raises:
            BudgetSpent: instead of LLMBudgetExceeded.
            ServerGone: instead of LLMRejected, and of LLMUnavailable where it comes three times in a row.
        """
        try:
            yield from super().stream(system, user, reply, schema=schema)
            self._failures = 0
        except LLMBudgetExceeded as error:
            raise BudgetSpent(f"The measurement stopped: {error}") from error
        except LLMRejected as error:
            raise ServerGone(f"The measurement stopped: {error}") from error
        except LLMUnavailable as error:
            self._failures += 1
            if self._failures < MOST_FAILURES:
                raise
            raise ServerGone(
                f"The measurement stopped, {MOST_FAILURES} calls failed: {error}"
            ) from error
        finally:
            with self._lock:
                self._meter[0] += reply.usage


def written_by_model(answers: Iterable[Answer]) -> list[bool]:
    """Of each answer that is neither refused nor counted, whether the model wrote it; the others are quoted."""
    return [a.mode == "synthesised" for a in answers if a.mode in ("synthesised", "extractive")]


def metered_model() -> Metered:
    """A session with the configured model.

    Raises:
        QueryError: no model is configured.
    """
    configured = config.llm_config()
    if not configured.enabled:
        raise QueryError(
            "No language model is set: set OPENAI_API_KEY, or WAYFINDER_LLM_BASE_URL and WAYFINDER_LLM_MODEL; "
            "or add --offline to measure the quoted answers."
        )
    return Metered(configured)


def require_reply(model: Metered) -> list[str]:
    """What the server can do, a line each; see `llm_check`.

    Raises:
        LLMUnavailable: it does not reply.
    """
    try:
        probes = check(model)
    except ServerGone as error:
        raise LLMUnavailable(f"Nothing was measured: {error}") from error
    if not probes[0].works:
        raise LLMUnavailable(f"Nothing was measured: {probes[0].detail}")
    return [f"{p.name}: {'yes' if p.works else 'no'}, {p.detail}" for p in probes]
