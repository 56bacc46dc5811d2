"""Typing errors in ordinary words. Run: pytest tests/retrieval/test_spelling.py"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from indexer.errors import EncoderError
from indexer.late import shipped
from indexer.store import Index, open_index
from retrieval import search
from retrieval.records import SearchSettings
from retrieval.spelling import spelled

HELD = {"accretion": 900, "acretion": 2, "cause": 300, "case": 800, "light": 700, "burping": 1, "burning": 40, "masses": 500, "magnetars": 60}  # fmt: skip


def put_right(text: str, ignored: frozenset[str] = frozenset()) -> tuple[str, list[str]]:
    words = set(HELD) - {"acretion", "burping"}
    found, items = spelled(text, words, lambda word: HELD.get(word, 0), 10_000, ignored)
    return found, [item.label for item in items]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("acretion onto magentars", "accretion onto magnetars"),  # too few letters, two exchanged
        ("lightt massez", "light masses"),  # too many, another
        ("what may cuase it?", "what may cause it?"),  # exchanged, though "case" is more frequent
        ("acretion, acretion", "accretion, accretion"),
    ],
)
def test_one_letter_is_put_right(written: str, meant: str) -> None:
    assert put_right(written)[0] == meant


@pytest.mark.parametrize(
    "text",
    [
        "burping", # fewer than fifty times as many papers have "burning"
        "Acretion", # may be a name
        "acretion-powered arXiv:acretion", # part of something
        "ligt", # short
        "accretion light", # right already
        "qwertzuiop",
        "",
    ],
)  # fmt: skip
def test_what_may_be_meant_stays(text: str) -> None:
    assert put_right(text) == (text, [])


def test_it_can_be_taken_back() -> None:
    _, labels = put_right("acretion onto magentars")
    assert labels == ["accretion for acretion", "magnetars for magentars"]
    back = frozenset({f"spelling:{labels[0]}"})
    assert put_right("acretion onto magentars", back) == ("acretion onto magnetars", labels[1:])


def test_a_search_finds_what_was_meant_and_says_so(starter_index: Path) -> None:
    index = open_index(starter_index)
    wanted = [hit.row for hit in search(index, "tidal disruption of stars by black holes").hits]
    settings = SearchSettings()
    wrong = search(index, "tidal disrution of stars by black holes", settings)
    assert [hit.row for hit in wrong.hits] == wanted
    (item,) = wrong.understood
    assert (item.kind, item.label, item.effect) == ("spelling", "disruption for disrution", "corrects")  # fmt: skip
    as_written = search(index, wrong.query, SearchSettings(ignored=(item.key,)))
    assert not as_written.understood and [hit.row for hit in as_written.hits] != wanted


def test_without_the_table_of_words_all_is_searched_as_it_is_written(
    small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise EncoderError("no table")

    monkeypatch.setattr(import_module("retrieval.search"), "shipped", missing)
    found = search(small_index, "magentars")
    assert found.hits and not found.understood


def test_the_words_that_are_known_are_whole_words_of_english_and_of_astronomy() -> None:
    words = shipped().words
    assert {"accretion", "magnetars", "because", "spectrograph"} <= words
    assert all(word.isalpha() for word in words) and "acretion" not in words
