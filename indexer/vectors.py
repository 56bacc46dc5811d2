"""The vector cache: each text is encoded once per encoder, whatever happens in between.

Two append-only files per encoder, `keys.bin` (sha256 of the text, 32 bytes each) and `vectors.f16`
(one fp16 row each). Vectors are written before their keys, and what has no key is cut off at the
next opening, so a killed build loses at most the batch it was in. The lock is held while a batch is
added, not while it is encoded: builds that run at the same time do not wait for each other.
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
    folder = vector_folder(encoder, directory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            n_rows = _whole_rows(folder, encoder.dimension)
            known = (folder / "keys.bin").read_bytes()[: n_rows * KEY_BYTES]
        rows = {key: i for i, key in enumerate(_split(known))}
        if given is not None:
            _copy(folder, encoder.dimension, given, set(keys), rows)
        missing = {key: i for i, key in enumerate(keys) if key not in rows}
        order = sorted(missing.values(), key=lambda i: (lengths[i], keys[i]))
        progress(0, len(order))
        for start in range(0, len(order), BATCH_TEXTS):
            batch = order[start : start + BATCH_TEXTS]
            vectors = _encoded(encoder, [text_of(i) for i in batch])
            _append(folder, encoder.dimension, [keys[i] for i in batch], vectors, rows)
            progress(start + len(batch), len(order))
        if not rows:
            return np.zeros((len(keys), encoder.dimension), dtype=np.float16)
        content = np.memmap(folder / "vectors.f16", dtype=np.float16, mode="r")
        n_whole = len(content) // encoder.dimension
        stored = content[: n_whole * encoder.dimension].reshape(-1, encoder.dimension)
        return np.asarray(stored[[rows[key] for key in keys]])
    except OSError as error:
        raise StorageError(
            f"The vector cache {folder} cannot be written ({error.strerror or error}): "
            "free some space, or set WAYFINDER_CACHE to a directory with room."
        ) from error


def vector_folder(encoder: Encoder, directory: Path | None = None) -> Path:
    """Where the vectors of an encoder are kept."""
    slug = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{encoder.id}-{encoder.weights_sha256[:12]}")
    return (directory or config.cache_dir() / "vectors") / slug.strip("-_")


def _encoded(encoder: Encoder, texts: list[str]) -> HalfVectors:
    vectors = encoder.encode(texts)
    if not np.isfinite(vectors).all():
        raise EncoderError(
            f"Encoder {encoder.id!r} returned vectors that are not finite; none of this batch was kept."
        )
    return vectors.astype(np.float16)


def _append(
    folder: Path,
    dimension: int,
    keys: Sequence[bytes],
    vectors: HalfVectors,
    rows: dict[bytes, int],
) -> None:
    """Add vectors to the files and to `rows`; other builds may add in between."""
    with (
        FileLock(folder / "lock"),
        (folder / "vectors.f16").open("ab") as vector_file,
        (folder / "keys.bin").open("ab") as key_file,
    ):
        n_rows = _whole_rows(folder, dimension)
        vector_file.write(vectors.tobytes())
        vector_file.flush()
        key_file.write(b"".join(keys))
        key_file.flush()
    rows.update({key: n_rows + i for i, key in enumerate(keys)})


def _copy(
    folder: Path,
    dimension: int,
    given: tuple[npt.NDArray[np.uint8], HalfVectors],
    wanted: set[bytes],
    rows: dict[bytes, int],
) -> None:
    """Add to the cache what an earlier index has and it lacks: an index made on another machine."""
    lacking = {
        key: i
        for i, key in enumerate(_split(given[0].tobytes()))
        if key in wanted and key not in rows
    }
    if lacking:
        _append(folder, dimension, list(lacking), given[1][list(lacking.values())], rows)


def _whole_rows(folder: Path, dimension: int) -> int:
    """Cut both files to the rows that are whole in both, and return how many; hold the lock."""
    keys, vectors = folder / "keys.bin", folder / "vectors.f16"
    for path in (keys, vectors):
        path.touch()
    n_rows = min(keys.stat().st_size // KEY_BYTES, vectors.stat().st_size // (2 * dimension))
    for path, row_bytes in ((keys, KEY_BYTES), (vectors, 2 * dimension)):
        if path.stat().st_size != n_rows * row_bytes:
            os.truncate(path, n_rows * row_bytes)
    return n_rows


def _split(keys: bytes) -> list[bytes]:
    return [keys[i : i + KEY_BYTES] for i in range(0, len(keys), KEY_BYTES)]
