"""Snapshots of an index: one builder at a time, new ones swapped in whole, earlier ones kept.

PARENT/NAME/                 the snapshot in use
PARENT/.NAME.lock, .builder  who builds
PARENT/.NAME.building-*      a snapshot being written; left only by a kill, cleared by the next build
PARENT/.NAME.kept/*          earlier snapshots, `000001-<snapshot>` on; what was rolled back ends in `.undone`
"""

from __future__ import annotations

import ctypes
import errno
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from indexer import config
from indexer.errors import BuildRunning, IndexMissing, StorageError, UserError
from indexer.manifest import MANIFEST, read_manifest, verify_parts

PART_NAMES = frozenset(
    ["papers.arrow", "authors.arrow", "origins.arrow", "ids.npy", "keys.npy", "references.npy", "vectors.npy",
     "dense.faiss", "columns", "lexical", "facilities", "map", MANIFEST]
)  # fmt: skip
_UNDONE = ".undone"
_OLD = ".old"
_ROLLBACK = "-rollback-"


@dataclass(frozen=True)
class Kept:
    """An earlier snapshot on disk."""

    path: Path
    snapshot: str
    created: str
    n_papers: int

    @property
    def undone(self) -> bool:
        """Whether it was rolled back from."""
        return self.path.name.endswith(_UNDONE)


def linked(out: Path) -> Path:
    """Where an index is: what a link points at, which stays a link."""
    return out.resolve() if out.is_symlink() else out


def kept_snapshots(out: Path) -> list[Kept]:
    """The earlier snapshots of the index at `out`, oldest first."""
    paths = sorted(_kept_folder(out).glob("[0-9]*-*"))
    read = [(path, _facts(path)) for path in paths]
    return [
        Kept(path, facts["snapshot"], facts["created"], facts["n_papers"])
        for path, facts in read
        if facts
    ]


def rollback(out: Path, snapshot: str | None = None) -> Kept:
    """Put the last earlier snapshot in use (or the one named); return it. What was in use is kept.

    Raises:
        IndexMissing: there is no index, or no such snapshot.
        IndexCorrupt, IndexIncompatible: the snapshot cannot be used; the one in use stays.
        UserError: a build is writing.
    """
    out = linked(out)
    if not out.exists() and not _leftovers(out):
        read_manifest(out)
    with build_lock(out), storage_errors(out):
        _clear_leftovers(out)
        current = _facts(out).get("snapshot")
        earlier = kept_snapshots(out)
        wanted = [
            one
            for one in earlier
            if (one.snapshot.startswith(snapshot) if snapshot else not one.undone)
            and one.snapshot != current
        ]
        if not wanted:
            known = ", ".join(one.snapshot for one in earlier) or "none"
            raise IndexMissing(
                f"{out} has no earlier snapshot{f' {snapshot!r}' if snapshot else ''} to go back to (kept: {known})."
            )
        chosen = wanted[-1]
        verify_parts(chosen.path, read_manifest(chosen.path))
        leaving = out.parent / f".{out.name}.building{_ROLLBACK}{chosen.snapshot}"
        chosen.path.rename(leaving)
        _exchange_or_rename(leaving, out)
        _keep(leaving, out, undone=not chosen.undone)
    return chosen


