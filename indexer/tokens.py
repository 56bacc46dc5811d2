"""The words of a text as the lexical index sees them, the same for papers and for questions.

Astronomers write designations, ions, lines and symbols that a plain word splitter tears apart.
Notations of one thing become one token (`M 31` and `M31` -> m31, `[O III]` and `[OIII]` -> oiii,
`H-alpha`, `Hα` and `Halpha` -> halpha, `z ~ 10` and `z=10` -> z10); words are stemmed (Snowball).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import Stemmer

_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ϵ": "epsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "ϑ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu",
    "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "ς": "sigma", "τ": "tau", "υ": "upsilon", "φ": "phi",
    "ϕ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
}  # fmt: skip
_FOLD = str.maketrans(
    _GREEK
    | dict.fromkeys("‐‑‒–—−", "-")
    | {"∼": "~", "≈": "~", "≃": "~", "⊙": "sun", "☉": "sun", "’": "'", "ℓ": "l", "′": "'", "×": " ", "ß": "ss"}
)  # fmt: skip

# Catalogue prefixes that take a number after a space or a hyphen; none that is a word or a unit too.
_CATALOGUES = (
    "m|ngc|ic|ugc|ugca|pgc|ddo|eso|mrk|mkn|arp|abell|aco|hcg|3c|4c|3cr|pks|b2|b3|s5|cta|ctb|sn|snr|grb|frb|gw|psr|"
    "hd|hip|hr|gj|gl|gliese|lhs|ltt|hat-p|hats|wasp|toi|koi|kic|tic|epic|kepler|k2|corot|kelt|lp|ross|wolf|tyc|bd|"
    "cd|sao|ogle|gro|xte|gx|igr|maxi|swift|cygnus|cyg|ulas|sdss|pg|trappist|proxima|barnard|sh2|lbn|ldn|rcw|pal|"
    "terzan|melotte|collinder|messier|rx|4u|1e|1rxs|iras|wr|hh|mwc|rxj|spt-cl|act-cl"
)
_DESIGNATION = re.compile(
    # The look ahead is for speed: few words have a digit where the catalogue's number would begin.
    rf"(?<![\w+])(?=[a-z\d][a-z-]*+ ?j?\d)({_CATALOGUES})[ -]?(j?\d[\d.]*(?:[+-]\d[\d.]*)?[a-z]{{0,4}})(?![\w])"
)
_TRANSIENT = re.compile(r"(?<![\w+])at[ -]?((?:19|20)\d\d[a-z]{1,4})(?![\w])")  # AT 2019qiz
_ION = re.compile(
    r"(?<![\w])\[?(h|he|li|c|n|o|f|ne|na|mg|al|si|s|ar|k|ca|ti|v|cr|mn|fe|co|ni|cu|zn|sr|y|zr|ba|la|ce|eu)"
    r"[ -]?(i{1,3}|iv|vi{0,3}|ix|xi{0,3}|xiv|xv)\](?![a-z])"
    r"|(?<![\w])(h|he|c|n|o|ne|mg|si|s|ar|ca|fe|na)[ -](ii|iii|iv|vi|vii|viii)(?![\w])"
    r"|(?<![\w])(h) (i)(?![\w])"
)
_LINE = re.compile(r"(?<![a-z])(h|ly|lyman|pa|br)[ -]?_?(alpha|beta|gamma|delta)(?![a-z])")
_SIGN = re.compile(r"(?<![a-z])(z|m_ab|s/n|snr) ?(?:~|=|<|>|≲|≳|≤|≥|<~|>~) ?(\d+(?:\.\d+)?)")
_SUBSCRIPT = re.compile(r"([a-z\d])_([a-z\d]+)")
_PER_SECOND = re.compile(r"(?<![a-z])km ?(?:/ ?s(?:ec)?|s ?\^? ?-1)(?![a-z\d])")
_WAVELENGTH = re.compile(
    r"(?<![\w.])(\d+(?:\.\d+)?)[ -](cm|mm|micron|mum|um|ghz|mhz|kev|mev|gev|tev|nm)(?![a-z])"
)
_RAY = re.compile(r"(?<![a-z])(x|gamma)[ -]?(rays?)(?![a-z])")
_SGR_A = re.compile(r"(?<![a-z])(?:sgr|sagittarius) ?a ?(?:\^? ?\*|star)(?![a-z])")
_DIGIT = re.compile(r"\d")
_LETTER_NAME = re.compile("alpha|beta|gamma|delta")
_NUMERAL = re.compile(r"\]|[ -](?:i{2,3}|iv|vi{0,3})(?!\w)|h i(?!\w)")  # one is in each ion
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_WORD = re.compile(r"[^\W_]+(?:\.\d+)*")
_STOP_WORDS = frozenset(
    [
        "a",
        "about",
        "above",
        "after",
        "again",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "before",
        "being",
        "below",
        "between",
        "both",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "during",
        "each",
        "few",
        "for",
        "from",
        "further",
        "had",
        "has",
        "have",
        "having",
        "here",
        "how",
        "however",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "itself",
        "may",
        "might",
        "more",
        "most",
        "must",
        "my",
        "no",
        "nor",
        "not",
        "of",
        "off",
        "on",
        "once",
        "only",
        "onto",
        "or",
        "other",
        "our",
        "out",
        "over",
        "own",
        "per",
        "same",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "thus",
        "to",
        "too",
        "under",
        "until",
        "up",
        "upon",
        "us",
        "very",
        "via",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "why",
        "will",
        "with",
        "within",
        "without",
        "would",
        "you",
        "your",
        "et",
        "al",
        "using",
        "s",
        "use",
        "used",
        "based",
        "find",
        "found",
        "show",
        "shows",
        "shown",
        "paper",
        "study",
        "studies",
        "results",
        "result",
        "present",
        "presented",
    ]
)
_stem = Stemmer.Stemmer("english")


@lru_cache(maxsize=200_000)
def _stemmed(word: str) -> str:
    return str(_stem.stemWord(word))


def fold(text: str) -> str:
    """Return `text` in lower case, in NFKC, with Greek letters named and dashes and tildes made one."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.lower().translate(_FOLD))
    return _BEYOND_ASCII.sub(_without_combining, decomposed).translate(_FOLD)


