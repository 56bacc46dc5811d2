"""Papers from files: JSON lines, CSV, Parquet and BibTeX, each read by a well-kept reader.

Everything is checked at this door, in `paper_from_mapping`; inside, papers are trusted. A record that
cannot be a paper is counted with its reason and never stops a run.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import re
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from indexer import config
from indexer.errors import SourceError
from indexer.journal import Journals
from indexer.records import IngestReport, NotAPaper, Paper, normalise_arxiv_id, normalise_doi
from indexer.sources_ads import ads_token_for, read_ads
from indexer.sources_arxiv import arxiv_place, read_arxiv, snapshot_records
from indexer.sources_bibtex import bibtex_records
from indexer.sources_graph import check_graph, graph_records
from indexer.sources_lfs import refuse_pointer

CSV_ROWS = 5_000
PARQUET_ROWS = 2_000
MAX_LINE_BYTES = 64 << 20
SCHEMES = (
    "a file, `starter`, `ads:QUERY`, `arxiv:CATEGORY`, `arxiv-snapshot:FILE` or `astro-ph-kg:DIR`"
)
EARLIEST_YEAR, LATEST_YEAR = 1500, 2100
WANTED = (
    "bibcode, arxiv_id, doi, title, abstract, authors, year, date, journal, doctype, keywords, "
    "categories, citation_count, references"
)

# Column names that other programs (ADS's CSV export among them) give to the same things.
_SYNONYMS = {
    "author": "authors", "publication year": "year", "pubdate": "date", "publication date": "date",
    "publication": "journal", "pub": "journal", "bibstem": "journal", "doc type": "doctype",
    "keyword": "keywords", "citations": "citation_count", "citation count": "citation_count",
    "arxiv id": "arxiv_id", "arxiv": "arxiv_id", "eprint": "arxiv_id", "reference": "references",
    "facility": "facilities", "category": "categories",
}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

# AAS macros for journals, as ADS's BibTeX and some digests give them.
_JOURNALS = {
    r"\aj": "AJ", r"\apj": "ApJ", r"\apjl": "ApJL", r"\apjs": "ApJS", r"\mnras": "MNRAS", r"\aap": "A&A",
    r"\aapr": "A&ARv", r"\araa": "ARA&A", r"\nat": "Nature", r"\pasp": "PASP", r"\pasj": "PASJ",
    r"\prd": "PhRvD", r"\prl": "PhRvL", r"\jcap": "JCAP", r"\icarus": "Icarus", r"\solphys": "SoPh",
    r"\ssr": "SSRv", r"\aplett": "ApL", r"\apss": "Ap&SS", r"\physrep": "PhR", r"\nar": "NewAR", r"\na": "NewA",
}  # fmt: skip

Record = Mapping[str, Any]


def read_source(
    source: str, report: IngestReport, *, title_only: bool = False, journals: Journals | None = None
) -> Generator[Paper, None, None]:
    """Yield the papers of `source`: a file, `starter` or `SCHEME:REST`; count each record in `report`.

    `title_only` takes papers without an abstract too. `journals` keeps the pages of a harvest over the
    network, so that a killed one goes on.

    Raises:
        SourceError: the source cannot be read at all.
        MissingCredential, RemoteError: see the reader of its scheme.
    """
    harvest = report.begin(source)
    for record in _records(source, report, journals or Journals()):
        harvest.read += 1
        if isinstance(record, NotAPaper):
            harvest.skip(str(record), source)
            continue
        try:
            yield paper_from_mapping(record, title_only=title_only)
        except NotAPaper as reason:
            harvest.skip(str(reason), _describe(record))


def check_source(source: str) -> None:
    """Look at a source before anything slow is begun: what it names is there and can be opened.

    Of a file the first record is read, of a harvest over the network nothing is asked.

    Raises:
        SourceError: the source cannot be read at all.
        MissingCredential: ADS is asked for, no token is set, and no harvest of today is kept.
    """
    scheme, colon, rest = source.partition(":")
    if colon and scheme == "ads":
        journals = Journals()
        try:
            kept = journals.open(source).state.complete
        finally:
            journals.close()
        ads_token_for(rest, needed=not kept)
    elif colon and scheme == "arxiv":
        arxiv_place(rest)
    elif colon and scheme == "astro-ph-kg":
        check_graph(Path(rest))
    elif not source.lower().endswith(".bib"):  # read whole, and so left to the build
        next(iter(_records(source, IngestReport(), Journals())), None)
    else:
        _file_records(Path(source))


def paper_from_mapping(record: Record, *, title_only: bool = False) -> Paper:
    """Return the paper that a record describes; fields that make no sense are left out.

    A record with `"enriches": True` adds to a paper of another source and needs neither title nor abstract.

    Raises:
        NotAPaper: it has no title, or no abstract (unless `title_only`).
    """
    title, abstract = _text(record.get("title")), _text(record.get("abstract"))
    if record.get("enriches") is not True:
        if not title:
            raise NotAPaper("no title")
        if not abstract and not title_only:
            raise NotAPaper("no abstract")
    date = _date(record.get("date"))
    year = _year(record.get("year"))
    journal = _text(record.get("journal"))
    arxiv_id, doi = _text(record.get("arxiv_id")), _text(record.get("doi"))
    return Paper(
        title=title,
        abstract=abstract,
        bibcode=_text(record.get("bibcode")) or None,
        arxiv_id=normalise_arxiv_id(arxiv_id) or None,
        doi=normalise_doi(doi) or None,
        authors=_list(record.get("authors") or record.get("first_author"), separator=";"),
        year=year if year is not None else _year(date),
        date=date,
        journal=_JOURNALS.get(journal, journal) or None,
        doctype=_text(record.get("doctype")) or None,
        keywords=_list(record.get("keywords"), separator=";"),
        categories=_list(record.get("categories"), separator=None),
        citation_count=_count(record.get("citation_count")),
        references=_list(record.get("references"), separator=";"),
        facilities=_list(record.get("facilities"), separator=";"),
        aliases=_list(record.get("aliases"), separator=";"),
        bibgroups=_list(record.get("bibgroups"), separator=";"),
        objects=_list(record.get("objects"), separator=";"),
        concepts=_list(record.get("concepts"), separator=";"),
    )


def _records(source: str, report: IngestReport, journals: Journals) -> Iterator[Record | NotAPaper]:
    scheme, colon, rest = source.partition(":")
    if source == "starter":
        return _json_lines(config.STARTER_CORPUS)
    if colon and scheme == "ads":
        return read_ads(rest, report, journal=journals.open(source))
    if colon and scheme == "arxiv":
        return read_arxiv(rest, report, journal=journals.open(source))
    if colon and scheme == "arxiv-snapshot":
        return _readable(rest, snapshot_records(rest, _lines))
    if colon and scheme == "astro-ph-kg":
        return _readable(rest, graph_records(Path(rest), _lines))
    if colon and len(scheme) > 1 and not Path(source).exists():
        raise SourceError(f"{source!r} has the unknown scheme {scheme!r}: give {SCHEMES}.")
    return _file_records(Path(source))


def _file_records(path: Path) -> Iterator[Record | NotAPaper]:
    if not path.exists():
        raise SourceError(f"There is no file {path}.")
    if path.is_dir():
        raise SourceError(f"{path} is a directory: name a file ({', '.join(READERS)}).")
    refuse_pointer(path)
    if path.stat().st_size == 0:
        raise SourceError(f"{path} is empty.")
    for ending, reader in READERS.items():
        if path.name.lower().endswith(ending):
            return _readable(path, reader(path))
    raise SourceError(f"{path} has an ending that is not known: expected {', '.join(READERS)}.")


def _readable(
    place: Path | str, records: Iterator[Record | NotAPaper]
) -> Iterator[Record | NotAPaper]:
    """The records of a place, its operating-system errors in words."""
    try:
        yield from records
    except OSError as error:
        raise SourceError(f"{place} cannot be read: {error.strerror or error}.") from error


def _json_lines(path: Path) -> Iterator[Record | NotAPaper]:
    whole = 0
    for number, line in enumerate(_lines(path), 1):
        if isinstance(line, NotAPaper):
            yield line
            continue
        if not line.strip():
            continue
        try:
            record = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError:
            yield NotAPaper("line is not UTF-8")
            continue
        except (ValueError, RecursionError):
            yield NotAPaper("line is not JSON")
            continue
        if not isinstance(record, dict):
            yield NotAPaper("line is not a JSON object")
            continue
        whole += 1
        yield record
    if not whole:
        raise SourceError(
            f"{path} holds no JSON object: expected UTF-8 text with one paper a line ({WANTED})."
        )


def _lines(path: Path) -> Iterator[bytes | NotAPaper]:
    """Lines of a plain or gzip file; a file cut in the middle gives what it has and says so."""
    if path.suffix != ".gz":
        with path.open("rb") as stream:
            yield from stream
        return
    try:
        with gzip.open(path, "rb") as stream:
            yield from stream
    except gzip.BadGzipFile as error:
        raise SourceError(f"{path} is not a gzip file: {error}.") from error
    except (EOFError, zlib.error):
        yield NotAPaper("file is cut off or damaged: the rest of it could not be read")


def _csv(path: Path) -> Iterator[Record | NotAPaper]:
    import pandas as pd

    bad: list[list[str]] = []
    csv.field_size_limit(
        MAX_LINE_BYTES
    )  # the python engine's default of 128 KiB is an abstract too few
    try:
        chunks = pd.read_csv(
            path,
            dtype=str,
            keep_default_na=False,
            chunksize=CSV_ROWS,
            encoding_errors="replace",
            engine="python",
            on_bad_lines=bad.append,
        )
        for chunk in chunks:
            columns = _known_columns(path, list(chunk.columns))
            for row in chunk.itertuples(index=False, name=None):
                yield {name: value for name, value in zip(columns, row, strict=True) if name}
            yield from (NotAPaper("row has more fields than the header") for _ in bad)
            bad.clear()
    except (EOFError, zlib.error):
        yield NotAPaper("file is cut off or damaged: the rest of it could not be read")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read as CSV: {error}") from error


def _parquet(path: Path) -> Iterator[Record | NotAPaper]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path)
        columns = _known_columns(path, table.schema_arrow.names)
        for batch in table.iter_batches(batch_size=PARQUET_ROWS):
            for row in batch.to_pylist():
                yield {name: row[given] for name, given in zip(columns, row, strict=True) if name}
    except pa.ArrowException as error:
        raise SourceError(f"{path} cannot be read as Parquet: {error}") from error


def _bibtex(path: Path) -> Iterator[Record | NotAPaper]:
    content = path.read_bytes().decode("utf-8-sig", errors="replace")
    empty = True
    for record in bibtex_records(content):
        empty = False
        yield NotAPaper(record) if isinstance(record, str) else record
    if empty:
        raise SourceError(f"{path} holds no BibTeX entry.")


READERS: dict[str, Callable[[Path], Iterator[Record | NotAPaper]]] = {
    ".jsonl": _json_lines,
    ".jsonl.gz": _json_lines,
    ".csv": _csv,
    ".csv.gz": _csv,
    ".parquet": _parquet,
    ".bib": _bibtex,
}


def _known_columns(path: Path, found: Iterable[object]) -> list[str]:
    """Each column's name here, empty where it is not known."""
    names = [str(name).strip().lower() for name in found]
    known = [_SYNONYMS.get(name, name) for name in names]
    if missing := [name for name in ("title", "abstract") if name not in known]:
        raise SourceError(
            f"{path} has no column {' and no column '.join(missing)}. "
            f"Columns found: {', '.join(map(str, names))}. Columns wanted: {WANTED}."
        )
    return [name if name.replace("_", "").isalpha() else "" for name in known]


