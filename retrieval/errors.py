"""Errors of the retrieval layer, hung into the one tree of `indexer.errors`."""

from indexer.errors import QueryError, RemoteError, UserError

__all__ = [
    "LLMBadRequest",
    "LLMBudgetExceeded",
    "LLMError",
    "LLMRejected",
    "LLMTooLong",
    "LLMUnavailable",
    "QueryError",
    "RerankError",
]


class LLMError(RemoteError):
    """The language model gave no usable answer; what to do next is the subclass's name."""


class LLMUnavailable(LLMError):
    """Busy, hanging or failing after bounded retries: try again later."""

    retry_after: str | None = None  # seconds, as a 429 gave them


class LLMRejected(LLMError, UserError):
    """The key or the model is refused: mend the configuration."""


class LLMBadRequest(LLMError):
    """The server does not take this request, for instance because it is too long."""


class LLMTooLong(LLMBadRequest):
    """The request has more tokens than the model reads: ask with fewer papers."""


class LLMBudgetExceeded(LLMError, UserError):
    """A limit of tokens or money is reached: raise it, or wait."""


class RerankError(RemoteError):
    """A reranker raised, hung, or gave scores that mean nothing; the order before it stands."""
