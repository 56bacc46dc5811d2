"""The index on disk: writer and reader of the snapshot directory, side by side.

    DIR/manifest.json     schema, encoder, counts, sources, as-of date, size and sha256 of every part
    DIR/papers.arrow      the papers, Arrow IPC, memory-mapped
    DIR/authors.arrow     family name and initial -> rows, sorted by name
    DIR/ids.npy           hash of each bibcode, arXiv id and DOI -> row, sorted by hash
    DIR/references.npy    hash of each reference -> row of the paper that cites it, sorted by hash
    DIR/vectors.npy       unit vectors, fp16
    DIR/dense.faiss       the FAISS index over them
    DIR/lexical/          the BM25 index
    DIR/columns/*.npy     year, decimal_year, citations, impact

A snapshot is written to a sibling directory, its manifest last, and swapped in whole. Opening maps
files and reads none of the papers. Checksums are verified at the first opening and again whenever
a part's size or time of change differs from what was verified.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock, Timeout

from indexer import config, weights
from indexer.dense import DenseIndex, build_dense
from indexer.encoder import Encoder, file_sha256, load_encoder_of
from indexer.errors import (
    IndexCorrupt,
    IndexIncompatible,
    IndexMissing,
    PaperNotFound,
    StorageError,
    UserError,
)
from indexer.graph import CitationGraph, identifier_hash
from indexer.lexical import LexicalBuilder, LexicalIndex
from indexer.records import IngestReport, Paper, family_name, normalise_arxiv_id, normalise_doi

SCHEMA_VERSION = 2
MANIFEST = "manifest.json"
ROWS_A_BATCH = 4096
COLUMNS = ("year", "decimal_year", "citations", "impact")

_STRINGS = ("title", "abstract", "bibcode", "arxiv_id", "doi", "date", "journal", "doctype")
_LISTS = ("authors", "keywords", "categories", "references", "facilities")
_SCHEMA = pa.schema(
    [pa.field(name, pa.large_string()) for name in _STRINGS]
    + [pa.field(name, pa.large_list(pa.large_string())) for name in _LISTS]
    + [pa.field("year", pa.int16()), pa.field("citation_count", pa.int32())]
)


@dataclass(frozen=True)
class Manifest:
    """What an index is: enough to open it safely and to say where it came from."""

    schema_version: int
    snapshot: str  # sha256 over the parts' sums: equal for equal content
    created: str  # ISO date
    as_of: str  # ISO date: ages are counted from here
    encoder: str
    dimension: int
    weights_sha256: str
    n_papers: int
    sources: tuple[str, ...]
    counts: dict[str, Any]  # read, indexed, merged, skipped {reason: n}
    parts: dict[str, dict[str, Any]]  # relative path -> {"bytes": n, "sha256": hex}

    @property
    def as_of_year(self) -> float:
        """The as-of date as a decimal year."""
        day = date.fromisoformat(self.as_of)
        return day.year + (day.timetuple().tm_yday - 1) / 365.25


class PaperTable(Sequence[Paper]):
    """The papers of an index: a sequence that reads one paper at a time from the memory map."""

    def __init__(self, path: Path) -> None:
        self._batches = _open_batches(path)

    def __len__(self) -> int:
        return sum(batch.num_rows for batch in self._batches)

    @overload
    def __getitem__(self, row: int) -> Paper: ...
    @overload
    def __getitem__(self, row: slice) -> list[Paper]: ...
    def __getitem__(self, row: int | slice) -> Paper | list[Paper]:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        if not 0 <= row < len(self):
            raise IndexError(row)
        values = self._batches[row // ROWS_A_BATCH].slice(row % ROWS_A_BATCH, 1).to_pylist()[0]
        facts: dict[str, Any] = {
            name: tuple(value or ()) if name in _LISTS else value for name, value in values.items()
        }
        return Paper(**facts)

    def matching(self, kind: Literal["title", "journal"], value: str) -> npt.NDArray[np.bool_]:
        """Which papers have all words of `value` in the title, or the bibstem `value`; `(n,)` bool.

        A bibstem is compared with the journal and with the bibcode's letters, as ADS's `bibstem:`.
        """
        masks = []
        for batch in self._batches:
            if kind == "title":
                titles = pc.utf8_lower(batch.column("title"))
                found = [pc.match_substring(titles, word) for word in value.lower().split()]
            else:
                stem = value.strip(" .").lower()
                pattern = rf"(?i)^\d{{4}}{re.escape(stem)}[.\d]"
                bibcodes = pc.fill_null(batch.column("bibcode"), "")
                journals = pc.utf8_lower(pc.fill_null(batch.column("journal"), ""))
                by_code = pc.match_substring_regex(bibcodes, pattern)
                found = [pc.or_(by_code, pc.equal(journals, stem))]
            columns = [column.to_numpy(zero_copy_only=False).astype(np.bool_) for column in found]
            masks.append(
                np.logical_and.reduce(columns) if columns else np.ones(len(batch), np.bool_)
            )
        return np.concatenate(masks) if masks else np.zeros(0, dtype=np.bool_)


class Index:
    """An opened snapshot. Thread-safe: nothing in it changes after opening."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self.papers = PaperTable(path / "papers.arrow")
        self.vectors: npt.NDArray[np.float16] = np.load(path / "vectors.npy", mmap_mode="r")
        self.dense = DenseIndex(path / "dense.faiss")
        self.lexical = LexicalIndex(path / "lexical")
        self.year, self.decimal_year, self.citations, self.impact = (
            np.load(path / "columns" / f"{name}.npy", mmap_mode="r") for name in COLUMNS
        )
        self.graph = CitationGraph(path / "references.npy")
        self._ids = np.load(path / "ids.npy", mmap_mode="r")
        self._authors = _open_batches(path / "authors.arrow")

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of this index, loaded on first use.

        Raises:
            IndexIncompatible: the encoder found here is not the one that made the vectors.
        """
        return check_encoder(self.manifest, load_encoder_of(self.manifest.encoder))

    def row_of(self, identifier: str) -> int:
        """Return the row of the paper with that bibcode, arXiv id or DOI.

        Raises:
            PaperNotFound: no paper has it.
        """
        wanted = {identifier.strip(), normalise_arxiv_id(identifier), normalise_doi(identifier)}
        for form in wanted:
            key = identifier_hash(form)
            for i in range(int(np.searchsorted(self._ids["hash"], key)), len(self._ids)):
                if self._ids["hash"][i] != key:
                    break
                row = int(self._ids["row"][i])
                if form.lower() in {known.lower() for known in self.papers[row].identifiers}:
                    return row
        raise PaperNotFound(
            f"No paper with identifier {identifier!r} is among the {len(self.papers):,} of this index: "
            "give a bibcode, an arXiv id or a DOI."
        )

    def rows_by_author(self, name: str) -> npt.NDArray[np.int64]:
        """Return the rows of papers by an author, "Riess" or "Riess, A"; ascending, maybe none."""
        if not self._authors:
            return np.zeros(0, dtype=np.int64)
        wanted = author_key(name)
        prefix = wanted if ", " in wanted else f"{wanted},"
        names, rows = self._authors[0].column("name"), self._authors[0].column("rows")
        low, high = 0, len(names)
        while low < high:
            middle = (low + high) // 2
            if names[middle].as_py() < prefix:
                low = middle + 1
            else:
                high = middle
        found: list[npt.NDArray[np.int64]] = []
        while low < len(names) and names[low].as_py().startswith(prefix):
            found.append(np.asarray(rows[low].values, dtype=np.int64))
            low += 1
        return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)


def check_encoder(manifest: Manifest, encoder: Encoder) -> Encoder:
    """Return `encoder` if it is the one that made the index.

    Raises:
        IndexIncompatible: naming both.
    """
    made = (manifest.encoder, manifest.dimension, manifest.weights_sha256)
    here = (encoder.id, encoder.dimension, encoder.weights_sha256)
    if made != here:
        raise IndexIncompatible(
            f"The index was made with encoder {made[0]!r} ({made[1]} dimensions, weights {made[2][:12] or 'unknown'}), "
            f"but here is {here[0]!r} ({here[1]} dimensions, weights {here[2][:12] or 'unknown'}): "
            "rebuild it with `wayfinder index build`, or install the encoder it was made with."
        )
    return encoder


def author_key(name: str) -> str:
    """`Riess, Adam G.` and `A. G. Riess` -> `riess, a`; `Riess` -> `riess`; accents folded."""
    family = family_name(name)
    given = re.sub(
        rf"^{re.escape(family)}[\s,]*|[\s,]*{re.escape(family)}$", "", name.strip()
    ).strip(" .,")
    folded = unicodedata.normalize("NFKD", f"{family}, {given[:1]}" if given else family).casefold()
    return "".join(c for c in folded if not unicodedata.combining(c))


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of the index at `path`.

    Raises:
        IndexMissing: nothing is there.
        IndexCorrupt: a build did not finish, or the manifest is damaged.
        IndexIncompatible: a newer Wayfinder wrote it.
    """
    if not path.exists():
        raise IndexMissing(
            f"There is no index at {path}: make one with `wayfinder index build --from SOURCE --out {path}`."
        )
    if not path.is_dir():
        raise IndexMissing(
            f"{path} is a file, an index is a directory: name the directory given to `wayfinder index build --out`."
        )
    if not (path / MANIFEST).is_file():
        if any((path / part).exists() for part in ("papers.arrow", "dense.faiss", "vectors.npy")):
            raise IndexCorrupt(
                f"{path} is half written, its {MANIFEST} is missing: {_rebuild(path)}"
            )
        raise IndexMissing(
            f"{path} holds no index ({MANIFEST} is missing): make one with `wayfinder index build --from SOURCE --out {path}`."
        )
    try:
        content = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        version = int(content["schema_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise IndexCorrupt(
            f"{path / MANIFEST} cannot be read ({error}): {_rebuild(path)}"
        ) from error
    if version != SCHEMA_VERSION:
        raise IndexIncompatible(
            f"{path} has index schema {version}, this Wayfinder reads {SCHEMA_VERSION}: "
            + ("update Wayfinder." if version > SCHEMA_VERSION else _rebuild(path))
        )
    try:
        return Manifest(**{**content, "sources": tuple(content["sources"])})
    except (KeyError, TypeError) as error:
        raise IndexCorrupt(
            f"{path / MANIFEST} lacks what a manifest holds ({error}): {_rebuild(path)}"
        ) from error


def open_index(path: Path) -> Index:
    """Open the index at `path`, its parts checked against the manifest.

    Raises:
        IndexMissing, IndexIncompatible: see `read_manifest`.
        IndexCorrupt: a part is missing or altered; the message names it.
    """
    manifest = read_manifest(path)
    verify_parts(path, manifest)
    try:
        return Index(path, manifest)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise IndexCorrupt(f"{path} cannot be opened ({error}): {_rebuild(path)}") from error


def verify_parts(path: Path, manifest: Manifest, *, trust_unchanged: bool = True) -> None:
    """Compare every part's size and sha256 with the manifest's.

    With `trust_unchanged`, a part whose size, inode and time of change are those of the last
    verification is not read again.

    Raises:
        IndexCorrupt: naming the part.
    """
    record = (
        config.cache_dir()
        / "verified"
        / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:24]}.json"
    )
    known: dict[str, Any] = {}
    if trust_unchanged and record.is_file():
        try:
            known = dict(json.loads(record.read_text(encoding="utf-8")))
        except ValueError:
            known = {}
    seen: dict[str, Any] = {}
    for name, expected in manifest.parts.items():
        part = path / name
        if not part.is_file():
            raise IndexCorrupt(f"{part} is missing: {_rebuild(path)}")
        facts = part.stat()
        stamp = [expected["sha256"], facts.st_size, facts.st_mtime_ns, facts.st_ino]
        if known.get(name) != stamp and (
            facts.st_size != expected["bytes"] or file_sha256(part) != expected["sha256"]
        ):
            raise IndexCorrupt(
                f"{part} is altered: its sha256 is not the manifest's; {_rebuild(path)}"
            )
        seen[name] = stamp
    if seen != known:
        try:
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text(json.dumps(seen), encoding="utf-8")
        except OSError:
            return  # nothing depends on the record: the next opening verifies again


