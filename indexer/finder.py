"""Finds thousands of names in a text at once: a trie of them as one regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_DASH, _SPACE = re.compile("[‐‑‒–—−]"), re.compile("[\u00a0\u2009\u202f]")
LONG_NAME = 18  # letters from which a name of several words is found in any case


@dataclass(frozen=True)
class Form:
    """One way of writing one entry."""

    text: str
    entry: int
    is_bare: bool = False  # the short name that may need other words in the text


@dataclass(frozen=True)
class Spot:
    """A piece of a text that may name an entry."""

    start: int
    end: int
    forms: tuple[Form, ...]


class Finder:
    """Finds the given forms in texts, the longest at each place; hyphen and space are the same.

    Long names and names without capitals are found in any case; with `plurals` a name may end in one more s.
    """

    def __init__(self, forms: Iterable[Form], *, plurals: bool = False) -> None:
        self._exact: dict[str, tuple[Form, ...]] = {}
        self._folded: dict[str, tuple[Form, ...]] = {}
        for form in forms:
            long = " " in form.text and len(form.text) >= LONG_NAME
            target = self._folded if long or form.text.islower() else self._exact
            for text in _variants(form.text.casefold() if target is self._folded else form.text):
                if form.entry not in {f.entry for f in target.get(text, ())}:
                    target[text] = (*target.get(text, ()), form)
        self._patterns = [
            (_pattern(names, plurals), names) for names in (self._exact, self._folded) if names
        ]

    def spots(self, text: str) -> Iterator[Spot]:
        """Yield the pieces of `text` that are forms; those of the two cases may overlap."""
        for pattern, names in self._patterns:
            searched = text.casefold() if names is self._folded else text
            if len(searched) != len(text):  # a letter that folds to two: fold letter by letter
                searched = "".join(c.casefold()[:1] or c for c in text)
            for match in pattern.finditer(searched):
                if searched[
                    match.start() - 1 : match.start()
                ].isalnum():  # cheaper than a lookbehind
                    continue
                yield Spot(match.start(), match.end(), names[match[1]])


def level(text: str) -> str:
    """The text with every dash a hyphen and every space a plain one; places stay the same."""
    return text if text.isascii() else _SPACE.sub(" ", _DASH.sub("-", text))


def _variants(name: str) -> set[str]:
    return {name, name.replace("-", " "), name.replace(" ", "-")}


def _pattern(names: Iterable[str], plurals: bool) -> re.Pattern[str]:
    trie: dict[str, Any] = {}
    for name in names:
        node = trie
        for letter in name:
            node = node.setdefault(letter, {})
        node[""] = {}
    return re.compile(rf"({_expression(trie)}){'s?' if plurals else ''}(?![A-Za-z0-9])")


def _expression(node: dict[str, Any]) -> str:
    """The trie below a node as a regular expression; common beginnings are tried once."""
    ends = "" in node
    branches = []
    for first, below in sorted(node.items()):
        if first:
            letters, child = first, below
            while len(child) == 1 and "" not in child:
                letter, child = next(iter(child.items()))
                letters += letter
            branches.append(re.escape(letters) + _expression(child))
    if not branches:
        return ""
    return f"(?:{'|'.join(branches)}){'?' if ends else ''}"
