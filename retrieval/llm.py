"""The one door to language models: any OpenAI-compatible server, through langchain-openai.

A call has one deadline for all of it, a bounded number of retries before its first word, and ends in
text or in one of three errors that say what to do. Keys stay in `Secret` and `SecretStr`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from indexer import config
from indexer.config import LLMConfig
from retrieval.errors import LLMBadRequest, LLMError, LLMRejected, LLMUnavailable
from retrieval.records import Usage

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

RETRIES = 2
FIRST_PAUSE_SECONDS = 0.5
MAX_OUTPUT_TOKENS = 2000
TEMPERATURE = 0.0
OPENAI_URL = (
    "https://api.openai.com/v1"  # named, so that no variable but WAYFINDER_* redirects keys
)


@dataclass
class Reply:
    """What came of one call, filled while its text streams."""

    model: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    calls: int = 0
    finish_reason: str = ""  # empty when the server never said that it had finished
    pieces: list[str] = field(default_factory=list)

    @property
    def usage(self) -> Usage:
        """Tokens as the server counted them."""
        return Usage(self.model, self.prompt_tokens, self.completion_tokens, self.calls)


class LLM:
    """A language model; the constructor only stores, the client is made at the first call."""

    def __init__(self, config: LLMConfig) -> None:
        self.config = config
        self._clients: dict[bool, ChatOpenAI] = {}  # by whether they are plain
        self._lock = threading.Lock()

    def stream(self, system: str, user: str, reply: Reply) -> Iterator[str]:
        """Yield the model's text piece by piece; `reply` is filled on the way.

        Raises:
            LLMUnavailable: busy, failing, hanging or closing early, after bounded retries.
            LLMRejected: key or model refused.
            LLMBadRequest: the server does not take the request.
        """
        deadline = time.monotonic() + self.config.timeout_seconds
        reply.model = self.config.model
        attempt = 0
        plain = False
        while True:
            reply.calls += 1
            try:
                for piece in self._pieces(system, user, reply, deadline, plain=plain):
                    reply.pieces.append(piece)
                    yield piece
            except LLMUnavailable as error:
                pause = _retry_after(error) or FIRST_PAUSE_SECONDS * 2**attempt
                if reply.pieces or attempt == RETRIES or time.monotonic() + pause >= deadline:
                    raise
                attempt += 1
                time.sleep(pause)
            except LLMBadRequest:
                # Servers that know no stream_options and models that fix their temperature say 400.
                if plain or reply.pieces:
                    raise
                plain = True
            else:
                return

    def _pieces(
        self, system: str, user: str, reply: Reply, deadline: float, *, plain: bool
    ) -> Iterator[str]:
        """One call's text. A thread reads, so that a server that drips or hangs meets the deadline."""
        arrivals: queue.Queue[Any] = queue.Queue()
        stopped = threading.Event()
        threading.Thread(
            target=self._read, args=(system, user, plain, arrivals, stopped), daemon=True
        ).start()
        try:
            while True:
                try:
                    item = arrivals.get(timeout=max(0.0, deadline - time.monotonic()))
                except queue.Empty:
                    raise LLMUnavailable(
                        f"The language model did not finish within {self.config.timeout_seconds:g} s: try again, "
                        "or raise WAYFINDER_LLM_TIMEOUT_SECONDS."
                    ) from None
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise self._typed(item) from None
                _note(item, reply)
                if text := str(item.text):
                    yield text
        finally:
            stopped.set()

    def _read(
        self,
        system: str,
        user: str,
        plain: bool,
        arrivals: queue.Queue[Any],
        stopped: threading.Event,
    ) -> None:
        try:
            for chunk in self._connected(plain=plain).stream([("system", system), ("human", user)]):
                if stopped.is_set():
                    return
                arrivals.put(chunk)
            arrivals.put(None)
        except Exception as error:  # noqa: BLE001 - handed to the caller's thread, which types it
            arrivals.put(error)

    def _connected(self, *, plain: bool) -> ChatOpenAI:
        """The client; a plain one sends only what every server takes."""
        with self._lock:
            if plain not in self._clients:
                from langchain_openai import ChatOpenAI
                from pydantic import SecretStr

                self._clients[plain] = ChatOpenAI(
                    model=self.config.model,
                    base_url=self.config.base_url or OPENAI_URL,
                    # Servers of one's own ask for no key, the client insists on one.
                    api_key=SecretStr(str(self.config.api_key) or "none"),
                    timeout=self.config.timeout_seconds,
                    max_retries=0,
                    temperature=None if plain else TEMPERATURE,
                    max_completion_tokens=None if plain else MAX_OUTPUT_TOKENS,
                    stream_usage=not plain,
                    use_responses_api=False,
                )
            return self._clients[plain]

    def _typed(self, error: BaseException) -> LLMError:
        """The error as one of ours; the server's text may echo the request, so its status is kept only."""
        import openai

        where = (
            urlsplit(self.config.base_url or "").hostname or "OpenAI"
        )  # a URL may hold a password
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return LLMRejected(
                f"{where} refuses the key (HTTP {error.status_code}): check OPENAI_API_KEY or WAYFINDER_LLM_API_KEY."
            )
        if isinstance(error, openai.NotFoundError):
            return LLMRejected(
                f"{where} has no model {self.config.model!r} (HTTP 404): set WAYFINDER_LLM_MODEL."
            )
        if isinstance(error, openai.RateLimitError):
            unavailable = LLMUnavailable(
                f"{where} is busy or its quota is used up (HTTP 429): try again later."
            )
            unavailable.retry_after = error.response.headers.get("Retry-After")
            return unavailable
        if isinstance(error, openai.APIStatusError) and error.status_code < 500:
            return LLMBadRequest(
                f"{where} does not take the request (HTTP {error.status_code}); it may be too long for {self.config.model!r}."
            )
        if isinstance(error, openai.APIStatusError):
            return LLMUnavailable(f"{where} failed (HTTP {error.status_code}): try again later.")
        return LLMUnavailable(
            f"{where} did not answer or broke off ({type(error).__name__}): check that it runs, then try again."
        )


def configured_llm() -> LLM | None:
    """The language model that the environment configures, or None.

    Raises:
        QueryError: a setting in the environment is out of range.
    """
    configured = config.llm_config()
    return LLM(configured) if configured.enabled else None


def _note(chunk: Any, reply: Reply) -> None:
    """Token counts and the reason for the end, where a chunk carries them."""
    if chunk.usage_metadata:
        reply.prompt_tokens = chunk.usage_metadata["input_tokens"]
        reply.completion_tokens = chunk.usage_metadata["output_tokens"]
    reply.finish_reason = chunk.response_metadata.get("finish_reason") or reply.finish_reason


def _retry_after(error: LLMUnavailable) -> float | None:
    try:
        return max(0.0, float(error.retry_after)) if error.retry_after else None
    except ValueError:
        return None