def _describe(record: Record) -> str:
    for name in ("bibcode", "arxiv_id", "doi", "title"):
        if text := _text(record.get(name)):
            return text
    return "a record without identifier or title"


def _text(value: object) -> str:
    """A string without control characters and lone surrogates; the first of a list; "" if missing."""
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    if (
        value is None
        or isinstance(value, bool | dict)
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        return ""
    text = str(value)
    if not text.isprintable():
        text = _CONTROL.sub(" ", text).encode("utf-8", "replace").decode("utf-8")
    return text.strip()


def _list(value: object, *, separator: str | None) -> tuple[str, ...]:
    """A tuple of strings from a list, or from one string split at `separator` (None: white space)."""
    if isinstance(value, str):
        value = value.split(separator) if separator is None or separator in value else [value]
    if not isinstance(value, list | tuple):
        return ()
    return tuple(text for item in value if (text := _text(item)))


def _number(value: object) -> float | None:
    try:
        number = float(_text(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _count(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and 0 <= number < 2**31 else None


def _year(value: object) -> int | None:
    match = re.match(r"\d{4}(?!\d)", _text(value))
    year = int(match.group()) if match else 0
    return year if EARLIEST_YEAR <= year <= LATEST_YEAR else None


def _date(value: object) -> str | None:
    """`2025-1-10` -> `2025-01-10`, `1992-04`, `2024-00-00` (ADS: month unknown) -> `2024`."""
    match = re.match(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?(?!\d)", _text(value))
    if not match or not EARLIEST_YEAR <= int(match[1]) <= LATEST_YEAR:
        return None
    month, day = int(match[2] or 0), int(match[3] or 0)
    if not 1 <= month <= 12:
        return match[1]
    return f"{match[1]}-{month:02d}" + (f"-{day:02d}" if 1 <= day <= 31 else "")
