"""Invented papers on three subjects and an encoder that puts each subject in its own direction: maps to test on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.build import BuildOptions, build_index
from tests.encoders import HashEncoder
from tests.papers import write_jsonl

SUBJECTS = {
    "magnetar": ("magnetar flares", "magnetar giant flares spin down glitches of neutron stars with strong fields"),
    "coronae": ("stellar coronae", "stellar coronae heated loops X-ray emission of cool dwarfs with active chromospheres"),
    "voids": ("cosmic voids", "cosmic voids galaxy underdensity walls filaments lensing of the large empty web"),
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
    """Papers of each subject in turn; those on voids become more with the years, the others fewer."""
    rows = []
    for number in range(first, first + n_each):
        for place, (subject, (title, words)) in enumerate(SUBJECTS.items()):
            year = 2010 + (number * 15 // max(n_each, 1)) % 16
            rows.append(
                {
                    "bibcode": f"{year}Test.{place}...{number:04d}A",
                    "title": f"On {title}, part {number}",
                    "abstract": f"We look at {words} in case {number} with survey {number % 7}. {subject.title()} again.",
                    "authors": [f"Author{number}, A."],
                    "year": year + (5 if subject == "voids" and number % 2 else 0),
                    "citation_count": number if number % 3 else None,
                    "categories": ["astro-ph.CO" if subject == "voids" else "astro-ph.HE"],
                }
            )
    return rows


def build_topic_index(folder: Path, n_each: int = 40, *, with_map: bool = True) -> Path:
    """An index of 3 `n_each` papers."""
    out = folder / "topics"
    source = write_jsonl(folder / "topics.jsonl", papers(n_each))
    options = BuildOptions(as_of=AS_OF, with_map=with_map)
    build_index([str(source)], out, encoder=SubjectEncoder(), options=options)
    return out
