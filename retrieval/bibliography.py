"""Papers as BibTeX, RIS and CSV, for reference managers, LaTeX and spreadsheets.

A paper's key depends on the paper alone, so that it is the same in every export: its bibcode, as ADS exports it, else its
arXiv id, else its DOI. What a source put into a title is text: no LaTeX command and no brace of it is kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from indexer.clean import plain_text
from indexer.records import Paper, family_name
from retrieval.spreadsheet import csv_text

COLUMNS = (
    "key", "bibcode", "arxiv_id", "doi", "title", "authors", "year", "journal", "citation_count", "ads_url", "arxiv_url",
)  # fmt: skip

_BIBTEX_TYPES = {
    "article": "article", "eprint": "article", "letter": "article", "review": "article", "inproceedings": "inproceedings",
    "abstract": "inproceedings", "conference": "inproceedings", "proceedings": "proceedings", "book": "book",
    "inbook": "inbook", "incollection": "incollection", "phdthesis": "phdthesis", "mastersthesis": "mastersthesis",
    "techreport": "techreport",
}  # fmt: skip
_RIS_TYPES = {
    "article": "JOUR", "inproceedings": "CPAPER", "proceedings": "CONF", "book": "BOOK", "inbook": "CHAP",
    "incollection": "CHAP", "phdthesis": "THES", "mastersthesis": "THES", "techreport": "RPRT", "misc": "GEN",
}  # fmt: skip
_WHERE = {
    "inproceedings": "booktitle", "incollection": "booktitle", "inbook": "booktitle", "phdthesis": "school",
    "mastersthesis": "school", "techreport": "institution", "book": "publisher", "proceedings": "publisher",
    "misc": "howpublished",
}  # fmt: skip
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NOT_OF_KEYS = re.compile(r"[^A-Za-z0-9&.:/+_-]")
_NOT_OF_IDENTIFIERS = re.compile(r"[\\{}\"^~$\s\x00-\x1f\x7f-\x9f]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def citation_key(paper: Paper) -> str:
    """The paper's key in BibTeX: letters, digits and `&.:/+_-` alone; what had others carries a hash."""
    name = paper.id
    if name == paper.arxiv_id:
        name = f"arXiv:{name}"
    elif name == paper.doi:
        name = f"doi:{name}"
    key = _NOT_OF_KEYS.sub("_", name)
    return key if key == name else f"{key}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def bibtex(papers: Iterable[Paper]) -> str:
    """The papers as BibTeX; one that is given twice stands once."""
    entries: dict[str, str] = {}
    for paper in papers:
        key = citation_key(paper)
        if key not in entries:
            kind = _bibtex_type(paper)
            lines = [f"  {name} = {value},\n" for name, value in _bibtex_fields(paper, kind)]
            entries[key] = f"@{kind}{{{key},\n{''.join(lines)}}}\n"
    return "\n".join(entries.values())


def ris(papers: Iterable[Paper]) -> str:
    """The papers as RIS; one that is given twice stands once. The tags are those of Zotero, EndNote and ADS."""
    records: dict[str, str] = {}
    for paper in papers:
        lines = [f"{tag}  - {_CONTROL.sub(' ', value)}\r\n" for tag, value in _ris_tags(paper)]
        records.setdefault(citation_key(paper), "".join([*lines, "ER  - \r\n"]))
    return "\r\n".join(records.values())


def papers_csv(papers: Iterable[Paper]) -> str:
    """The papers as CSV with the columns COLUMNS, authors separated by `; `."""
    return csv_text(COLUMNS, (_row(paper) for paper in papers))


def _row(paper: Paper) -> tuple[str | int | None, ...]:
    return (
        citation_key(paper),
        paper.bibcode,
        paper.arxiv_id,
        paper.doi,
        paper.plain_title,
        "; ".join(paper.authors),
        paper.year,
        paper.journal,
        paper.citation_count,
        paper.ads_url,
        paper.arxiv_url,
    )


def _bibtex_type(paper: Paper) -> str:
    kind = _BIBTEX_TYPES.get((paper.doctype or "").casefold())
    if kind is None:
        kind = "article" if paper.journal or paper.arxiv_id else "misc"
    return kind


def _bibtex_fields(paper: Paper, kind: str) -> Iterator[tuple[str, str]]:
    """Name and value of each field, the value with its braces."""
    if paper.authors:
        yield "author", "{" + " and ".join(map(_bibtex_name, paper.authors)) + "}"
    yield "title", "{{" + _latex(paper.plain_title) + "}}"
    where = paper.journal or ("arXiv e-prints" if paper.arxiv_id and kind == "article" else None)
    if where:
        yield _WHERE.get(kind, "journal"), "{" + _latex(plain_text(where)) + "}"
    if paper.year is not None:
        yield "year", "{" + str(paper.year) + "}"
    if month := _month(paper):
        yield "month", _MONTHS[month - 1]
    for name, value in (("doi", paper.doi), ("eprint", paper.arxiv_id)):
        if value:
            yield name, "{" + _NOT_OF_IDENTIFIERS.sub("", value) + "}"
    if paper.arxiv_id:
        yield "archivePrefix", "{arXiv}"
        if paper.categories:
            yield "primaryClass", "{" + _NOT_OF_IDENTIFIERS.sub("", paper.categories[0]) + "}"
    if paper.bibcode and paper.ads_url:
        yield "adsurl", "{" + paper.ads_url.removesuffix("/abstract") + "}"


def _bibtex_name(author: str) -> str:
    """`{Riess}, Adam G.`; a group is one name, `and` in it included."""
    name = plain_text(author)
    family = family_name(name)
    given = name.partition(",")[2] if "," in name else name.removesuffix(family)
    protected = "{" + _latex(family or name) + "}"
    given = re.sub(r"\sand\s", " ", _latex(given.strip(" ,")))
    return f"{protected}, {given}" if given else protected


@lru_cache(maxsize=50_000)
def _latex(text: str) -> str:
    """Plain text as LaTeX that any engine sets; braces, which BibTeX counts even when escaped, are left out."""
    from pylatexenc.latexencode import unicode_to_latex

    plain = _CONTROL.sub(" ", text).replace("{", "").replace("}", "")
    return str(unicode_to_latex(plain, unknown_char_policy="keep", unknown_char_warning=False))


def _month(paper: Paper) -> int | None:
    match = re.match(r"\d{4}-(\d\d)", paper.date or "")
    month = int(match[1]) if match else 0
    return month if 1 <= month <= 12 else None


def _ris_tags(paper: Paper) -> Iterator[tuple[str, str]]:
    yield "TY", _RIS_TYPES[_bibtex_type(paper)]
    for author in paper.authors:
        yield "AU", plain_text(author)
    yield "TI", paper.plain_title
    if where := paper.journal or ("arXiv e-prints" if paper.arxiv_id else None):
        yield ("JO" if _bibtex_type(paper) == "article" else "T2"), plain_text(where)
    if paper.year is not None:
        yield "PY", str(paper.year)
    if month := _month(paper):
        yield "DA", f"{(paper.date or '')[:4]}/{month:02d}//"
    for tag, value in (("DO", paper.doi), ("AN", paper.bibcode), ("UR", paper.ads_url or paper.arxiv_url)):  # fmt: skip
        if value:
            yield tag, value
    if paper.arxiv_id:
        yield "M1", f"arXiv:{paper.arxiv_id}"
    yield "ID", citation_key(paper)
