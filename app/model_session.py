"""Sessions with the language model, each within what its person may use in a day."""

from __future__ import annotations

import threading
from collections import OrderedDict

from app.limits import MOST_CLIENTS
from indexer import config
from retrieval.budget import Budget, DayTokens
from retrieval.llm import LLM

_people: OrderedDict[str, DayTokens] = OrderedDict()
_lock = threading.Lock()


def model_session(who: str) -> LLM | None:
    """A new session for a person, None without a model; how long it lasts is its door's affair."""
    configured = config.llm_config()
    if not configured.enabled:
        return None
    return LLM(configured, Budget(configured, person=_day_of(who)))


def _day_of(who: str) -> DayTokens | None:
    most = config.visitor_day_tokens()
    if most is None:
        return None
    with _lock:
        known = _people.pop(who, None)
        if known is None or known.most != most:
            known = DayTokens(most)
        _people[who] = known
        if len(_people) > MOST_CLIENTS:
            _people.popitem(last=False)
        return known
