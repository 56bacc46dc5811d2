"""Every question of every door: its visitor's limit, its turn, counted for Prometheus, and a line in the log.

Neither the question nor who asked stands in the log, unless WAYFINDER_LOG_QUESTIONS is set.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

from app import metrics
from app.limits import HOUR, Lane, Limit, TooBusy, TooOften, searches_at_once
from app.logs import note
from app.metrics import Watch
from indexer import config
from indexer.errors import UserError
from retrieval.records import Answer, SearchResult, Usage
from retrieval.research_records import Report

T = TypeVar("T")
What = Literal["ask", "search", "similar", "impact", "research"]
RESEARCHES_AT_ONCE = 2  # each is dozens of questions

_log = logging.getLogger("wayfinder.questions")


class VisitorGone(Exception):
    """Nobody waits for this answer any more."""


@dataclass(frozen=True)
class Asked:
    """A question, and who asked it where."""

    door: str  # page, api, slack
    what: What
    question: str = ""
    who: str = ""


def counted(asked: Asked, work: Callable[[], T], *, seconds_waited: float = 0.0) -> T:
    """Do the work of a question; count and log what came of it, whatever that is."""
    watch = Watch()
    outcome = "left"  # its visitor went away, or something else ended its thread
    result: T | None = None
    try:
        result = work()
        outcome = _outcome(result)
    except (TooOften, TooBusy):
        outcome = "limited"
        raise
    except VisitorGone:
        raise
    except UserError:
        outcome = "mistaken"
        raise
    except Exception:
        outcome = "failed"
        raise
    finally:
        _noted(asked, outcome, result, watch.seconds, seconds_waited)
    return result


class Queue:
    """The questions of one process: how often one visitor may ask, and how many are worked on at once."""

    def __init__(self, questions_per_hour: int | None, at_once: int) -> None:
        self.limit = Limit(questions_per_hour, "questions", seconds=HOUR)
        answers = Lane(at_once)
        searches = Lane(searches_at_once())
        self.lanes: dict[What, Lane] = {
            "ask": answers, "search": searches, "similar": searches, "impact": searches,
            "research": Lane(RESEARCHES_AT_ONCE),
        }  # fmt: skip

    def ask(self, asked: Asked, work: Callable[[], T], on_wait: Callable[[int], None] = lambda ahead: None) -> T:  # fmt: skip
        """Do the work of a question when it is its turn; `on_wait` hears how many are before it.

        Raises:
            TooOften: this visitor has asked all that the hour allows.
            TooBusy: too many wait.
        """
        watch = Watch()
        with ExitStack() as turn:
            try:
                self.limit.take(asked.who)
                turn.enter_context(self.lanes[asked.what].turn(on_wait))
            except BaseException as error:
                limited = isinstance(error, TooOften | TooBusy)
                _noted(asked, "limited" if limited else "left", None, 0.0, watch.seconds)
                raise
            return counted(asked, work, seconds_waited=watch.seconds)

    def set_gauges(self) -> None:
        """Tell the metrics how many work and wait."""
        for what in ("ask", "search", "research"):
            lane = self.lanes[what]
            metrics.working.labels(what).set(lane.n_working)
            metrics.waiting.labels(what).set(lane.n_waiting)


@cache
def queue() -> Queue:
    """The one of this process, as the environment asks for it."""
    return Queue(config.web_config().questions_per_hour, config.questions_at_once())


def _outcome(result: object) -> str:
    if isinstance(result, Answer):
        return result.mode
    if isinstance(result, SearchResult):
        return "found" if result.hits else "nothing"
    if isinstance(result, Report):
        return "report" if result.finished else "unfinished"
    return "done"


def _noted(asked: Asked, outcome: str, result: object, seconds: float, waited: float) -> None:
    of = (asked.door, asked.what)
    facts = _facts(result)
    usage: Usage = facts.pop("usage", Usage())
    metrics.questions.labels(*of, outcome).inc()
    metrics.seconds.labels(*of).observe(seconds)
    metrics.waited.labels(*of).observe(waited)
    for stage, spent in facts.get("stages", {}).items():
        metrics.stage_seconds.labels(*of, stage).observe(spent)
    if facts.get("degraded"):
        metrics.degraded.labels(*of).inc()
    metrics.tokens.labels(*of, "in").inc(usage.prompt_tokens or 0)
    metrics.tokens.labels(*of, "out").inc(usage.completion_tokens or 0)
    metrics.dollars.labels(*of).inc(usage.cost_usd or 0.0)
    row: dict[str, Any] = {
        "door": asked.door,
        "what": asked.what,
        "outcome": outcome,
        "seconds": round(seconds, 4),
        "waited": round(waited, 4),
        **facts,
        "model": usage.model or None,
        "tokens": (usage.prompt_tokens or 0) + (usage.completion_tokens or 0),
    }
    if config.log_config().questions:
        row |= {"question": asked.question, "who": asked.who, "notes": _notes(result)}
    note(_log, "question", **row)


def _facts(result: object) -> dict[str, Any]:
    """What the log says of a result: numbers and kinds, nothing that a visitor wrote."""
    if isinstance(result, Answer):
        return {
            "kind": result.kind,
            "refused": result.refused,
            "sentences": len(result.sentences),
            "unsupported": sum(not sentence.supported for sentence in result.sentences),
            "papers": len(result.papers),
            "degraded": len(result.degraded),
            "snapshot": result.search.snapshot,
            "stages": _rounded(result.search.seconds | result.seconds),
            "usage": result.usage,
        }
    if isinstance(result, SearchResult):
        return {
            "papers": len(result.hits),
            "degraded": len(result.degraded),
            "snapshot": result.snapshot,
            "stages": _rounded(result.seconds),
        }
    if isinstance(result, Report):
        return {
            "steps": result.steps,
            "papers": result.n_read,
            "degraded": len(result.degraded),
            "snapshot": result.snapshot,
            "usage": result.usage,
        }
    return {}


def _notes(result: object) -> list[str]:
    if isinstance(result, Answer | SearchResult | Report):
        return list(result.degraded)
    return []


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {stage: round(spent, 4) for stage, spent in seconds.items()}
