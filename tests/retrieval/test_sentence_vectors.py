"""Sentences are encoded once for all who ask, within bounds. Run: pytest tests/retrieval/test_sentence_vectors.py"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from indexer.encoder import Vectors
from retrieval import sentence_vectors as kept
from retrieval.sentence_vectors import sentence_vectors


class LetterEncoder:
    """Unit vectors of how often each letter occurs; remembers what it was asked for."""

    id, dimension, weights_sha256 = "letters", 26, ""

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.encoded += texts
        counts = np.array([[t.count(chr(97 + i)) for i in range(26)] for t in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def test_what_was_encoded_before_is_not_encoded_again_and_is_the_same() -> None:
    encoder, other = LetterEncoder(), LetterEncoder()
    first = sentence_vectors(["jets", "discs", "jets"], encoder)
    again = sentence_vectors(["winds", "jets", "discs"], encoder)
    assert encoder.encoded == ["jets", "discs", "winds"]
    assert np.array_equal(first, LetterEncoder().encode(["jets", "discs", "jets"]))
    assert np.array_equal(again, LetterEncoder().encode(["winds", "jets", "discs"]))
    sentence_vectors(["jets"], other)
    assert other.encoded == ["jets"]


def test_the_longest_unused_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT", 2)
    encoder = LetterEncoder()
    for texts in (["jets"], ["discs"], ["jets"], ["winds"], ["jets"], ["discs"]):
        sentence_vectors(texts, encoder)
    assert encoder.encoded == ["jets", "discs", "winds", "discs"]
    assert len(kept._kept[encoder]) == 2


def test_more_sentences_at_once_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT", 1)
    texts = ["jets", "discs", "winds"]
    assert np.array_equal(sentence_vectors(texts, LetterEncoder()), LetterEncoder().encode(texts))
