"""From sources to a snapshot: the indexer's main path, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from indexer import config, late
from indexer.cartography import Earlier, continue_landscape, make_landscape, read_corpus
from indexer.encoder import ASTRO, ASTRO_SHA256, FAST, FAST_SHA256, Encoder
from indexer.errors import SourceError
from indexer.facility_part import PART as FACILITIES
from indexer.facility_part import detection_version, write_facilities
from indexer.journal import Journals
from indexer.landscape import FORMAT, Namer, write_landscape
from indexer.landscape import PART as MAP
from indexer.layout import SEED
from indexer.lexical import LexicalBuilder
from indexer.manifest import (
    MANIFEST,
    SCHEMA_VERSION,
    Manifest,
    harvests_of,
    manifest_text,
    new_manifest,
    note_verified,
    text_version,
)
from indexer.merge import Grouper, merged, only_enriches
from indexer.origins import Origin
from indexer.parts import add_part, replace_parts
from indexer.piece_part import PART as PIECES
from indexer.piece_part import PieceBuilder
from indexer.records import Harvest, IngestReport, Paper
from indexer.snapshots import build_lock, building_folder, linked, storage_errors, swap_in
from indexer.sources import read_source
from indexer.spool import Record, Spool
from indexer.store import Index, check_encoder, open_index
from indexer.table import PaperTable
from indexer.vectors import HalfVectors, cached_vectors, text_key
from indexer.writer import VECTORS, SnapshotWriter, write_vectors

Progress = Callable[[str, int, int | None], None]  # stage, done, total (None: unknown)
UNMATCHED = "only enriches, and no paper has its identifiers"


@dataclass(frozen=True)
class BuildOptions:
    """What changes a build besides its sources.

    `limit` stops after that many usable records, `as_of` is the date that ages are counted from
    (default: today), `title_only` takes papers without an abstract, `keep` earlier snapshots are kept.
    `with_map` makes the map too; an update of an index that has one places new papers into it.
    """

    limit: int | None = None
    as_of: date | None = None
    title_only: bool = False
    with_map: bool = False
    keep: int = field(default_factory=config.kept_snapshots)


def build_index(
    sources: Sequence[str],
    out: Path,
    *,
    encoder: Encoder,
    limit: int | None = None,
    as_of: date | None = None,
    options: BuildOptions | None = None,
    progress: Progress = lambda stage, done, total: None,
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[Manifest, IngestReport]:
    """Read `sources`, merge, encode and write the snapshot at `out`; return its manifest and the counts.

    `limit` and `as_of` are short for those of `options`. What was encoded before, in any build, is not
    encoded again.

    Raises:
        SourceError: a source cannot be read, or holds no usable paper.
        StorageError: writing failed; the snapshot that was at `out` is untouched.
    """
    chosen = options or BuildOptions(limit=limit, as_of=as_of)
    out = linked(out)
    with build_lock(out):
        return _Build(out, encoder, chosen, IngestReport(tell=tell), progress).run(sources)


def update_index(
    out: Path,
    sources: Sequence[str],
    *,
    encoder: Encoder,
    options: BuildOptions | None = None,
    progress: Progress = lambda stage, done, total: None,
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[Manifest, IngestReport]:
    """Add the papers of `sources` to the index at `out`, and what they say anew of papers in it.

    Papers keep their order, new ones follow. The counts returned are of this update alone.

    Raises:
        IndexMissing, IndexCorrupt, IndexIncompatible: there is no usable index, or of another encoder.
        SourceError, StorageError: see `build_index`.
    """
    out = linked(out)
    with build_lock(out):
        base = open_index(out)
        check_encoder(base.manifest, encoder)
        build = _Build(out, encoder, options or BuildOptions(), IngestReport(tell=tell), progress)
        return build.run([_continued(source, base.manifest) for source in sources], base)


def map_index(
    out: Path,
    *,
    seed: int = SEED,
    keep: int | None = None,
    namer: Namer | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Manifest:
    """Lay the papers of the index at `out` out on a map, anew where it has one; everything else stays.

    Raises:
        IndexMissing, IndexCorrupt, IndexIncompatible: there is no usable index.
        StorageError: writing failed; the index that was there is untouched.
    """

    def write(index: Index, folder: Path) -> None:
        corpus = read_corpus(index.path)
        made = make_landscape(corpus, seed=seed, progress=progress, namer=namer)
        write_landscape(made, folder)

    return add_part(out, MAP, write, keep=config.kept_snapshots() if keep is None else keep)


def add_facilities(
    out: Path,
    *,
    keep: int | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Manifest:
    """Detect facilities and methods in the papers of the index at `out`, anew where it has them.

    Raises:
        IndexMissing, IndexCorrupt, IndexIncompatible: there is no usable index.
        StorageError: writing failed; the index that was there is untouched.
    """

    def write(index: Index, folder: Path) -> None:
        write_facilities(
            index.papers, folder, progress=lambda done, total: progress("facilities", done, total)
        )

    kept = config.kept_snapshots() if keep is None else keep
    return add_part(out, FACILITIES, write, keep=kept)


def reencode_index(
    out: Path,
    *,
    encoder: Encoder,
    keep: int | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Manifest:
    """Encode the papers of the index at `out` with another encoder; its map, where it has one, is laid out anew.

    No source is read again. What was encoded when an earlier try was stopped is not encoded again.

    Raises:
        IndexMissing, IndexCorrupt, IndexIncompatible: there is no usable index.
        StorageError: writing failed; the index that was there is untouched.
    """
    parts = [*VECTORS, MAP] if open_index(out).landscape is not None else [*VECTORS]

    def write(index: Index, folder: Path) -> None:
        papers = PaperTable(folder / "papers.arrow")
        keys = [bytes(key) for key in index.keys]
        lengths = [len(paper.title) + len(paper.abstract) for paper in papers]
        vectors = cached_vectors(
            encoder,
            keys,
            lengths,
            lambda row: papers[row].text(),
            progress=lambda done, total: progress("encoding", done, total),
        )
        progress("writing", 0, None)
        write_vectors(vectors, folder)
        if MAP in parts:
            (folder / MAP).mkdir()
            write_landscape(make_landscape(read_corpus(folder), progress=progress), folder / MAP)

    kept = config.kept_snapshots() if keep is None else keep
    return replace_parts(out, parts, write, keep=kept, encoder=encoder)


def _continued(source: str, manifest: Manifest) -> str:
    """`arxiv:CATEGORY` without a date goes on from its last harvest: a night that failed leaves no gap."""
    if not source.startswith("arxiv:") or " since " in source:
        return source
    before = [
        harvest["harvested"]
        for harvest in manifest.harvests
        if harvest["source"].split(" since ")[0] == source
    ]
    if not before:
        return source
    since = date.fromisoformat(max(before)) - timedelta(days=1)
    return f"{source} since {since.isoformat()}"


def starter_index_dir(encoder_name: str) -> Path:
    """Where the starter corpus's index is kept, per state of the corpus, encoder that ships, formats and detection."""
    stamp = text_key(config.STARTER_CORPUS.read_text(encoding="utf-8")).hex()[:12]
    weights = {ASTRO: ASTRO_SHA256, FAST: FAST_SHA256}.get(encoder_name, "")[:8]
    slug = "".join(c if c.isalnum() else "-" for c in f"{encoder_name} {weights}".strip())
    others = f"map{FORMAT}-{detection_version()[:8]}-{late.SHA256[:8]}"
    return config.cache_dir() / f"starter-{slug}-{stamp}-{SCHEMA_VERSION}-{others}"


