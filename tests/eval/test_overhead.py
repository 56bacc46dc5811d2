"""The first word is timed against a real stream. Run: pytest tests/eval/test_overhead.py"""

from __future__ import annotations

from eval.overhead import beyond_the_server, first_words
from indexer.store import Index


def test_words_are_seen_before_the_sentence(small_index: Index) -> None:
    word, worst, sentence = first_words(small_index, ["How do jets suppress star formation?"])
    assert 0 < word.estimate.mean <= worst.estimate.mean < sentence.estimate.mean
    assert sentence.estimate.n == 1


def test_what_an_answer_takes_beyond_its_server_is_timed(small_index: Index) -> None:
    found = beyond_the_server(small_index, ["How do jets suppress star formation?"])
    assert found.estimate.mean > 0
