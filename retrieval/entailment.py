"""How far evidence speaks of what a sentence says: a calibrated probability from the encoder and words.

The encoder at hand is no entailment model: it sees that two texts are on one subject. Numbers, names
and negations are held to by rules (agreement.py), this by the rest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from indexer.encoder import Encoder
from indexer.tokens import tokens
from retrieval.sentence_vectors import sentence_vectors

SUPPORTED = 0.5  # from this probability on; fitted so by `wayfinder eval verification --calibrate`
# encoder -> weights of cosine and shared words and the constant of the logistic, fitted by
# `wayfinder eval verification --calibrate`
CALIBRATION = {
    "wayfinder-astro-2": (6.081, 5.260, -4.988),
    "all-MiniLM-L6-v2": (5.742, 6.068, -5.696),
}

# Numbers and powers are held to by rules, whatever their notation: no words to be shared.
_QUANTITY = re.compile(r"\d+(?:\.\d+)?(?:e\d+)?$")


@dataclass(frozen=True)
class Likeness:
    """What the probability is made of: cosine of the vectors, and the share of the sentence's words held."""

    cosine: float
    words: float


def likeness(
    sentence: str, quotes: Sequence[str], encoder: Encoder, titles: Sequence[str] = ()
) -> Likeness:
    """Compare a sentence with its quotations: the nearest one's cosine, the words of all and of the titles."""
    vectors = sentence_vectors([sentence, *quotes], encoder)
    cosine = float((vectors[1:] @ vectors[0]).max())
    return Likeness(cosine, words_held(sentence, quotes, titles))


def words_held(sentence: str, quotes: Sequence[str], titles: Sequence[str] = ()) -> float:
    """The share of a sentence's words, numbers aside, that quotations and titles hold, in [0, 1]."""
    asked = {word for word in tokens(sentence) if not _QUANTITY.match(word)}
    held = {word for text in (*quotes, *titles) for word in tokens(text)}
    return len(asked & held) / len(asked) if asked else 0.0


def entailment(
    sentence: str, quotes: Sequence[str], encoder: Encoder, titles: Sequence[str] = ()
) -> float | None:
    """Return the probability that the quotations carry the sentence, in [0, 1].

    `titles` are those of the papers quoted: they say what a quotation's "it" is.
    None where it cannot be judged: nothing is quoted, or the encoder is not calibrated. 1 without asking the
    encoder where the words alone carry it over the threshold: nearly all of them are quoted.
    """
    if not quotes or encoder.id not in CALIBRATION:
        return None
    of_cosine, of_words, constant = CALIBRATION[encoder.id]
    if sentence in quotes or of_words * words_held(sentence, quotes, titles) + constant >= 0:
        return 1.0
    like = likeness(sentence, quotes, encoder, titles)
    logit = of_cosine * like.cosine + of_words * like.words + constant
    return 1.0 / (1.0 + math.exp(-logit))


def begun(
    sentence: str, quotes: Sequence[str], encoder: Encoder, titles: Sequence[str] = ()
) -> Callable[[], float | None]:
    """Begin `entailment` on another core and return what waits for its end.

    The encoder's arithmetic needs no interpreter: rules run beside it.
    """
    return _others().submit(entailment, sentence, tuple(quotes), encoder, tuple(titles)).result


@cache
def _others() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix="entailment")