class _Build:
    """One build or update: what all of its steps need."""

    def __init__(
        self,
        out: Path,
        encoder: Encoder,
        options: BuildOptions,
        report: IngestReport,
        progress: Progress,
    ) -> None:
        self.out, self.encoder, self.options = out, encoder, options
        self.report, self.progress = report, progress
        self.journals = Journals()
        self.unchanged: dict[int, int] = {}  # row -> row in the index being updated

    def run(
        self, sources: Sequence[str], base: Index | None = None
    ) -> tuple[Manifest, IngestReport]:
        """Build, and let go of what the sources held."""
        try:
            return self._run(sources, base)
        finally:
            self.journals.close()

    def _run(self, sources: Sequence[str], base: Index | None) -> tuple[Manifest, IngestReport]:
        """Read, merge, write words and papers, encode, write, swap in."""
        with storage_errors(self.out), building_folder(self.out) as folder:
            with Spool(folder) as spool:
                records = _Records(base, spool)
                grouper = self._read(sources, records)
                writer = SnapshotWriter(
                    folder,
                    LexicalBuilder(base.lexical if base else None),
                    PieceBuilder(late.shipped(), folder / PIECES, base.pieces if base else None),
                )
                keys, lengths = self._write_papers(grouper, records, writer)
            self._count(records, writer.n_papers, sources)
            vectors = self._vectors(folder, base, keys, lengths)
            self.progress("writing", 0, None)
            writer.write_words()
            writer.write_vectors(keys, vectors)
            self._facilities(folder, base)
            self._map(folder, base)
            manifest = self._finish(folder, writer, records.harvests)
        self.journals.clear()
        return manifest, self.report

    def _read(self, sources: Sequence[str], records: _Records) -> Grouper:
        """Spool what the sources give and group it, after the papers that are already there."""
        grouper = Grouper()
        for paper in records.base_papers():
            grouper.add(paper)
        left = self.options.limit
        for source in sources:
            found = read_source(
                source, self.report, title_only=self.options.title_only, journals=self.journals
            )
            n_before = len(records.spool)
            for paper in islice(found, left):
                records.add(paper, self.report.harvests[-1])
                grouper.add(paper)
                if self.report.read % 500 == 0:
                    self.progress("reading", self.report.read, self.options.limit)
            found.close()
            if left is not None:
                left -= len(records.spool) - n_before
            records.close_harvest(self.report.harvests[-1:] if self.report.harvests else [])
            if left == 0:
                break
        self.progress("reading", self.report.read, self.report.read)
        return grouper

    def _write_papers(
        self, grouper: Grouper, records: _Records, writer: SnapshotWriter
    ) -> tuple[list[bytes], list[int]]:
        """Merge each group, write the paper; return the key and the length of each text."""
        keys: list[bytes] = []
        lengths: list[int] = []
        same_text = (
            records.base is not None and records.base.manifest.text_version == text_version()
        )
        for done, group in enumerate(grouper.groups()):
            if done % 500 == 0:
                self.progress("merging", done, None)
            if same_text and len(group) == 1 and group[0] < records.n_base:
                row = group[0]
                writer.take_words(row, partial(records.text, row))
                keys.append(records.base_key(row))
                lengths.append(0)
                self.unchanged[writer.n_papers] = row
                writer.add(*records.unchanged(row))
                continue
            members = [records[number] for number in group]
            if all(only_enriches(member.paper) for member in members):
                records.unmatched(members)
                continue
            paper = merged(members)
            text = paper.text()
            writer.add_words(text)
            keys.append(text_key(text))
            lengths.append(len(text))
            writer.add(paper, records.origins(group, members))
        self.progress("merging", writer.n_papers, writer.n_papers)
        writer.close_papers()
        return keys, lengths

    def _count(self, records: _Records, n_papers: int, sources: Sequence[str]) -> None:
        report = self.report
        report.indexed = max(0, n_papers - records.n_base)  # a record may join two papers
        report.merged = sum(harvest.kept for harvest in report.harvests) - report.indexed
        if not n_papers:
            reasons = "; ".join(f"{n} × {reason}" for reason, n in report.skipped.items())
            raise SourceError(
                f"No usable paper in {', '.join(sources)}: {report.read} records read"
                + (f", all kept out ({reasons})." if reasons else ".")
                + " A paper needs a title and an abstract."
                + (" Add the source that has them, such as arxiv-snapshot:FILE." if UNMATCHED in report.skipped else "")
            )  # fmt: skip

    def _vectors(
        self, folder: Path, base: Index | None, keys: list[bytes], lengths: list[int]
    ) -> HalfVectors:
        papers = PaperTable(folder / "papers.arrow")
        return cached_vectors(
            self.encoder,
            keys,
            lengths,
            lambda row: papers[row].text(),
            given=(base.keys, base.vectors) if base else None,
            progress=lambda done, total: self.progress("encoding", done, total),
        )

    def _facilities(self, folder: Path, base: Index | None) -> None:
        """What each paper used and mentions; unchanged papers keep what was found before."""
        (folder / FACILITIES).mkdir()
        write_facilities(
            PaperTable(folder / "papers.arrow"),
            folder / FACILITIES,
            base=base.uses if base else None,
            kept=self.unchanged,
            progress=lambda done, total: self.progress("facilities", done, total),
        )

    def _map(self, folder: Path, base: Index | None) -> None:
        """The map: of before with the new papers in it, or laid out where it is asked for."""
        if base is not None and base.landscape is not None:
            before = Earlier(base.landscape, base.vectors, base.keys)
            made = continue_landscape(read_corpus(folder), before)
        elif self.options.with_map:
            made = make_landscape(read_corpus(folder), progress=self.progress)
        else:
            return
        (folder / MAP).mkdir()
        write_landscape(made, folder / MAP)

    def _finish(self, folder: Path, writer: SnapshotWriter, harvests: list[Harvest]) -> Manifest:
        """Manifest last, then the swap."""
        writer.sync()
        manifest = new_manifest(
            folder,
            encoder=self.encoder,
            text_version=text_version(),
            n_papers=writer.n_papers,
            harvests=harvests,
            as_of=self.options.as_of or date.today(),
        )
        (folder / MANIFEST).write_text(manifest_text(manifest), encoding="utf-8")
        swap_in(folder, self.out, manifest.snapshot, keep=self.options.keep)
        note_verified(self.out, manifest)
        return manifest


