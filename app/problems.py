"""What visitors, and programs as problem details (RFC 9457), are told of errors: no traces, paths or secrets."""

from __future__ import annotations

import logging
import math
import secrets
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from app.limits import TooBusy, TooOften
from app.logs import outline
from indexer.errors import (
    EncoderError,
    IndexCorrupt,
    IndexIncompatible,
    IndexMissing,
    MissingCredential,
    PaperNotFound,
    SourceError,
    StorageError,
    UserError,
    WayfinderError,
)
from retrieval.errors import LLMError

MEDIA_TYPE = "application/problem+json"
MOST_SHOWN = 80  # characters of a value that was given
_OF_THE_HOST = (IndexMissing, IndexIncompatible, MissingCredential, SourceError, LLMError)
_FAILED = "Something failed here."
_log = logging.getLogger("wayfinder.errors")
# What a visitor reads of errors that only the host can mend: their own words name its folders.
_PLAIN: dict[type[WayfinderError], str] = {
    IndexMissing: "This host has no index here, or it lacks the part that this needs.",
    IndexIncompatible: "The index of this host was made by another version of Wayfinder, or with another encoder.",
    IndexCorrupt: "The index of this host is damaged: a part of it is missing or altered.",
    EncoderError: "A model that this needs is missing on this host, or fails.",
    MissingCredential: "A key that this needs is not set on this host.",
    SourceError: "Something that this needs cannot be read on this host.",
    StorageError: "Something that this needs cannot be written on this host.",
}

SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "What went wrong, as RFC 9457 has it.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "The value, what was expected, what to do."},
        "errors": {
            "type": "array",
            "description": "Each value of the request that cannot be used.",
            "items": {
                "type": "object",
                "required": ["at", "said", "given"],
                "additionalProperties": False,
                "properties": {name: {"type": "string"} for name in ("at", "said", "given")},
            },
        },
        "reference": {"type": "string", "description": "Finds this error in the host's log."},
    },
}


@dataclass(frozen=True)
class Problem:
    """One error on its way out."""

    status: int
    detail: str
    errors: tuple[dict[str, str], ...] = ()
    reference: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def row(self) -> dict[str, Any]:
        """As JSON."""
        row: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            row["errors"] = list(self.errors)
        return row | ({"reference": self.reference} if self.reference else {})


def problem_of(error: Exception) -> Problem:
    """What a program is told of an error; what only the host may know goes to the log, under a reference."""
    if isinstance(error, TooOften | TooBusy):
        wait = {"Retry-After": str(math.ceil(error.seconds))}
        return Problem(429 if isinstance(error, TooOften) else 503, str(error), headers=wait)
    if isinstance(error, PaperNotFound):
        return Problem(404, str(error))
    if isinstance(error, UserError) and not isinstance(error, _OF_THE_HOST):
        return Problem(422, str(error))
    reference = secrets.token_hex(4)
    _log.error("%s: %s", reference, error if isinstance(error, WayfinderError) else outline(error))
    if isinstance(error, _OF_THE_HOST):
        said = "This server cannot do that: its index or its configuration lacks what it needs. "
        return Problem(503, f"{said}{_ask_host(reference)}", reference=reference)
    return Problem(500, f"{_FAILED} {_ask_host(reference)}", reference=reference)


def told_visitor(error: Exception) -> str:
    """What a visitor reads of an error; what only the host can mend is said plainly, its own words go to the log."""
    if not isinstance(error, WayfinderError):
        return _logged(f"{_FAILED} Reload the page to go on.", type(error).__name__)
    plain = next((said for kind, said in _PLAIN.items() if isinstance(error, kind)), None)
    return str(error) if plain is None else _logged(plain, str(error))


def _logged(said: str, reason: str) -> str:
    """What is said, with the reference under which the reason stands in the log."""
    reference = secrets.token_hex(4)
    _log.error("%s: %s", reference, reason)
    return f"{said} {_ask_host(reference)}"


def _ask_host(reference: str) -> str:
    return f"Whoever hosts it finds the reason in its log, under {reference}."


def shown(value: object) -> str:
    """A value that was given, short."""
    text = ascii(value)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
