"""The words shown while a sentence is being written, however the stream is cut. Run: pytest tests/retrieval/test_partial.py"""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from app import answer_parts
from indexer.store import Index
from retrieval import ask
from retrieval.llm import LLM
from retrieval.synthesis import read_drafts
from retrieval.writing import AnswerEvent
from tests.llm_server import LLMServer, Reply, sentence

TEXT = 'A mass of 3.2 ± 0.1, “é” \\ "quoted" 🧭 and more.'


def words_of(stream: str, cut: int) -> tuple[list[str], list[str]]:
    """What is shown of a stream cut into pieces of `cut` characters, and the sentences read."""
    shown: list[str] = []
    pieces = [stream[i : i + cut] for i in range(0, len(stream), cut)]
    texts = [draft.text for draft in read_drafts(pieces, shown.append)]
    return shown, texts


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 7, 1000])
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize(
    "before", ["", "<think>not this</think>\n", "```json\n", '{"sentences": [']
)
def test_words_grow_to_the_sentence_wherever_the_stream_is_cut(
    cut: int, ascii_only: bool, before: str
) -> None:
    row = {"citations": [1], "text": TEXT, "quotes": []}
    shown, texts = words_of(before + json.dumps(row, ensure_ascii=ascii_only), cut)
    assert texts == [TEXT]
    assert all(TEXT.startswith(words) for words in shown), shown
    if cut < 1000:
        assert shown[-1] == TEXT
        assert len(shown) > 5


def test_latex_cut_in_its_command_is_no_tab() -> None:
    shown, texts = words_of(
        '{"text": "a mass of 3 \\times 10^6", "citations": [1], "quotes": []}', 1
    )
    assert texts == ["a mass of 3 \\times 10^6"]
    assert all("\t" not in words and "imes" not in words.replace("\\times", "") for words in shown)


def test_half_a_character_is_never_shown() -> None:
    shown, _ = words_of('{"text": "go \\ud83e\\udded on", "citations": [], "quotes": []}', 1)
    assert shown[-1] == "go 🧭 on"
    assert all(words.encode("utf-8") for words in shown)


def test_what_steers_a_terminal_is_neither_shown_nor_read() -> None:
    shown, texts = words_of(
        '{"text": "Jets \\u001b[31m suppress.", "citations": [], "quotes": []}', 1
    )
    assert not any("\x1b" in words for words in [*shown, *texts])
    assert texts == ["Jets  [31m suppress."]


def test_prose_is_shown_as_it_comes_without_its_marks() -> None:
    shown, texts = words_of("Jets suppress star formation [1]. They heat the gas [2, 3].", 4)
    assert texts == ["Jets suppress star formation.", "They heat the gas."]
    assert shown[0] == "Jets"
    assert not any("[" in words for words in shown)


def test_what_a_reasoning_model_thinks_is_not_shown() -> None:
    shown, _ = words_of("<think>The user wants jets.</think>Jets suppress star formation.", 3)
    assert shown
    assert not any("user" in words for words in shown)


@pytest.mark.parametrize("stream", ["", "{", "[[[[", "```", '{"text', '{"text": ', "\\"])
def test_a_stream_without_words_shows_none(stream: str) -> None:
    assert words_of(stream, 1)[0] == ([stream] if stream == "\\" else [])


def test_words_on_the_page_are_no_markup() -> None:
    assert "<b>" not in answer_parts._unchecked("<b>bold</b>")
    assert "being checked" in answer_parts._unchecked("Jets")


def test_words_come_before_their_sentence_is_checked(small_index: Index) -> None:
    reply = Reply(
        sentence("Jets suppress star formation.", (1, "nothing of the kind")), seconds_a_piece=0.001
    )
    events: list[AnswerEvent] = []
    with LLMServer([reply, Reply("")]) as server:
        ask(
            small_index,
            "How do jets suppress star formation?",
            llm=LLM(server.config(timeout_seconds=60)),
            on_event=events.append,
        )
    first = next(i for i, event in enumerate(events) if event.sentence is not None)
    words = [event.words for event in events[:first] if event.words]
    assert words[-1] == "Jets suppress star formation."
    assert len(words) > 2
    assert all(later.startswith(earlier) for earlier, later in pairwise(words))
