"""What language models may cost: tokens of this session, tokens and dollars of this day, and of one run.

A call reserves the most it can use before it is made and settles what it did use after, so that
calls at the same time cannot together pass a limit. The day's sum is a small file that all processes
of one cache share.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from filelock import FileLock

from indexer.config import LLMConfig
from retrieval.errors import LLMBudgetExceeded


@dataclass(frozen=True)
class Reservation:
    """What a call may use at most."""

    tokens: int
    usd: float
    day: str


class DayTokens:
    """What one person may use in a day, in all sessions together; kept in memory. Thread-safe."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._day = ""
        self._spent = 0
        self._lock = threading.Lock()

    def add(self, day: str, tokens: int, *, limited: bool) -> None:
        """Add tokens to a day, or take them from it; another day begins at nothing.

        Raises:
            LLMBudgetExceeded: `limited`, and the day would pass its limit; nothing is added.
        """
        with self._lock:
            spent = self._spent if day == self._day else 0
            if limited and spent + tokens > self.most:
                raise LLMBudgetExceeded(
                    f"You have used {spent:,} of the {self.most:,} tokens that this host gives one visitor a day: "
                    "answers are quoted until tomorrow."
                )
            if limited or day == self._day:
                self._day, self._spent = day, spent + tokens


class Budget:
    """The limits of one session; `spent_tokens` counts what is settled and what is reserved.

    With a `person` the day of whoever asks is counted too.
    """

    def __init__(
        self, config: LLMConfig, *, today: date | None = None, person: DayTokens | None = None
    ) -> None:
        self._config = config
        self._today = today
        self._person = person
        self._lock = threading.Lock()
        self.spent_tokens = 0

    def reserve(self, prompt_tokens: int, completion_tokens: int) -> Reservation:
        """Set aside what a call may use.

        Raises:
            LLMBudgetExceeded: a limit would be passed; nothing is set aside.
        """
        tokens = prompt_tokens + completion_tokens
        usd = cost_usd(self._config, prompt_tokens, completion_tokens) or 0.0
        day = (self._today or date.today()).isoformat()
        limit = self._config.session_tokens
        with self._lock:
            if limit is not None and self.spent_tokens + tokens > limit:
                raise LLMBudgetExceeded(
                    f"This session has used {self.spent_tokens:,} of its {limit:,} tokens and the call may need "
                    f"{tokens:,}: raise WAYFINDER_LLM_SESSION_TOKENS, or start another session."
                )
            self._add_to_day(day, tokens, usd, limited=True)
            try:
                self._add_to_person(day, tokens, limited=True)
            except LLMBudgetExceeded:
                self._add_to_day(day, -tokens, -usd, limited=False)
                raise
            self.spent_tokens += tokens
        return Reservation(tokens, usd, day)

    def settle(self, reserved: Reservation, prompt_tokens: int, completion_tokens: int) -> None:
        """Replace what was set aside by what was used."""
        tokens = prompt_tokens + completion_tokens
        usd = cost_usd(self._config, prompt_tokens, completion_tokens) or 0.0
        with self._lock:
            self.spent_tokens += tokens - reserved.tokens
            self._add_to_day(
                reserved.day, tokens - reserved.tokens, usd - reserved.usd, limited=False
            )
            self._add_to_person(reserved.day, tokens - reserved.tokens, limited=False)

    def _add_to_person(self, day: str, tokens: int, *, limited: bool) -> None:
        if self._person is not None:
            self._person.add(day, tokens, limited=limited)

    def _add_to_day(self, day: str, tokens: int, usd: float, *, limited: bool) -> None:
        config = self._config
        if config.day_file is None or (config.day_tokens is None and config.day_usd is None):
            return
        config.day_file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{config.day_file}.lock"):
            spent = _spent(config.day_file, day)
            total: dict[str, float | str] = {
                "day": day,
                "tokens": spent["tokens"] + tokens,
                "usd": spent["usd"] + usd,
            }
            if limited:
                _refuse_beyond(config, spent, total)
            temporary = config.day_file.with_suffix(".tmp")
            temporary.write_text(json.dumps(total), encoding="utf-8")
            temporary.replace(config.day_file)


