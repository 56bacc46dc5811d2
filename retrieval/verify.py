"""Checks of one sentence against the papers it cites, by code and not by a model.

A sentence is supported when it cites papers that exist, each with a quotation that stands in that
paper, and every number in it stands in those quotations. What fails is kept and says why.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from indexer.clean import plain_text
from indexer.records import Paper
from retrieval.records import Evidence, Sentence

FEWEST_QUOTE_WORDS = 3

_SUPERSCRIPT = re.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_PLUS_MINUS = re.compile(r"\+/-|\+-")
_DASHES = re.compile(r"--+|[‐‑‒–—−]")
_SIGNS = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'", "∼": "~", "≈": "~", "≃": "~", "⊙": "sun", "×": " x "}
    | dict(zip("αβγδεζηθλμνξπρσςτφχψω", (
        "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "lambda", "mu", "nu", "xi", "pi",
        "rho", "sigma", "sigma", "tau", "phi", "chi", "psi", "omega"), strict=True))
)  # fmt: skip
# A dash is a sign only where nothing stands before it: 2.5-7.7 is a range, 10^-3 and =-3 are not.
_SIGN = r"(?<![\w)\]%.])-"
_QUOTE_TOKEN = re.compile(
    rf"(?:{_SIGN})?\d++(?:[.,]\d+)*+(?:e[+-]?\d+)?[^\W_]*|[^\W_]+|[^\s\w'\"-]"
)
_NUMBER = re.compile(
    rf"(?P<sign>{_SIGN})?(?<![\w.^])"
    r"(?:10\^ ?\(?(?P<power>[+-]?\d+)"
    r"|(?P<digits>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)"
    r"(?:e(?P<exponent>[+-]?\d+)(?!\w)| ?x ?10(?=[\^+-])\^? ?\(?(?P<times>[+-]?\d+))?"
    r"(?: (?P<scale>thousand|million|billion|trillion)\b)?)",
    re.IGNORECASE,
)
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_NUMBER_WORDS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
]  # fmt: skip
_UNIT_POWER = re.compile(
    r"\b(?:[kMG]?pc|[kcmnµ]?m|[kMG]?yr|erg|arcsec|arcmin|deg|sr|[kMG]?Hz|[kMG]?eV|[mµ]?Jy|dex|mag|[sghdKWJ])\s?\^?-[1-6]\b"
)
# Digits that name something: M31, GW170817, K2-18b, HD 189733, SN 2023ixf, 3C 273, Abell 370.
_DESIGNATION = re.compile(
    r"\b(?:(?:[A-Z][A-Za-z]*-?|[a-z]{1,2})\d[\w.+-]*|[A-Z]{2,}[ -][A-Z]?\d[\w.+-]*"
    r"|(?:Abell|Arp|Mrk|Gliese|Kepler|M) \d[\w.+-]*|\dC ?\d+(?:\.\d+)?)"
)
_NAME = r"[A-ZÀ-ÖØ-ÞĆČŁŐŚŞŠŽ](?:[^\W\d_]|['’-])+"
_YEAR = r"(?:1[89]|20)\d\d"
_IN_WORDS = re.compile(
    rf"\b(?P<first>{_NAME})(?:"
    rf"\s+et\s+al\b\.?(?:,?\s*\(?(?P<y1>{_YEAR})[a-z]?\b\)?)?"
    rf"|\s+(?:and|&)\s+(?P<second>{_NAME}),?\s*\(?(?P<y2>{_YEAR})[a-z]?\b\)?"
    rf"|\s*\((?P<y3>{_YEAR})[a-z]?\))"
    rf"|\((?P<alone>{_NAME}),?\s+(?P<y4>{_YEAR})[a-z]?\)"
)
_MARK = re.compile(r"\[\d{1,3}(?:\s*[,;]\s*\d{1,3})*\]")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Draft:
    """A sentence as its writer gave it: citations may not exist, quotations may not be true."""

    text: str
    citations: tuple[int, ...]
    quotes: tuple[tuple[int, str], ...]  # (paper number, quotation)


def check_sentence(draft: Draft, papers: Sequence[Paper]) -> Sentence:
    """Return the sentence with what code could prove of it; `papers[i]` is cited as i + 1."""
    text = " ".join(draft.text.split())
    known = range(1, len(papers) + 1)
    citations = tuple(dict.fromkeys(n for n in draft.citations if n in known))
    evidence = tuple(
        Evidence(n, " ".join(quote.split()), stands_in(quote, papers[n - 1]))
        for n, quote in draft.quotes
        if n in known
    )
    cited = [papers[n - 1] for n in citations]
    found = [item.quote for item in evidence if item.found and item.n in citations]
    own_words = _MARK.sub(" ", text)
    for quote in found:
        own_words = own_words.replace(f"“{quote}”", " ")
    problems = [
        *_citation_problems(draft, citations, evidence, len(papers)),
        *_number_problems(own_words, found, cited),
        *_name_problems(own_words, found, cited),
    ]
    return Sentence(
        text=text,
        citations=citations,
        evidence=evidence,
        supported=not problems,
        problems=tuple(problems),
    )


def stands_in(quote: str, paper: Paper) -> bool:
    """Whether the quotation stands in the paper's title or abstract, as whole words and numbers."""
    if len(_WORD.findall(quote)) < FEWEST_QUOTE_WORDS:
        return False
    wanted, _ = _run_together(quote.strip(" .,;:!?…\"'“”"))
    return any(_holds(text, wanted) for text in (paper.title, paper.abstract))