def write_snapshot(
    out: Path,
    papers: Sequence[Paper],
    vectors: npt.NDArray[np.float16],
    lexical: LexicalBuilder,
    *,
    encoder: Encoder,
    sources: Sequence[str],
    report: IngestReport,
    as_of: date,
) -> Manifest:
    """Write the snapshot at `out`, replacing the one that is there in one step; hold `build_lock`.

    `vectors` is `(n_papers, dimension)` fp16 and `lexical` has had the papers' texts in their order.

    Raises:
        StorageError: the disk is full or the place cannot be written; `out` is as it was before.
    """
    with _storage_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        for left in out.parent.glob(f".{out.name}.building-*"):  # by a build that was killed
            shutil.rmtree(left, ignore_errors=True)
        building = Path(tempfile.mkdtemp(prefix=f".{out.name}.building-", dir=out.parent))
        building.chmod(0o755)
        try:
            _write_papers(building / "papers.arrow", papers)
            _write_authors(building / "authors.arrow", papers)
            np.save(building / "ids.npy", _id_table(papers))
            CitationGraph.save(building / "references.npy", papers)
            np.save(building / "vectors.npy", vectors)
            _write_columns(building / "columns", papers)
            build_dense(vectors, building / "dense.faiss")
            lexical.save(building / "lexical")
            manifest = _manifest(building, encoder, len(papers), sources, report, as_of)
            content = json.dumps(asdict(manifest), indent=1, ensure_ascii=False)
            (building / MANIFEST).write_text(content + "\n", encoding="utf-8")
            _swap_in(building, out)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return manifest


