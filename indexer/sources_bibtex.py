"""BibTeX entries as records, ADS's own export included (its journal macros, eprint and adsurl)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import bibtexparser
from bibtexparser.model import Entry

_BIBCODE = re.compile(r"^\d{4}[A-Za-z&.\d]{15}$")
_ADS_URL = re.compile(r"adsabs\.harvard\.edu/abs/([^/\s}]+)")
_AUTHOR_JOIN = re.compile(r"\s+and\s+", re.IGNORECASE)


def bibtex_records(content: str) -> Iterator[dict[str, Any] | str]:
    """Yield each entry of `content` as a record, or the reason why one could not be parsed."""
    logger = logging.getLogger("bibtexparser")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # failed blocks are counted, not logged
    try:
        library = bibtexparser.parse_string(content)
    finally:
        logger.setLevel(level)
    for block in library.blocks:
        if isinstance(block, Entry):
            yield _record(block)
    for failed in library.failed_blocks:
        duplicate = getattr(failed, "ignore_error_block", None)
        yield (
            _record(duplicate) if isinstance(duplicate, Entry) else "BibTeX entry cannot be parsed"
        )


def _record(entry: Entry) -> dict[str, Any]:
    fields = {
        name.lower(): _unbraced(str(field.value)) for name, field in entry.fields_dict.items()
    }
    journal = fields.get("journal", "")
    eprint = fields.get("eprint", "")
    is_arxiv = fields.get("archiveprefix", "arxiv").lower() == "arxiv"
    return {
        "title": fields.get("title"),
        "abstract": fields.get("abstract"),
        "authors": [
            _unbraced(name) for name in _AUTHOR_JOIN.split(fields.get("author", "")) if name.strip()
        ],
        "bibcode": _bibcode(entry.key, fields),
        "arxiv_id": eprint if is_arxiv else None,
        "doi": fields.get("doi"),
        "year": fields.get("year") or fields.get("date"),
        "date": fields.get("date"),
        "journal": journal or fields.get("booktitle"),
        "doctype": entry.entry_type,
        "keywords": [word.strip() for word in re.split(r"[,;]", fields.get("keywords", ""))],
    }


def _bibcode(key: str, fields: dict[str, str]) -> str | None:
    from urllib.parse import unquote

    if match := _ADS_URL.search(fields.get("adsurl", "")):
        return unquote(match.group(1))
    return key if _BIBCODE.match(key) else None


def _unbraced(value: str) -> str:
    """A field's value without the outer braces and quotes, and names without theirs."""
    value = value.strip().strip('"').strip()
    while (
        value.startswith("{") and value.endswith("}") and "}" not in value[1:-1].replace("{}", "")
    ):
        value = value[1:-1].strip()
    return re.sub(r"\{([^{}\\$]*)\}", r"\1", value)
