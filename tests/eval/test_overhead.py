"""The first word is timed against a real stream. Run: pytest tests/eval/test_overhead.py"""

from __future__ import annotations

from eval.overhead import first_words
from indexer.store import Index


def test_words_are_seen_before_the_sentence(small_index: Index) -> None:
    word, worst, sentence = first_words(small_index, ["How do jets suppress star formation?"])
    assert 0 < word.estimate.mean <= worst.estimate.mean < sentence.estimate.mean
    assert sentence.estimate.n == 1
