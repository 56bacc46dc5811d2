"""Parts of an index that is there, added or made anew: a new snapshot that shares everything else, swapped in whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from indexer.encoder import Encoder
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

    Raises:
        IndexMissing, IndexCorrupt, IndexIncompatible, UserError, StorageError: see `replace_parts`.
    """

    def fill(base: Index, folder: Path) -> None:
        (folder / name).mkdir()
        write(base, folder / name)

    return replace_parts(out, (name,), fill, keep=keep)


def replace_parts(
    out: Path,
    names: Collection[str],
    write: Callable[[Index, Path], None],
    *,
    keep: int,
    encoder: Encoder | None = None,
) -> Manifest:
    """Have `write(index, folder)` make the files and folders `names` of a new snapshot of the index at `out`.

    The other parts are shared with the snapshot in use, by hard links where the file system has them: no
    part is ever changed in place. Earlier snapshots are kept, `keep` of them at most. `encoder` is named in the
    manifest where the vectors are made anew.

    Raises:
        IndexMissing, IndexCorrupt, IndexIncompatible: there is no usable index.
        UserError: a build is writing it.
        StorageError: writing failed; the index that was there is untouched.
    """
    out = linked(out)
    with build_lock(out), storage_errors(out):
        base = open_index(out)
        with building_folder(out) as folder:
            shared = {p: f for p, f in base.manifest.parts.items() if p.split("/")[0] not in names}
            for part in shared:
                _share(out / part, folder / part)
            write(base, folder)
            made = {p: f for name in names for p, f in parts_in(folder / name, folder).items()}
            manifest = _with_parts(base.manifest, shared | made, encoder)
            sync_folder(folder)
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


def _with_parts(
    manifest: Manifest, parts: dict[str, dict[str, Any]], encoder: Encoder | None
) -> Manifest:
    """The manifest with other parts; the snapshot's id follows from all of them."""
    if encoder is not None:
        manifest = replace(
            manifest,
            encoder=encoder.id,
            dimension=encoder.dimension,
            weights_sha256=encoder.weights_sha256,
        )
    parts = dict(sorted(parts.items()))
    return replace(
        manifest, parts=parts, snapshot=snapshot_id(parts, manifest.encoder, manifest.as_of)
    )
