"""Invented papers on three subjects and an encoder that puts each subject in its own direction: maps to test on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.build import BuildOptions, build_index
from indexer.encoder import Encoder
from tests.encoders import HashEncoder
from tests.papers import write_jsonl

SUBJECTS = {
    "magnetar": ("magnetar flares", "giant flares", "spin glitches", "neutron stars", "strong fields", "bursts"),
    "coronae": ("stellar coronae", "heated loops", "X-ray emission", "cool dwarfs", "chromospheres", "winds"),
    "voids": ("cosmic voids", "galaxy underdensity", "filaments", "weak lensing", "empty web", "walls"),
}  # fmt: skip
AS_OF = date(2026, 6, 30)


class SubjectEncoder(HashEncoder):
    """The hash's vector, most of it turned towards the first subject that the text names."""

    id = "subject"

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """See `indexer.encoder.Encoder.encode`."""
        vectors = super().encode(texts) * 0.5
        for row, text in enumerate(texts):
            for axis, subject in enumerate(SUBJECTS):
                if subject in text.lower():
                    vectors[row, axis] += 1.5
                    break
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def papers(n_each: int, *, first: int = 0) -> list[dict[str, Any]]:
    """Papers of each subject in turn; three of four on voids are of 2023 to 2025, of the others of 2018 to 2020."""
    rows = []
    rng = np.random.default_rng(first)
    for number in range(first, first + n_each):
        for place, (subject, phrases) in enumerate(SUBJECTS.items()):
            late = (number % 4 == 0) != (subject == "voids")
            year = (2023 if late else 2018) + number % 3
            said = ", ".join(rng.permutation(phrases)[:5])
            rows.append(
                {
                    "bibcode": f"{year}Test.{place}...{number:04d}A",
                    "title": f"On {phrases[0]}, part {number}",
                    "abstract": f"We look at {said} in survey {number % 7}. {phrases[0].title()} again.",
                    "authors": [f"Author{number}, A."],
                    "year": year,
                    "citation_count": number if number % 3 else None,
                    "categories": ["astro-ph.CO" if subject == "voids" else "astro-ph.HE"],
                }
            )
    return rows


def build_topic_index(
    folder: Path, n_each: int = 40, *, with_map: bool = True, encoder: Encoder | None = None
) -> Path:
    """An index of 3 `n_each` papers; to be served it needs an encoder that can be loaded again."""
    out = folder / "topics"
    source = write_jsonl(folder / "topics.jsonl", papers(n_each))
    options = BuildOptions(as_of=AS_OF, with_map=with_map)
    build_index([str(source)], out, encoder=encoder or SubjectEncoder(), options=options)
    return out
