"""A quick encoder with the real interface, for tests of everything but meaning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class HashEncoder:
    """A unit vector per text, drawn from the text's hash."""

    id, dimension, weights_sha256 = "hash", 16, "0" * 64

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """See `indexer.encoder.Encoder.encode`."""
        seeds = [list(hashlib.sha256(text.encode()).digest()) for text in texts]
        rows = [np.random.default_rng(seed).normal(size=self.dimension) for seed in seeds]
        vectors = np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