def _without_combining(character: re.Match[str]) -> str:
    return "" if unicodedata.combining(character[0]) else character[0]


def join_notations(folded: str) -> str:
    """Return folded text with each known notation as one word.

    A pattern is tried only where the text holds what all its matches hold: most sentences have none.
    """
    text = folded
    if "sgr" in text or "sagittarius" in text:
        text = _SGR_A.sub(" sgra ", text)
    if "km" in text:
        text = _PER_SECOND.sub("kms", text)
    if "ray" in text:
        text = _RAY.sub(r"\1\2", text)
    if _LETTER_NAME.search(text):
        text = _LINE.sub(
            lambda m: ("ly" if m.group(1) == "lyman" else m.group(1)) + m.group(2) + " ", text
        )
    if "_" in text:
        text = _SUBSCRIPT.sub(r"\1\2", text)
    has_digit = bool(_DIGIT.search(text))
    if has_digit:
        text = _SIGN.sub(r"\1\2 ", text)
    if _NUMERAL.search(text):
        text = _ION.sub(lambda m: "".join(g for g in m.groups() if g) + " ", text)
    if has_digit:
        text = _DESIGNATION.sub(
            lambda m: m.group(1).replace("messier", "m").replace("-", "") + m.group(2), text
        )
        text = _TRANSIENT.sub(r"at\1", text)
        text = _WAVELENGTH.sub(r"\1\2", text)
    return text


def tokens(text: str) -> list[str]:
    """Return the tokens of `text`, in order, stop words left out."""
    words = _WORD.findall(join_notations(fold(text)))
    return [_term(word) for word in words if word not in _STOP_WORDS]


def _term(word: str) -> str:
    return _stemmed(word) if word.isalpha() and len(word) > 3 else word
