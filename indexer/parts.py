"""A part added to an index that is there: a new snapshot of which everything else is shared, swapped in whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from indexer.manifest import (
    MANIFEST,
    Manifest,
    manifest_text,
    note_verified,
    parts_in,
    snapshot_id,
)
from indexer.snapshots import build_lock, building_folder, linked, storage_errors, swap_in
from indexer.store import Index, open_index
from indexer.writer import sync_folder


def add_part(out: Path, name: str, write: Callable[[Index, Path], None], *, keep: int) -> Manifest:
    """Have `write(index, folder)` fill the folder `name` of a new snapshot of the index at `out`.

    The other parts are shared with the snapshot in use, by hard links where the file system has them: no
    part is ever changed in place. Earlier snapshots are kept, `keep` of them at most.

    Raises:
        IndexMissing, IndexCorrupt, IndexIncompatible: there is no usable index.
        UserError: a build is writing it.
        StorageError: writing failed; the index that was there is untouched.
    """
    out = linked(out)
    with build_lock(out), storage_errors(out):
        base = open_index(out)
        with building_folder(out) as folder:
            for part in base.manifest.parts:
                if not part.startswith(f"{name}/"):
                    _share(out / part, folder / part)
            (folder / name).mkdir()
            write(base, folder / name)
            manifest = _with_part(base.manifest, folder, name)
            sync_folder(folder / name)
            (folder / MANIFEST).write_text(manifest_text(manifest), encoding="utf-8")
            swap_in(folder, out, manifest.snapshot, keep=keep)
        note_verified(out, manifest)
    return manifest


def _share(part: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(part, to)
    except OSError:
        shutil.copy2(part, to)


def _with_part(manifest: Manifest, folder: Path, name: str) -> Manifest:
    """The manifest with the files now in the folder `name`; its snapshot's id follows from all parts."""
    others = {
        part: fact for part, fact in manifest.parts.items() if not part.startswith(f"{name}/")
    }
    parts = dict(sorted((others | parts_in(folder / name, folder)).items()))
    snapshot = snapshot_id(parts, manifest.encoder, manifest.as_of)
    return replace(manifest, parts=parts, snapshot=snapshot)
