"""PDF files: their text by PDFium, page furniture taken away, headings found.

Headings are the file's bookmarks where it has them, else numbered lines in their order and the names
that sections of papers have.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from indexer.document import (
    MOST_PAGES,
    OPENING_CHARACTERS,
    Document,
    Heading,
    identifiers_in,
    sections_of,
)
from indexer.errors import DocumentError

SECONDS = 20  # after this time no further page is begun
FEWEST_BOOKMARKS = 3
PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
TITLE_CHARACTERS = 3000  # of the first page, that a title is looked for in
SHORT_LINE = 60  # characters: one that ends a sentence ends a paragraph
LONGEST_HEADING = 200
LONGEST_TITLE = 300
FEWEST_TITLE_LETTERS = 10
NUMBERED_SHARE = 0.4  # of the lines: from here on a draft numbers its lines

_USUAL = re.compile(
    r"abstract|introduction|background|observations?(?: and data(?: reduction)?)?|data(?: reduction| analysis)?"
    r"|methods?|methodology|models?|analysis|results?(?: and discussion)?|discussions?(?: and conclusions?)?"
    r"|conclusions?(?: and outlook)?|summary(?: and (?:conclusions?|discussion))?|acknowledge?ments?|references"
    r"|bibliography|literature cited|appendix(?: [A-Z])?|data availability|methods summary|supplementary information",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"^(?:appendix\s+)?(?P<number>\d{1,2}(?:\.\d{1,2}){0,3}|[IVX]{1,4}|[A-H](?:\.\d{1,2}){0,2})\.?\s+(?P<name>[A-Z].{2,80})$",
    re.IGNORECASE,
)
_RUN_IN = re.compile(r"^(abstract)\s*[.:—–-]\s*(?=\S)", re.IGNORECASE)
_COMPOUND = re.compile(r"[^\W\d_]+-[^\W\d_]+")
_SPLIT = re.compile(r"([^\W\d_]+)\x02([^\W\d_]+)")
_STAMP = re.compile(r"^arXiv:\S+\s+\[[\w.-]+\]\s+\d.*$")
_YEAR = re.compile(
    r"(?:arXiv:\S+\s+\[[\w.-]+\]\s+\d+ \w+|\b(?:accepted|received|published|draft version|submitted|dated|compiled|©)\b[^\n]{0,40}?)\s*((?:19|20)\d\d)",
    re.IGNORECASE,
)
_NO_TITLE = re.compile(
    r"^(?:untitled|microsoft word|manuscript|paper|main|output|draft|ms|arxiv)\b|\.(?:tex|dvi|docx?|pdf|ps)$|^\W*$",
    re.IGNORECASE,
)
_FRONT_MATTER = re.compile(
    r"^(?:draft version|typeset using|mnras|preprint|arxiv:|received|accepted|submitted|published|journal|astronomy (?:&|and)|the astro"
    r"|manuscript no|version|abstract|https?:|doi|[\w&. ]+ \d+, \d+)|[.,;]$",
    re.IGNORECASE,
)
_PERSON = re.compile(r"^(?:[^\W\d_][\w.'’-]*\s+){1,4}[^\W\d_][\w'’.-]+$")
_ROMAN = {
    name: n
    for n, name in enumerate(
        ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII"], 1
    )
}


def read_pdf(name: str, data: bytes) -> Document:
    """Read the text of a PDF.

    Raises:
        DocumentError: it is encrypted or damaged.
    """
    pdf = _opened(name, data)
    n_pages = len(pdf)
    pages, notes = _pages(pdf, n_pages)
    if not pages:
        raise DocumentError(f"{name} has no page that can be read: it is damaged.")
    empty = sum(not page.strip() for page in pages)
    if empty and empty < len(pages):
        notes.append(f"{empty} of its pages hold no text")
    marks = _bookmarks(pdf)
    facts = _metadata(pdf)
    title = facts["Title"] if not _NO_TITLE.search(facts["Title"]) else ""
    title = title or _largest_text(pdf) or _first_line(pages[0])
    year = _YEAR.search(pages[0])
    return Document(
        name=name,
        form="PDF",
        sections=sections_of(_lines(_without_furniture(pages), marks)),
        title=title,
        authors=_authors(facts["Author"], pages[0], title),
        year=int(year[1]) if year else None,
        identifiers=identifiers_in(name, pages[0]),
        opening=pages[0][:OPENING_CHARACTERS],
        notes=tuple(notes),
    )


def _opened(name: str, data: bytes) -> Any:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == PASSWORD_ERROR:
            raise DocumentError(
                f"{name} is encrypted with a password: save it without one (print it to a new PDF) and add that."
            ) from None
        raise DocumentError(
            f"{name} is damaged and cannot be opened as a PDF: download it again."
        ) from None


def _pages(pdf: Any, n_pages: int) -> tuple[list[str], list[str]]:
    """The text of the pages up to the limits of number and time, and what was not read."""
    import pypdfium2

    began = time.monotonic()
    pages: list[str] = []
    broken = 0
    for i in range(min(n_pages, MOST_PAGES)):
        if time.monotonic() - began > SECONDS:
            break
        try:
            text = pdf[i].get_textpage().get_text_bounded()
        except pypdfium2.PdfiumError:
            broken += 1
            text = ""
        pages.append(re.sub(r"[\x00\x01\x03-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\u00ad]", "", text))
    notes = [f"{broken} of its pages are damaged"] if broken else []
    if len(pages) < n_pages:
        notes.append(f"the first {len(pages)} of its {n_pages} pages were read")
    return _unhyphenated(pages), notes


def _unhyphenated(pages: Sequence[str]) -> list[str]:
    """The pages with words joined that ends of lines split; a compound that stands elsewhere stays one.

    PDFium writes a hyphen at the end of a line as the character 2.
    """
    compounds = set(_COMPOUND.findall(" ".join(pages).casefold()))

    def joined(match: re.Match[str]) -> str:
        first, second = match.groups()
        is_compound = f"{first}-{second}".casefold() in compounds
        hyphen = "-" if is_compound or len(first) < 2 or second[:1].isupper() else ""
        return f"{first}{hyphen}{second}"

    return [_SPLIT.sub(joined, page).replace("\x02", "-") for page in pages]


def _metadata(pdf: Any) -> dict[str, str]:
    return {
        key: " ".join(str(pdf.get_metadata_value(key) or "").split())[:500]
        for key in ("Title", "Author")
    }


def _bookmarks(pdf: Any) -> dict[str, tuple[str, int]]:
    """The bookmarks by their letters: name and level; none where there are too few to go by."""
    import pypdfium2

    found: dict[str, tuple[str, int]] = {}
    try:
        for mark in pdf.get_toc(max_depth=4):
            title = " ".join(mark.get_title().split())
            found.setdefault(_letters(title), (title, mark.level + 1))
    except pypdfium2.PdfiumError:
        return {}
    found.pop("", None)
    return found if len(found) >= FEWEST_BOOKMARKS else {}


def _largest_text(pdf: Any) -> str:
    """The text in the largest type of the first page: its title, unless all is of one size."""
    import pypdfium2.raw as pdfium

    page = pdf[0].get_textpage()
    sized: list[tuple[float, str]] = []
    for i in range(min(page.count_chars(), TITLE_CHARACTERS)):
        upright = abs(pdfium.FPDFText_GetCharAngle(page, i)) < 0.1
        if upright:  # arXiv's stamp stands on end
            size = round(pdfium.FPDFText_GetFontSize(page, i), 1)
            sized.append((size, chr(pdfium.FPDFText_GetUnicode(page, i))))
    sizes = Counter(size for size, character in sized if character.isalpha())
    titles = [size for size, n in sizes.items() if n >= FEWEST_TITLE_LETTERS]
    if len(titles) < 2:
        return ""
    text = "".join(c for size, c in sized if size == max(titles) or c.isspace())
    text = " ".join(re.sub(r"[\x00-\x1f\ufffe]", " ", text).split())
    return re.sub(r"[^\w)?!]+$", "", text) if len(text) < LONGEST_TITLE else ""


def _first_line(first_page: str) -> str:
    """The first line that could be a title, where all type is of one size."""
    for line in first_page.splitlines()[:6]:
        text = re.sub(r"[∗*†‡§]+$", "", line.strip())
        long_enough = sum(map(str.isalpha, text)) >= FEWEST_TITLE_LETTERS and len(text.split()) > 2
        if long_enough and not _FRONT_MATTER.search(text):
            return text[:LONGEST_TITLE]
    return ""


def _authors(said: str, first_page: str, title: str) -> tuple[str, ...]:
    """The authors that the file names, or those of the line that follows its title."""
    names = [said] if said else []
    lines = first_page.splitlines()
    at = next((i for i, line in enumerate(lines) if title and title.endswith(line.strip()[-30:]) and len(line.strip()) > 3), None)  # fmt: skip
    if not names and at is not None:
        names = lines[at + 1 : at + 2]
    found: list[str] = []
    for name in re.split(r"[;,·]|\band\b|&", " ; ".join(names)):
        clean = " ".join(re.sub(r"[\d∗*†‡§¶★⋆]|\(.*?\)", " ", name).split())
        if _PERSON.match(clean):
            found.append(clean)
    return tuple(found[:100])


def _without_furniture(pages: Sequence[str]) -> Iterator[str]:
    """The lines of all pages without running heads, page numbers, arXiv's stamp and ticks of axes."""
    split = [[line.strip() for line in page.splitlines() if line.strip()] for page in pages]
    split = _without_line_numbers(split)
    ends = Counter(
        re.sub(r"\d+", "#", line) for lines in split for line in {*lines[:2], *lines[-2:]}
    )
    often = max(3, len(pages) * 3 // 10)
    for lines in split:
        for i, line in enumerate(lines):
            at_end = len(lines) > 4 and (i < 2 or i >= len(lines) - 2)
            if at_end and (ends[re.sub(r"\d+", "#", line)] >= often or line.isdigit()):
                continue
            if not _STAMP.match(line) and any(map(str.isalpha, line)):
                yield line


def _without_line_numbers(pages: list[list[str]]) -> list[list[str]]:
    """The lines of a draft without their numbers: numbers that count on from line to line."""
    expected, numbered = 1, 0
    bare: list[list[str]] = []
    for lines in pages:
        bare.append([])
        for line in lines:
            number, _, rest = line.partition(" ")
            counts_on = number.isdigit() and 0 <= int(number) - expected < 4
            if counts_on:
                expected, numbered = int(number) + 1, numbered + 1
            bare[-1].append(rest.strip() if counts_on else line)
    share = numbered / max(sum(map(len, pages)), 1)
    return [[line for line in lines if line] for lines in bare] if share > NUMBERED_SHARE else pages


def _lines(lines: Iterator[str], marks: dict[str, tuple[str, int]]) -> Iterator[str | Heading]:
    """The lines joined to paragraphs, with headings between them."""
    every = list(lines)
    order = _Order()
    text, passed = "", False
    for line, following in pairwise([*every, ""]):
        if passed:  # the second line of a heading
            passed = False
            continue
        heading, n_lines = (
            _bookmarked(line, following, marks) if marks else (order.heading(line), 1)
        )
        if heading is None and _USUAL.fullmatch(_unspaced(line)):
            heading = Heading(_unspaced(line))
        run_in = None if heading else _RUN_IN.match(line)
        if run_in:
            heading, n_lines = Heading(run_in[1]), 1
        if heading is not None:
            yield from (text, heading)
            text, passed = line[run_in.end() :] if run_in else "", n_lines == 2
            continue
        text = f"{text} {line}" if text else line
        if line.endswith((".", ":", "?")) and len(line) < SHORT_LINE:
            yield f"{text}\n"
            text = ""
    yield text


def _bookmarked(
    line: str, following: str, marks: dict[str, tuple[str, int]]
) -> tuple[Heading | None, int]:
    """The heading that a line, or it with the next, is by the bookmarks, and of how many lines it is."""
    for n_lines, written in ((1, line), (2, f"{line} {following}")):
        bare = re.sub(r"^(?:\d+(?:\.\d+)*|[IVX]+|[A-Z])\.?\s+", "", written)
        for text in (written, bare):
            if len(text) < LONGEST_HEADING and (known := marks.get(_letters(text))) is not None:
                return Heading(known[0], known[1]), n_lines
    return None, 0


class _Order:
    """Numbers of headings come in order: so a row of a table that begins with a number is none."""

    def __init__(self) -> None:
        self._last: list[int] = [0]

    def heading(self, line: str) -> Heading | None:
        """The heading that a line is, by its number and what it looks like."""
        match = _NUMBERED.match(line)
        if match is None or not _looks_like_one(match["name"]):
            return None
        numbers = _numbers(match["number"], self._last)
        if numbers is None or not self._follows(numbers):
            return None
        self._last = numbers
        return Heading(match["name"], len(numbers))

    def _follows(self, numbers: list[int]) -> bool:
        *outer, last = numbers
        if outer != self._last[: len(outer)]:
            return False
        before = self._last[len(outer)] if len(self._last) > len(outer) else 0
        return last == before + 1 or (last == before + 2 and bool(outer))


def _numbers(written: str, last: list[int]) -> list[int] | None:
    """`2.1` -> [2, 1]; Roman numbers are of the first level, single letters of the second."""
    if written[0].isdigit():
        return [int(part) for part in written.split(".")]
    if written.upper() == written and written in _ROMAN and _ROMAN[written] == last[0] + 1:
        return [_ROMAN[written]]
    if len(written) == 1 and written.isupper():
        return [last[0], ord(written) - ord("A") + 1] if last[0] else None
    return None


def _looks_like_one(name: str) -> bool:
    """Letters, beginning with a capital, no sentence: `Stellar masses`, not `Table 3 of 4.5`."""
    if not name[0].isupper() or name.rstrip().endswith((".", ",", ";", ":")):
        return False
    share = sum(c.isalpha() or c.isspace() for c in name) / len(name)
    return share > 0.8 and len(name.split()) <= 12


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _unspaced(line: str) -> str:
    return line.replace(" ", "") if re.match(r"^(?:[A-Za-z] ){4,}[A-Za-z]$", line) else line
