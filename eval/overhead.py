"""What Wayfinder adds to the model's own time: searching, checking sentences, quoting, the first word shown.

wayfinder eval overhead --index my-index
wayfinder eval overhead --index my-index --full-text paper.pdf
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from eval.loopback import streaming_server
from eval.measures import estimate
from eval.understanding import Finding
from indexer.sentences import split_sentences
from indexer.store import Index
from retrieval import ask, search
from retrieval.fulltext import read_full_texts
from retrieval.llm import LLM
from retrieval.records import Checking, Hit, SearchSettings
from retrieval.verify import Draft, check_sentence
from retrieval.writing import AnswerEvent

N_SENTENCES = 20
N_PAPERS = 15
FEW = 12  # questions whose whole answer is streamed
FAST_PIECE_SECONDS = 0.005  # two hundred tokens a second
EXCHANGED = "unquoted"  # stands for what a writer says in words of their own


def overhead(index: Index, questions: Sequence[str]) -> list[Finding]:
    """Milliseconds of a search, of 20 sentences checked against 15 abstracts, of a quoted answer, to the first word.

    The sentences are the papers' own with every fourth word exchanged, so that the words alone decide nothing and
    every check runs; questions differ, so that nothing has been seen before.
    """
    ask(index, "warming up", offline=True)
    searching, checking, quoting = [], [], []
    for question in questions:
        took, result = _timed(partial(search, index, question, SearchSettings(k=N_PAPERS)))
        searching.append(took)
        took, _ = _timed(partial(_check, index, result.hits, _drafts(result.hits)))
        checking.append(took)
        took, _ = _timed(partial(ask, index, f"{question} in detail", offline=True))
        quoting.append(took)
    return [
        _finding("ms to search", searching),
        _finding(f"ms to check {N_SENTENCES} sentences against {N_PAPERS} abstracts", checking),
        _finding("ms for both", [a + b for a, b in zip(searching, checking, strict=True)]),
        _finding("ms of a quoted answer", quoting),
        _worst("ms of a quoted answer, worst", quoting),
        *_types(index),
        *first_words(index, questions),
        beyond_the_server(index, questions[:FEW]),
    ]


# One question of each kind, and the kind.
KINDS = {
    "fact": "What is the mass of the black hole in M87?",
    "papers": "Which papers map water in protoplanetary discs?",
    "summary": "Summarise what is known about fast radio bursts.",
    "definition": "What is the initial mass function?",
    "consensus": "Is there a consensus on the Hubble tension?",
    "what-if": "What if dark matter were self-interacting?",
    "bibliometric": "How many papers on exoplanets per year?",
    "compositional": "How do stellar winds and supernovae together shape dwarf galaxies?",
    "time-sensitive": "What are the latest results on little red dots?",
}


def _types(index: Index) -> list[Finding]:
    """Milliseconds of an answer without a model, for each kind of question."""
    return [
        _finding(
            f"ms of a quoted answer of kind {kind}",
            [_timed(partial(ask, index, question, offline=True, kind=kind))[0] for _ in range(3)],
        )
        for kind, question in KINDS.items()
    ]


def first_words(index: Index, questions: Sequence[str]) -> list[Finding]:
    """Milliseconds from a server's first piece to the first words that a page is given, and to a sentence."""
    words, sentences = [], []
    with streaming_server() as served:
        for question in questions:
            papers = search(index, question, SearchSettings(k=N_PAPERS)).hits
            served.text = _reply(_drafts(papers)[:2])
            seen: dict[str, float] = {}

            def note(event: AnswerEvent, seen: dict[str, float] = seen) -> None:
                now = time.perf_counter()
                if event.words:
                    seen.setdefault("words", now)
                if event.sentence is not None:
                    seen.setdefault("sentence", now)

            ask(
                index,
                question,
                llm=LLM(served.config),
                checking=Checking(repair=False),
                kind="papers",
                n_papers=N_PAPERS,
                on_event=note,
            )
            if "words" in seen and "sentence" in seen:
                words.append(1000 * (seen["words"] - served.first_piece_at))
                sentences.append(1000 * (seen["sentence"] - served.first_piece_at))
    return [
        _finding(
            "ms from the server's first piece to the first word, median", [float(np.median(words))]
        ),
        _worst("ms from the server's first piece to the first word, worst", words),
        _finding("ms from the server's first piece to the first checked sentence", sentences),
    ]


