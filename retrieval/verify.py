"""Checks of one sentence against the papers it cites, by code and not by a model.

A sentence is supported when it cites papers that exist, each with a quotation that stands in that
paper, and every number in it stands in those quotations. What fails is kept and says why.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from indexer.clean import plain_text
from indexer.records import Paper
from retrieval.records import Evidence, Sentence

FEWEST_QUOTE_WORDS = 3

_DASHES = re.compile(r"[‐‑‒–—−-]+")
_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "∼": "~", "≈": "~", "⊙": "sun"})
_NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?")
# Digits that name something: M31, GW170817, K2-18b, HD 189733, SN 2023ixf, 3C 273, Abell 370.
_DESIGNATION = re.compile(
    r"\b(?:[A-Za-z]+-?\d[\w.+-]*|[A-Z]{2,}[ -][A-Z]?\d[\w.+-]*|(?:Abell|Arp|Mrk|Gliese|Kepler|M) \d[\w.+-]*|\dC ?\d+)"
)
_AUTHOR_YEAR = re.compile(
    r"\b([A-Z][\w'-]+)(?:\s+et\s+al\.?,?\s*\(?|\s+(?:and|&)\s+[A-Z][\w'-]+,?\s*\(?|\s*\()((?:1[89]|20)\d\d)[a-z]?\)?"
)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Draft:
    """A sentence as its writer gave it: citations may not exist, quotations may not be true."""

    text: str
    citations: tuple[int, ...]
    quotes: tuple[tuple[int, str], ...]  # (paper number, quotation)


def folded(text: str) -> str:
    """Text in the form that quotations are compared in: LaTeX, case, dashes and white space folded."""
    plain = unicodedata.normalize("NFKC", plain_text(text).translate(_QUOTES)).casefold()
    return " ".join(_DASHES.sub("-", plain).split())


def stands_in(quote: str, paper: Paper) -> bool:
    """Whether the quotation stands, word by word, in the paper's title or abstract."""
    wanted = _squeezed(quote)
    if len(_WORD.findall(quote)) < FEWEST_QUOTE_WORDS:
        return False
    return wanted in _squeezed(paper.title) or wanted in _squeezed(paper.abstract)


def check_sentence(draft: Draft, papers: Sequence[Paper]) -> Sentence:
    """Return the sentence with what code could prove of it; `papers[i]` is cited as i + 1."""
    text = " ".join(draft.text.split())
    problems: list[str] = []
    citations = tuple(dict.fromkeys(n for n in draft.citations if 1 <= n <= len(papers)))
    for n in dict.fromkeys(draft.citations):
        if n not in citations:
            problems.append(f"it cites [{n}], but there are {len(papers)} papers")
    if not citations:
        problems.append("it cites no paper")
    quotes = [(n, quote) for n, quote in draft.quotes if n in citations]
    evidence = tuple(
        Evidence(n, " ".join(q.split()), stands_in(q, papers[n - 1])) for n, q in quotes
    )
    problems += [f"the quotation is not in paper [{item.n}]" for item in evidence if not item.found]
    problems += [
        f"nothing is quoted from paper [{n}]"
        for n in citations
        if n not in {item.n for item in evidence}
    ]
    found = [item.quote for item in evidence if item.found]
    cited = [papers[n - 1] for n in citations]
    problems += _number_problems(text, found, cited)
    problems += _name_problems(text, cited)
    return Sentence(
        text=text,
        citations=citations,
        evidence=evidence,
        supported=not problems,
        problems=tuple(problems),
    )


def _squeezed(text: str) -> str:
    """Folded text without hyphens and spaces: line breaks hyphenate, LaTeX spaces oddly."""
    return re.sub(r"[\s-]+", "", folded(text)).rstrip(".")


def numbers_in(text: str) -> set[str]:
    """The numbers of a text, in one notation; digits that belong to designations are not numbers."""
    plain = _DESIGNATION.sub(" ", _DASHES.sub("-", plain_text(text).translate(_QUOTES)))
    return {_one_notation(match) for match in _NUMBER.findall(plain)}


def _one_notation(number: str) -> str:
    bare = number.lstrip("+").rstrip(".,")
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", bare):
        bare = bare.replace(",", "")
    # "20-55 degrees": a dash before a number is a range far more often than a sign
    bare = bare.lstrip("-")
    return bare.rstrip("0").rstrip(".") if "." in bare else bare


def _number_problems(text: str, quotes: Sequence[str], cited: Sequence[Paper]) -> list[str]:
    without_names = _AUTHOR_YEAR.sub(" ", text)
    quoted = set().union(*(numbers_in(quote) for quote in quotes))
    problems = [
        f"the number {number} is not in the quoted evidence"
        for number in sorted(numbers_in(without_names) - quoted)
    ]
    whole = [_squeezed(paper.text()) for paper in cited]
    for designation in dict.fromkeys(_DESIGNATION.findall(without_names)):
        if cited and not any(_squeezed(designation) in paper for paper in whole):
            problems.append(f"{designation.rstrip('.')} is not in the papers it cites")
    return problems


def _name_problems(text: str, cited: Sequence[Paper]) -> list[str]:
    """Citations in words, such as "Smith et al. (2020)", must be of a paper that is cited."""
    return [
        f"{name} {year} is not among the papers it cites"
        for name, year in dict.fromkeys(_AUTHOR_YEAR.findall(text))
        if not any(
            str(paper.year) == year
            and any(folded(name) in folded(author) for author in paper.authors)
            for paper in cited
        )
    ]
