"""The log of a long-running process, on stderr: warnings as text, or everything as JSON, an object a line."""

from __future__ import annotations

import json
import logging
import sys
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
    handler.setFormatter(JsonLine() if wanted.json else logging.Formatter("%(levelname)s %(name)s: %(message)s"))  # fmt: skip
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
        if record.exc_info:
            row["error"] = self.formatException(record.exc_info)
        return json.dumps(row, ensure_ascii=True, default=str)
