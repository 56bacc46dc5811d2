"""Checks of one sentence against the papers it cites, by code and not by a model.

A sentence is supported when it cites papers that exist, each with a quotation that stands in that
paper, and its numbers, units, names and negations agree with those quotations, and the quotations
speak of what it says. What fails is kept and says why.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from indexer.encoder import Encoder
from indexer.records import Paper
from retrieval.agreement import is_english, name_problems, stands
from retrieval.entailment import SUPPORTED, begun
from retrieval.notation import DESIGNATION, SIGN, folded, prepared
from retrieval.passages import evidence_text, passages_of
from retrieval.polarity import polarity_problems
from retrieval.quantities import quantity_problems
from retrieval.records import Evidence, Sentence
from retrieval.strength import strength_problems

FEWEST_QUOTE_WORDS = 3
CUT = "it found no end and was cut"

_QUOTE_TOKEN = re.compile(rf"(?:{SIGN})?\d++(?:[.,]\d+)*+(?:e[+-]?\d+)?[^\W_]*|[^\W_]+|[^\s\w'\"-]")
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
    replaces: int | None = None  # of a repair: which failed sentence, from 1
    cut: bool = False  # whether its writer found no end


def check_sentence(
    draft: Draft, papers: Sequence[Paper], encoder: Encoder | None = None
) -> Sentence:
    """Return the sentence with what code could prove of it; `papers[i]` is cited as i + 1.

    With an encoder the quotations must also speak of what the sentence says, in English: give none for
    a sentence in another language, which the encoder does not know.
    """
    text = " ".join(draft.text.split())
    known = range(1, len(papers) + 1)
    citations = tuple(dict.fromkeys(n for n in draft.citations if n in known))
    evidence = tuple(located(n, quote, papers[n - 1]) for n, quote in draft.quotes if n in known)
    cited = [papers[n - 1] for n in citations]
    found = [item.quote for item in evidence if item.found and item.n in citations]
    own_words = _MARK.sub(" ", text)
    for quote in found:
        own_words = own_words.replace(f"“{quote}”", " ")
    waiting = None
    if found and encoder is not None:
        titles = [paper.plain_title for paper in cited]
        waiting = begun(own_words.strip(), found, encoder, titles)
    problems = [
        *([CUT] if draft.cut else []),
        *_citation_problems(draft, citations, evidence, len(papers)),
        *_number_problems(own_words, found, cited),
        *_author_problems(own_words, found, cited),
    ]
    score = None
    if found:
        english = encoder is not None or is_english(own_words)
        problems += _disagreements(own_words, found, cited, english=english)
        score = waiting() if waiting is not None else None
        if score is not None and score < SUPPORTED and not problems:
            problems.append("the quoted evidence does not speak of what it says")
    return Sentence(
        text=text,
        citations=citations,
        evidence=evidence,
        supported=not problems,
        problems=tuple(problems),
        entailment=score,
    )


def _disagreements(
    text: str, quotes: Sequence[str], cited: Sequence[Paper], *, english: bool
) -> Iterator[str]:
    """What the sentence's units, names and negations have against the quotations."""
    own = _IN_WORDS.sub(" ", text)
    if not re.search(r"\w", own):
        return
    yield from name_problems(own, quotes, tuple(map(evidence_text, cited)), english=english)
    yield from polarity_problems(own, quotes)
    yield from strength_problems(own, quotes)


def stands_in(quote: str, paper: Paper) -> bool:
    """Whether the quotation stands in what is read of the paper, as whole words and numbers."""
    return located(1, quote, paper).found


def located(n: int, quote: str, paper: Paper) -> Evidence:
    """The quotation and where it stands: in title or abstract, else in a passage of the full text."""
    quote = " ".join(quote.split())
    if len(_WORD.findall(quote)) < FEWEST_QUOTE_WORDS:
        return Evidence(n, quote, found=False)
    wanted, _ = _run_together(quote.strip(" .,;:!?…\"'“”"))
    if any(_holds(text, wanted) for text in _readings(paper)):
        return Evidence(n, quote, found=True)
    for passage in passages_of(paper):
        if _holds(passage.text, wanted):
            return Evidence(n, quote, True, "full text", passage.section)
    return Evidence(n, quote, found=False)


@lru_cache(maxsize=256)
def _readings(paper: Paper) -> tuple[str, ...]:
    """Title and abstract as they are shown and read, where most quotations stand, and as the source gave them."""
    texts = (paper.plain_abstract, paper.plain_title, paper.abstract, paper.title)
    return tuple(dict.fromkeys(texts))


@lru_cache(maxsize=1024)
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


def _number_problems(text: str, quotes: Sequence[str], cited: Sequence[Paper]) -> Iterator[str]:
    """Numbers must stand in the quotations; what has digits in its name, in the papers cited."""
    years = "|".join(str(paper.year) for paper in cited if paper.year) or "(?!)"
    rest = re.sub(rf"\((?:{years})\)", " ", prepared(_IN_WORDS.sub(" ", text)))
    yield from quantity_problems(rest, quotes)
    whole = [folded(evidence_text(paper)) for paper in cited]
    for designation in dict.fromkeys(m.rstrip(".+-") for m in DESIGNATION.findall(rest)):
        if cited and not quotes and not any(stands(designation, paper) for paper in whole):
            yield f"{designation} is not in the papers it cites"


def _author_problems(text: str, quotes: Sequence[str], cited: Sequence[Paper]) -> Iterator[str]:
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
