"""Vectors of sentences, kept while the process runs: each sentence is encoded once for all who ask.

The one place where sentences of answers are encoded. What is kept is bounded, the longest unused goes first, and
texts are known by their hash: no question stays in memory for it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np

from indexer.encoder import Encoder, Vectors
from indexer.vectors import text_key

KEPT = 16_384  # some 2,000 papers' sentences: 25 MB at 384 dimensions

_kept: WeakKeyDictionary[Encoder, OrderedDict[bytes, Vectors]] = WeakKeyDictionary()
_lock = threading.Lock()


def sentence_vectors(texts: Sequence[str], encoder: Encoder) -> Vectors:
    """Return the texts' unit vectors, `(len(texts), dimension)`; only those not kept are encoded.

    By the encoder's light half where it has one (`AstroEncoder`). A vector is a function of its text alone (`Encoder`), so that what is kept is what would be computed again.
    """
    encoder = getattr(encoder, "light", encoder)
    keys = [text_key(text) for text in texts]
    wanted = dict(zip(keys, texts, strict=True))
    with _lock:
        kept = _kept.setdefault(encoder, OrderedDict())
        found = {key: kept[key] for key in wanted if key in kept}
    missing = [key for key in wanted if key not in found]
    if missing:
        rows = encoder.encode([wanted[key] for key in missing])
        # Copied one by one: a row that is kept must not keep all rows of its batch.
        found |= {key: row.copy() for key, row in zip(missing, rows, strict=True)}
    with _lock:
        for key in wanted:
            kept[key] = found[key]
            kept.move_to_end(key)
        while len(kept) > KEPT:
            kept.popitem(last=False)
    return np.stack([found[key] for key in keys])
