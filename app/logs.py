"""The log of a long-running process, on stderr: warnings as text, or everything as JSON, an object a line.

Of an error that nobody expected stand type and places alone: what it says may hold a visitor's words, or a key.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime

from indexer import config

_FACTS = "facts"  # of a record: what stands in its JSON beside the message
_NAME = "wayfinder-log"
_WRITE_BY_THEMSELVES = ("streamlit", "uvicorn", "websockets")  # these have handlers of their own


def start_log() -> None:
    """Have this process log as the environment asks for; may be called again."""
    wanted = config.log_config()
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(_NAME)
    handler.setFormatter(JsonLine() if wanted.json else TextLine("%(levelname)s %(name)s: %(message)s"))  # fmt: skip
    root = logging.getLogger()
    for known in root.handlers[:]:
        if known.get_name() == _NAME:
            root.removeHandler(known)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("wayfinder").setLevel(logging.INFO if wanted.json else logging.WARNING)
    for name in [*root.manager.loggerDict]:
        if name.partition(".")[0] in _WRITE_BY_THEMSELVES:
            logger = logging.getLogger(name)
            logger.handlers.clear()
            logger.propagate = True


def note(logger: logging.Logger, event: str, **facts: object) -> None:
    """A line of facts; in a log of text it is not written."""
    logger.info(event, extra={_FACTS: facts})


def outline(error: BaseException) -> str:
    """An error, and those it came of, for the log: types and places, and what they say where questions are logged."""
    if config.log_config().questions:
        return "".join(traceback.format_exception(error)).rstrip()
    lines = []
    for one in _chain(error, set()):
        lines.append(f"{type(one).__module__}.{type(one).__qualname__}")
        places = ((frame.f_code, line) for frame, line in traceback.walk_tb(one.__traceback__))
        lines += [f"  {code.co_filename}:{line} in {code.co_name}" for code, line in places]
    return "\n".join(lines)


def _chain(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    """The error, those of its group, and what it came of, each once."""
    if id(error) in seen:
        return
    seen.add(id(error))
    yield error
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    for one in (*inner, *([before] if before else ())):
        yield from _chain(one, seen)


class TextLine(logging.Formatter):
    """A record as text, its error as `outline` has it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, whatever another handler has kept of its error."""
        record.exc_text = None
        return super().format(record)

    def formatException(self, ei: logging._SysExcInfoType) -> str:  # noqa: N802 - logging's name
        """The error."""
        return outline(ei[1]) if ei[1] is not None else ""


class JsonLine(logging.Formatter):
    """A record as a JSON object in one line; line breaks and control characters are escaped in it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        row: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, _FACTS, {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            row["error"] = outline(record.exc_info[1])
        return json.dumps(row, ensure_ascii=True, default=str)
