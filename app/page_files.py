"""The files that a visitor adds to the Ask page: read for this visit, and kept nowhere else."""

from __future__ import annotations

import hashlib

import streamlit as st

from app import page_parts
from indexer.document import MOST_BYTES
from indexer.document_reader import SUFFIXES
from retrieval.fulltext import MOST_FILES, FullTexts, read_full_texts, together


def take() -> None:
    """A button that opens a place to add files; those that are new are read, and the page is drawn with them."""
    before: dict[str, FullTexts] = dict(st.session_state.get("files", {}))
    known = set(before)
    label = f"Full texts · {len(before)}" if before else "Full texts"
    with st.popover(label, icon=":material/attach_file:", key="full-texts"):
        files: dict[str, FullTexts] = {}
        for name, data in _added(MOST_FILES):
            key = hashlib.sha256(name.encode() + b"\0" + data).hexdigest()
            if key not in before:
                with st.spinner(f"Reading {page_parts.literal(name)}"):
                    before[key] = read_full_texts([(name, data)])
            files[key] = before[key]
        st.session_state.files = files
        if set(files) != known:
            st.rerun()
        _say_read(together(files.values()))


def names() -> tuple[str, ...]:
    """What tells this visitor's files from others: a hash of each."""
    return tuple(st.session_state.get("files", {}))


def full_texts() -> FullTexts | None:
    """What was read of the files; None without files."""
    files: dict[str, FullTexts] = st.session_state.get("files", {})
    return together(files.values()) if files else None


def _added(most: int) -> list[tuple[str, bytes]]:
    """The files that the visitor added, each a name and its bytes, at most `most`."""
    files = st.file_uploader(
        f"PDF, HTML, or LaTeX source (.tex, .tar.gz, .zip); up to {most} files of {MOST_BYTES // 1_000_000} MB",
        type=list(SUFFIXES),
        accept_multiple_files=True,
        help="They are read beside the abstracts for this visit only, and are not kept.",
    )
    if len(files) > most:
        st.warning(f"{len(files)} files were added: the first {most} are read.")
    return [(file.name, file.getvalue()) for file in files[:most]]


def _say_read(added: FullTexts) -> None:
    """How much of each file was read; what was not is said with the answer."""
    for text in added.texts:
        document = text.document
        sections = [s.name for s in document.sections if s.name and " / " not in s.name]
        st.caption(
            page_parts.literal(
                f"{document.name}: {document.form}, {len(text.passages)} passages"
                + (f" of {', '.join(sections[:8])}" if sections else "")
            )
        )
    if not st.session_state.get("asked", "").strip():
        for problem in added.problems:
            st.warning(page_parts.literal(problem))
