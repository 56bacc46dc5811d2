"""Prompts and the shapes that models reply in. Run: pytest tests/retrieval/test_synthesis.py"""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.records import Paper
from indexer.store import Index
from retrieval import ask
from retrieval.llm import LLM
from retrieval.synthesis import (
    MOST_CHARACTERS,
    MOST_OF_SENTENCE,
    AnswerStyle,
    prompts,
    read_drafts,
    read_to_the_end,
    render,
)
from retrieval.verify import CUT, Draft
from tests.llm_server import LLMServer, Reply, sentence

GOLDEN = Path(__file__).with_name("golden_prompt.txt")
ONE = '{"text": "Jets heat gas.", "citations": [1], "quotes": [{"n": 1, "quote": "jets heat the gas"}]}'
TWO = '{"text": "Gas cools.", "citations": [2, 3], "quotes": []}'
FIRST = Draft("Jets heat gas.", (1,), ((1, "jets heat the gas"),))
SECOND = Draft("Gas cools.", (2, 3), ())


@pytest.mark.parametrize("chunk", [1, 3, 1000])
@pytest.mark.parametrize(
    ("reply", "drafts"),
    [
        (f"{ONE}\n{TWO}\n", [FIRST, SECOND]),
        (f"```json\n{ONE}\n{TWO}\n```", [FIRST, SECOND]),
        (f"[{ONE},\n {TWO}]", [FIRST, SECOND]),
        (f'{{"sentences": [{ONE}, {TWO}]}}', [FIRST, SECOND]),
        ('{\n  "text": "Gas cools.",\n  "citations": [2, 3]\n}', [SECOND]),
        (f"Here is the answer:\n{ONE}", [FIRST]),
        (f'{ONE}\n{{"text": "cut', [FIRST]),
        ('{"text": "Gas cools [2, 3].", "citations": []}', [Draft("Gas cools.", (2, 3), ())]),
        ("Jets heat gas [1]. Gas cools.[2][3]", [Draft("Jets heat gas.", (1,), ()), SECOND]),
        ("", []),
        ("   \n", []),
        (
            '{"text": "It is 3 \\times 10 M_\\odot.", "citations": [1]}\n' + TWO,
            [Draft("It is 3 \\times 10 M_\\odot.", (1,), ()), SECOND],
        ),
        (
            '{"text": "An "odd" one.", "citations": [1]}\n' + TWO,
            [Draft('An "odd" one.', (1,), ()), SECOND],
        ),
        (f'{{"text": "Never ended, "citations": [1]\n{ONE}\n{TWO}', [FIRST, SECOND]),
        (f"<think>Maybe {TWO}</think>\n{ONE}", [FIRST]),
        ("<think>No end", []),
        (
            "The halo M_{200} is big [1-3]. [Fe/H] is low [2].",
            [Draft("The halo M_{200} is big.", (1, 2, 3), ()), Draft("[Fe/H] is low.", (2,), ())],
        ),
        (
            "# Answer\n- **Jets** heat gas [1].\n- Gas cools [2, 3].",
            [Draft("Jets heat gas.", (1,), ()), SECOND],
        ),
        ('{"text": "Gas cools.", "citations": ["2", "[3]"]}', [SECOND]),
        ('{"text": "A \\ud83d star.", "citations": [1]}', [Draft("A ? star.", (1,), ())]),
        ('{"text": 5}\n{"citations": [1]}\nnull', []),
        (
            '{"text": "Odd.", "citations": ["x", true, 1], "quotes": [7, {"n": "1"}]}',
            [Draft("Odd.", (1,), ())],
        ),
    ],
)
def test_drafts_are_read_in_whatever_shape_they_come(
    reply: str, drafts: list[Draft], chunk: int
) -> None:
    pieces = [reply[i : i + chunk] for i in range(0, len(reply), chunk)]
    assert list(read_drafts(pieces)) == drafts


def test_a_sentence_is_given_before_the_stream_ends() -> None:
    def stream():
        yield ONE + "\n"
        raise AssertionError("read on before the first sentence was given")

    assert next(read_drafts(stream())) == FIRST


def test_an_endless_stream_ends() -> None:
    def endless():
        n = 0
        while True:
            n += 1
            yield f'{{"text": "Sentence {n}.", "citations": [1]}}\n'

    assert len(list(read_drafts(endless()))) == 40


def test_an_endless_repeat_ends() -> None:
    def endless():
        while True:
            yield ONE + "\n"

    assert list(read_drafts(endless())) == [FIRST]
    assert read_to_the_end(39, 20_000)
    assert not read_to_the_end(40, 1)
    assert not read_to_the_end(1, 20_001)


def test_a_sentence_without_an_end_is_cut_and_not_sent_on_for_repair(small_index: Index) -> None:
    long = sentence("word " * 3_000, (1, "Cold gas is no longer supplied"))
    with LLMServer([Reply(long)]) as server:
        answer = ask(small_index, "How do jets suppress star formation?", llm=LLM(server.config()))
        n_requests = len(server.requests)
    (only,) = answer.sentences
    assert len(only.text) <= MOST_OF_SENTENCE + 2
    assert not only.supported and CUT in only.problems
    assert n_requests == 1
    (endless,) = read_drafts([sentence("word " * 60_000)])
    assert endless.cut and len(endless.text) <= MOST_OF_SENTENCE + 2
    prose = list(read_drafts(["word " * 60_000]))
    assert sum(len(draft.text) for draft in prose) <= MOST_CHARACTERS
    assert all(len(draft.text) <= MOST_OF_SENTENCE + 2 for draft in prose)


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(ValueError, match="question"):
        render("{papers} {question}", papers="x")
    with pytest.raises(ValueError, match="extra"):
        render("{papers}", papers="x", extra="y")


def test_the_prompt_is_the_golden_one() -> None:
    papers = [
        Paper(
            "Jets heat {halos}",
            "We find $10^{44}$ erg/s.",
            bibcode="2024ApJ...900....1A",
            authors=("Almeida, R.",),
            year=2024,
        ),
        Paper("Undated", "No year here."),
    ]
    system, user = prompts("Do jets heat {gas}?", papers, AnswerStyle(), fence="FENCE")
    assert f"{system}\n=====\n{user}" == GOLDEN.read_text(encoding="utf-8")
