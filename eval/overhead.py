"""What Wayfinder adds to the model's own time: searching, checking sentences, quoting.

wayfinder eval overhead --index my-index
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from eval.measures import estimate
from eval.understanding import Finding
from indexer.sentences import split_sentences
from indexer.store import Index
from retrieval import ask, search
from retrieval.records import Hit, SearchSettings
from retrieval.verify import Draft, check_sentence

N_SENTENCES = 20
N_PAPERS = 15


def overhead(index: Index, questions: Sequence[str]) -> list[Finding]:
    """Milliseconds of a search, of 20 sentences checked against 15 abstracts, of a quoted answer.

    The sentences are the papers' own, shortened by their last word so that nothing is equal to its
    quotation and every check runs; questions differ, so that nothing has been seen before.
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
                found.append(Draft(" ".join(words[:-1]), (n,), ((n, sentence),)))
    return found[:N_SENTENCES]


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    value = call()
    return 1000 * (time.perf_counter() - began), value


def _finding(name: str, values: Sequence[float]) -> Finding:
    return Finding(name, estimate(np.array(values, dtype=np.float64)))
