"""LaTeX source of papers: a single file, or arXiv's archive of them, unpacked in memory and never on disk.

What \\input names is taken from the archive and from nowhere else.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath

from indexer.clean import plain_text
from indexer.document import (
    MOST_CHARACTERS,
    OPENING_CHARACTERS,
    Document,
    Heading,
    identifiers_in,
    sections_of,
)
from indexer.errors import DocumentError

MOST_MEMBERS = 5000  # of an archive
MOST_UNPACKED = 400_000_000  # bytes of all its members, figures among them
MOST_SOURCE = 8_000_000  # bytes of one file of source
MOST_INPUTS = 200  # files put into each other
MOST_EXPANSIONS = 20_000  # of the author's own macros

_SOURCE = (".tex", ".ltx", ".latex")
_COMMENT = re.compile(r"(?<!\\)%[^\n]*")
_INPUT = re.compile(r"\\(?:input|include|subfile)\s*\{?\s*([\w./ -]+?)\s*(?:\}|(?=\s|$))")
_MACRO = re.compile(
    r"\\(?:new|renew|provide)command\*?\s*\{?\s*(\\[A-Za-z]+)\s*\}?\s*(?:\[(\d)\])?\s*(?=\{)|\\def\s*(\\[A-Za-z]+)\s*(?=\{)"
)
_LEFT_OUT = re.compile(
    r"\\begin\{(thebibliography|comment|tikzpicture|verbatim|lstlisting|tabular\*?|tabularx|longtable|acknowledge?ments?"
    r"|CCSXML|filecontents\*?|keywords?)\}.*?\\end\{\1\}",
    re.DOTALL,
)
_TABLE_BODY = re.compile(r"\\startdata.*?\\enddata", re.DOTALL)
_DISPLAY = re.compile(
    r"\\begin\{(equation|align|eqnarray|gather|multline|displaymath|math)(\*?)\}(.*?)\\end\{\1\2\}|\\\[(.*?)\\\]",
    re.DOTALL,
)
_NOTHING = re.compile(
    r"\\(?:label|cite[a-zA-Z]*|nocite|ref|eqref|autoref|cref|pageref|includegraphics|plotone|plottwo|epsscale|vspace|hspace"
    r"|bibliography|bibliographystyle|usepackage|affiliation|affil|altaffil|email|correspondingauthor|orcid|keywords"
    r"|footnotemark|thanks|pagestyle|thispagestyle|setcounter|setlength|addtocounter|tablecolumns|tabletypesize|tablewidth"
    r"|colhead|input|include|bibitem|date|hypersetup|received|revised|accepted|submitjournal|shorttitle|shortauthors)"
    r"\*?(?:\s*\[[^\]]*\])*(?:\s*\{[^{}]*\})*"
)
_HEADING = re.compile(
    r"\\(section|subsection|subsubsection|chapter|appendix|acknowledge?ments?)(?![A-Za-z])\*?(?:\s*\[[^\]]*\])?"
    r"|\\begin\{abstract\}|\\end\{abstract\}|\\abstract(?=\s*\{)"
)
_LEVELS = {"chapter": 1, "section": 1, "subsection": 2, "subsubsection": 3}
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[A-Za-z*]+\}(?:\[[^\]]*\])?(?:\{[lcrp|@. ]+\})?")
_NAME_ONLY = re.compile(
    r"\\(?:caption|tablecaption|figcaption|tablecomments|tablenotetext\{\w+\}|texttt|textsc|underline|uline|textcolor\{\w+\}"
    r"|added|replaced|software|facilities?)\*?(?:\[[^\]]*\])?(?=\s*\{)"
)
_NO_TEXT = re.compile(
    r"\\(?:maketitle|noindent|centering|newpage|clearpage|small|footnotesize|large|bigskip|medskip|smallskip|par|item|hline|toprule"
    r"|midrule|bottomrule|protect|nonumber|notag|left|right|displaystyle|indent|raggedright|linenumbers|and|newline|begingroup|endgroup|relax|tableofcontents|pagerange|lastpage)(?![A-Za-z])"
)


def read_archive(name: str, data: bytes) -> Document:
    """Read an archive of LaTeX source (tar, zip, or one compressed file).

    Raises:
        DocumentError: it is damaged, unpacks to too much, or holds no paper.
    """
    members: dict[str, str] = {}
    notes: list[str] = []
    try:
        unpacker = _unzipped if data[:2] == b"PK" else _untarred
        for path, content in unpacker(data):
            place = _inside(path)
            if place is None:
                notes.append("a file that points outside the archive was left out")
            else:
                members[place] = _decoded(content)
    except _TooMuch:
        raise DocumentError(
            f"{name} unpacks to more than {MOST_UNPACKED / 1e6:.0f} MB: add its main .tex file or a PDF instead."
        ) from None
    except (
        OSError,
        EOFError,
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
        NotImplementedError,
    ):
        raise DocumentError(
            f"{name} cannot be unpacked: it is damaged or has a password. Download it again, or add a PDF."
        ) from None  # fmt: skip
    main = _main_file(members)
    if main is None:
        raise DocumentError(
            f"{name} holds no LaTeX source of a paper (no file with \\begin{{document}}): add a PDF instead."
        )
    return _document(name, members, main, list(dict.fromkeys(notes)))


def read_latex(name: str, data: bytes) -> Document:
    """Read one file of LaTeX source; the files that it inputs are not there, and that is said."""
    return _document(name, {name: _decoded(data)}, name, [])


class _TooMuch(Exception):
    """An archive that unpacks to more than may be held."""


class _Counted(io.RawIOBase):
    """A stream that stops a reader which takes more than MOST_UNPACKED bytes from it."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream, self._room = stream, MOST_UNPACKED

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer from the stream, as long as there is room."""
        data = self._stream.read(len(buffer))
        self._room -= len(data)
        if self._room < 0:
            raise _TooMuch
        buffer[: len(data)] = data
        return len(data)


def _untarred(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Source files of a tar archive, compressed or not; one compressed file is an archive of itself."""
    stream: io.BufferedIOBase = io.BytesIO(data)
    if data[:2] == b"\x1f\x8b":
        stream = gzip.GzipFile(fileobj=stream)
    counted = io.BufferedReader(_Counted(stream))
    if counted.peek(512)[257:262] != b"ustar":
        content = counted.read(MOST_SOURCE + 1)
        yield "paper.tex", content[:MOST_SOURCE]
        return
    with tarfile.open(fileobj=counted, mode="r|") as archive:
        for number, member in enumerate(archive):
            if number >= MOST_MEMBERS:
                raise _TooMuch
            if member.isfile() and member.name.lower().endswith(_SOURCE):
                opened = archive.extractfile(member)
                if opened is not None and member.size <= MOST_SOURCE:
                    yield member.name, opened.read()


