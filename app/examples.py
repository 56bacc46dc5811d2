"""Example questions that the loaded index can answer, so that a first click never disappoints."""

from __future__ import annotations

import numpy as np

from indexer.store import Index
from retrieval import search
from retrieval.records import SearchSettings

N_EXAMPLES = 4
WORKS_FROM_COSINE = 0.5  # the nearest paper is at least this near, so the question is answered

QUESTIONS = (
    "How do black holes stop star formation in massive galaxies?",
    "What do we learn when a black hole tears a star apart?",
    "Why do measurements of the Hubble constant disagree?",
    "What did the first image of the black hole in M87 show?",
    "What are JWST's little red dots?",
    "How do the seeds of supermassive black holes form?",
    "What have gravitational waves taught us about neutron stars?",
    "What powers fast radio bursts?",
    "How are water and clouds found in exoplanet atmospheres?",
    "What drives winds from accretion discs?",
)


def examples_for(index: Index) -> list[str]:
    """Return four questions: of the ready ones those that work, then titles of well-cited papers."""
    settings = SearchSettings(k=1)
    works = [
        q for q in QUESTIONS if (search(index, q, settings).best_cosine or 0.0) >= WORKS_FROM_COSINE
    ]
    if len(works) < N_EXAMPLES:
        most_cited = np.argsort(-index.citations, kind="stable")[:N_EXAMPLES]
        works += [index.papers[int(row)].plain_title for row in most_cited]
    return works[:N_EXAMPLES]