class Allowance:
    """What one run may use in all, whatever its session and its day may; `tokens` and `usd` are used so far.

    A call that would pass the limit waits while others may give back what they set aside.
    """

    def __init__(self, config: LLMConfig, *, max_tokens: int, max_usd: float | None = None) -> None:
        self.max_tokens, self.max_usd = max_tokens, max_usd
        self.tokens, self.usd = 0, 0.0
        self._config = config
        self._open: list[Reservation] = []
        self._changed = threading.Condition()

    def reserve(
        self, prompt_tokens: int, completion_tokens: int, *, share: float = 1.0
    ) -> Reservation:
        """Set aside what a call may use; `share` is of the whole that this kind of call may reach.

        Raises:
            LLMBudgetExceeded: the limit would be passed; nothing is set aside.
        """
        usd = cost_usd(self._config, prompt_tokens, completion_tokens) or 0.0
        wanted = Reservation(prompt_tokens + completion_tokens, usd, "")
        with self._changed:
            while (reason := self._beyond(wanted, share)) and self._open:
                self._changed.wait()
            if reason:
                raise LLMBudgetExceeded(reason)
            self._open.append(wanted)
        return wanted

    def settle(self, reserved: Reservation, prompt_tokens: int, completion_tokens: int) -> None:
        """Replace what was set aside by what was used."""
        with self._changed:
            self._open.remove(reserved)
            self.tokens += prompt_tokens + completion_tokens
            self.usd += cost_usd(self._config, prompt_tokens, completion_tokens) or 0.0
            self._changed.notify_all()

    def _beyond(self, wanted: Reservation, share: float) -> str:
        tokens = self.tokens + sum(item.tokens for item in self._open) + wanted.tokens
        if tokens > self.max_tokens * share:
            return f"The limit of {self.max_tokens:,} tokens was reached."
        usd = self.usd + sum(item.usd for item in self._open) + wanted.usd
        if self.max_usd is not None and usd > self.max_usd * share:
            return f"The limit of ${self.max_usd:g} was reached."
        return ""


def cost_usd(config: LLMConfig, prompt_tokens: int, completion_tokens: int) -> float | None:
    """The price of a call in dollars, or None where no prices are set."""
    if config.usd_per_million_in is None or config.usd_per_million_out is None:
        return None
    return (
        prompt_tokens * config.usd_per_million_in + completion_tokens * config.usd_per_million_out
    ) / 1e6


def _spent(path: Path, day: str) -> dict[str, float]:
    """The day's sums; a file of another day, or none that can be read, counts as nothing spent."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["day"] == day:
            return {"tokens": int(found["tokens"]), "usd": float(found["usd"])}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"tokens": 0, "usd": 0.0}


def _refuse_beyond(
    config: LLMConfig, spent: dict[str, float], total: dict[str, float | str]
) -> None:
    if config.day_tokens is not None and int(total["tokens"]) > config.day_tokens:
        raise LLMBudgetExceeded(
            f"Today {int(spent['tokens']):,} of {config.day_tokens:,} tokens are used and the call may need "
            f"{int(total['tokens']) - int(spent['tokens']):,}: raise WAYFINDER_LLM_DAY_TOKENS, or wait for tomorrow."
        )
    if config.day_usd is not None and float(total["usd"]) > config.day_usd:
        raise LLMBudgetExceeded(
            f"Today ${spent['usd']:.4f} of ${config.day_usd:g} are spent and the call may cost "
            f"${float(total['usd']) - spent['usd']:.4f}: raise WAYFINDER_LLM_DAY_USD, or wait for tomorrow."
        )