@contextmanager
def build_lock(out: Path) -> Iterator[None]:
    """Hold the right to build at `out`.

    Raises:
        UserError: another build holds it, or `out` is something else than an index.
        StorageError: the place cannot be written.
    """
    if out.exists() and not (
        out.is_dir()
        and (
            not any(out.iterdir()) or (out / MANIFEST).is_file() or (out / "papers.arrow").is_file()
        )
    ):
        raise UserError(
            f"{out} exists and is not a Wayfinder index: choose another --out, nothing was touched."
        )
    holder = out.parent / f".{out.name}.builder"
    with _storage_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out.parent / f".{out.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            who = holder.read_text(encoding="utf-8") if holder.is_file() else "process unknown"
            raise UserError(
                f"Another build is writing {out} ({who}): wait for it, or choose another --out."
            ) from None
        holder.write_text(f"process {os.getpid()}", encoding="utf-8")
    try:
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


@contextmanager
def _storage_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{out} cannot be written: {error.strerror or error}. The index that was there is untouched; "
            "free some space or choose another --out."
        ) from error
    except RuntimeError as error:  # faiss reports a failed write this way
        if "write" not in str(error) and "fopen" not in str(error):
            raise
        raise StorageError(f"{out} cannot be written: {error}") from error


def _rebuild(path: Path) -> str:
    return f"rebuild it with `wayfinder index build --from SOURCE --out {path}`."


