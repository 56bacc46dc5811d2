"""Rerankers: a second, slower look at the top papers, behind one signature."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

from indexer import config
from indexer.errors import EncoderError
from indexer.records import Paper

RERANK_DEPTH = 50  # papers that a reranker reads
MAX_TOKENS = 384


class Reranker(Protocol):
    """Scores papers for a query; higher is better, on any scale."""

    name: str

    def rank(self, query: str, papers: Sequence[Paper]) -> npt.NDArray[np.float64]:
        """Return one score per paper, `(len(papers),)` float64, in their order."""
        ...


class CrossEncoderReranker:
    """A sentence-transformers cross-encoder, by name or path."""

    def __init__(self, name: str) -> None:
        from sentence_transformers import CrossEncoder

        self.name = name
        try:
            self._model = CrossEncoder(name, max_length=MAX_TOKENS)
        except (OSError, ValueError, RuntimeError) as error:
            raise EncoderError(f"The reranker {name!r} cannot be loaded: {error}") from error

    def rank(self, query: str, papers: Sequence[Paper]) -> npt.NDArray[np.float64]:
        """See `Reranker.rank`."""
        pairs = [(query, paper.text()) for paper in papers]
        scores = self._model.predict(pairs, show_progress_bar=False)
        return np.asarray(scores, dtype=np.float64).reshape(len(papers))


@cache
def _loaded(name: str) -> CrossEncoderReranker:
    return CrossEncoderReranker(name)


def configured_reranker() -> Reranker | None:
    """The reranker that WAYFINDER_RERANKER names, loaded once, or None.

    Raises:
        EncoderError: it cannot be loaded.
    """
    name = config.reranker_name()
    return _loaded(name) if name else None