def beyond_the_server(index: Index, questions: Sequence[str]) -> Finding:
    """Milliseconds of a whole written answer of 20 sentences besides those in which its server, a fast one, sends it."""
    added = []
    with streaming_server() as served:
        served.seconds_a_piece = FAST_PIECE_SECONDS
        for question in (
            *questions[:1],
            *questions,
        ):  # the first of a process loads tables: not counted
            papers = search(index, question, SearchSettings(k=N_PAPERS)).hits
            served.text = _reply(_drafts(papers))
            answered = partial(
                ask,
                index,
                f"{question} in detail",
                llm=LLM(served.config),
                checking=Checking(repair=False),
                kind="papers",
                n_papers=N_PAPERS,
            )
            took, answer = _timed(answered)
            if answer.usage.calls == 1:  # else the server sent more than the last reply
                added.append(took - 1000 * (served.last_piece_at - served.first_piece_at))
        added = added[1:]
    return _finding("ms of a written answer beyond its server's (200 tokens a second)", added)


def _reply(drafts: Sequence[Draft]) -> str:
    """Drafts as a model writes them."""
    return "".join(
        json.dumps(
            {
                "text": draft.text,
                "citations": draft.citations,
                "quotes": [{"n": n, "quote": quote} for n, quote in draft.quotes],
            }
        )
        + "\n"
        for draft in drafts
    )


def _worst(name: str, values: Sequence[float]) -> Finding:
    return _finding(name, [max(values)])


def file_overhead(index: Index, questions: Sequence[str], path: Path) -> list[Finding]:
    """Milliseconds that one added file costs: read, first asked of, asked of again; in turn with answers without it.

    The first quoted answer and LlamaIndex's import, once a process, are warmed up.
    """
    data = path.read_bytes()
    ask(index, "warming up", offline=True, full_texts=read_full_texts([(path.name, data)]))
    reading, plain, first, again = [], [], [], []
    for question in questions:
        took, files = _timed(partial(read_full_texts, [(path.name, data)]))
        reading.append(took)
        took, _ = _timed(partial(ask, index, question, offline=True))
        plain.append(took)
        took, _ = _timed(partial(ask, index, question, offline=True, full_texts=files))
        first.append(took)
        further = f"{question} in detail"
        took, _ = _timed(partial(ask, index, further, offline=True, full_texts=files))
        again.append(took)
    return [
        _finding(f"ms to read {path.name} and split it", reading),
        _finding("ms of a quoted answer without it", plain),
        _finding("ms of a quoted answer with it, its passages encoded", first),
        _finding("ms of a further answer with it", again),
    ]


def _check(index: Index, hits: Sequence[Hit], drafts: Sequence[Draft]) -> None:
    papers = [hit.paper for hit in hits]
    for draft in drafts:
        check_sentence(draft, papers, index.encoder)


def _drafts(hits: Sequence[Hit]) -> list[Draft]:
    found = []
    for n, hit in enumerate(hits, 1):
        for sentence in split_sentences(hit.paper.plain_abstract)[:4]:
            words = sentence.split()
            if len(words) > 8:
                said = [EXCHANGED if i % 4 == 3 else word for i, word in enumerate(words)]
                found.append(Draft(" ".join(said), (n,), ((n, sentence),)))
    return found[:N_SENTENCES]


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    value = call()
    return 1000 * (time.perf_counter() - began), value


def _finding(name: str, values: Sequence[float]) -> Finding:
    return Finding(name, estimate(np.array(values, dtype=np.float64)))