def numbers_in(text: str) -> set[str]:
    """The numbers of a text, in one notation; digits that belong to designations are not numbers."""
    return {value for value, _ in _numbers(_DESIGNATION.sub(" ", _prepared(text)))}


def folded(text: str) -> str:
    """Text in the form that quotations are compared in: LaTeX, case, dashes and white space folded."""
    return " ".join(_prepared(text).casefold().translate(_SIGNS).split())


def _prepared(text: str) -> str:
    """Plain text with one notation for signs, dashes and powers; case is kept."""
    plain = _SUPERSCRIPT.sub(lambda m: "^" + m.group(), plain_text(text))
    plain = unicodedata.normalize("NFKC", plain.translate(_SIGNS))
    return _PLUS_MINUS.sub(" ± ", _DASHES.sub("-", plain))


def _run_together(text: str) -> tuple[str, tuple[set[int], set[int]]]:
    """Text without spaces, hyphens and quotation marks, and where its tokens begin and end.

    Line breaks hyphenate and LaTeX spaces oddly, so spaces cannot be compared. Signs stay, and a
    number is one token: "3.5" does not stand in "3.56", nor "2.5" in "-2.5".
    """
    pieces: list[str] = []
    begins, ends = set(), set()
    length = 0
    for token in _QUOTE_TOKEN.findall(folded(text)):
        begins.add(length)
        length += len(token)
        ends.add(length)
        pieces.append(token)
    return "".join(pieces), (begins, ends)


def _holds(text: str, wanted: str) -> bool:
    joined, (begins, ends) = _run_together(text)
    at = joined.find(wanted)
    while at >= 0:
        if at in begins and at + len(wanted) in ends:
            return True
        at = joined.find(wanted, at + 1)
    return False


def _citation_problems(
    draft: Draft, citations: Sequence[int], evidence: Sequence[Evidence], n_papers: int
) -> Iterator[str]:
    for n in dict.fromkeys(draft.citations):
        if n not in citations:
            yield f"it cites [{n}], but there are {n_papers} papers"
    if not citations:
        yield "it cites no paper"
    for n in dict.fromkeys(n for n, _ in draft.quotes):
        if not 1 <= n <= n_papers:
            yield f"it quotes [{n}], but there are {n_papers} papers"
        elif n not in citations:
            yield f"it quotes paper [{n}] without citing it"
    for item in evidence:
        if not item.found:
            yield f"the quotation is not in paper [{item.n}]"
    for n in citations:
        if n not in {item.n for item in evidence}:
            yield f"nothing is quoted from paper [{n}]"


