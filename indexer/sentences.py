"""Abstracts to sentences: sentencex, with the splits undone that astronomers' abbreviations cause."""

from __future__ import annotations

import re

from sentencex import segment

# A piece that ends in one of these did not end a sentence.
_OPEN_END = re.compile(
    r"(?:\b(?:et al|e\.g|i\.e|cf|vs|ca|approx|resp|viz|Fig|Figs|Eq|Eqs|Sect|Sec|Ref|Refs|Tab|No|Dr|St|[A-Z])\."
    r"|[~∼=<>≈]\s*\d+\.)$"
)


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a plain abstract, in order, without surrounding white space."""
    sentences: list[str] = []
    for piece in map(str.strip, segment("en", text)):
        if not piece:
            continue
        joins = sentences and (
            _OPEN_END.search(sentences[-1]) or piece[0].islower() or piece[0] in ")],;"
        )
        if joins:
            sentences[-1] = f"{sentences[-1]} {piece}"
        else:
            sentences.append(piece)
    return sentences
