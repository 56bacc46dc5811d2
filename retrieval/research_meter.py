"""What a research run may still do: its steps, time, tokens and money, and whether it was cancelled.

`Metered` is the door to the language model that a run goes through: it keeps the run's limits, records
each reply, and gives a reply that was paid for before from the trace.
"""

from __future__ import annotations

import copy
import queue
import re
import threading
from collections.abc import Iterator
from dataclasses import asdict

from retrieval import llm_cache
from retrieval.budget import Allowance, Reservation, cost_usd
from retrieval.errors import LLMBudgetExceeded, LLMError, LLMRejected, LLMUnavailable
from retrieval.llm import LLM, MAX_OUTPUT_TOKENS, Reply, Schema, estimated_tokens
from retrieval.records import Usage
from retrieval.research_records import Limits
from retrieval.research_trace import Record, Trace

READING_SHARE = 0.6  # of tokens, money and time: the rest is for the report
MOST_FAILURES = 2  # one after the other: then the model is asked no more
SECONDS_BETWEEN_LOOKS = 0.05


class Stopped(LLMError):
    """The run was cancelled, its time is over, or its model failed too often: no more calls."""


class Meter:
    """Counts what a run uses; `reasons` says, in words, why it did not go on."""

    def __init__(
        self,
        limits: Limits,
        trace: Trace,
        cancel: threading.Event,
        done: frozenset[tuple[int | None, int | None]] = frozenset(),
    ) -> None:
        self.limits, self.trace, self.cancel = limits, trace, cancel
        self._done = done  # (part, round) of steps that an earlier part of the run made
        self.steps = 0
        self.reasons: dict[str, None] = {}
        self.failures = 0  # of the language model, one after the other
        self.usage = Usage()
        self._lock = threading.Lock()

    def over(self, share: float = 1.0) -> str:
        """Why nothing more may be done, or an empty text."""
        if self.cancel.is_set():
            return "The run was cancelled."
        if self.trace.elapsed > self.limits.max_seconds * share:
            return f"The limit of {self.limits.max_seconds:g} seconds was reached."
        return ""

    def stop(self, reason: str) -> None:
        """Note why the run does not go on."""
        known = {_without_numbers(text) for text in self.reasons}
        if _without_numbers(reason) not in known:
            self.reasons[reason] = None
            self.trace.add("stop", reason=reason)

    def use(self, usage: Usage) -> None:
        """Add what a call used."""
        with self._lock:
            self.usage += usage

    def take_step(self, part: int, round_: int) -> bool:
        """Take one step, if there is one left and time for it; else say why not.

        What the trace of a run that goes on holds already is taken whatever is left.
        """
        if (part, round_) in self._done and not self.cancel.is_set():
            self.steps += 1
            return True
        reason = self.over(READING_SHARE)
        if not reason and self.steps >= self.limits.max_steps:
            reason = f"The limit of {self.limits.max_steps} steps was reached."
        if reason:
            self.stop(reason)
            return False
        self.steps += 1
        return True


class Metered(LLM):
    """The session's language model within one run's limits; its own session's budget holds too."""

    def __init__(self, llm: LLM, meter: Meter, earlier: tuple[Record, ...] = ()) -> None:
        super().__init__(llm.config, llm.budget)
        self.meter = meter
        self.share = 1.0  # of the limits, that these calls may reach
        self.allowance = Allowance(
            llm.config, max_tokens=meter.limits.max_tokens, max_usd=meter.limits.max_usd
        )
        self._llm = llm
        self._paid: dict[str, Record] = {}
        for record in earlier:
            if record.kind == "call":
                self._take_over(record)

    def _take_over(self, record: Record) -> None:
        """A call of the run's earlier part: paid for, and not to be made again."""
        data = record.data
        try:
            self.allowance.tokens += int(data["tokens"])
            self.allowance.usd += float(data["usd"] or 0.0)
            self.meter.use(Usage(**data["usage"]))
            if not data["error"]:
                self._paid[str(data["key"])] = record
        except (KeyError, TypeError, ValueError):
            return  # damaged: it is asked again

    def reading(self) -> Metered:
        """The same door for calls that must leave enough for the report."""
        other = copy.copy(self)
        other.share = READING_SHARE
        return other

    def stream(
        self, system: str, user: str, reply: Reply, *, schema: Schema | None = None
    ) -> Iterator[str]:
        """See `LLM.stream`; each call is one record of the trace.

        Raises:
            Stopped: cancelled, out of time, or the model failed too often.
            LLMError: see `LLM.stream`.
        """
        key = llm_cache.key(self.config.base_url, self.config.model, schema, system, user)
        if kept := self._paid.get(key):
            reply.model, reply.cached = self.config.model, 1
            reply.finish_reason = str(kept.data.get("finish_reason"))
            reply.pieces.append(str(kept.data.get("text")))
            yield reply.pieces[0]
            return
        if reason := self.meter.over(self.share):
            self.meter.stop(reason)
            raise Stopped(reason)
        if self.meter.failures >= MOST_FAILURES:
            raise Stopped("The language model failed repeatedly and was asked no more.")
        try:
            reserved = self.allowance.reserve(
                estimated_tokens(system, user), MAX_OUTPUT_TOKENS, share=self.share
            )
        except LLMBudgetExceeded as error:
            self.meter.stop(str(error))
            raise
        failure = ""
        try:
            yield from self._watched(system, user, reply, schema)
            self.meter.failures = 0
        except LLMError as error:
            failure = str(error)
            self._failed(error)
            raise
        finally:
            self._recorded(key, system, user, reply, reserved, failure)

    def _failed(self, error: LLMError) -> None:
        if isinstance(error, LLMBudgetExceeded):
            self.meter.stop(str(error))
        elif isinstance(error, LLMRejected):
            self.meter.failures = MOST_FAILURES
        elif isinstance(error, LLMUnavailable):
            self.meter.failures += 1

    def _recorded(
        self, key: str, system: str, user: str, reply: Reply, reserved: Reservation, failure: str
    ) -> None:
        """Settle what the call used and write it down, whatever came of it."""
        used = (0, 0) if reply.cached else self._llm.tokens_used(system, user, reply)
        self.allowance.settle(reserved, *used)
        reply.cost_usd = reply.cost_usd if reply.cached else cost_usd(self.config, *used)
        self.meter.use(reply.usage)
        self.meter.trace.add(
            "call",
            key=key,
            text="".join(reply.pieces),
            finish_reason=reply.finish_reason,
            error=failure,
            tokens=sum(used),
            usd=reply.cost_usd,
            usage=asdict(reply.usage),
        )

    def _watched(
        self, system: str, user: str, reply: Reply, schema: Schema | None
    ) -> Iterator[str]:
        """The reply's pieces; a cancelled run does not wait for a server that hangs."""
        arrivals: queue.Queue[str | Exception | None] = queue.Queue()
        left = threading.Event()

        def read() -> None:
            try:
                for piece in self._llm.stream(system, user, reply, schema=schema):
                    arrivals.put(piece)
                    if left.is_set():
                        return
                arrivals.put(None)
            except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
                arrivals.put(error)

        threading.Thread(target=read, daemon=True).start()
        try:
            while True:
                try:
                    item = arrivals.get(timeout=SECONDS_BETWEEN_LOOKS)
                except queue.Empty:
                    if reason := self.meter.over(self.share):
                        self.meter.stop(reason)
                        raise Stopped(reason) from None
                    continue
                if item is None:
                    return
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            left.set()


def _without_numbers(text: str) -> str:
    return re.sub(r"\d", "", text)
