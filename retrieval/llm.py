"""The one door to language models: any OpenAI-compatible server, through langchain-openai.

A call waits for its turn, stays within the budget, has one deadline for all of it and a bounded number
of retries before its first word, and ends in text or in an error that says what to do. A reply that
was given before to the same words is not asked for again. Keys stay in `Secret` and `SecretStr`.
"""

from __future__ import annotations

import json
import queue
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from indexer import config
from indexer.config import LLMConfig
from retrieval import llm_cache
from retrieval.budget import Budget, cost_usd
from retrieval.errors import LLMBadRequest, LLMError, LLMRejected, LLMTooLong, LLMUnavailable
from retrieval.records import Usage

if TYPE_CHECKING:
    from langchain_openai import AzureChatOpenAI, ChatOpenAI

    AnyChat = ChatOpenAI | AzureChatOpenAI

RETRIES = 2
FIRST_PAUSE_SECONDS = 0.5
MAX_OUTPUT_TOKENS = 2000
TEMPERATURE = 0.0
CHARACTERS_A_TOKEN = 3  # fewer than any model's, so that a reservation is never too small
MAX_WAIT_SECONDS = 600.0  # for a turn, while other questions are being answered
_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|size|window)|maximum context|too (?:long|many tokens|large)|exceeds? .{0,40}tokens"
    r"|prompt .{0,20}long",
    re.IGNORECASE,
)
Schema = dict[str, Any]
OPENAI_EMBEDDING_MODEL = "text-embedding-3-small"
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
    cached: int = 0
    cost_usd: float | None = None
    finish_reason: str = ""  # empty when the server never said that it had finished
    pieces: list[str] = field(default_factory=list)
    structured: bool = False  # whether the server took the schema

    @property
    def usage(self) -> Usage:
        """Tokens as the server counted them."""
        return Usage(
            self.model,
            self.prompt_tokens,
            self.completion_tokens,
            self.calls,
            self.cost_usd,
            self.cached,
        )


