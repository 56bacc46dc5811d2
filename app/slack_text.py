"""Slack's way of writing text: what people wrote read as plain words, and words written so that nothing in them is markup."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from retrieval.fields import identifiers_in

Verb = Literal["ask", "similar", "subscribe", "unsubscribe", "subscriptions", "help"]

_ANGLED = re.compile(r"<((?:[@#!]|[a-z][a-z+.-]*:)[^<>\n]*)>")
_VERB = re.compile(r"(similar|subscribe|unsubscribe|subscriptions|help)\b[:\s]*(?:to\b[:\s]*)?(.*)", re.IGNORECASE | re.DOTALL)  # fmt: skip
_QUESTION = re.compile(
    r"\?\s*$|^\s*(?:and|but|so)?\s*(?:what|who|which|how|why|where|when|is|are|do|does|did|can|could|has|have)\b",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Wish:
    """What a message asks for, and of what."""

    verb: Verb
    words: str


def plain(text: str) -> str:
    """A message's text in plain words: links as addresses, mentions left out, entities as characters."""
    found = _ANGLED.sub(_angled, text)
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        found = found.replace(entity, character)
    return _CONTROL.sub("", found).strip()


def _angled(match: re.Match[str]) -> str:
    inside, _, label = match[1].partition("|")
    if inside.startswith(("@", "!")):
        return ""
    if inside.startswith("#"):
        return label
    return label if label and inside.endswith(label) else inside  # Slack linked a word by itself


def escaped(text: str) -> str:
    """Plain text for a field that Slack reads as mrkdwn: no link, no mention, no ping."""
    shown = _CONTROL.sub("", text)
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def wish(words: str) -> Wish:
    """What plain words ask for: a question, unless they begin with a verb and what belongs to it."""
    match = _VERB.fullmatch(words.strip())
    if match is None:
        return Wish("ask", words.strip()) if words.strip() else Wish("help", "")
    verb, rest = match[1].lower(), match[2].strip()
    if verb == "similar" and (not rest or any(identifiers_in(rest))):
        return Wish("similar", rest)
    if verb in ("subscribe", "unsubscribe") and rest:
        return Wish("subscribe" if verb == "subscribe" else "unsubscribe", rest)
    if verb in ("subscribe", "unsubscribe", "subscriptions") and not rest:
        return Wish("subscriptions", "")
    return Wish("help", "") if verb == "help" and not rest else Wish("ask", words.strip())


def asks(text: str) -> bool:
    """Whether a message in a thread, as Slack wrote it, is a question to nobody else."""
    return "<@" not in text and bool(_QUESTION.search(plain(text)))
