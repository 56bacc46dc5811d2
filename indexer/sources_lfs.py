"""Git LFS pointers: the small text files that stand for data that was not fetched."""

from __future__ import annotations

from pathlib import Path

from indexer.errors import SourceError

_FIRST_LINE = b"version https://git-lfs.github.com/spec/v1"


def refuse_pointer(path: Path) -> None:
    """Check that a file is not a Git LFS pointer.

    Raises:
        SourceError: it is one; the message has the command that fetches the file.
    """
    with path.open("rb") as stream:
        if stream.read(len(_FIRST_LINE)) == _FIRST_LINE:
            raise SourceError(
                f"{path} is a Git LFS pointer, the file itself was not fetched: run "
                f"`git -C {path.parent} lfs install && git -C {path.parent} lfs pull`."
            )
