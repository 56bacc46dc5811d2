"""Copying an answer and the link to it, for which Streamlit has no control."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import streamlit as st

from retrieval.records import Answer, Hit

# An address is completed in the browser, which knows host and path; without a secure connection browsers
# have no clipboard, so the text is selected and copied the older way.
_SCRIPT = """
export default function ({ data, parentElement }) {
  const told = parentElement.querySelector("[role=status]");
  const copied = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const box = document.createElement("textarea");
    box.value = text; box.style.position = "fixed"; document.body.append(box); box.select();
    const done = document.execCommand("copy"); box.remove();
    if (!done) throw new Error("no clipboard");
  };
  parentElement.querySelector(".wf-copy").replaceChildren(...data.buttons.map(({ label, text, query }) => {
    const button = document.createElement("button");
    button.type = "button"; button.textContent = label;
    button.onclick = () => copied(text ?? `${location.origin}${location.pathname}?${query}`)
      .then(() => { told.textContent = "Copied"; }, () => { told.textContent = "This browser refuses to copy: select the text instead."; })
      .then(() => setTimeout(() => { told.textContent = ""; }, 4000));
    return button;
  }));
}
"""
_LOOK = """
.wf-copy-row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; font-family: var(--st-font, sans-serif); font-size: .9rem; }
.wf-copy { display: flex; flex-wrap: wrap; gap: .5rem; }
.wf-copy button { font: inherit; color: var(--st-text-color); background: transparent; cursor: pointer; min-height: 2.5rem; padding: .4rem .8rem; border-radius: .5rem;
  border: 1px solid color-mix(in srgb, var(--st-text-color) 25%, transparent); }
.wf-copy button:hover { border-color: var(--st-primary-color); }
.wf-copy button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
"""


def copy_row(answer: Answer, query: str) -> None:
    """Buttons that copy the answer with its papers, and the link to it where there is one."""
    buttons: list[dict[str, str]] = [{"label": "Copy answer", "text": plain_answer(answer)}]
    if query:
        buttons.append({"label": "Copy link", "query": query})
    _copier()(key="copy-row", data={"buttons": buttons})


def copy_link(query: str) -> None:
    """A button that copies the link to what is searched."""
    if query:
        _copier()(key="copy-link", data={"buttons": [{"label": "Copy link", "query": query}]})


def plain_answer(answer: Answer) -> str:
    """Question, answer with its numbers, and the papers cited, as plain text."""
    cited = sorted({n for sentence in answer.sentences for n in sentence.citations})
    papers = "\n".join(f"[{n}] {_reference(answer.papers[n - 1])}" for n in cited)
    doubts = [f"Not supported: {s.text}" for s in answer.sentences if not s.supported]
    parts = [answer.question, answer.text, "\n".join(doubts), papers, _made(answer)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _reference(hit: Hit) -> str:
    paper = hit.paper
    facts: Sequence[str | None] = (
        f"{paper.author_label} {paper.year or 'year unknown'}",
        paper.plain_title,
        paper.journal,
        paper.id,
        paper.ads_url,
    )
    return ". ".join(fact for fact in facts if fact)


def _made(answer: Answer) -> str:
    search = answer.search
    how = "Quoted" if answer.mode == "extractive" else "Made"
    return f"{how} by Wayfinder from {search.n_papers:,} papers as of {search.as_of}, snapshot {search.snapshot[:8]}."


@cache
def _copier() -> Any:
    return st.components.v2.component(
        "wayfinder_copy",
        js=_SCRIPT,
        css=_LOOK,
        html='<div class="wf-copy-row"><span class="wf-copy"></span><span role="status"></span></div>',
    )
