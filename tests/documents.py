"""Small papers as files, made up for the tests: PDF written by hand, HTML, LaTeX and its archives."""

from __future__ import annotations

import gzip
import io
import tarfile
import textwrap
import zipfile

TITLE = "Dust lanes of the made-up galaxy NGC 99999 and its quiet nucleus"
ABSTRACT = (
    "We map the dust lanes of NGC 99999 with an invented camera. The nucleus is quiet and hosts no jet. "
    "The lanes carry most of the cold gas."
)
SECTIONS = {
    "Introduction": "Dust lanes trace cold gas in early-type galaxies. Their origin has been debated for decades, and "
    "mergers with small companions are the usual explanation of what is seen.",
    "Observations": "We observed NGC 99999 for 14 hours on three nights in March. The seeing was 0.8 arcsec, and the "
    "data were reduced with the pipeline that came with the camera.",
    "Results": "The dust mass of NGC 99999 is 3.7 million solar masses. The lanes rotate against the stars at 210 km/s, "
    "which shows that their gas came from outside the galaxy.",
}
REFERENCES = (
    "Smith, J. 2001, ApJ, 1, 1. A paper that must never be quoted as evidence of anything at all."
)
QUESTION = "What is the dust mass of NGC 99999?"
FINDING = "The dust mass of NGC 99999 is 3.7 million solar masses."


def paper_lines() -> list[str]:
    """The paper as lines of a page."""
    lines = [TITLE, "Ada Moss, Jon Reed", "ABSTRACT", *textwrap.wrap(ABSTRACT, 90)]
    for number, (name, text) in enumerate(SECTIONS.items(), 1):
        lines += [f"{number}. {name.upper()}", *textwrap.wrap(text, 90)]
    return [*lines, "REFERENCES", *textwrap.wrap(REFERENCES, 90)]


def pdf(pages: list[list[str]], *, info: str = "", encrypted: bool = False) -> bytes:
    """A PDF of pages of lines; `encrypted` with a password that nobody knows."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"]  # fmt: skip
    kids = []
    for lines in pages:
        body = "".join(_line(line) for line in lines)
        stream = f"BT 16 TL 40 800 Td\n{body}ET"
        objects.append(f"<< /Length {len(stream.encode('cp1252'))} >>\nstream\n{stream}\nendstream")
        kids.append(len(objects) + 1)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {len(objects)} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{n} 0 R' for n in kids)}] >>"  # fmt: skip
    objects.append(f"<< {info} >>")
    trailer = f"/Info {len(objects)} 0 R"
    if encrypted:
        objects.append(f"<< /Filter /Standard /V 1 /R 2 /P -44 /O <{'ab' * 32}> /U <{'cd' * 32}> >>")  # fmt: skip
        trailer += f" /Encrypt {len(objects)} 0 R /ID [<00> <00>]"
    return _file(objects, trailer)


def _line(line: str) -> str:
    """A line in the type of text, or larger where it is the title."""
    size = 14 if line == TITLE else 9
    return f"/F1 {size} Tf ({_escaped(line)}) Tj T*\n"


def _file(objects: list[str], trailer: str) -> bytes:
    data = b"%PDF-1.4\n"
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{content}\nendobj\n".encode("cp1252")
    rows = "".join(f"{place:010d} 00000 n \n" for place in places)
    table = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{rows}"
    end = f"trailer << /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{len(data)}\n%%EOF\n"
    return data + table.encode() + end.encode()


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def html_paper(extra: str = "") -> bytes:
    """The paper as a page of a journal."""
    sections = "".join(f"<section><h2>{n}. {name}</h2><p>{text}</p></section>" for n, (name, text) in enumerate(SECTIONS.items(), 1))  # fmt: skip
    return f"""<!doctype html><html><head><meta charset="utf-8"><title>A journal</title>
<meta name="citation_title" content="{TITLE}"><meta name="citation_author" content="Moss, Ada">
<meta name="citation_author" content="Reed, Jon"><meta name="citation_date" content="2024/03/18">
<meta name="citation_doi" content="10.9999/dust"></head><body><nav>Log in to read the whole menu of this journal</nav>
<article><h1>{TITLE}</h1><h2>Abstract</h2><p>{ABSTRACT}</p>{sections}{extra}
<section><h2>References</h2><p>{REFERENCES}</p></section></article>
<script>document.write("a script that says dust mass of NGC 99999 is 1")</script></body></html>""".encode()


def latex_paper(results: str | None = None) -> bytes:
    """The paper as LaTeX source; `results` in the place of its results, such as an \\input."""
    texts = {**SECTIONS, "Results": results or rf"{SECTIONS['Results']} \citep{{Smith2001}}"}
    sections = "".join(rf"\section{{{name}}}" + f"\n{text}\n\n" for name, text in texts.items())
    return rf"""\documentclass{{aastex631}}
\newcommand{{\gal}}{{NGC 99999}} % a macro of the authors
\newcommand{{\units}}[2]{{#1 #2}}
\begin{{document}}
\title{{{TITLE}}}
\author[0000-0001]{{Ada Moss}}
\author{{Jon Reed}}
\begin{{abstract}}
{ABSTRACT}
\end{{abstract}}
{sections}
\subsection{{Mass of stars}} The stars of \gal\ weigh $\sim 10^{{10}}$ times the Sun, or \units{{20}}{{piles}}.
\begin{{equation}} M = 3.7 \label{{eq:m}} \end{{equation}}
\begin{{thebibliography}}{{9}} \bibitem{{Smith2001}} {REFERENCES} \end{{thebibliography}}
\end{{document}}
""".encode()


def tar_gz(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A compressed archive of files and symbolic links."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return gzip.compress(whole.getvalue())


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip archive."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return whole.getvalue()
