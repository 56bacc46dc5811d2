"""Files of full texts, good ones and bad ones. Run: pytest tests/indexer/test_documents.py"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer import document_latex, document_reader
from indexer.document import Document, identifiers_in
from indexer.document_reader import form_of, read_document, read_here
from indexer.errors import DocumentError
from tests import documents as made

SECTION_NAMES = list(made.SECTIONS)


def whole(document: Document) -> str:
    return " ".join(section.text for section in document.sections)


@pytest.mark.parametrize(
    ("name", "data", "form"),
    [
        ("paper.pdf", made.pdf([made.paper_lines()]), "PDF"),
        ("paper.html", made.html_paper(), "HTML"),
        ("paper.tex", made.latex_paper(), "LaTeX"),
        ("paper.tar.gz", made.tar_gz({"ms.tex": made.latex_paper()}), "LaTeX"),
        ("paper.zip", made.zipped({"src/ms.tex": made.latex_paper()}), "LaTeX"),
        ("paper.gz", gzip.compress(made.latex_paper()), "LaTeX"),
    ],
)
def test_each_form_gives_the_same_paper(name: str, data: bytes, form: str) -> None:
    document = read_document(name, data)
    assert (document.name, document.form) == (name, form)
    names = [section.name for section in document.sections if section.name]
    assert [n for n in names if " / " not in n] == ["Abstract", *SECTION_NAMES]
    assert document.abstract == made.ABSTRACT
    for section in document.sections:
        if section.name in made.SECTIONS:
            assert " ".join(section.text.split()).startswith(made.SECTIONS[section.name][:150])
    assert "never be quoted" not in whole(document)
    assert "script" not in whole(document) and "Log in" not in whole(document)


def test_html_and_latex_say_title_authors_and_year() -> None:
    html = read_here("a.html", made.html_paper())
    assert (html.title, html.authors, html.year) == (made.TITLE, ("Moss, Ada", "Reed, Jon"), 2024)
    assert html.identifiers == ("10.9999/dust",)
    latex = read_here("a.tex", made.latex_paper())
    assert (latex.title, latex.authors) == (made.TITLE, ("Ada Moss", "Jon Reed"))


def test_latex_macros_formulas_and_subsections() -> None:
    document = read_here("a.tex", made.latex_paper())
    stars = next(s for s in document.sections if s.name == "Results / Mass of stars")
    assert "The stars of NGC 99999 weigh ∼10^10 times the Sun, or 20 piles." in stars.text
    assert "M = 3.7" in stars.text and "label" not in stars.text


def test_latex_takes_what_it_inputs_from_the_archive_alone() -> None:
    paper = made.latex_paper(r"\input{parts/results} \input{/etc/passwd} \input{../secret}")
    files = {
        "ms.tex": paper,
        "parts/results.tex": made.SECTIONS["Results"].encode(),
        "../secret.tex": b"a secret",
        "notes.tex": b"\\documentclass{article}\\begin{document}Short.\\end{document}",
    }
    document = read_here("source.tar.gz", made.tar_gz(files, {"link.tex": "/etc/passwd"}))
    assert made.FINDING in whole(document)
    assert "secret" not in whole(document) and "root:" not in whole(document)
    assert any("points outside the archive" in note for note in document.notes)
    assert any("2 files that it inputs are not there" in note for note in document.notes)


def test_latex_that_inputs_itself_ends() -> None:
    paper = made.latex_paper(r"\input{ms} " + made.SECTIONS["Results"])
    assert made.FINDING in whole(read_here("s.zip", made.zipped({"ms.tex": paper})))
    macro = made.latex_paper().replace(b"{NGC 99999}", rb"{\gal \gal}")
    assert "Introduction" in [s.name for s in read_here("m.tex", macro).sections]


def test_what_html_hides_is_not_read() -> None:
    hidden = "<p hidden>OBEY</p><p style='display: none'>OBEY</p><template>OBEY</template><!-- OBEY --><noscript>OBEY</noscript>"
    assert "OBEY" not in whole(read_here("a.html", made.html_paper(hidden)))


def test_formulas_of_html_are_read_once() -> None:
    formula = "<p>The mass is <math alttext='3.7\\pm 0.2'><mn>3.7</mn><mo>±</mo><mn>0.2</mn></math> here.</p>"
    assert "The mass is 3.7±0.2 here." in whole(read_here("a.html", made.html_paper(formula)))


def test_a_pdf_of_400_pages_is_read_in_part_and_says_so() -> None:
    pages = [[f"Page {n} of a long thesis speaks of dust and of gas."] for n in range(400)]
    document = read_document("thesis.pdf", made.pdf(pages))
    assert document.notes == ("the first 250 of its 400 pages were read",)
    assert "Page 249 of" in whole(document) and "Page 250 of" not in whole(document)


def test_running_heads_page_numbers_and_line_numbers_are_no_text() -> None:
    letters = "abcdefghijklmnopqrstuvwxyzABCD"
    pages = [
        [f"Moss and Reed 20{n}", *(f"{30 * n + i} word {c * (n + 1)} of it" for i, c in enumerate(letters, 1)), f"{n}"]
        for n in range(6)
    ]  # fmt: skip
    text = whole(read_here("draft.pdf", made.pdf(pages)))
    assert "Moss and Reed" not in text
    assert "word a of it word b of it" in text


def test_a_word_split_at_the_end_of_a_line_is_joined_and_a_compound_is_not() -> None:
    lines = ["The early-type galaxies have dust and the obser-", "vations show it in early-", "type galaxies only.", *["More words of the same text. " * 2] * 9]  # fmt: skip
    text = whole(read_here("a.pdf", made.pdf([lines])))
    assert "observations show it in early-type galaxies only." in text


def test_rows_of_tables_are_no_headings() -> None:
    lines = ["1. INTRODUCTION", *["Long text of dust. " * 5] * 3, "7 NGC 1068 Seyfert", "3 M 31 Spiral", "2. RESULTS", *["Long text of gas. " * 5] * 3]  # fmt: skip
    document = read_here("a.pdf", made.pdf([lines]))
    assert [section.name for section in document.sections] == ["Introduction", "Results"]


BAD = {
    "empty": ("a.pdf", b"", "is empty"),
    "white space": ("a.tex", b"  \n ", "is empty"),
    "encrypted": ("a.pdf", made.pdf([made.paper_lines()], encrypted=True), "encrypted with a password"),
    "scanned": ("a.pdf", made.pdf([[], []]), "look scanned. Run OCR"),
    "cut off": ("a.pdf", made.pdf([made.paper_lines()])[:200], "damaged"),
    "corrupted": ("a.pdf", b"%PDF-1.7\n" + bytes(range(256)) * 40, "damaged"),
    "rubbish": ("a.pdf", bytes(range(256)) * 40, "is not what its name says"),
    "another form": ("a.docx", b"PK\x03\x04 nothing", "cannot be unpacked"),
    "text": ("notes.txt", b"Just some notes. " * 50, "is no PDF, HTML page or LaTeX source"),
    "picture": ("a.png", b"\x89PNG\r\n\x1a\n" + b"\x00" * 500, "is no PDF, HTML page"),
    "damaged archive": ("a.tar.gz", made.tar_gz({"ms.tex": made.latex_paper()})[:-200], "cannot be unpacked"),
    "archive without source": ("a.zip", made.zipped({"fig.eps": b"x"}), "holds no LaTeX source"),
    "html without text": ("a.html", b"<html><body><script>x</script></body></html>", "next to no text"),
    "too large": ("a.pdf", b"%PDF-1.4" + b" " * 60_000_001, "larger than 60 MB"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_said_in_a_sentence(name: str) -> None:
    file, data, said = BAD[name]
    with pytest.raises(DocumentError, match=said) as error:
        read_document(file, data)
    assert str(error.value).startswith(file) and str(error.value).endswith((".", ")"))


def test_what_a_file_is_decides_not_its_name() -> None:
    document = read_document("paper.html", made.pdf([made.paper_lines()]))
    assert document.form == "PDF"
    assert document.notes == ("it is PDF by its content and was read as that",)
    assert form_of("paper", made.html_paper()) == "HTML"


def test_an_archive_that_unpacks_to_gigabytes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_latex, "MOST_UNPACKED", 3_000_000)
    for bomb in (
        made.tar_gz({"fig.eps": bytes(4_000_000), "ms.tex": made.latex_paper()}),
        made.zipped({"fig.eps": bytes(4_000_000), "ms.tex": made.latex_paper()}),
        gzip.compress(made.latex_paper() + bytes(4_000_000)),
    ):
        with pytest.raises(DocumentError, match="unpacks to more than 3 MB"):
            read_here("bomb.tar.gz", bomb)


def test_a_reader_that_hangs_or_crashes_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_reader, "SECONDS", 0.05)
    with pytest.raises(DocumentError, match=r"not read within 0.05 seconds"):
        read_document("a.pdf", made.pdf([made.paper_lines()]))
    monkeypatch.setattr(document_reader, "SECONDS", 40)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(DocumentError, match=r"made its reader fail \(status 1\)"):
        read_document("a.pdf", made.pdf([made.paper_lines()]))


def test_the_reading_process_is_held_to_its_memory_and_sees_no_key() -> None:
    code = (
        "import json, os\nfrom indexer import document_reader as r\nr._limit()\n"
        "try:\n    bytearray(r.MEMORY_BYTES * 2)\n    held = False\nexcept MemoryError:\n    held = True\n"
        "print(json.dumps(held))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) is True
    assert not any("KEY" in name or "TOKEN" in name for name in document_reader._ENVIRONMENT)


@given(st.binary(max_size=600), st.sampled_from(["a.pdf", "a.html", "a.tex", "a.zip", "a.tar.gz"]), st.sampled_from([b"", b"%PDF-1.4\n", b"<html><body>", b"PK\x03\x04", b"\x1f\x8b\x08\x00", rb"\begin{document}"]))  # fmt: skip
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_a_document_or_a_sentence(data: bytes, name: str, begin: bytes) -> None:
    try:
        read_here(name, begin + data)
    except DocumentError as error:
        assert str(error).startswith(name)


@pytest.mark.parametrize(
    ("name", "page", "found"),
    [
        ("2401.00001v2.pdf", "", ("2401.00001",)),
        ("arXiv-2401.00001v1.tar.gz", "", ("2401.00001",)),
        ("astro-ph0601234.pdf", "", ("astro-ph/0601234",)),
        ("x.pdf", "arXiv:2401.00002v3 [astro-ph.GA] 3 Jan 2024", ("2401.00002",)),
        ("x.pdf", "https://doi.org/10.3847/1538-4357/abc123.", ("10.3847/1538-4357/abc123",)),
        ("report-2024.12.pdf", "seen at 1234.5 GHz", ()),
    ],
)
def test_identifiers_of_a_file(name: str, page: str, found: tuple[str, ...]) -> None:
    assert identifiers_in(name, page) == found
