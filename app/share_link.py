"""Links that restore a question: what was asked, what was set, what was taken away of it, and on which snapshot.

A link comes from anywhere, so nothing in one is trusted: each value is one that the page itself could have set, or the
link is refused in words. `check` tells a link that was cut off or changed on its way from one that is whole.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from indexer.errors import QueryError
from retrieval.question_type import TYPES
from retrieval.records import MODES
from retrieval.synthesis import AUDIENCES, MAX_LANGUAGE_CHARACTERS, STYLES, AnswerStyle
from retrieval.understood import Kind

Value = str | int | float | bool | None
Parameters = dict[str, str | list[str]]

MOST_CHARACTERS = 2_000  # of a question in a link: servers and mail programs cut longer addresses
MOST_NAME_CHARACTERS = 100
MOST_STATEMENT_CHARACTERS = 300
MOST_TAKEN_AWAY = 20
SNAPSHOT_CHARACTERS = 12

_SNAPSHOT = re.compile(r"[0-9a-f]{6,64}")
_KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class Number:
    """A control for a number from `low` to `high`."""

    usual: int | float | None
    low: int | float
    high: int | float


@dataclass(frozen=True)
class Words:
    """A control for a few words; empty is usual unless said otherwise."""

    usual: str = ""
    most: int = MOST_NAME_CHARACTERS


@dataclass(frozen=True)
class OneOf:
    """A control for a choice."""

    usual: Value
    among: tuple[Value, ...]


@dataclass(frozen=True)
class Switch:
    """A control that is on or off."""

    usual: bool


Control = Number | Words | OneOf | Switch

CONTROLS: dict[str, Control] = {
    "since": Number(None, 1500, 2100),
    "until": Number(None, 1500, 2100),
    "citations": Number(None, 0, 10_000_000),
    "author": Words(),
    "facility": Words(),
    "recency": Number(0.0, 0.0, 1.0),
    "halflife": Number(5.0, 0.5, 20.0),
    "impact": Number(0.0, 0.0, 1.0),
    "mode": OneOf("hybrid", MODES),
    "words": OneOf(None, (None, *(tenth / 10 for tenth in range(11)))),
    "diversity": Number(0.0, 0.0, 1.0),
    "reviews": Switch(False),
    "understand": Switch(True),
    "hyde": Switch(False),
    "rerank": Switch(True),
    "teams": Switch(True),
    "papers": Number(8, 3, 20),
    "kind": OneOf(None, (None, *TYPES)),
    "length": OneOf("standard", tuple(STYLES)),
    "reader": OneOf("astronomer", tuple(AUDIENCES)),
    "language": Words("English", MAX_LANGUAGE_CHARACTERS),
    "drop": Switch(False),
    "quote": Switch(False),
}


@dataclass(frozen=True)
class SharedQuestion:
    """What a link restores; `settings` are those that are not usual, by the names of CONTROLS."""

    question: str
    settings: Mapping[str, Value] = field(default_factory=dict)
    taken_away: tuple[str, ...] = ()  # keys of what was understood and is to be ignored
    statement: str = ""  # as its reader corrected it
    snapshot: str = ""  # the beginning of its id, or all of it; empty where the link names none


def link_parameters(shared: SharedQuestion) -> Parameters | None:
    """The parameters of the link, or None where the question is too long for one."""
    if not 0 < len(shared.question) <= MOST_CHARACTERS:
        return None
    found: Parameters = {"q": shared.question}
    for name, control in CONTROLS.items():
        value = shared.settings.get(name, control.usual)
        if value != control.usual:
            found[name] = _written(value)
    if shared.taken_away:
        found["ignore"] = list(shared.taken_away[:MOST_TAKEN_AWAY])
    if shared.statement:
        found["statement"] = shared.statement
    if shared.snapshot:
        found["index"] = shared.snapshot[:SNAPSHOT_CHARACTERS]
    return {**found, "check": _check(found)}


def read_link(parameters: Mapping[str, Sequence[str]]) -> SharedQuestion:
    """Return what a link restores; names that no link of Wayfinder has are left out.

    Raises:
        QueryError: a value is none that the page could have set, or the link was changed or cut off.
    """
    known = {"q", "statement", "index", *CONTROLS}
    given = {name: tuple(texts) for name, texts in parameters.items()}
    single = {name: _only(name, given[name]) for name in given if name in known}
    ignore = given.get("ignore", ())
    if "check" in given:
        named: Parameters = {**single, **({"ignore": list(ignore)} if ignore else {})}
        if _only("check", given["check"]) != _check(named):
            raise QueryError("This link was changed or cut off on its way: ask for it again, or check the question and ask anew.")  # fmt: skip
    settings = {
        name: _read(name, control, single[name])
        for name, control in CONTROLS.items()
        if name in single
    }
    shared = SharedQuestion(
        question=_words("q", single.get("q", ""), MOST_CHARACTERS),
        settings=settings,
        taken_away=_taken_away(ignore),
        statement=_words("statement", single.get("statement", ""), MOST_STATEMENT_CHARACTERS),
        snapshot=_snapshot(single.get("index", "")),
    )
    since, until = settings.get("since"), settings.get("until")
    if isinstance(since, int) and isinstance(until, int) and since > until:
        raise _refused("since", str(since), f"a year not after {until}")
    return shared


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _check(parameters: Parameters) -> str:
    """A short sum over all parameters: it tells what was changed by accident, not by intent."""
    text = json.dumps(parameters, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def _only(name: str, texts: Sequence[str]) -> str:
    if len(texts) != 1:
        raise QueryError(f"This link gives “{name}” {len(texts)} times: a link has it once.")
    return texts[0]


def _read(name: str, control: Control, text: str) -> Value:
    """The value of a control, which is one that the page could have set."""
    match control:
        case Number():
            return _number(name, control, text)
        case Switch():
            if text not in {"0", "1"}:
                raise _refused(name, text, "0 or 1")
            return text == "1"
        case OneOf():
            by_text = {_written(value): value for value in control.among}
            if text not in by_text:
                raise _refused(name, text, "one of " + ", ".join(by_text))
            return by_text[text]
        case Words():
            words = _words(name, text, control.most)
            return AnswerStyle(language=words).language if name == "language" else words


def _number(name: str, control: Number, text: str) -> int | float:
    whole = not isinstance(control.low, float)
    expected = f"a {'whole ' if whole else ''}number from {control.low} to {control.high}"
    if not re.fullmatch(r"\d{1,8}" if whole else r"\d{1,3}(?:\.\d{1,6})?", text, re.ASCII):
        raise _refused(name, text, expected)
    value = int(text) if whole else float(text)
    if not control.low <= value <= control.high:
        raise _refused(name, text, expected)
    return value


def _words(name: str, text: str, most: int) -> str:
    words = text.strip()
    if len(words) > most:
        raise _refused(name, words[:40] + "…", f"at most {most:,} characters")
    if any(not character.isprintable() and not character.isspace() for character in words):
        raise _refused(name, words[:40], "text without control characters")
    return words


def _taken_away(keys: Sequence[str]) -> tuple[str, ...]:
    if len(keys) > MOST_TAKEN_AWAY:
        raise QueryError(f"This link ignores {len(keys)} things: a link has at most {MOST_TAKEN_AWAY}.")  # fmt: skip
    for key in keys:
        kind, _, label = _words("ignore", key, 2 * MOST_NAME_CHARACTERS).partition(":")
        if kind not in _KINDS or not label:
            raise _refused("ignore", key[:40], "a kind and what was understood, as in years:since 2022")  # fmt: skip
    return tuple(keys)


def _snapshot(text: str) -> str:
    if text and not _SNAPSHOT.fullmatch(text):
        raise _refused("index", text[:40], "the id of a snapshot")
    return text


def _refused(name: str, value: str, expected: str) -> QueryError:
    return QueryError(f"This link cannot be used: its “{name}” is “{value}”, where {expected} was expected. Check the question and ask anew.")  # fmt: skip