def _numbers(prepared: str) -> list[tuple[str, str]]:
    """Each number of a prepared text: its value in one notation, and as it is written."""
    return [
        (_value(m), m.group().strip()) for m in _NUMBER.finditer(_UNIT_POWER.sub(" ", prepared))
    ]


def _value(match: re.Match[str]) -> str:
    if match["power"] is not None:
        value = Decimal(1).scaleb(_bounded(match["power"]))
    else:
        power = _bounded(match["exponent"] or match["times"] or "0")
        power += _SCALES.get((match["scale"] or "").lower(), 0)
        value = Decimal(match["digits"].replace(",", "")).scaleb(power)
    value = value.normalize()
    if match["sign"]:
        value = -value
    return f"{value:f}" if -9 < value.adjusted() < 16 else str(value)


def _bounded(exponent: str) -> int:
    """An exponent that Decimal can hold, whatever a model writes."""
    return max(-9999, min(9999, int(exponent[:8])))


def _number_problems(text: str, quotes: Sequence[str], cited: Sequence[Paper]) -> Iterator[str]:
    """Numbers must stand in the quotations; what has digits in its name, in the papers cited."""
    years = "|".join(str(paper.year) for paper in cited if paper.year) or "(?!)"
    rest = _UNIT_POWER.sub(" ", _prepared(_IN_WORDS.sub(" ", text)))
    rest = re.sub(rf"\((?:{years})\)", " ", rest)
    quoted = set().union(*(numbers_in(quote) for quote in quotes))
    words = {word for quote in quotes for word in _WORD.findall(quote.casefold())}
    quoted |= {str(n) for n, word in enumerate(_NUMBER_WORDS) if word in words}
    for value, written in dict(_numbers(_DESIGNATION.sub(" ", rest))).items():
        if value not in quoted:
            yield f"the number {written} is not in the quoted evidence"
    whole = [folded(paper.text()) for paper in cited]
    for designation in dict.fromkeys(m.rstrip(".+-") for m in _DESIGNATION.findall(rest)):
        if cited and not any(_names(designation, paper) for paper in whole):
            yield f"{designation} is not in the papers it cites"


def _names(designation: str, whole: str) -> bool:
    """Whether the designation stands in the folded text, M 31 as M31 but not within M310."""
    parts = re.findall(r"[^\W\d_]+|\d+", folded(designation))
    after = r"(?!\d|\.\d)" if parts[-1].isdigit() else r"(?![^\W_])"
    return bool(re.search(r"(?<![^\W_])" + r"[\s._+*^~=-]*".join(parts) + after, whole))


def _name_problems(text: str, quotes: Sequence[str], cited: Sequence[Paper]) -> Iterator[str]:
    """Citations in words, "Smith et al. (2020)", must be of a paper cited or stand in a quotation."""
    for match in _IN_WORDS.finditer(text):
        if any(_holds(quote, _run_together(match.group())[0].rstrip(".")) for quote in quotes):
            continue
        year = match["y1"] or match["y2"] or match["y3"] or match["y4"]
        written = filter(None, (match["first"], match["second"], match["alone"]))
        for name in (re.sub(r"['’]s$", "", name) for name in written):
            if match["y3"] and name.isupper():
                continue  # "launched by JWST (2021)"
            if not any(_is_author(name, year, paper) for paper in cited):
                yield f"{name} {year or 'et al.'} is not among the papers it cites"


def _is_author(name: str, year: str | None, paper: Paper) -> bool:
    families = {word for author in paper.authors for word in _letters(author.split(",")[0]).split()}
    return _letters(name) in families and (not (year and paper.year) or str(paper.year) == year)


def _letters(name: str) -> str:
    """A name in lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", name.replace("’", "'").casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))
