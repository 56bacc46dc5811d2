"""Pieces of pages around a visitor's library: to add a paper, to read a file, to hold questions to it, to take papers away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

import streamlit as st

from app import exports
from app.exports import Form
from app.library import Library
from app.library_file import MOST_PAPERS, LibraryFile, path_for
from app.page_parts import escape, literal
from app.page_session import user_name
from indexer.errors import WayfinderError
from indexer.records import Paper
from indexer.store import Index
from retrieval.ads_link import MOST_OF_A_LINK, ads_papers_urls
from retrieval.answer_files import file_name
from retrieval.paper_sets import MOST_ENTRIES, library_of
from retrieval.paper_sets import Library as FileOfPapers
from retrieval.records import Answer, Hit, SearchResult, SearchSettings

T = TypeVar("T")

MOST_MEGABYTES = 30  # of a BibTeX file
MOST_LINKS = 5  # to ADS, shown
ONLY = "only-library"  # of the session: whether questions are held to the library
_MISSING_LISTED = 200


def visitors_library() -> Library:
    """This visitor's library; where the host keeps it, what is kept of who logged in."""
    path = path_for(user_name())
    library: Library | None = st.session_state.get("library")
    if library is None or (library.kept.path if library.kept else None) != path:
        library = st.session_state["library"] = Library(kept=LibraryFile(path) if path else None)
        library.refresh()
    return library


def keep_or_take_out(paper: Paper) -> None:
    """Add a paper to the library, or take it out where it is there."""
    library = visitors_library()
    if paper in library:
        library.remove([paper.id])
    else:
        add_papers([paper])


def add_papers(papers: Sequence[Paper], *, indexed: bool = True) -> None:
    """Add papers to the library and say so."""
    library = visitors_library()
    st.toast(added_words(*library.add(papers, indexed=indexed)))
    if library.kept is not None and library.kept.problem:
        st.toast(literal(library.kept.problem), icon=":material/warning:")


def added_words(n: int, full: int) -> str:
    """What became of papers that were to be added, in a sentence: so many were, so many found no room."""
    said = f"{n:,} added to your library" if n else "Already in your library"
    return f"{said}." if not full else f"{said}; {full:,} found no room: it holds at most {MOST_PAPERS:,} papers."  # fmt: skip


def emptied() -> None:
    """Take all papers out of the library, and delete what the host keeps of it."""
    library = visitors_library()
    if library.kept is None:
        library.clear()
    else:
        library.delete()
    st.session_state.pop("library-told", None)


def narrowed(index: Index, settings: SearchSettings) -> SearchSettings:
    """The settings, held to the library where its visitor wants that; the choice is drawn where there is a library."""
    among = visitors_library().among(index)
    if not among:
        return settings
    label = f"Only my library ({len(among):,} paper{'' if len(among) == 1 else 's'})"
    # Streamlit forgets a switch that another page does not show; the wish is kept.
    st.session_state.setdefault(f"{ONLY}-switch", st.session_state.get(ONLY, False))
    st.session_state[ONLY] = st.toggle(label, key=f"{ONLY}-switch")
    if not st.session_state[ONLY]:
        return settings
    return replace(settings, filters=replace(settings.filters, among=among))


def file_taken(index: Index, key: str) -> None:
    """Offer to read a BibTeX file; add its papers and let the file go. `file_told` says what became of every entry."""
    n_read: int = st.session_state.setdefault("library-files", 0)
    given = st.file_uploader(
        f"BibTeX file, up to {MOST_MEGABYTES} MB", type=["bib", "bibtex", "txt"], key=f"{key}-{n_read}", max_upload_size=MOST_MEGABYTES,
        help="Exported from ADS, Zotero, Mendeley, JabRef, … It is read and forgotten; only its papers go into your library.",
    )  # fmt: skip
    if given is not None:
        with st.spinner("Reading your library"):
            st.session_state["library-told"] = _taken(index, given.size, given.getvalue)
        st.session_state["library-files"] = (
            n_read + 1
        )  # another box: the file of this one is let go
        st.rerun()


def tell_later(text: str) -> None:
    """Have `file_told` say this, where it stood what became of the file that was read last."""
    st.session_state["library-told"] = Told(text.strip())


def file_told() -> None:
    """What became of what was added last: a file, or papers by their names."""
    told: Told | None = st.session_state.get("library-told")
    if told is not None:
        _tell(told)


class Told(NamedTuple):
    """What became of a file: in a sentence, and the titles that the index lacks."""

    text: str
    missing: Sequence[str] = ()
    failed: bool = False  # nothing was read


