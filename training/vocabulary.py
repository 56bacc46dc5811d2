"""The word pieces of the tables: those of the network, and whole the words of astronomy that it splits.

MiniLM's vocabulary has no accretion, redshift or blazar: a table of its pieces has no place to keep what they mean.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer

LEAST = 6  # times that a word occurs in the corpus to get a place of its own
SHORTEST = 3  # letters


def extended(tokenizer: Tokenizer, texts: Iterable[str], *, least: int = LEAST) -> Tokenizer:
    """The tokenizer with the frequent words of `texts` whole, numbered after its own pieces, the commonest first."""
    counts: Counter[str] = Counter()
    for text in texts:
        words = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
        counts.update(word for word, _ in words)
    state = json.loads(tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    for word, count in counts.most_common():
        if count >= least and len(word) >= SHORTEST and not word.isdigit():
            vocabulary.setdefault(word, len(vocabulary))
    found = Tokenizer.from_str(json.dumps(state))
    found.no_truncation()
    found.no_padding()
    return found
