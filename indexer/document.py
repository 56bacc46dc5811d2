"""A document that a user adds: its sections as a reader found them, and the limits of reading."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MOST_BYTES = 60_000_000  # of a file
MOST_PAGES = 250
MOST_CHARACTERS = 1_000_000  # of text
OPENING_CHARACTERS = 3000
FEWEST_LETTERS = 200  # below this a file holds no text to quote

_LEFT_OUT = re.compile(
    r"references?(?: cited| and notes)?|bibliography|literature(?: cited)?|acknowledge?ments?|affiliations"
    r"|all authors and affiliations|author contributions?|(?:conflicts? of|competing) interests?",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"^(?:(?:§|section|appendix)\s*)?(?:\d+(?:\.\d+)*|[IVX]+|[A-Z](?:\.\d+)*)[.:)]?\s+(?=\S)",
    re.IGNORECASE,
)
_ARXIV_ID = re.compile(
    r"(?<![\d.])\d{4}\.\d{4,5}(?![\d.]*\d)"
    r"|(?<!\w)(?:astro-ph|gr-qc|hep-ph|hep-th|physics|cond-mat|quant-ph|nucl-th|math)(?:\.[A-Z]{2})?/\d{7}(?!\d)"
)
_NAMED_ARXIV_ID = re.compile(rf"arXiv\s*[:/]?\s*(?:abs/|pdf/)?({_ARXIV_ID.pattern})", re.IGNORECASE)
_DOI = re.compile(r"\b10\.\d{4,9}/[-._;()/:A-Za-z0-9]*[A-Za-z0-9]")
_SPACED = re.compile(r"^(?:[A-Z] ){3,}[A-Z]$")


@dataclass(frozen=True)
class Section:
    """One section; its name is the document's, empty before the first heading."""

    name: str  # with the name of the section that it is part of: "Results / Stellar masses"
    text: str  # paragraphs, an empty line between them


@dataclass(frozen=True)
class Document:
    """What a file says. Title, authors, year and identifiers as far as it tells them."""

    name: str  # of the file
    form: str  # PDF, HTML or LaTeX
    sections: tuple[Section, ...]
    title: str = ""
    authors: tuple[str, ...] = ()
    year: int | None = None
    identifiers: tuple[str, ...] = ()  # arXiv ids and DOIs, in the file's name or on its first page
    opening: str = ""  # how it begins, title and authors among it
    notes: tuple[str, ...] = ()  # what was not read, in words

    @property
    def abstract(self) -> str:
        """The text of the section that is called so."""
        found = (s.text for s in self.sections if s.name.casefold() == "abstract")
        return " ".join(next(found, "").split())


@dataclass(frozen=True)
class Heading:
    """A heading where it stands among a document's lines; level 1 is the outermost."""

    name: str
    level: int = 1


def sections_of(lines: Iterable[str | Heading]) -> tuple[Section, ...]:
    """Return the sections of a document's lines; references and thanks are left out.

    A part of a section that is left out is left out with it. Empty sections do not count.
    """
    found: list[Section] = []
    path: list[str] = []
    text: list[str] = []

    def close() -> None:
        whole = "\n".join(text).strip()
        if whole and not any(_LEFT_OUT.fullmatch(name) for name in path):
            found.append(Section(" / ".join(name for name in path if name), whole))
        text.clear()

    for line in lines:
        if isinstance(line, Heading):
            close()
            name = heading_name(line.name)
            path = [*path[: line.level - 1], *[""] * (line.level - 1 - len(path)), name]
        else:
            text.append(line)
    close()
    return tuple(found)


def heading_name(written: str) -> str:
    """A heading without its number, not shouted: `2.1 STELLAR MASSES` -> `Stellar masses`."""
    name = " ".join(written.split()).strip(" .:—–")
    if _SPACED.match(name):
        name = name.replace(" ", "")
    name = _NUMBER.sub("", name)
    return name.capitalize() if name.isupper() and len(name) > 5 else name


def identifiers_in(file_name: str, first_page: str) -> tuple[str, ...]:
    """The arXiv ids and DOIs of a file: in its name first, then named on its first page."""
    stem = re.sub(r"v\d+(?=\.|$)|\.(?:pdf|html?|tex|tar|gz|tgz|zip)$", "", file_name)
    found = [*_ARXIV_ID.findall(re.sub(r"\.(?:pdf|html?|tex|tar|gz|tgz|zip)\b", "", stem))]
    found += [
        f"{old[1]}/{old[2]}"
        for old in re.finditer(r"(astro-ph|gr-qc|hep-ph)[_-]?(\d{7})", stem)
        if f"{old[1]}/{old[2]}" not in found
    ]
    found += _NAMED_ARXIV_ID.findall(first_page)[:1]
    found += [doi.rstrip(".") for doi in _DOI.findall(first_page)[:2]]
    return tuple(dict.fromkeys(found))


def letters(sections: Sequence[Section]) -> int:
    """How many letters the sections hold."""
    return sum(sum(map(str.isalpha, section.text)) for section in sections)


def bounded(sections: Sequence[Section]) -> tuple[tuple[Section, ...], list[str]]:
    """The sections up to MOST_CHARACTERS, and a note where that was not all."""
    kept: list[Section] = []
    room = MOST_CHARACTERS
    for section in sections:
        if room <= 0:
            break
        kept.append(Section(section.name, section.text[:room]))
        room -= len(section.text)
    whole = sum(len(section.text) for section in sections)
    if whole <= MOST_CHARACTERS:
        return tuple(kept), []
    return tuple(kept), [f"the first {MOST_CHARACTERS:,} of its {whole:,} characters were read"]
