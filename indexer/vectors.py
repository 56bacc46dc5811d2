"""The vector cache: each text is encoded once per encoder, whatever happens in between.

Two append-only files per encoder, `keys.bin` (sha256 of the text, 32 bytes each) and `vectors.f16`
(one fp16 row each). Vectors are written before their keys, and what has no key is cut off at the
next opening, so a killed build loses at most the batch it was in.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from indexer import config
from indexer.encoder import Encoder
from indexer.errors import EncoderError, StorageError

BATCH_TEXTS = 128  # encoded between two writes: the most that a kill can cost
KEY_BYTES = 32

HalfVectors = npt.NDArray[np.float16]
Progress = Callable[[int, int], None]


def text_key(text: str) -> bytes:
    """The key of a text: its sha256, 32 bytes."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def cached_vectors(
    encoder: Encoder,
    keys: Sequence[bytes],
    lengths: Sequence[int],
    text_of: Callable[[int], str],
    *,
    directory: Path | None = None,
    given: tuple[npt.NDArray[np.uint8], HalfVectors] | None = None,
    progress: Progress = lambda done, total: None,
) -> HalfVectors:
    """Return the fp16 unit vectors of texts 0..n-1, `(n, dimension)`, encoding those not yet cached.

    `keys[i]` and `lengths[i]` belong to `text_of(i)`, which is called only for what is missing,
    short texts first. `given` are keys `(m, 32)` and vectors `(m, dimension)` of an earlier index, taken
    as they are. `progress(done, total)` counts the missing ones.

    Raises:
        StorageError: the cache cannot be written.
        EncoderError: the encoder returned vectors that are not finite.
    """
    slug = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{encoder.id}-{encoder.weights_sha256[:12]}").strip(
        "-_"
    )
    folder = (directory or config.cache_dir() / "vectors") / slug
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            rows = _consistent_rows(folder, encoder.dimension)
            earlier = _rows_of(given[0]) if given else {}
            _copy(
                folder, given, {k: r for k, r in earlier.items() if k not in rows}, set(keys), rows
            )
            missing = {key: i for i, key in enumerate(keys) if key not in rows}
            order = sorted(missing.values(), key=lambda i: (lengths[i], keys[i]))
            _append(folder, encoder, order, keys, text_of, rows, progress)
        if not rows:
            return np.zeros((len(keys), encoder.dimension), dtype=np.float16)
        stored = np.memmap(folder / "vectors.f16", dtype=np.float16, mode="r").reshape(
            -1, encoder.dimension
        )
        return np.asarray(stored[[rows[key] for key in keys]])
    except OSError as error:
        raise StorageError(
            f"The vector cache {folder} cannot be written ({error.strerror or error}): "
            "free some space, or set WAYFINDER_CACHE to a directory with room."
        ) from error


def _consistent_rows(folder: Path, dimension: int) -> dict[bytes, int]:
    """Cut both files to the rows that are whole in both; return the row of each key."""
    keys, vectors = folder / "keys.bin", folder / "vectors.f16"
    for path in (keys, vectors):
        path.touch()
    row_bytes = 2 * dimension
    n_rows = min(keys.stat().st_size // KEY_BYTES, vectors.stat().st_size // row_bytes)
    os.truncate(keys, n_rows * KEY_BYTES)
    os.truncate(vectors, n_rows * row_bytes)
    content = keys.read_bytes()
    return {content[i * KEY_BYTES : (i + 1) * KEY_BYTES]: i for i in range(n_rows)}


def _rows_of(keys: npt.NDArray[np.uint8]) -> dict[bytes, int]:
    content = np.asarray(keys).tobytes()
    return {content[i * KEY_BYTES : (i + 1) * KEY_BYTES]: i for i in range(len(keys))}


def _copy(
    folder: Path,
    given: tuple[npt.NDArray[np.uint8], HalfVectors] | None,
    earlier: dict[bytes, int],
    wanted: set[bytes],
    rows: dict[bytes, int],
) -> None:
    """Add to the cache what an earlier index has and it lacks: an index made on another machine."""
    chosen = {key: row for key, row in earlier.items() if key in wanted}
    if given is None or not chosen:
        return
    with (
        (folder / "vectors.f16").open("ab") as vector_file,
        (folder / "keys.bin").open("ab") as key_file,
    ):
        vector_file.write(np.asarray(given[1][list(chosen.values())]).tobytes())
        vector_file.flush()
        key_file.write(b"".join(chosen))
    rows.update({key: len(rows) + i for i, key in enumerate(chosen)})


def _append(
    folder: Path,
    encoder: Encoder,
    order: Sequence[int],
    keys: Sequence[bytes],
    text_of: Callable[[int], str],
    rows: dict[bytes, int],
    progress: Progress,
) -> None:
    """Encode the texts in `order`, a batch at a time, and add them to the files and to `rows`."""
    progress(0, len(order))
    with (
        (folder / "vectors.f16").open("ab") as vector_file,
        (folder / "keys.bin").open("ab") as key_file,
    ):
        for start in range(0, len(order), BATCH_TEXTS):
            batch = order[start : start + BATCH_TEXTS]
            vectors = encoder.encode([text_of(i) for i in batch])
            if not np.isfinite(vectors).all():
                raise EncoderError(
                    f"Encoder {encoder.id!r} returned vectors that are not finite; none of this batch was kept."
                )
            vector_file.write(vectors.astype(np.float16).tobytes())
            vector_file.flush()
            key_file.write(b"".join(keys[i] for i in batch))
            key_file.flush()
            for i in batch:
                rows[keys[i]] = len(rows)
            progress(start + len(batch), len(order))
