"""The lexical index: BM25 over Wayfinder's tokens, kept and memory-mapped by bm25s.

Beside it lie the papers' tokens (`tokens.npy`, `starts.npy`): an update reads the words of new and
changed papers only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import bm25s
import numpy as np
import numpy.typing as npt

from indexer.tokens import tokens

logging.getLogger("bm25s").setLevel(logging.WARNING)  # it configures itself to DEBUG

K1 = 0.9  # chosen with B on the training questions, see docs/results.md
B = 0.4
MAX_QUERY_TERMS = 100

Scores = npt.NDArray[np.float32]


class LexicalBuilder:
    """Collects the tokens of papers one text at a time; `save` writes the index.

    `base` is the index whose papers are taken over by `take`.
    """

    def __init__(self, base: LexicalIndex | None = None) -> None:
        self._base = base
        self._vocabulary: dict[str, int] = dict(base.vocabulary) if base else {}
        self._documents: list[npt.NDArray[np.int32]] = []

    def add(self, text: str) -> None:
        """Add the next paper's text."""
        known = self._vocabulary
        ids = [known.setdefault(token, len(known)) for token in tokens(text)]
        self._documents.append(np.array(ids, dtype=np.int32))

    def take(self, row: int) -> None:
        """Add the paper at `row` of the base index, unchanged, as the next."""
        if self._base is None:
            raise ValueError("there is no base index to take papers from")
        self._documents.append(self._base.document(row))

    def save(self, folder: Path) -> None:
        """Write the index into `folder`."""
        vocabulary, flat, starts = self._numbered_anew()
        documents = [flat[a:b] for a, b in pairwise(starts)]
        self._documents = []
        engine = bm25s.BM25(k1=K1, b=B, method="lucene")
        engine.index((documents, vocabulary), create_empty_token=False, show_progress=False)
        engine.save(folder, show_progress=False)
        np.save(folder / "tokens.npy", flat)
        np.save(folder / "starts.npy", starts)

    def _numbered_anew(
        self,
    ) -> tuple[dict[str, int], npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Words numbered by first appearance, as if all papers had been read now; unused ones dropped."""
        lengths = np.fromiter((len(d) for d in self._documents), np.int64, len(self._documents))
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        flat = np.concatenate([*self._documents, np.zeros(0, np.int32)])
        used, first = np.unique(flat, return_index=True)
        order = used[np.argsort(first)]
        number = np.zeros(len(self._vocabulary) + 1, dtype=np.int32)
        number[order] = np.arange(len(order), dtype=np.int32)
        words = list(self._vocabulary)
        return {words[old]: i for i, old in enumerate(order)} or {"": 0}, number[flat], starts


class LexicalIndex:
    """BM25 scores of a question against every paper."""

    def __init__(self, folder: Path) -> None:
        self._engine = bm25s.BM25.load(folder, mmap=True, show_progress=False)
        self._vocabulary: dict[str, int] = self._engine.vocab_dict
        self.n_papers = int(self._engine.scores["num_docs"])
        self._tokens = np.load(folder / "tokens.npy", mmap_mode="r")
        self._starts = np.load(folder / "starts.npy", mmap_mode="r")

    @property
    def vocabulary(self) -> dict[str, int]:
        """The number of each word."""
        return self._vocabulary

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words by number."""
        return tuple(sorted(self._vocabulary, key=self._vocabulary.__getitem__))

    def document(self, row: int) -> npt.NDArray[np.int32]:
        """The numbers of a paper's words, in order."""
        return np.asarray(self._tokens[self._starts[row] : self._starts[row + 1]])

    def scores(self, query: str) -> Scores:
        """Return the BM25 score of every paper, `(n_papers,)` float32; zeros if no word is known."""
        ids = self._known(dict.fromkeys(tokens(query)))
        if not ids:
            return np.zeros(self.n_papers, dtype=np.float32)
        if len(ids) > MAX_QUERY_TERMS:  # a pasted abstract or more: the rarest words decide
            starts = self._engine.scores["indptr"]
            ids.sort(key=lambda i: int(starts[i + 1] - starts[i]))
            del ids[MAX_QUERY_TERMS:]
        scores: Scores = self._engine.get_scores_from_ids(ids)
        return scores

    def known_share(self, query: str) -> float:
        """The share of the query's different tokens that any paper holds, in [0, 1]."""
        words = set(tokens(query))
        return len(self._known(words)) / len(words) if words else 0.0

    def n_papers_with(self, word: str) -> int:
        """How many papers hold a word, whatever its ending."""
        return max((len(self._posting(i)) for i in self._known(tokens(word))), default=0)

    def words_held(self, query: str, rows: npt.NDArray[np.integer]) -> Scores:
        """Return the share of the query's tokens that each of `rows` holds, weighted by idf, in [0, 1].

        A token that no paper holds weighs most. Lucene's idf: ln(1 + (n - df + 0.5)/(df + 0.5)).
        """
        held = np.zeros(len(rows), dtype=np.float32)
        total = 0.0
        for word in set(tokens(query)):
            known = self._vocabulary.get(word)
            posting = np.zeros(0, dtype=np.int32) if known is None else self._posting(known)
            idf = np.log1p((self.n_papers - len(posting) + 0.5) / (len(posting) + 0.5))
            total += idf
            if len(posting):
                places = np.minimum(np.searchsorted(posting, rows), len(posting) - 1)
                held += np.float32(idf) * (posting[places] == rows)
        return held / np.float32(max(total, 1e-6))

    def rows_with_all(self, query: str) -> npt.NDArray[np.int32]:
        """Return the rows of the papers that hold every token of `query`, ascending."""
        words = set(tokens(query))
        ids = self._known(words)
        if not words or len(ids) < len(words):
            return np.zeros(0, dtype=np.int32)
        postings = [self._posting(i) for i in ids]
        rows = np.asarray(postings[0], dtype=np.int32)
        for posting in postings[1:]:
            rows = np.intersect1d(rows, posting)
        return np.unique(rows)

    def _posting(self, token: int) -> npt.NDArray[np.integer]:
        """The rows of the papers that hold a token, ascending."""
        matrix = self._engine.scores
        rows: npt.NDArray[np.integer] = matrix["indices"][
            matrix["indptr"][token] : matrix["indptr"][token + 1]
        ]
        return rows

    def _known(self, words: Iterable[str]) -> list[int]:
        return [self._vocabulary[word] for word in words if word in self._vocabulary]
