"""Files on the page: a visitor adds full texts, and sees what was read of them."""

from __future__ import annotations

import streamlit as st

from app.page_parts import literal
from indexer.document import MOST_BYTES
from indexer.document_reader import SUFFIXES
from retrieval.fulltext import FullTexts


def added_files(most: int) -> list[tuple[str, bytes]]:
    """The files that the visitor added, each a name and its bytes, at most `most`."""
    with st.expander("Add full texts"):
        files = st.file_uploader(
            f"PDF, HTML, or LaTeX source (.tex, .tar.gz, .zip); up to {most} files of {MOST_BYTES // 1_000_000} MB",
            type=list(SUFFIXES),
            accept_multiple_files=True,
            help="They are read beside the abstracts for this visit only, and are not kept.",
        )
    if len(files) > most:
        st.warning(f"{len(files)} files were added: the first {most} are read.")
    return [(file.name, file.getvalue()) for file in files[:most]]


def files_read(added: FullTexts) -> None:
    """How much of each file was read; what was not is said with the answer."""
    for text in added.texts:
        document = text.document
        sections = [s.name for s in document.sections if s.name and " / " not in s.name]
        st.caption(
            literal(
                f"{document.name}: {document.form}, {len(text.passages)} passages"
                + (f" of {', '.join(sections[:8])}" if sections else "")
            )
        )
    if not st.session_state.get("asked", "").strip():
        for problem in added.problems:
            st.warning(literal(problem))
