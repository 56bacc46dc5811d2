"""Replies of language models kept on disk, keyed by everything that makes a reply what it is.

Only replies that came to their end are kept. A file that cannot be read is no reply.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# The fences of prompts are random words; the reply does not depend on which.
_FENCE = re.compile(r"\b(MATERIAL|QUESTION)-[0-9a-f]{16}\b")


@dataclass(frozen=True)
class Kept:
    """A reply as it was given, and the tokens it cost then."""

    text: str
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None


def key(*parts: Any) -> str:
    """The name of a reply: a hash of server, model, settings and prompts, fences aside."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(_FENCE.sub(r"\1", text).encode()).hexdigest()


def read(folder: Path, name: str) -> Kept | None:
    """The reply of that name, or None."""
    try:
        return Kept(**json.loads(_path(folder, name).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write(folder: Path, name: str, reply: Kept) -> None:
    """Keep a reply; a full or read-only disk is no reason to fail an answer."""
    path = _path(folder, name)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.write_text(json.dumps(asdict(reply), ensure_ascii=False), encoding="utf-8")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)


def _path(folder: Path, name: str) -> Path:
    return folder / name[:2] / f"{name}.json"
