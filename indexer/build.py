"""From sources to a snapshot: the indexer's main path, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import islice
from pathlib import Path

from indexer import config
from indexer.encoder import Encoder
from indexer.errors import SourceError
from indexer.lexical import LexicalBuilder
from indexer.merge import merge_papers
from indexer.records import IngestReport, Paper
from indexer.sources import read_source
from indexer.store import SCHEMA_VERSION, Manifest, build_lock, write_snapshot
from indexer.vectors import cached_vectors, text_key

Progress = Callable[[str, int, int | None], None]  # stage, done, total (None: unknown)


def build_index(
    sources: Sequence[str],
    out: Path,
    *,
    encoder: Encoder,
    limit: int | None = None,
    as_of: date | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> tuple[Manifest, IngestReport]:
    """Read `sources`, merge, encode and write the snapshot at `out`; return its manifest and the counts.

    `limit` stops after that many records read. `as_of` is the date that ages are counted from
    (default: today). What was encoded before, in any build, is not encoded again.

    Raises:
        SourceError: a source cannot be read, or holds no usable paper.
        StorageError: writing failed; the snapshot that was at `out` is untouched.
    """
    report = IngestReport()
    with build_lock(out):
        papers = merge_papers(_read(sources, report, limit, progress), report)
        if not papers:
            reasons = "; ".join(f"{n} × {reason}" for reason, n in report.skipped.items())
            raise SourceError(
                f"No usable paper in {', '.join(sources)}: {report.read} records read"
                + (f", all kept out ({reasons})." if reasons else ".")
                + " A paper needs a title and an abstract."
            )
        lexical, keys, lengths = _read_texts(papers, progress)
        vectors = cached_vectors(
            encoder,
            keys,
            lengths,
            lambda row: papers[row].text(),
            progress=lambda done, total: progress("encoding", done, total),
        )
        progress("writing", 0, None)
        manifest = write_snapshot(
            out,
            papers,
            vectors,
            lexical,
            encoder=encoder,
            sources=sources,
            report=report,
            as_of=as_of or date.today(),
        )
    return manifest, report


def starter_index_dir(encoder_name: str) -> Path:
    """Where the starter corpus's index is kept, per state of the corpus, encoder and index schema."""
    stamp = text_key(config.STARTER_CORPUS.read_text(encoding="utf-8")).hex()[:12]
    slug = "".join(c if c.isalnum() else "-" for c in encoder_name)
    return config.cache_dir() / f"starter-{slug}-{stamp}-{SCHEMA_VERSION}"


def _read(
    sources: Sequence[str], report: IngestReport, limit: int | None, progress: Progress
) -> Iterator[Paper]:
    found = (paper for source in sources for paper in read_source(source, report))
    for paper in islice(found, limit):
        if report.read % 500 == 0:
            progress("reading", report.read, limit)
        yield paper
    progress("reading", report.read, report.read)


def _read_texts(
    papers: Sequence[Paper], progress: Progress
) -> tuple[LexicalBuilder, list[bytes], list[int]]:
    """Each paper's text once: its tokens for the lexical index, its key and length for the vectors."""
    lexical = LexicalBuilder()
    keys: list[bytes] = []
    lengths: list[int] = []
    for row, paper in enumerate(papers):
        text = paper.text()
        lexical.add(text)
        keys.append(text_key(text))
        lengths.append(len(text))
        if row % 500 == 0:
            progress("reading words", row, len(papers))
    progress("reading words", len(papers), len(papers))
    return lexical, keys, lengths
