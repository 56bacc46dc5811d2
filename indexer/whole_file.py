"""A file that appears whole or not at all: written beside its place, then renamed into it.

Only files are replaced: a folder, a link, a device or a pipe stays what it is.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from indexer.errors import StorageError


def write_whole(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write `content` to `path`; one that was there keeps its permissions, a new one gets `mode` less the umask.

    Raises:
        OSError: it cannot be written; what was there before is as it was.
    """
    new = path.with_name(f".wayfinder-{secrets.token_hex(8)}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            with suppress(FileNotFoundError):
                new.chmod(stat.S_IMODE(path.stat().st_mode))
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def save(path: Path, content: bytes) -> None:
    """Write a file that a person named.

    Raises:
        StorageError: it cannot be written, or no file is there; what was there before is as it was.
    """
    try:
        if (why := not_a_file(path)) is not None:
            raise StorageError(f"{path} was not written: {why}.")
        write_whole(path, content)
    except OSError as error:
        raise StorageError(f"{path} was not written: {error.strerror or error}.") from error


def not_a_file(path: Path) -> str | None:
    """Why what is at a path may not be replaced; None for a file or nothing."""
    try:
        kind = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"it cannot be looked at ({error.strerror or error})"
    if stat.S_ISREG(kind):
        return None
    what = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a link"}.get(stat.S_IFMT(kind), "a device or a pipe")  # fmt: skip
    return f"{what} is there, which is not replaced"
