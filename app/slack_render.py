"""Answers and papers as Slack messages, and as the rows that their buttons need later."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from app import show
from app.slack_blocks import Element, Message, button, fixed, link, messages, quote, section, words
from retrieval.basis import basis
from retrieval.consensus import level_in
from retrieval.followup import Context
from retrieval.records import Answer, Hit, Sentence, Table
from retrieval.rows import answer_row, hit_row

Row = dict[str, Any]

MORE = "wayfinder_more"
EVIDENCE = "wayfinder_evidence"
BIBTEX = "wayfinder_bibtex"
GOOD = "wayfinder_good"
BAD = "wayfinder_bad"
SIMILAR = "wayfinder_similar"
MOST_ROWS = 20  # of a table
MOST_KEPT = 6  # papers of a list that a further question reads too


def answer_messages(
    answer: Answer, key: str, *, read_as: str = "", votes: bool, buttons: bool = True
) -> list[Message]:
    """An answer with its numbered sources, what was not done, and its buttons."""
    parts: list[Element] = []
    if read_as:
        parts.append(section(words(f"Read as: {read_as}\n", italic=True)))
    parts += [section(words(f"{text}\n", italic=True)) for text in _notes(answer)]
    parts += _paragraphs(answer)
    for table in answer.tables:
        parts += _table(table)
    parts += _sources(answer)
    parts += _caption(answer)
    actions = _buttons(answer, key, votes=votes) if buttons else []
    return messages(parts, fallback=f"{answer.question}: {answer.text}", buttons=actions)


def similar_messages(
    row: Row, key: str, notes: Sequence[str], *, buttons: bool = True
) -> list[Message]:
    """Papers like one, or like a text."""
    parts = [section(words(f"{text}\n", italic=True)) for text in notes]
    parts.append(section(words(f"{row['question']}\n", bold=True)))
    parts += [paper_line(paper) for paper in row["papers"]]
    if not row["papers"]:
        parts.append(section(words("No other paper of this index is like it.")))
    actions = [_more(key, 0), _bibtex(key)] if buttons and row["papers"] else []
    return messages(parts, fallback=row["question"], buttons=actions)


def paper_messages(papers: Sequence[Row], key: str, offset: int) -> list[Message]:
    """Further papers, numbered on; the next ones start at `offset`."""
    parts = [section(words("More papers\n", bold=True)), *map(paper_line, papers)]
    return messages(parts, fallback="More papers", buttons=[_more(key, offset)])


def evidence_messages(row: Row) -> list[Message]:
    """Each sentence of a kept answer, what is quoted for it, and whether its checks passed."""
    parts = [section(words("Evidence\n", bold=True))]
    urls = {paper["n"]: paper_url(paper) for paper in row["papers"]}
    for sentence in row["sentences"]:
        mark = "✓" if sentence["supported"] else "⚠"
        parts.append(section(words(f"{mark} {sentence['text']}")))
        if not sentence["supported"]:
            problems = "; ".join(sentence["problems"])
            parts.append(section(words(f"Not supported: {problems}", italic=True)))
        for item in sentence["evidence"]:
            where = f" ({_where(item)})"
            parts.append(
                quote(
                    link(urls.get(item["n"]), f"[{item['n']}]"), words(f" “{item['quote']}”{where}")
                )
            )
    return messages(parts, fallback="Evidence")


def bibtex_messages(text: str) -> list[Message]:
    """BibTeX to copy."""
    return messages(
        [fixed(entry) for entry in text.strip().split("\n\n")], fallback="BibTeX of these papers"
    )


def digest_messages(query: str, papers: Sequence[Row], n_more: int, key: str) -> list[Message]:
    """The new papers of a subscription."""
    n = len(papers) + n_more
    head = f"{n} new paper{'' if n == 1 else 's'} on “{query}”"
    parts = [section(words(f"{head}\n", bold=True)), *map(paper_line, papers)]
    if n_more:
        parts.append(section(words(f"and {n_more} more that fit less well.", italic=True)))
    parts.append(section(words("Reply in this thread to ask about them.", italic=True)))
    return messages(parts, fallback=head, buttons=[_bibtex(key)])


def unfurl_blocks(hit_or_row: Row) -> list[dict[str, Any]]:
    """The card of a paper under its link: plain text, which Slack never parses, and a button."""
    text = f"{hit_or_row['title']}\n{_facts(hit_or_row)}"
    value = str(hit_or_row["bibcode"] or hit_or_row["arxiv_id"] or hit_or_row["doi"])
    plain = {"type": "plain_text", "text": text[:2_000], "emoji": False}
    return [
        {"type": "section", "text": plain, "accessory": button("Similar papers", SIMILAR, value)}
    ]


def paper_line(paper: Row) -> Element:
    """A numbered source: title with its link, authors, year, journal, citations."""
    facts = f"\n{_facts(paper)}"
    return section(
        words(f"[{paper['n']}] ", bold=True), link(paper_url(paper), paper["title"]), words(facts)
    )


def kept_answer(answer: Answer) -> Row:
    """The answer's row, in which only the papers that the message shows are kept."""
    row = answer_row(answer)
    shown = {n for n, _ in _shown(answer)}
    row["papers"] = [paper for paper in row["papers"] if paper["n"] in shown]
    return row