def _open_batches(path: Path) -> list[pa.RecordBatch]:
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    return [reader.get_batch(i) for i in range(reader.num_record_batches)]


def _write_papers(path: Path, papers: Sequence[Paper]) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _SCHEMA) as writer:
        for start in range(0, len(papers), ROWS_A_BATCH):
            rows = papers[start : start + ROWS_A_BATCH]
            columns = {name: [getattr(paper, name) for paper in rows] for name in _SCHEMA.names}
            writer.write_batch(pa.RecordBatch.from_pydict(columns, schema=_SCHEMA))


def _write_authors(path: Path, papers: Sequence[Paper]) -> None:
    rows_of: dict[str, list[int]] = {}
    for row, paper in enumerate(papers):
        for key in {author_key(author) for author in paper.authors}:
            rows_of.setdefault(key if ", " in key else f"{key},", []).append(row)
    names = sorted(rows_of)
    schema = pa.schema([("name", pa.large_string()), ("rows", pa.large_list(pa.int32()))])
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        if names:
            writer.write_batch(
                pa.RecordBatch.from_pydict(
                    {"name": names, "rows": [rows_of[n] for n in names]}, schema=schema
                )
            )


def _id_table(papers: Sequence[Paper]) -> npt.NDArray[np.void]:
    entries = [
        (identifier_hash(form), row)
        for row, paper in enumerate(papers)
        for form in paper.identifiers
    ]
    table = np.array(entries, dtype=[("hash", "<u8"), ("row", "<i4")])
    return np.sort(table, order=["hash", "row"])