class _Records:
    """The records of a build by number: the papers of the index being updated, then what was spooled."""

    def __init__(self, base: Index | None, spool: Spool) -> None:
        self.base, self.spool = base, spool
        self.n_base = len(base.papers) if base else 0
        self.harvests = harvests_of(base.manifest) if base else []
        self._digest = hashlib.sha256()
        self._place: dict[int, int] = {}  # number while reading -> place in `harvests`
        self._base_keys = base.keys if base else None
        self._ahead: tuple[int, Iterator[Paper]] = (0, iter(()))

    def base_papers(self) -> Iterator[Paper]:
        """The papers that are already there."""
        return iter(self.base.papers) if self.base else iter(())

    def add(self, paper: Paper, harvest: Harvest) -> None:
        """Spool a paper of a harvest."""
        self._digest.update(self.spool.add(paper, len(self._place)))

    def close_harvest(self, harvests: list[Harvest]) -> None:
        """Close the account of a source: the same records of the same source count once."""
        for harvest in harvests:
            harvest.digest = self._digest.hexdigest()
            same = (i for i, h in enumerate(self.harvests) if (h.source, h.digest) == (harvest.source, harvest.digest))  # fmt: skip
            place = next(same, len(self.harvests))
            self.harvests[place : place + 1] = [harvest]
            self._place[len(self._place)] = place
        self._digest = hashlib.sha256()

    def __getitem__(self, number: int) -> Record:
        if self.base is not None and number < self.n_base:
            return Record(self.base.papers[number], int(self.base.source[number]))
        record = self.spool[number - self.n_base]
        return Record(record.paper, self._place[record.source], batch=1 if self.base else 0)

    def text(self, number: int) -> str:
        """The text of a record."""
        return self[number].paper.text()

    def base_key(self, row: int) -> bytes:
        """The key of the text of a paper that is already there."""
        return bytes(self._base_keys[row]) if self._base_keys is not None else b""

    def unchanged(self, row: int) -> tuple[Paper, list[Origin]]:
        """A paper that is already there, rows asked for in ascending order, and its origins."""
        if self.base is None:
            raise ValueError("there is no index to take papers from")
        at, papers = self._ahead
        if at == 0:
            papers = iter(self.base.papers)
        paper = next(islice(papers, row - at, None))
        self._ahead = (row + 1, papers)
        return paper, self._origins_of(row, paper)

    def origins(self, group: Sequence[int], members: Sequence[Record]) -> list[Origin]:
        """Where the members of a group come from, each once, in order of arrival."""
        found: list[Origin] = []
        for number, member in zip(group, members, strict=True):
            if number < self.n_base:
                found += self._origins_of(number, member.paper)
            else:
                found.append(Origin.of(member.paper, member.source))
        return list(dict.fromkeys(found))

    def unmatched(self, members: Sequence[Record]) -> None:
        """Count records that only enrich and found no paper."""
        for member in members:
            self.harvests[member.source].skip(UNMATCHED, " ".join(member.paper.identifiers))

    def _origins_of(self, row: int, paper: Paper) -> list[Origin]:
        assert self.base is not None
        return self.base.origins.of(row) or [Origin.of(paper, int(self.base.source[row]))]
