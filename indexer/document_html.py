"""HTML pages of papers: arXiv's, ar5iv's and the journals', without scripts and what is not seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from indexer.clean import plain_text
from indexer.document import OPENING_CHARACTERS, Document, Heading, identifiers_in, sections_of
from indexer.errors import DocumentError

MAIN_SHARE = 0.4  # of the page's text: from here on <article> or <main> is the paper

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    ["p", "div", "section", "li", "ul", "ol", "dl", "dt", "dd", "table", "tr", "figure", "figcaption",
     "blockquote", "article", "main", "body", "header", "br", "pre", "caption"]
)  # fmt: skip
_UNSEEN = (
    "//script|//style|//nav|//footer|//aside|//form|//noscript|//template|//iframe|//object|//svg|//button"
    "|//select|//head|//*[@hidden]|//*[contains(@class,'ltx_bibliography')]|//*[contains(@class,'ltx_page_logo')]"
    "|//*[contains(translate(@style,' ','') ,'display:none')]|//*[contains(translate(@style,' ',''),'visibility:hidden')]"
    "|//*[contains(translate(@style,' ',''),'font-size:0')]|//comment()|//sup[.//a]|//*[contains(@class,'ltx_note_outer')]"
)


def read_html(name: str, data: bytes) -> Document:
    """Read an HTML page; its formulas are taken from their LaTeX.

    Raises:
        DocumentError: it is no HTML that can be parsed.
    """
    root = _parsed(name, data)
    facts = _facts(root)
    title = facts.get("citation_title") or facts.get("og:title") or _first_text(root, "//h1", "//title")  # fmt: skip
    authors = _all(root, "citation_author") or _persons(root)
    for formula in root.xpath("//script[starts-with(@type,'math/tex')]"):
        _become_text(formula, f"${formula.text or ''}$")
    for formula in root.xpath("//math"):
        _become_text(formula, _formula(formula))
    for unseen in root.xpath(_UNSEEN):
        if unseen.getparent() is not None:
            _become_text(unseen, "")
    lines = list(_lines(_main_part(root)))
    opening = " ".join([title, *(line for line in lines[:40] if isinstance(line, str))])
    said = " ".join(
        f"arXiv:{value}" if key == "citation_arxiv_id" else value
        for key, value in facts.items()
        if key in ("citation_doi", "citation_arxiv_id", "dc.identifier")
    )
    year = re.search(r"(?:19|20)\d\d", facts.get("citation_date") or facts.get("citation_publication_date") or facts.get("citation_online_date") or "")  # fmt: skip
    return Document(
        name=name,
        form="HTML",
        sections=sections_of(_without_title(lines, title)),
        title=plain_text(title)[:300],
        authors=tuple(authors[:100]),
        year=int(year[0]) if year else None,
        identifiers=identifiers_in(name, f"{said} {opening[:OPENING_CHARACTERS]}"),
        opening=opening[:OPENING_CHARACTERS],
    )


def _parsed(name: str, data: bytes) -> Any:
    from lxml import etree, html

    try:
        data.decode("utf-8")
        parser = html.HTMLParser(encoding="utf-8", no_network=True)
    except UnicodeDecodeError:
        parser = html.HTMLParser(no_network=True)  # its own declaration of an encoding
    try:
        return html.document_fromstring(data, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise DocumentError(
            f"{name} cannot be read as HTML ({error}): save the page again."
        ) from error


def _facts(root: Any) -> dict[str, str]:
    """What the page's meta elements say, the first of each name."""
    found: dict[str, str] = {}
    for meta in root.xpath("//meta[@content]"):
        key = (meta.get("name") or meta.get("property") or "").lower()
        found.setdefault(key, " ".join(meta.get("content").split()))
    return found


def _all(root: Any, name: str) -> list[str]:
    return [" ".join(m.get("content").split()) for m in root.xpath(f"//meta[@name='{name}'][@content]")]  # fmt: skip


def _persons(root: Any) -> list[str]:
    """The authors as LaTeXML marks them, one name a line."""
    found = []
    for person in root.xpath("//*[contains(@class,'ltx_personname')]"):
        for part in re.split(r"[,;&\n]|\band\b", person.text_content()):
            clean = " ".join(re.sub(r"[\d†‡∗*]", " ", part).split())
            if 3 < len(clean) < 60 and re.match(r"^[^\W\d_][^@:]*$", clean):
                found.append(clean)
    return list(dict.fromkeys(found))


def _first_text(root: Any, *paths: str) -> str:
    for path in paths:
        for element in root.xpath(path):
            if text := " ".join(element.text_content().split()):
                return text
    return ""


def _formula(element: Any) -> str:
    """A formula as LaTeX where the page gives that, else its characters."""
    latex = element.get("alttext") or next(iter(element.xpath(".//annotation[@encoding='application/x-tex']/text()")), "")  # fmt: skip
    return f"${' '.join(latex.split())}$" if latex else " ".join(element.text_content().split())


def _become_text(element: Any, text: str) -> None:
    """Put `text` in the place of an element, before what follows it."""
    text += element.tail or ""
    parent, before = element.getparent(), element.getprevious()
    if before is None:
        parent.text = (parent.text or "") + text
    else:
        before.tail = (before.tail or "") + text
    element.tail = None
    parent.remove(element)


def _main_part(root: Any) -> Any:
    """The element that holds the paper: the longest article or main, unless most of the text is outside."""
    body = next(iter(root.xpath("//body")), root)
    parts = sorted(root.xpath("//article|//main"), key=lambda part: -len(part.text_content()))
    whole = len(body.text_content())
    return parts[0] if parts and len(parts[0].text_content()) > MAIN_SHARE * whole else body


def _lines(part: Any) -> Iterator[str | Heading]:
    """Paragraphs and headings in their order; an empty line after each paragraph."""
    from lxml import etree

    text: list[str] = []

    def paragraph() -> Iterator[str]:
        whole = plain_text("".join(text))
        text.clear()
        if whole:
            yield f"{whole}\n"

    for event, element in etree.iterwalk(part, events=("start", "end")):
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start":
            if tag in _BLOCKS or tag in _HEADINGS:
                yield from paragraph()
            text.append({"sup": "^", "sub": "_"}.get(tag, "") + (element.text or ""))
            continue
        if tag in _HEADINGS:
            name = plain_text("".join(text))
            text.clear()
            if name:
                yield Heading(name, _HEADINGS[tag])
        elif tag in _BLOCKS:
            yield from paragraph()
        elif tag in ("td", "th"):
            text.append(" ")
        if element is not part:
            text.append(element.tail or "")
    yield from paragraph()


def _without_title(lines: list[str | Heading], title: str) -> Iterator[str | Heading]:
    """The lines with headings counted from the outermost that stands more than once or is no title."""
    named = [h for h in lines if isinstance(h, Heading) and not _same(h.name, title)]
    outermost = min((h.level for h in named if not h.name.casefold().startswith("abstract")), default=1)  # fmt: skip
    for line in lines:
        if not isinstance(line, Heading):
            yield line
        elif not _same(line.name, title):
            abstract = line.name.casefold().strip(" .:") == "abstract"
            yield Heading(line.name, 1 if abstract else max(1, line.level - outermost + 1))


def _same(first: str, second: str) -> bool:
    return re.sub(r"\W+", "", first.casefold()) == re.sub(r"\W+", "", second.casefold())