@contextmanager
def building_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write a snapshot into; removed at the end if it was not swapped in."""
    out.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(out)
    building = Path(tempfile.mkdtemp(prefix=f".{out.name}.building-", dir=out.parent))
    building.chmod(0o755)
    try:
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)


def swap_in(building: Path, out: Path, snapshot: str, *, keep: int) -> None:
    """Put `building` at `out`; a reader finds the old snapshot or the new one, never neither.

    The old one is kept, `keep` of them at most.
    """
    if not _facts(out):
        if out.exists():
            shutil.rmtree(out)  # half written: `build_lock` lets nothing else pass
        building.rename(out)
        return
    named = out.parent / f".{out.name}.building-{snapshot}"
    shutil.rmtree(named, ignore_errors=True)
    building.rename(named)
    _exchange_or_rename(named, out)
    _keep(named, out)
    _prune(out, keep)


@contextmanager
def build_lock(out: Path) -> Iterator[None]:
    """Hold the right to build at `out`.

    Raises:
        UserError: another build holds it, or `out` is something else than an index.
        StorageError: the place cannot be written.
    """
    if out.exists() and not _is_index(out):
        raise UserError(
            f"{out} exists and is not a Wayfinder index: choose another --out, nothing was touched."
        )
    holder = out.parent / f".{out.name}.builder"
    with storage_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out.parent / f".{out.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            who = holder.read_text(encoding="utf-8") if holder.is_file() else "process unknown"
            raise BuildRunning(
                f"Another build is writing {out} ({who}): wait for it, or choose another --out."
            ) from None
        holder.write_text(f"process {os.getpid()}", encoding="utf-8")
    try:
        _recover(out)
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _elsewhere(out: Path) -> str:
    if out.is_relative_to(config.cache_dir()):
        return "set WAYFINDER_CACHE to a directory with room"
    return "choose another --out"


@contextmanager
def storage_errors(out: Path) -> Iterator[None]:
    """Turn errors of writing into a StorageError that names the place."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{out} cannot be written: {error.strerror or error}.{_untouched(out)} "
            f"Free some space or {_elsewhere(out)}."
        ) from error
    except RuntimeError as error:  # faiss reports a failed write this way
        if "write" not in str(error) and "fopen" not in str(error):
            raise
        raise StorageError(f"{out} cannot be written: {error}.{_untouched(out)}") from error


def _untouched(out: Path) -> str:
    """A word of comfort where there was an index."""
    there = (out / MANIFEST).is_file()
    return " The index that was there is untouched." if there else ""


def _is_index(out: Path) -> bool:
    """Whether a folder is an index, whole or half written, or empty: nothing else may be replaced."""
    if not out.is_dir():
        return False
    return bool(_facts(out).get("parts")) or {path.name for path in out.iterdir()} <= PART_NAMES


def _facts(folder: Path) -> dict[str, Any]:
    """The manifest in a folder as it stands, of whatever schema; empty where there is none to read."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    wanted = ("schema_version", "snapshot", "parts", "created", "n_papers")
    return content if isinstance(content, dict) and all(k in content for k in wanted) else {}


def _recover(out: Path) -> None:
    """Put back what a kill between the two renames of a swap left beside an index that is gone."""
    for old in _leftovers(out):
        if not out.exists() and old.name.endswith(_OLD) and _facts(old):
            old.rename(out)


def _leftovers(out: Path) -> list[Path]:
    return sorted(out.parent.glob(f".{glob.escape(out.name)}.building-*"))


def _kept_folder(out: Path) -> Path:
    return out.parent / f".{out.name}.kept"


def _keep(old: Path, out: Path, *, undone: bool = False) -> None:
    """Move what was in use among the earlier snapshots; content that is there already goes."""
    snapshot = _facts(old).get("snapshot", "unreadable")
    folder = _kept_folder(out)
    folder.mkdir(exist_ok=True)
    if snapshot == _facts(out).get("snapshot"):
        shutil.rmtree(old, ignore_errors=True)
        return
    for same in folder.glob(f"[0-9]*-{snapshot}*"):
        shutil.rmtree(same, ignore_errors=True)
    number = 1 + max((int(p.name.split("-")[0]) for p in folder.glob("[0-9]*-*")), default=0)
    old.rename(folder / f"{number:06d}-{snapshot}{_UNDONE if undone else ''}")


def _prune(out: Path, keep: int) -> None:
    earlier = kept_snapshots(out)
    for one in earlier[: max(0, len(earlier) - keep)]:
        shutil.rmtree(one.path, ignore_errors=True)


def _clear_leftovers(out: Path) -> None:
    """Clear what killed builds left; a snapshot that had just been replaced is kept as earlier."""
    for left in _leftovers(out):
        named = left.name.removesuffix(_OLD).rpartition("-")[2]
        snapshot = _facts(left).get("snapshot")
        replaced = snapshot != named and _facts(out).get("snapshot") == named
        if snapshot and (replaced or _ROLLBACK in left.name):
            _keep(left, out)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _exchange_or_rename(building: Path, out: Path) -> None:
    """Exchange two directories; in two steps where the file system cannot do it in one."""
    if _exchange(building, out):
        return
    old = building.with_name(building.name + _OLD)
    out.rename(old)
    try:
        building.rename(out)
    except OSError:
        old.rename(out)
        raise
    old.rename(building)


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
