"""Finds thousands of names in a text at once: a trie of them as one regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_DASH, _SPACE = re.compile("[‐‑‒–—−]"), re.compile("[\u00a0\u2009\u202f]")
_WORD = re.compile("[A-Za-z0-9]+")
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
        self._exactly = _Forms(self._exact, plurals)
        self._in_any_case = _Forms(self._folded, plurals)

    def spots(self, text: str) -> Iterator[Spot]:
        """Yield the pieces of `text` that are forms; those of the two kinds may overlap."""
        folded = text.casefold()
        if len(folded) != len(text):  # a letter that folds to two: fold letter by letter
            folded = "".join(c.casefold()[:1] or c for c in text)
        for word in _WORD.finditer(text):
            at = word.start()
            if word[0] in self._exactly.firsts:
                yield from self._exactly.at(text, at)
            if word[0].lower() in self._in_any_case.firsts:
                yield from self._in_any_case.at(folded, at)


class _Forms:
    """Forms of one kind: the words that they begin with, and all of them as one expression."""

    def __init__(self, forms: Mapping[str, tuple[Form, ...]], plurals: bool) -> None:
        self._forms = forms
        self._pattern = _pattern(forms, plurals) if forms else None
        firsts = {first[0] for name in forms if (first := _WORD.match(name))}
        self.firsts = frozenset(firsts | ({f"{word}s" for word in firsts} if plurals else set()))

    def at(self, text: str, start: int) -> Iterator[Spot]:
        """The longest form that begins at `start`, if any does."""
        match = self._pattern.match(text, start) if self._pattern else None
        if match and not text[max(0, start - 1) : start].isalnum():
            yield Spot(start, match.end(), self._forms[match[1]])


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
