"""What an index is: its manifest, and whether its parts are what the manifest says.

Checksums are verified at the first opening and again whenever a part's size, inode or time of change
differs from what was verified; a build notes its own parts as verified.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from indexer import clean, config, tokens
from indexer.encoder import Encoder
from indexer.errors import IndexCorrupt, IndexIncompatible, IndexMissing
from indexer.onnx_model import file_sha256
from indexer.records import Harvest

SCHEMA_VERSION = 3
MANIFEST = "manifest.json"


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
    text_version: str  # of the code that makes text and words: another one reads all words again
    n_papers: int
    sources: tuple[str, ...]
    counts: dict[str, Any]  # read, indexed, merged, skipped {reason: n}
    harvests: tuple[dict[str, Any], ...]  # fields of `indexer.records.Harvest`, in order
    parts: dict[str, dict[str, Any]]  # relative path -> {"bytes": n, "sha256": hex}

    @property
    def as_of_year(self) -> float:
        """The as-of date as a decimal year."""
        day = date.fromisoformat(self.as_of)
        return day.year + (day.timetuple().tm_yday - 1) / 365.25


@cache
def text_version() -> str:
    """A hash of the code that makes a paper's text and words: what other code read is not kept."""
    files = (Path(str(module.__file__)) for module in (clean, tokens))
    code = version("pylatexenc").encode().join(path.read_bytes() for path in files)
    return hashlib.sha256(code).hexdigest()[:16]


def new_manifest(
    folder: Path,
    *,
    encoder: Encoder,
    text_version: str,
    n_papers: int,
    harvests: Sequence[Harvest],
    as_of: date,
) -> Manifest:
    """The manifest of the parts in `folder`."""
    parts = parts_in(folder, folder)
    read = sum(harvest.read for harvest in harvests)
    skipped: Counter[str] = sum((harvest.skipped for harvest in harvests), Counter())
    return Manifest(
        schema_version=SCHEMA_VERSION,
        snapshot=snapshot_id(parts, encoder.id, as_of.isoformat()),
        created=date.today().isoformat(),
        as_of=as_of.isoformat(),
        encoder=encoder.id,
        dimension=encoder.dimension,
        weights_sha256=encoder.weights_sha256,
        text_version=text_version,
        n_papers=n_papers,
        sources=tuple(dict.fromkeys(harvest.source for harvest in harvests)),
        counts={
            "read": read,
            "indexed": n_papers,
            "merged": read - n_papers - sum(skipped.values()),
            "skipped": dict(sorted(skipped.items())),
        },
        harvests=tuple({**vars(one), "skipped": dict(one.skipped)} for one in harvests),
        parts=parts,
    )


def parts_in(folder: Path, root: Path) -> dict[str, dict[str, Any]]:
    """Size and sha256 of each file in `folder`, or of the file that it is, by its path below `root`."""
    files = sorted(p for p in (folder, *folder.rglob("*")) if p.is_file())
    return {
        str(p.relative_to(root)): {"bytes": p.stat().st_size, "sha256": file_sha256(p)}
        for p in files
    }


def snapshot_id(parts: dict[str, dict[str, Any]], encoder: str, as_of: str) -> str:
    """The id of a snapshot: equal for equal parts, encoder and as-of date."""
    identity = json.dumps([parts, encoder, as_of], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def harvests_of(manifest: Manifest) -> list[Harvest]:
    """The harvests that a manifest lists."""
    return [Harvest(**{**one, "skipped": Counter(one["skipped"])}) for one in manifest.harvests]


def manifest_text(manifest: Manifest) -> str:
    """The manifest as it stands in its file."""
    return json.dumps(asdict(manifest), indent=1, ensure_ascii=False) + "\n"


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
                f"{path} is half written, its {MANIFEST} is missing: {how_to_rebuild(path)}"
            )
        raise IndexMissing(
            f"{path} holds no index ({MANIFEST} is missing): make one with `wayfinder index build --from SOURCE --out {path}`."
        )
    try:
        content = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        version = int(content["schema_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise IndexCorrupt(
            f"{path / MANIFEST} cannot be read ({error}): {how_to_rebuild(path)}"
        ) from error
    if version != SCHEMA_VERSION:
        raise IndexIncompatible(
            f"{path} has index schema {version}, this Wayfinder reads {SCHEMA_VERSION}: "
            + ("update Wayfinder." if version > SCHEMA_VERSION else how_to_rebuild(path))
        )
    try:
        tuples = {name: tuple(content[name]) for name in ("sources", "harvests")}
        return Manifest(**{**content, **tuples})
    except (KeyError, TypeError) as error:
        raise IndexCorrupt(
            f"{path / MANIFEST} lacks what a manifest holds ({error}): {how_to_rebuild(path)}"
        ) from error


def verify_parts(path: Path, manifest: Manifest, *, trust_unchanged: bool = True) -> None:
    """Compare every part's size and sha256 with the manifest's.

    With `trust_unchanged`, a part whose size, inode and time of change are those of the last
    verification is not read again.

    Raises:
        IndexCorrupt: naming the part.
    """
    known: dict[str, Any] = {}
    record = _record(path)
    if trust_unchanged and record.is_file():
        try:
            known = dict(json.loads(record.read_text(encoding="utf-8")))
        except ValueError:
            known = {}
    seen: dict[str, Any] = {}
    for name, expected in manifest.parts.items():
        part = path / name
        try:
            facts = part.stat()
            stamp = [expected["sha256"], facts.st_size, facts.st_mtime_ns, facts.st_ino]
            altered = known.get(name) != stamp and (
                facts.st_size != expected["bytes"] or file_sha256(part) != expected["sha256"]
            )
        except OSError:
            raise IndexCorrupt(f"{part} is missing: {how_to_rebuild(path)}") from None
        if altered:
            raise IndexCorrupt(
                f"{part} is altered: its sha256 is not the manifest's; {how_to_rebuild(path)}"
            )
        seen[name] = stamp
    if seen != known:
        _remember(path, seen)


def note_verified(path: Path, manifest: Manifest) -> None:
    """Note the parts at `path` as verified: who wrote them has just summed them."""
    stamps = {}
    for name, expected in manifest.parts.items():
        facts = (path / name).stat()
        stamps[name] = [expected["sha256"], facts.st_size, facts.st_mtime_ns, facts.st_ino]
    _remember(path, stamps)


def how_to_rebuild(path: Path) -> str:
    """The end of an error message about a damaged index."""
    return f"rebuild it with `wayfinder index build --from SOURCE --out {path}`."


def _record(path: Path) -> Path:
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:24]
    return config.cache_dir() / "verified" / f"{name}.json"


def _remember(path: Path, stamps: dict[str, Any]) -> None:
    record = _record(path)
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(stamps), encoding="utf-8")
    except OSError:
        return  # nothing depends on the record: the next opening verifies again