def kept_papers(question: str, hits: Sequence[Hit], **more: Any) -> Row:
    """The row of a list of papers that is no answer."""
    papers = [{"n": n, **hit_row(hit)} for n, hit in enumerate(hits, 1)]
    return {"question": question, "papers": papers, "sentences": [], **more}


def context_of_papers(question: str, row: Row) -> Context:
    """The context that a list of papers leaves."""
    return Context(question, tuple(filter(None, map(paper_id, row["papers"][:MOST_KEPT]))))


def paper_id(paper: Row) -> str:
    """The identifier of a paper's row; empty where it has none."""
    return str(paper["bibcode"] or paper["arxiv_id"] or paper["doi"] or "")


def paper_url(paper: Row) -> str | None:
    """Where a paper can be read about."""
    doi = f"https://doi.org/{paper['doi']}" if paper["doi"] else None
    return paper["ads_url"] or paper["arxiv_url"] or doi


def _facts(paper: Row) -> str:
    from indexer.records import Paper

    label = Paper(title="", abstract="", authors=tuple(paper["authors"])).author_label
    n = paper["citation_count"]
    cited = "citations unknown" if n is None else f"{n:,} citation{'' if n == 1 else 's'}"
    year = str(paper["year"] or "year unknown")
    return " · ".join(filter(None, (label, year, paper["journal"], cited)))


def _notes(answer: Answer) -> list[str]:
    """What a reader must know before the answer."""
    notes = [f"⚠ {note}" for note in answer.degraded]
    if answer.presumed is not None:
        notes.append(answer.presumed.told)
    if answer.statement and level_in(answer.sentences):
        notes.append(f"Statement judged: {answer.statement}")
    return notes


def _paragraphs(answer: Answer) -> list[Element]:
    """The answer's sentences, each theme under its heading; the reason of a refusal."""
    if not answer.sentences:
        return [section(words(f"{answer.reason}\n"))]
    parts = []
    urls = {n: paper_url(hit_row(hit)) for n, hit in enumerate(answer.papers, 1)}
    for theme, group in groupby(answer.sentences, key=lambda sentence: sentence.theme):
        if theme:
            parts.append(section(words(theme, bold=True)))
        elements = [element for sentence in group for element in _sentence(sentence, urls)]
        parts.append(section(*elements, words("\n")))
    return parts


def _sentence(sentence: Sentence, urls: dict[int, str | None]) -> list[Element]:
    elements = [words(f"{sentence.text} ")]
    for n in sentence.citations:
        elements += [link(urls.get(n), f"[{n}]"), words(" ")]
    if not sentence.supported:
        problems = "; ".join(sentence.problems) or "its checks failed"
        elements.append(words(f"⚠ not supported: {problems} ", italic=True))
    return elements


def _table(table: Table) -> list[Element]:
    lines = show.table_lines(table)
    shown = [line for line in lines if line][: MOST_ROWS + 2]
    left_out = len(table.rows) - MOST_ROWS
    if left_out > 0:
        shown.append(f"and {left_out} more rows")
    return [fixed("\n".join(shown))]


def _shown(answer: Answer) -> list[tuple[int, Hit]]:
    """The numbered papers that are shown: those cited; of a refusal, the nearest."""
    cited = {n for sentence in answer.sentences for n in sentence.citations}
    return [(n, hit) for n, hit in enumerate(answer.papers, 1) if n in cited or answer.refused]


def _sources(answer: Answer) -> list[Element]:
    shown = [{"n": n, **hit_row(hit)} for n, hit in _shown(answer)]
    if not shown:
        return []
    head = "Nearest papers\n" if answer.refused else "Sources\n"
    return [section(words(head, bold=True)), *map(paper_line, shown)]


def _caption(answer: Answer) -> list[Element]:
    """How the answer was made and from what."""
    made = {
        "synthesised": f"{answer.usage.told(written=True)}; each sentence was checked against its papers. ",
        "extractive": "Quoted from the papers, not written by a language model. ",
        "computed": "Counted in the index. ",
        "refused": "",
    }[answer.mode]
    found = basis(answer)
    return [
        section(words(f"\n{made}{found.text} ", italic=True), link(found.ads_url, "Search ADS")),
        section(words("Reply in this thread to ask further.", italic=True)),
    ]


def _where(item: Row) -> str:
    where = f"{item['source']}, {item['section']}" if item["section"] else item["source"]
    return where if item["found"] else "this quotation does not stand in the paper"


def _buttons(answer: Answer, key: str, *, votes: bool) -> list[Element]:
    buttons = [_more(key, 0)]
    if answer.sentences:
        buttons.append(button("Evidence", EVIDENCE, key))
    if _shown(answer):
        buttons.append(_bibtex(key))
    if votes and not answer.refused:
        buttons.append(button(":thumbsup:", GOOD, key, spoken="This answer is good"))
        buttons.append(button(":thumbsdown:", BAD, key, spoken="This answer is bad"))
    return buttons


def _more(key: str, offset: int) -> Element:
    return button("More papers", MORE, f"{key}:{offset}")


def _bibtex(key: str) -> Element:
    return button("BibTeX", BIBTEX, key)
