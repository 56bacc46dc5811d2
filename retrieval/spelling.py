"""Typing errors in ordinary words, put right by the words that papers use: `acretion` -> accretion.

One letter too many, too few, another, or two exchanged (after Norvig, norvig.com/spell-correct.html); names are
put right by their tables (retrieval/names.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from string import ascii_lowercase

from retrieval.understood import Understood

MOST_CORRECTIONS = 5
SHORTEST = 5  # letters of a word that is put right: of fewer, too much is one letter away
MOST_PAPERS = 2  # that may hold a typing error too
SHARE = 0.002  # of all papers hold the right word, at least
FEWEST_PAPERS = 5  # and so many, and of the papers with the error ...
TIMES = 50  # ... so many times as many

# In lower case and by itself: no name, and no part of one.
_BEFORE, _AFTER = r"(?<![\w'’.:/@-])", r"(?![\w'’@/-]|[.:]\w)"
_WORD = re.compile(rf"{_BEFORE}[a-z]{{{SHORTEST},}}{_AFTER}")


def spelled(
    text: str,
    words: Collection[str],
    n_papers: Callable[[str], int],
    n_in_all: int,
    ignored: frozenset[str],
) -> tuple[str, list[Understood]]:
    """Return the text with typing errors put right, and each as an item.

    `words` are known to be words; `n_papers` says how many of `n_in_all` papers hold one. Items whose key is in
    `ignored` stay as they were written.
    """
    items: list[Understood] = []
    fewest = max(FEWEST_PAPERS, SHARE * n_in_all)
    for word in dict.fromkeys(_WORD.findall(text)):
        n = n_papers(word)
        if len(items) == MOST_CORRECTIONS or word in words or n > MOST_PAPERS:
            continue
        often, right = max(
            ((n_papers(other), other) for other in _exchanged(word) if other in words),
            default=max(
                ((n_papers(other), other) for other in _one_letter_away(word) if other in words),
                default=(0, ""),
            ),
        )
        item = Understood("spelling", f"{right} for {word}", "corrects", word, right)
        if often >= max(fewest, TIMES * n) and item.key not in ignored:
            items.append(item)
            text = re.sub(rf"{_BEFORE}{word}{_AFTER}", right, text)
    return text, items


def _exchanged(word: str) -> Iterator[str]:
    for i in range(len(word) - 1):
        yield word[:i] + word[i + 1] + word[i] + word[i + 2 :]


def _one_letter_away(word: str) -> Iterator[str]:
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        yield from (head + letter + tail for letter in ascii_lowercase)
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in ascii_lowercase)
