"""Sentences and papers as Markdown, for reports and answers: nothing in anybody's text is markup."""

from __future__ import annotations

from collections.abc import Sequence

from retrieval.records import Hit, Sentence, Table

_MARKED = "\\`*_{}[]<>#|$~"


def plain(text: str) -> str:
    """Text as Markdown that shows exactly that text, on one line."""
    return "".join(f"\\{c}" if c in _MARKED else c for c in " ".join(text.split()))


def cited(sentence: Sentence) -> str:
    """A sentence with its numbers; one that failed its checks says so."""
    marks = "".join(f" \\[{n}\\]" for n in sentence.citations)
    doubt = f" **(not supported: {plain('; '.join(sentence.problems))})**"
    return f"{plain(sentence.text)}{marks}{'' if sentence.supported else doubt}"


def sentence_lines(sentences: Sequence[Sentence]) -> list[str]:
    """One sentence a line, what is quoted for it below."""
    lines = []
    for sentence in sentences:
        lines.append(f"- {cited(sentence)}")
        lines += [
            f"    - \\[{item.n}\\] “{plain(item.quote)}”"
            for item in sentence.evidence
            if item.found and item.quote not in sentence.text
        ]
    return [*lines, ""]


def paper_line(hit: Hit) -> str:
    """A paper on one line: authors, year, title, where it appeared, its link."""
    paper = hit.paper
    where = ", ".join(filter(None, (paper.journal, paper.bibcode, paper.arxiv_id)))
    link = f" <{paper.ads_url or paper.arxiv_url}>" if paper.ads_url or paper.arxiv_url else ""
    title = (
        paper.plain_title
        if paper.plain_title.endswith((".", "?", "!"))
        else f"{paper.plain_title}."
    )
    return f"{plain(paper.author_label)} ({paper.year or 'year unknown'}): {plain(title)} {plain(where)}{link}"


def table_lines(table: Table) -> list[str]:
    """A table, its title above."""
    rows = [[plain("" if cell is None else str(cell)) for cell in row] for row in table.rows]
    head = [plain(name) for name in table.columns]
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return [f"### {plain(table.title)}", "", *lines, "", *([f"<{table.url}>", ""] if table.url else [])]  # fmt: skip
