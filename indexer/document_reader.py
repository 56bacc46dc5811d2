"""A file's bytes to a document, in a process of its own with limits on time and memory.

Files come from anywhere: one that crashes, hangs or swells its reader must not take the server and
its other visitors with it. The child gets the bytes by its standard input, writes JSON, and has
neither keys in its environment nor a file on disk.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from indexer.document import (
    FEWEST_LETTERS,
    MOST_BYTES,
    Document,
    Section,
    bounded,
    letters,
)
from indexer.errors import DocumentError

SECONDS = 40  # the longest that reading one file may take
MEMORY_BYTES = 1_500_000_000
SUFFIXES = ("pdf", "html", "htm", "tex", "tar.gz", "tgz", "tar", "zip", "gz")

_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "SYSTEMROOT", "HOME", "TMPDIR")
_FORMS = {"pdf": "PDF", "html": "HTML", "htm": "HTML"}


def read_document(name: str, data: bytes) -> Document:
    """Read a PDF, an HTML page or LaTeX source; what is in it decides, not its name.

    Raises:
        DocumentError: it cannot be read; the message says why and what to do.
    """
    if not data.strip():
        raise DocumentError(f"{name} is empty: add the file again.")
    if len(data) > MOST_BYTES:
        raise DocumentError(
            f"{name} is larger than {MOST_BYTES / 1e6:.0f} MB, the most that is read: "
            "add its LaTeX source or HTML instead, or the pages that matter."
        )
    form_of(name, data)  # what is none of the three is said without starting a process
    environment = {key: os.environ[key] for key in _ENVIRONMENT if key in os.environ}
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-P", "-m", "indexer.document_reader", name],
            input=data,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise DocumentError(
            f"{name} was not read within {SECONDS} seconds and was given up: add its LaTeX source or HTML instead."
        ) from None
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise DocumentError(
            f"{name} made its reader fail (status {done.returncode}): it is damaged, or unpacks to more than can be held."
        ) from None
    if "error" in said:
        raise DocumentError(said["error"])
    return _document(said)


def form_of(name: str, data: bytes) -> str:
    """PDF, HTML, LaTeX or archive, by content first and by the name's ending where text could be either.

    Raises:
        DocumentError: it is none of them.
    """
    head = data[:4096]
    if b"%PDF-" in head[:1024]:
        return "PDF"
    if head[:2] in (b"\x1f\x8b", b"PK") or head[257:262] == b"ustar":
        return "archive"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    ending = name.rsplit(".", 1)[-1].lower()
    if b"\x00" in head:
        raise DocumentError(_not_known(name, ending))
    if rb"\documentclass" in data[:200_000] or rb"\begin{document}" in data[:200_000]:
        return "LaTeX"
    if text.startswith((b"<!doctype html", b"<html", b"<?xml")) or b"<body" in data[:200_000]:
        return "HTML"
    if ending == "tex":
        return "LaTeX"
    if ending in ("html", "htm") and b"<" in head:
        return "HTML"
    raise DocumentError(_not_known(name, ending))


def _not_known(name: str, ending: str) -> str:
    if ending in SUFFIXES:
        return f"{name} is not what its name says, or is damaged: it holds no {_FORMS.get(ending, 'LaTeX')}."
    return f"{name} is no PDF, HTML page or LaTeX source: add one of these (.{', .'.join(SUFFIXES[:6])} or .zip)."


def _document(said: dict[str, Any]) -> Document:
    sections = tuple(Section(**section) for section in said.pop("sections"))
    for key in ("authors", "identifiers", "notes"):
        said[key] = tuple(said[key])
    return Document(sections=sections, **said)


def read_here(name: str, data: bytes) -> Document:
    """Read a file in this process, without limits on its time and memory.

    Raises:
        DocumentError: it cannot be read.
    """
    form = form_of(name, data)
    document = _reader(form)(name, data)
    sections, notes = bounded(document.sections)
    if letters(sections) < FEWEST_LETTERS:
        raise DocumentError(
            f"{name} holds next to no text: "
            + (
                "its pages look scanned. Run OCR on it (for instance ocrmypdf), or add its HTML or LaTeX source."
                if form == "PDF"
                else "add the whole paper."
            )
        )
    ending = name.rsplit(".", 1)[-1].lower()
    if ending in _FORMS and _FORMS[ending] != document.form:
        notes.append(f"it is {document.form} by its content and was read as that")
    return replace(document, sections=sections, notes=(*document.notes, *notes))


def _reader(form: str) -> Callable[[str, bytes], Document]:
    if form == "PDF":
        from indexer.document_pdf import read_pdf

        return read_pdf
    if form == "HTML":
        from indexer.document_html import read_html

        return read_html
    from indexer.document_latex import read_archive, read_latex

    return read_archive if form == "archive" else read_latex


def main() -> None:
    """The child: bytes from standard input, a document or an error as JSON to standard output."""
    logging.disable(logging.CRITICAL)
    _limit()
    name = sys.argv[1]
    try:
        said = asdict(read_here(name, sys.stdin.buffer.read()))
    except DocumentError as error:
        said = {"error": str(error)}
    except MemoryError:
        said = {"error": f"{name} needs more memory than reading a file may use: it was given up."}
    except RecursionError:
        said = {"error": f"{name} is nested too deeply to be read: it is damaged."}
    sys.stdout.write(json.dumps(said))


def _limit() -> None:
    """Hold this process to its memory and time; a system without such limits has the parent's clock."""
    try:
        import resource
    except ImportError:
        return
    for what, most in (("RLIMIT_AS", MEMORY_BYTES), ("RLIMIT_CPU", SECONDS), ("RLIMIT_CORE", 0)):
        try:
            resource.setrlimit(getattr(resource, what), (most, most))
        except (ValueError, OSError, AttributeError):
            continue


if __name__ == "__main__":
    main()
