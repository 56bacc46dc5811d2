"""Block Kit: pieces of a message, and packing them into messages within Slack's limits.

Words of papers, models and people go into the text elements of rich_text blocks, which Slack shows as
they are: nothing in them can be a link, a mention or a ping.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.slack_text import escaped

Block = dict[str, Any]
Element = dict[str, Any]

MOST_CHARACTERS = 2_800  # of a rich_text block; sections may hold 3,000
MOST_BLOCKS = 45  # of a message; Slack takes 50
MOST_SIZE = (
    11_000  # of a message's blocks as JSON; from about 13,000 on Slack says msg_blocks_too_long
)
MOST_FALLBACK = 300  # of the text that notifications show
MOST_LABEL = 75  # of a button
MOST_URL = 3_000


@dataclass(frozen=True)
class Message:
    """Blocks, and the escaped text that a notification shows."""

    blocks: list[Block]
    text: str


def words(text: str, **style: bool) -> Element:
    """Text as it is, bold, italic or code where said."""
    element: Element = {"type": "text", "text": text or " "}
    return {**element, "style": style} if style else element


def link(url: str | None, text: str) -> Element:
    """A link, or its text where there is no address that Slack takes."""
    if not url or len(url) > MOST_URL:
        return words(text)
    return {"type": "link", "url": url, "text": text or url}


def section(*elements: Element) -> Element:
    """A paragraph."""
    return {"type": "rich_text_section", "elements": list(elements)}


def quote(*elements: Element) -> Element:
    """A quotation."""
    return {"type": "rich_text_quote", "elements": list(elements)}


def fixed(text: str) -> Element:
    """Text in fixed width, for tables and BibTeX."""
    return {"type": "rich_text_preformatted", "elements": [words(text)]}


def button(label: str, action: str, value: str, *, spoken: str = "") -> Element:
    """A button; `spoken` is what a screen reader says."""
    text = {"type": "plain_text", "text": label[:MOST_LABEL], "emoji": True}
    element: Element = {"type": "button", "text": text, "action_id": action, "value": value}
    return {**element, "accessibility_label": spoken[:MOST_LABEL]} if spoken else element


def messages(
    parts: Iterable[Element], *, fallback: str, buttons: Sequence[Element] = ()
) -> list[Message]:
    """Pack paragraphs, quotations and fixed text into as few messages as their limits let; buttons end the last."""
    blocks: list[Block] = []
    for part in (piece for whole in parts for piece in _pieces(whole)):
        last = blocks[-1]["elements"] if blocks else []
        if last and _length(*last) + _length(part) <= MOST_CHARACTERS:
            last.append(part)
        else:
            blocks.append({"type": "rich_text", "elements": [part]})
    if buttons:
        blocks.append({"type": "actions", "elements": list(buttons)})
    packed: list[list[Block]] = [[]]
    for block in blocks:
        if len(packed[-1]) >= MOST_BLOCKS or _size([*packed[-1], block]) > MOST_SIZE:
            packed.append([])
        packed[-1].append(block)
    text = escaped(fallback[:MOST_FALLBACK])
    return [Message(group, text) for group in packed if group]


def note(text: str) -> list[Message]:
    """A few words of the bot itself."""
    return messages([section(words(text))], fallback=text)


def _pieces(whole: Element) -> list[Element]:
    """A paragraph in pieces that fit into a block, cut between its elements and within long ones at spaces."""
    elements = [cut for element in whole["elements"] for cut in _cut(element)]
    groups: list[list[Element]] = [[]]
    for element in elements:
        if groups[-1] and not _fits([*groups[-1], element]):
            groups.append([])
        groups[-1].append(element)
    return [{**whole, "elements": group} for group in groups]


def _cut(element: Element) -> list[Element]:
    """An element in pieces that fit into a block; a link that does not fit is cut short."""
    if _fits([element]):
        return [element]
    if element["type"] == "link":
        return [{**element, "text": element["text"][: MOST_CHARACTERS // 8] + "…"}]
    cuts = []
    text: str = element["text"]
    most = MOST_CHARACTERS
    while text:
        taken = text[:most]
        while not _fits([{**element, "text": taken}]):  # what JSON writes as six characters
            taken = taken[: len(taken) // 2]
        space = max(taken.rfind(" "), taken.rfind("\n")) + 1
        if len(taken) < len(text) and space > len(taken) // 2:
            taken = taken[:space]
        cuts.append({**element, "text": taken})
        text = text[len(taken) :]
    return cuts


def _fits(elements: Sequence[Element]) -> bool:
    held = {"elements": elements}
    return _length(held) <= MOST_CHARACTERS and _size(elements) <= MOST_SIZE // 2


def _length(*parts: Element) -> int:
    return sum(len(element.get("text", "")) for part in parts for element in part["elements"])


def _size(blocks: Sequence[Element]) -> int:
    return len(json.dumps(blocks))