class LLM:
    """A language model; the constructor only stores, the client is made at the first call.

    One instance is one session: its budget of tokens is the instance's.
    """

    def __init__(self, config: LLMConfig, budget: Budget | None = None) -> None:
        self.config = config
        self.budget = budget or Budget(config)
        self._clients: dict[str, AnyChat] = {}
        self._lock = threading.Lock()
        self._takes_schemas = True  # until the server refuses one and takes the same without

    def stream(
        self, system: str, user: str, reply: Reply, *, schema: Schema | None = None
    ) -> Iterator[str]:
        """Yield the model's text piece by piece; `reply` is filled on the way.

        `schema` is a JSON schema that the server is held to where it knows structured output.

        Raises:
            LLMUnavailable: busy, failing, hanging or closing early, after bounded retries.
            LLMRejected: key or model refused.
            LLMBadRequest: the server does not take the request.
            LLMBudgetExceeded: the call could pass a limit; it was not made.
        """
        reply.model = self.config.model
        name = self._reply_name(system, user, schema)
        kept = llm_cache.read(self.config.cache, name) if self.config.cache else None
        if kept is not None:
            reply.finish_reason, reply.cached = kept.finish_reason, 1
            reply.pieces.append(kept.text)
            yield kept.text
            return
        with _turn(self.config):
            reserved = self.budget.reserve(estimated_tokens(system, user), MAX_OUTPUT_TOKENS)
            try:
                yield from self._asked(system, user, reply, schema)
            finally:
                used = self.tokens_used(system, user, reply)
                self.budget.settle(reserved, *used)
                reply.cost_usd = cost_usd(self.config, *used)
        if self.config.cache and reply.finish_reason == "stop" and reply.pieces:
            text = "".join(reply.pieces)
            tokens = (reply.prompt_tokens, reply.completion_tokens)
            llm_cache.write(self.config.cache, name, llm_cache.Kept(text, "stop", *tokens))

    def tool_calls(self, system: str, user: str, tools: list[dict[str, Any]]) -> list[Any]:
        """The calls of `tools` that the model asks for: name and args each.

        Raises:
            LLMError, LLMBudgetExceeded: see `stream`.
        """
        with _turn(self.config):
            reserved = self.budget.reserve(estimated_tokens(system, user), MAX_OUTPUT_TOKENS)
            used = (0, 0)
            try:
                said = self.client(plain=True).bind_tools(tools)
                found = said.invoke([("system", system), ("human", user)])
                counts = found.usage_metadata
                used = (
                    (counts["input_tokens"], counts["output_tokens"])
                    if counts
                    else (estimated_tokens(system, user), estimated_tokens(str(found.text)))
                )
            except Exception as error:  # noqa: BLE001 - typed as ours
                raise self._typed(error) from None
            finally:
                self.budget.settle(reserved, *used)
        return list(found.tool_calls)

    def embedding(self, text: str) -> list[float]:
        """The vector that the server's /embeddings gives for a text; its model is this one on servers of one's own.

        Raises:
            LLMError: there is no such address, or it fails.
        """
        from langchain_openai import OpenAIEmbeddings
        from pydantic import SecretStr

        client = OpenAIEmbeddings(
            model=self.config.model if self.config.base_url else OPENAI_EMBEDDING_MODEL,
            base_url=self.config.base_url or OPENAI_URL,
            api_key=SecretStr(str(self.config.api_key) or "none"),
            check_embedding_ctx_length=False,
            max_retries=0,
            timeout=self.config.timeout_seconds,
        )
        try:
            return list(client.embed_query(text))
        except Exception as error:  # noqa: BLE001 - typed as ours
            raise self._typed(error) from None

    def asking_anew(self) -> LLM:
        """The same session with the same budget, whose replies all come from the server."""
        anew = copy(self)
        anew.config = replace(self.config, cache=None)
        return anew

    def _reply_name(self, system: str, user: str, schema: Schema | None) -> str:
        config = self.config
        settings = (TEMPERATURE, MAX_OUTPUT_TOKENS, config.api_version, schema)
        return llm_cache.key(config.base_url, config.model, settings, system, user)

    def tokens_used(self, system: str, user: str, reply: Reply) -> tuple[int, int]:
        """Tokens in and out, estimated where the server did not count; failed calls count as none."""
        if reply.prompt_tokens is not None and reply.completion_tokens is not None:
            return reply.prompt_tokens, reply.completion_tokens
        if not reply.pieces:
            return 0, 0
        return estimated_tokens(system, user), estimated_tokens(*reply.pieces)

    def _asked(self, system: str, user: str, reply: Reply, schema: Schema | None) -> Iterator[str]:
        """The reply of the server, with retries; settings that it does not know are left out."""
        plain = False
        wanted = schema if self._takes_schemas else None
        self.client(plain=plain, schema=wanted)  # its import takes seconds, not the server's
        deadline = time.monotonic() + self.config.timeout_seconds
        attempt = 0
        while True:
            reply.calls += 1
            try:
                for piece in self._pieces(
                    system, user, reply, deadline, plain=plain, schema=wanted
                ):
                    reply.pieces.append(piece)
                    yield piece
            except LLMUnavailable as error:
                pause = _retry_after(error) or FIRST_PAUSE_SECONDS * 2**attempt
                if reply.pieces or attempt == RETRIES or time.monotonic() + pause >= deadline:
                    raise
                attempt += 1
                time.sleep(pause)
            except LLMTooLong:
                raise  # to ask for the same in a plainer way would not make it shorter
            except LLMBadRequest:
                # Servers that know no stream_options and models that fix their temperature say 400.
                if plain or reply.pieces:
                    raise
                plain, wanted = wanted is None, None
            else:
                reply.structured = wanted is not None
                self._takes_schemas = schema is None or wanted is not None
                return

    def _pieces(
        self,
        system: str,
        user: str,
        reply: Reply,
        deadline: float,
        *,
        plain: bool,
        schema: Schema | None,
    ) -> Iterator[str]:
        """One call's text. A thread reads, so that a server that drips or hangs meets the deadline."""
        arrivals: queue.Queue[Any] = queue.Queue()
        stopped = threading.Event()
        client = self.client(plain=plain, schema=schema)
        threading.Thread(
            target=_read, args=(client, system, user, arrivals, stopped), daemon=True
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

    def client(self, *, plain: bool = False, schema: Schema | None = None) -> AnyChat:
        """The langchain client; a plain one sends only what every server takes."""
        with self._lock:
            name = json.dumps([plain, schema], sort_keys=True)
            if name not in self._clients:
                self._clients[name] = _client(self.config, plain=plain, schema=schema)
            return self._clients[name]

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
            return _later(f"{where} is busy or its quota is used up (HTTP 429)", error)
        if isinstance(error, openai.APIStatusError) and error.status_code < 500:
            kind = LLMTooLong if _too_long(error) else LLMBadRequest
            return kind(
                f"{where} does not take the request (HTTP {error.status_code}); it may be too long for {self.config.model!r}."
            )
        if isinstance(error, openai.APIStatusError):
            return _later(f"{where} failed (HTTP {error.status_code})", error)
        return LLMUnavailable(
            f"{where} did not answer or broke off ({type(error).__name__}): check that it runs, then try again."
        )


def configured_llm() -> LLM | None:
    """The language model that the environment configures, or None.

    Raises:
        QueryError: a setting in the environment is out of range.
    """
    configured = config.llm_config()
    return _session(configured) if configured.enabled else None


@lru_cache(maxsize=8)
def _session(configured: LLMConfig) -> LLM:
    """One session for a process and its settings, unless its caller makes others."""
    return LLM(configured)


def _note(chunk: Any, reply: Reply) -> None:
    """Token counts and the reason for the end, where a chunk carries them."""
    if chunk.usage_metadata:
        reply.prompt_tokens = chunk.usage_metadata["input_tokens"]
        reply.completion_tokens = chunk.usage_metadata["output_tokens"]
    reply.finish_reason = chunk.response_metadata.get("finish_reason") or reply.finish_reason


def _too_long(error: Any) -> bool:
    """Whether a server says that a request has more tokens than its model reads."""
    if error.status_code == 413:
        return True
    said = f"{error.code or ''} {error.message}"
    return error.status_code in (400, 422) and bool(_TOO_LONG.search(said))


def _later(what: str, error: Any) -> LLMUnavailable:
    unavailable = LLMUnavailable(f"{what}: try again later.")
    unavailable.retry_after = error.response.headers.get("Retry-After")
    return unavailable


def _retry_after(error: LLMUnavailable) -> float | None:
    """Seconds to wait as the server said, as a number or as a date (RFC 9110, 10.2.3)."""
    try:
        return max(0.0, float(error.retry_after)) if error.retry_after else None
    except ValueError:
        pass
    try:
        then = parsedate_to_datetime(str(error.retry_after))
    except ValueError:
        return None
    now = datetime.now(UTC)
    return max(
        0.0, (then - now if then.tzinfo else then - now.replace(tzinfo=None)).total_seconds()
    )


def estimated_tokens(*texts: str) -> int:
    """Tokens of texts, rather too many than too few."""
    return sum(len(text.encode()) for text in texts) // CHARACTERS_A_TOKEN + 1


_turns: dict[str, threading.BoundedSemaphore] = {}
_turns_lock = threading.Lock()


@contextmanager
def _turn(config: LLMConfig) -> Iterator[None]:
    """One of the calls that may be made to a server at the same time."""
    with _turns_lock:
        name = f"{config.base_url} {config.concurrency}"
        turns = _turns.setdefault(name, threading.BoundedSemaphore(config.concurrency))
    if not turns.acquire(timeout=MAX_WAIT_SECONDS):
        raise LLMUnavailable(
            "Too many questions are being answered at this moment: try again later."
        )
    try:
        yield
    finally:
        turns.release()


def _read(
    client: AnyChat,
    system: str,
    user: str,
    arrivals: queue.Queue[Any],
    stopped: threading.Event,
) -> None:
    """Read a stream into a queue, its end as None, its error as it is."""
    try:
        for chunk in client.stream([("system", system), ("human", user)]):
            if stopped.is_set():
                return
            arrivals.put(chunk)
        arrivals.put(None)
    except Exception as error:  # noqa: BLE001 - handed to the caller's thread, which types it
        arrivals.put(error)


def _client(config: LLMConfig, *, plain: bool, schema: Schema | None) -> AnyChat:
    from langchain_openai import AzureChatOpenAI, ChatOpenAI
    from pydantic import SecretStr

    structure = {
        "type": "json_schema",
        "json_schema": {"name": "reply", "strict": True, "schema": schema},
    }
    shared: dict[str, Any] = {
        # Servers of one's own ask for no key, the client insists on one.
        "api_key": SecretStr(str(config.api_key) or "none"),
        "timeout": config.timeout_seconds,
        "max_retries": 0,
        "temperature": None if plain else TEMPERATURE,
        "max_completion_tokens": None if plain else MAX_OUTPUT_TOKENS,
        "stream_usage": not plain,
        "use_responses_api": False,
        "extra_body": {"response_format": structure} if schema else None,
    }
    if config.api_version is not None:
        return AzureChatOpenAI(
            azure_endpoint=config.base_url,
            azure_deployment=config.model,
            api_version=config.api_version,
            **shared,
        )
    return ChatOpenAI(model=config.model, base_url=config.base_url or OPENAI_URL, **shared)
