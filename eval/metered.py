"""A language model that counts what a measurement uses, and stops it where a budget ends.

An answer whose model is refused by the budget is quoted instead, and a measurement would go on with
quotations without a word; so here the end of a budget is an error that ends the measurement.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from indexer import config
from indexer.config import LLMConfig
from indexer.errors import UserError
from retrieval.errors import LLMBudgetExceeded, LLMUnavailable, QueryError
from retrieval.llm import LLM, Reply
from retrieval.llm_check import check
from retrieval.records import Usage


class BudgetSpent(UserError):
    """A limit of tokens or money ended a measurement."""


class Metered(LLM):
    """A session with the language model; `used` is what all its calls used together."""

    def __init__(self, config: LLMConfig) -> None:
        super().__init__(config)
        self.used = Usage()

    def stream(
        self, system: str, user: str, reply: Reply, *, schema: dict[str, Any] | None = None
    ) -> Iterator[str]:
        """See `LLM.stream`.

        Raises:
            BudgetSpent: instead of LLMBudgetExceeded.
        """
        try:
            yield from super().stream(system, user, reply, schema=schema)
        except LLMBudgetExceeded as error:
            raise BudgetSpent(f"The measurement stopped: {error}") from error
        finally:
            with self._lock:
                self.used += reply.usage


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
    probes = check(model)
    if not probes[0].works:
        raise LLMUnavailable(f"Nothing was measured: {probes[0].detail}")
    return [f"{p.name}: {'yes' if p.works else 'no'}, {p.detail}" for p in probes]