def _write_columns(folder: Path, papers: Sequence[Paper]) -> None:
    folder.mkdir()
    year = np.array(
        [p.year if p.year is not None else weights.UNKNOWN_YEAR for p in papers], dtype=np.int16
    )
    dates = (p.decimal_year for p in papers)
    decimal_year = np.array([np.nan if d is None else d for d in dates], dtype=np.float32)
    counts = (p.citation_count for p in papers)
    citations = np.array(
        [weights.UNKNOWN_CITATIONS if c is None else c for c in counts], dtype=np.int32
    )
    values: tuple[npt.NDArray[Any], ...] = (
        year,
        decimal_year,
        citations,
        weights.impact(year, citations),
    )
    for name, column in zip(COLUMNS, values, strict=True):
        np.save(folder / f"{name}.npy", column)


def _manifest(
    folder: Path,
    encoder: Encoder,
    n_papers: int,
    sources: Sequence[str],
    report: IngestReport,
    as_of: date,
) -> Manifest:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    parts = {
        str(p.relative_to(folder)): {"bytes": p.stat().st_size, "sha256": file_sha256(p)}
        for p in files
    }
    identity = json.dumps([parts, encoder.id, as_of.isoformat()], sort_keys=True)
    return Manifest(
        schema_version=SCHEMA_VERSION,
        snapshot=hashlib.sha256(identity.encode()).hexdigest()[:16],
        created=date.today().isoformat(),
        as_of=as_of.isoformat(),
        encoder=encoder.id,
        dimension=encoder.dimension,
        weights_sha256=encoder.weights_sha256,
        n_papers=n_papers,
        sources=tuple(sources),
        counts={
            "read": report.read,
            "indexed": report.indexed,
            "merged": report.merged,
            "skipped": dict(sorted(report.skipped.items())),
        },
        parts=parts,
    )


def _swap_in(building: Path, out: Path) -> None:
    """Put `building` at `out`; a reader finds the old snapshot or the new one, never neither."""
    if not out.exists():
        building.rename(out)
        return
    if not _exchange(building, out):
        old = building.with_name(building.name + ".old")
        out.rename(old)
        building.rename(out)
        shutil.rmtree(old, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two directories in one step (Linux's renameat2); False where that does not exist."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    at_fdcwd, rename_exchange = -100, 2
    if renameat2 is None:
        return False
    if renameat2(at_fdcwd, os.fsencode(first), at_fdcwd, os.fsencode(second), rename_exchange) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(second))