def _unzipped(data: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS or sum(m.file_size for m in members) > MOST_UNPACKED:
            raise _TooMuch
        for member in members:
            if member.filename.lower().endswith(_SOURCE):
                with archive.open(member) as opened:
                    content = opened.read(MOST_SOURCE + 1)
                if len(content) <= MOST_SOURCE:
                    yield member.filename, content


def _inside(path: str) -> str | None:
    """The path within its archive, or None where it points outside."""
    pure = PurePosixPath(path.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or ":" in path[:2]:
        return None
    return str(pure)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _main_file(members: Mapping[str, str]) -> str | None:
    """The file that holds the paper: the longest, its inputs included, of those that begin a document."""
    begun = [path for path, text in members.items() if r"\begin{document}" in text]
    return max(begun, key=lambda path: len(_whole(path, members, [])), default=None)


def _whole(main: str, members: Mapping[str, str], missing: list[str]) -> str:
    """The main file without comments, with what it inputs in place; what is not there is listed."""
    taken = [0]
    folder = PurePosixPath(main).parent

    def put_in(match: re.Match[str], inside: tuple[str, ...]) -> str:
        named = match[1]
        for candidate in (named, f"{named}.tex"):
            path = str(folder / candidate)
            if path in members and path not in inside and taken[0] < MOST_INPUTS:
                taken[0] += 1
                return expanded(path, (*inside, path))
        missing.append(named)
        return " "

    def expanded(path: str, inside: tuple[str, ...]) -> str:
        text = _COMMENT.sub("", members[path])
        return _INPUT.sub(lambda match: put_in(match, inside), text)[: 4 * MOST_CHARACTERS]

    return expanded(main, (main,))[: 4 * MOST_CHARACTERS]


def _document(name: str, members: Mapping[str, str], main: str, notes: list[str]) -> Document:
    missing: list[str] = []
    source = _whole(main, members, missing)
    if missing:
        shown = ", ".join(dict.fromkeys(missing[:3]))
        notes.append(
            f"{len(set(missing))} files that it inputs are not there ({shown}): give the whole source as .tar.gz"
        )
    source = _without_own_macros(source)
    preamble, _, body = source.partition(r"\begin{document}")
    if not body:
        preamble, body = "", source
    body = body.partition(r"\end{document}")[0]
    title = plain_text(_field("title", source))[:300]
    authors = _authors(source)
    year = re.search(
        r"(?:19|20)\d\d", " ".join(_field(n, source) for n in ("accepted", "received", "date"))
    )
    return Document(
        name=name,
        form="LaTeX",
        sections=sections_of(_lines(body)),
        title=title,
        authors=tuple(authors[:100]),
        year=int(year[0]) if year else None,
        identifiers=identifiers_in(name, preamble[:OPENING_CHARACTERS]),
        opening=f"{title} {' '.join(authors[:5])}"[:OPENING_CHARACTERS],
        notes=tuple(notes),
    )


def _argument(text: str, at: int) -> tuple[str, int]:
    """What stands in the braces at `at`, or the one letter there, and where it ends."""
    start = at + len(text[at : at + 80]) - len(text[at : at + 80].lstrip())
    if text[start : start + 1] != "{":
        return text[start : start + 1], start + 1
    depth = 0
    for i in range(start, len(text)):
        if text[i] == "{" and text[i - 1] != "\\":
            depth += 1
        elif text[i] == "}" and text[i - 1] != "\\":
            depth -= 1
            if depth == 0:
                return text[start + 1 : i], i + 1
    return "", start + 1


def _field(name: str, source: str) -> str:
    match = re.search(rf"\\{name}\s*(?:\[[^\]]*\]\s*)?(?=\{{)", source)
    return _argument(source, match.end())[0] if match else ""


def _authors(source: str) -> list[str]:
    """The authors of all \\author commands, notes and marks taken away."""
    found: list[str] = []
    for match in re.finditer(r"\\author\s*(?:\[[^\]]*\]\s*)?(?=\{)", source):
        lines = re.split(r"\\\\|\\newauthor\b", _argument(source, match.end())[0])
        said = ",".join(line for line in lines if not re.match(r"\s*\$\s*\^", line))  # institutes
        said = re.sub(r"\\(?:thanks|inst|altaffilmark|footnote|affil|orcid\w*|textsuperscript|email)\s*(?:\{[^{}]*\})+|\$[^$]*\$", " ", said)  # fmt: skip
        for part in re.split(r"\\and\b|,|\band\b|&|\n\s*\n", said):
            name = plain_text(part).strip(" .;")
            if 3 < len(name) < 60 and not re.search(r"\d|@", name):
                found.append(name)
    return list(dict.fromkeys(found))


def _without_own_macros(source: str) -> str:
    """The source with the macros that its author defined put out in full, and their definitions gone."""
    macros: dict[str, tuple[int, str]] = {}
    pieces: list[str] = []
    at = 0
    for match in _MACRO.finditer(source):
        if match.start() < at:
            continue
        body, end = _argument(source, match.end())
        macros[match[1] or match[3]] = (int(match[2] or 0), body)
        pieces.append(source[at : match.start()])
        at = end
    source = "".join([*pieces, source[at:]])
    if not macros:
        return source
    names = "|".join(re.escape(name) for name in sorted(macros, key=len, reverse=True))
    used = re.compile(rf"(?:{names})(?![A-Za-z])(?:\{{\}})?")
    for _ in range(3):  # macros in macros
        source, n = _expanded(source, used, lambda name: macros[name])
        if not n:
            break
    return source


def _expanded(
    source: str, used: re.Pattern[str], macro: Callable[[str], tuple[int, str]]
) -> tuple[str, int]:
    pieces: list[str] = []
    at = n = size = 0
    for match in used.finditer(source):
        if match.start() < at:
            continue
        if n >= MOST_EXPANSIONS or size > 4 * MOST_CHARACTERS:
            break
        wanted, body = macro(match.group().removesuffix("{}"))
        end = match.end()
        for number in range(1, wanted + 1):
            argument, end = _argument(source, end)
            body = body.replace(f"#{number}", argument)
        pieces += [source[at : match.start()], body]
        size += len(body)
        at, n = end, n + 1
    return "".join([*pieces, source[at:]]), n


def _lines(body: str) -> Iterator[str | Heading]:
    """Headings and paragraphs of a document's body as plain text."""
    body = _TABLE_BODY.sub(" ", _LEFT_OUT.sub(" ", body))
    at = 0
    for match in _HEADING.finditer(body):
        if match.start() < at:
            continue
        yield from _paragraphs(body[at : match.start()])
        command = match[1] or ""
        at = match.end()
        if command in _LEVELS:
            name, at = _argument(body, at)
            yield Heading(plain_text(_NOTHING.sub("", name)), _LEVELS[command])
        elif command == "appendix":
            yield Heading("Appendix")
        elif command:
            yield Heading("Acknowledgements")
        elif match.group().startswith("\\end"):
            yield Heading("")
        else:
            yield Heading("Abstract")
    yield from _paragraphs(body[at:])


def _paragraphs(source: str) -> Iterator[str]:
    for part in re.split(r"\n\s*\n|\\item\b|\\par\b", source):
        text = _DISPLAY.sub(lambda m: f" ${' '.join((m[3] or m[4]).split())}$ ", part)
        text = re.sub(r"\\footnote\s*\{([^{}]*)\}", r" (\1)", text)
        text = _NAME_ONLY.sub(" ", text)
        text = _NO_TEXT.sub(" ", _ENVIRONMENT.sub(" ", _NOTHING.sub("", text)))
        text = re.sub(r"\\(?:title|author|affiliation|abstract)\*?(?:\[[^\]]*\])*\{[^{}]*\}", " ", text)  # fmt: skip
        plain = re.sub(
            r"\s+([.,;:)])", r"\1", plain_text(re.sub(r"\\\\(?:\[[^\]]*\])?", " ", text))
        )
        plain = re.sub(r"\(\s*[;,\s]*\)", "", plain).strip()
        if any(map(str.isalpha, plain)):
            yield f"{plain}\n"