def _taken(index: Index, size: int, content: Callable[[], bytes]) -> Told:
    """Add the papers of a file; one that is too large is not looked into."""
    if size > MOST_MEGABYTES * 1_000_000:
        return Told(
            f"This file has {size / 1e6:,.0f} MB and was not read: at most {MOST_MEGABYTES} MB. "
            "Export fewer papers, or leave out the abstracts.",
            failed=True,
        )
    try:
        found = library_of(index, content().decode("utf-8-sig", "replace"))
    except WayfinderError as error:
        return Told(str(error), failed=True)
    library = visitors_library()
    held, full = library.add(index.papers[int(row)] for row in found.rows)
    others, also_full = library.add(found.elsewhere, indexed=False)
    said = accounted(found, added=held + others, full=full + also_full)
    return Told(said, found.missing)


def accounted(found: FileOfPapers, *, added: int, full: int) -> str:
    """What became of every entry of a file, in a sentence."""
    n = len(found.rows) + len(found.elsewhere)
    parts = (
        (n, f"{len(found.rows):,} of {n:,} papers are in this index; {added:,} were added to your library"),
        (found.repeated, f"{found.repeated:,} named before"),
        (found.unread, f"{found.unread:,} could not be read"),
        (found.beyond, f"{found.beyond:,} after the first {MOST_ENTRIES:,} entries not read"),
        (full, f"{full:,} found no room: a library holds at most {MOST_PAPERS:,}"),
    )  # fmt: skip
    return "; ".join(text for count, text in parts if count) + "."


def _tell(told: Told) -> None:
    (st.warning if told.failed else st.markdown)(literal(told.text))
    if told.missing:
        with st.expander(f"Not in this index ({len(told.missing):,})"):
            listed = "".join(f"<li>{escape(t)}</li>" for t in told.missing[:_MISSING_LISTED])
            more = len(told.missing) - _MISSING_LISTED
            st.html(f"<ul>{listed}{f'<li>and {more:,} more</li>' if more > 0 else ''}</ul>")


def paper_files(papers: Callable[[], Sequence[Paper]], words: str, key: str) -> None:
    """Buttons that take papers away as BibTeX, RIS and CSV; `words` name the files. The papers are asked for on a click."""
    _buttons(exports.PAPERS, papers, words, key)


def _buttons(forms: Sequence[Form[T]], what: Callable[[], T], words: str, key: str) -> None:
    for form in forms:
        st.download_button(
            form.label, partial(_made, form, what), file_name(words, form.ending), form.mime,
            key=f"{key}-{form.ending}", on_click="ignore",
        )  # fmt: skip


def _made(form: Form[T], what: Callable[[], T]) -> str:
    return form.make(what())


def ads_links(papers: Sequence[Paper], n_all: int | None = None) -> None:
    """Links to the papers at ADS: one, or one for each part of a list of `n_all`, of which `papers` are the first."""
    links = ads_papers_urls(papers)[:MOST_LINKS]
    names = [f"At ADS, part {n}" for n in range(1, len(links) + 1)]
    shown = [
        f'<a href="{escape(link)}" target="_blank" rel="noopener">{name}</a>'
        for name, link in zip(names if len(names) > 1 else ["These papers at ADS"], links, strict=False)
    ]  # fmt: skip
    more = (n_all or len(papers)) > MOST_LINKS * MOST_OF_A_LINK
    said = "; for all of them add the BibTeX file to a library at ADS" if more else ""
    if shown:
        st.html(f'<p class="wf-facts">{" · ".join(shown)}{said}</p>')


def answer_files(answer: Answer) -> None:
    """An answer and its papers to take away, and the papers at ADS."""
    _export("The answer", exports.ANSWER, answer, answer.papers, answer.question, "answer")


def search_files(result: SearchResult, words: str = "") -> None:
    """What a search found to take away, as a list to read and as papers, and the papers at ADS; `words` name the files."""
    _export("The list", exports.SEARCH, result, result.hits, words or result.query, "search")


def _export(name: str, forms: Sequence[Form[T]], what: T, hits: Sequence[Hit], words: str, key: str) -> None:  # fmt: skip
    with st.container(width="content"):
        _opened_export(name, forms, what, hits, words, key)


@st.fragment
def _opened_export(name: str, forms: Sequence[Form[T]], what: T, hits: Sequence[Hit], words: str, key: str) -> None:  # fmt: skip
    """What can be taken away, drawn when it is opened: a fragment, so that nothing else is drawn again."""
    papers = [hit.paper for hit in hits]
    with st.popover("Export", icon=":material/download:", key=f"{key}-export", on_change="rerun") as opened:  # fmt: skip
        if not opened.open:
            return
        st.caption(name)
        with st.container(horizontal=True):
            _buttons(forms, lambda: what, words, key)
        st.caption("Its papers")
        with st.container(horizontal=True):
            paper_files(lambda: papers, words, key)
        ads_links(papers)
