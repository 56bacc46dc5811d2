"""Whether a text is in the language that was asked for, and its numbers in the notation of another text.

Models answer in the question's language or in their own: code has to see it, since no check of numbers does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

FEWEST_WORDS = 5  # fewer cannot be told from names and symbols
LEAST_LEAD = 0.3  # of the other language's probability over that of the language asked for

# What people call a language -> its codes; the others are near relatives that a few words cannot tell apart.
_NAMES: dict[str, str] = {
    "english": "en pcm",
    "german deutsch": "de lb",
    "french français francais": "fr wa",
    "spanish español espanol castellano": "es gl an ext",
    "portuguese português portugues": "pt gl",
    "italian italiano": "it vec lij",
    "catalan català": "ca oc",
    "dutch nederlands": "nl af fy",
    "swedish svenska": "sv",
    "norwegian norsk": "no nn da",
    "danish dansk": "da no nn",
    "finnish suomi": "fi",
    "polish polski": "pl",
    "czech čeština": "cs sk",
    "slovak slovenčina": "sk cs",
    "hungarian magyar": "hu",
    "romanian română": "ro",
    "greek ελληνικά": "el",
    "russian русский": "ru",
    "ukrainian українська": "uk",
    "bulgarian български": "bg mk",
    "croatian hrvatski": "hr bs sr",
    "serbian srpski": "sr bs hr",
    "slovenian slovenščina": "sl",
    "turkish türkçe": "tr az",
    "arabic العربية": "ar ary arz",
    "hebrew עברית": "he",
    "persian farsi فارسی": "fa",
    "hindi हिन्दी": "hi mr ne",
    "bengali বাংলা": "bn",
    "tamil தமிழ்": "ta",
    "chinese mandarin 中文 汉语": "zh wuu yue",
    "japanese 日本語": "ja",
    "korean 한국어": "ko",
    "vietnamese tiếng": "vi",
    "thai ไทย": "th",
    "indonesian bahasa": "id ms",
    "malay melayu": "ms id",
}
_CODES = {name: tuple(codes.split()) for names, codes in _NAMES.items() for name in names.split()}
_NUMBER = re.compile(r"\d[\d.,’'\u00a0\u202f ]*\d|\d")


def is_in_another_language(texts: Iterable[str], language: str) -> bool:
    """Whether the texts together are clearly not in `language`; False where that cannot be told."""
    text = " ".join(texts)
    codes = _CODES.get(language.casefold().split()[0])
    if codes is None or len(re.findall(r"[^\W\d_]{2,}", text)) < FEWEST_WORDS * (
        not _spaceless(text)
    ):
        return False
    probabilities = dict(_identifier().rank(text))
    first = max(probabilities, key=lambda code: probabilities[code])
    asked_for = sum(probabilities.get(code, 0.0) for code in codes)
    return first not in codes and probabilities[first] - asked_for >= LEAST_LEAD


def in_english(language: str) -> bool:
    """Whether a language's name is that of English."""
    return language.casefold().split()[0] == "english"


def in_the_notation_of(text: str, other: str) -> str:
    """`text` with its numbers as `other` writes them: "1,5" as "1.5", "1.204" as "1,204", where it has those."""
    known = {digits: written for written, digits in _readings_of_numbers(other)}

    def same(match: re.Match[str]) -> str:
        written = match.group()
        return next((known[form] for form in _forms(written) if form in known), written)

    return _NUMBER.sub(same, text)


def _readings_of_numbers(text: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer(r"\d+(?:,\d{3})*(?:\.\d+)?", text):
        yield match.group(), match.group().replace(",", "")


def _forms(written: str) -> Iterator[str]:
    """A number as it would be in English without separators: as it stands, with decimal comma, with marked thousands."""
    plain = re.sub(r"[’'\u00a0\u202f ]", "", written)
    yield plain
    if plain.count(",") == 1:
        yield plain.replace(".", "").replace(",", ".")
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", plain):
        yield re.sub(r"[.,]", "", plain)


def _spaceless(text: str) -> bool:
    """Whether it is in a script that puts no spaces between words."""
    return bool(re.search(r"[\u0e00-\u0e7f\u3040-\u30ff\u4e00-\u9fff]{4}", text))


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
