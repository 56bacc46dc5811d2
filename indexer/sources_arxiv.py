"""Papers from arXiv: the public metadata snapshot as a file, and new papers over OAI-PMH.

The snapshot is one JSON object a line and is read line by line. OAI-PMH (https://info.arxiv.org/help/oa)
is spoken by oaipmh-scythe, a page at a time with a pause between two, as arXiv asks.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from indexer import config
from indexer.errors import RemoteError, SourceError
from indexer.journal import Journal
from indexer.records import IngestReport, NotAPaper
from indexer.sources_lfs import refuse_pointer

DEFAULT_CATEGORY = "astro-ph"
SECONDS_BETWEEN_PAGES = 3.0  # https://info.arxiv.org/help/api/tou.html
SECONDS_BEFORE_RETRY = 10.0
ATTEMPTS = 5
TIMEOUT_SECONDS = 120.0
DEFAULT_DAYS = 2  # `arxiv:astro-ph` alone: yesterday's and today's papers

_SINCE = re.compile(r"^(?P<category>[A-Za-z-]+(?:\.[A-Za-z-]+)?)(?:\s+since\s+(?P<since>\S+))?$")
_NAMESPACES = {
    "oai": "http://www.openarchives.org/OAI/2.0/",
    "arxiv": "http://arxiv.org/OAI/arXiv/",
}
_ARCHIVES = {  # set names of arXiv's OAI-PMH: physics archives lie under `physics:`
    **dict.fromkeys(
        ("astro-ph", "cond-mat", "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph", "nlin", "nucl-ex", "nucl-th", "quant-ph"),
        "physics",
    )
}  # fmt: skip

Lines = Callable[[Path], Iterator[Any]]


def snapshot_records(place: str, lines: Lines) -> Iterator[Any]:
    """Yield the records of the arXiv metadata snapshot `FILE` or `FILE#CATEGORY` in a category.

    `lines` reads a plain or gzip file and yields, for a cut file, what says so. Papers of other
    categories are passed over and not counted.

    Raises:
        SourceError: there is no such file, or it holds no record of the snapshot's layout.
    """
    name, _, category = place.partition("#")
    path = Path(name)
    if not path.is_file():
        raise SourceError(
            f"There is no file {path}: give the arXiv metadata snapshot (arxiv-metadata-oai-snapshot.json)."
        )
    refuse_pointer(path)
    wanted = category or DEFAULT_CATEGORY
    n_whole = 0
    for line in lines(path):
        if not isinstance(line, bytes):
            yield line
            continue
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield NotAPaper("line is not JSON")
            continue
        if not isinstance(row, dict) or "id" not in row:
            yield NotAPaper("line is not a record of the arXiv snapshot")
            continue
        n_whole += 1
        categories = str(row.get("categories") or "").split()
        if any(_within(one, wanted) for one in categories):
            yield _snapshot_record(row, categories)
    if not n_whole:
        raise SourceError(
            f"{path} holds no line of the arXiv snapshot: expected one JSON object a line with id, title, abstract, categories."
        )


def read_arxiv(
    place: str, report: IngestReport, *, journal: Journal, endpoint: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield a record per paper new or changed in `CATEGORY` or `CATEGORY since DATE`, over OAI-PMH.

    Without a date: since two days ago. Deleted records are passed over.

    Raises:
        SourceError: the category or date cannot be read, or arXiv rejects them.
        RemoteError: arXiv failed after retries.
    """
    category, since = _parsed(place, journal)
    harvest = report.harvests[-1] if report.harvests else report.begin(f"arxiv:{place}")
    harvest.harvested = journal.state.begun
    seen: set[str] = set()
    for record in journal.records():
        seen.add(record["arxiv_id"])
        if not record.get("deleted"):
            yield record
    if not journal.state.complete:
        for record in _harvest(category, since, journal, report, endpoint or config.arxiv_url()):
            if record["arxiv_id"] not in seen:
                seen.add(record["arxiv_id"])
                if not record.get("deleted"):
                    yield record
    harvest.found = journal.state.found
    if harvest.found and len(seen) < harvest.found:  # by OAI-PMH the size may be an estimate
        report.tell(f"arXiv promised about {harvest.found:,} records and sent {len(seen):,}.")


def _parsed(place: str, journal: Journal) -> tuple[str, date]:
    category, since = arxiv_place(place)
    return category, since or journal.begun - timedelta(days=DEFAULT_DAYS)


def arxiv_place(place: str) -> tuple[str, date | None]:
    """The category and the first day that a source names.

    Raises:
        SourceError: it cannot be read, or its date is none.
    """
    match = _SINCE.match(place.strip() or DEFAULT_CATEGORY)
    if not match:
        raise SourceError(
            f"`arxiv:{place}` cannot be read: write arxiv:CATEGORY or 'arxiv:CATEGORY since 2026-01-31'."
        )
    try:
        since = date.fromisoformat(match["since"]) if match["since"] else None
    except ValueError:
        raise SourceError(
            f"`arxiv:{place}`: {match['since']!r} is no date; write it as 2026-01-31."
        ) from None
    return match["category"], since


def _harvest(
    category: str, since: date, journal: Journal, report: IngestReport, endpoint: str
) -> Iterator[dict[str, Any]]:
    from oaipmh_scythe import Scythe
    from oaipmh_scythe.config import HTTPConfig
    from oaipmh_scythe.exceptions import BadResumptionToken, NoRecordsMatch, OAIPMHException

    archive, _, subject = category.partition(".")
    group = _ARCHIVES.get(archive, archive)
    oai_set = ":".join(filter(None, dict.fromkeys((group, archive, subject and subject.upper()))))
    first = {"verb": "ListRecords", "metadataPrefix": "arXiv", "from": since.isoformat(), "set": oai_set}  # fmt: skip
    with Scythe(endpoint, http_config=HTTPConfig(timeout=TIMEOUT_SECONDS)) as client:
        restarted = False
        while not journal.state.complete:
            token = journal.state.cursor
            query = {"verb": "ListRecords", "resumptionToken": token} if token else first
            try:
                records, token, found = _page(client, query, report)
            except NoRecordsMatch:
                records, token, found = [], "", journal.state.n_records
            except BadResumptionToken as error:
                if restarted or not token:
                    raise RemoteError(f"arXiv does not accept its own token: {error}") from error
                restarted = True
                report.tell("arXiv's resumption token has expired: its list is read again.")
                journal.add([], cursor="", found=journal.state.found)
                continue
            except OAIPMHException as error:
                raise SourceError(f"arXiv rejects the request for {category!r}: {error}") from error
            found = found if found is not None else journal.state.found
            journal.add(records, cursor=token, found=found)
            report.tell(f"arXiv: {journal.state.n_records:,}" + (f" of {found:,}" if found else ""))
            yield from records
            if not token:
                break
            time.sleep(SECONDS_BETWEEN_PAGES)
    journal.finish()


def _page(
    client: Any, query: Mapping[str, str], report: IngestReport
) -> tuple[list[dict[str, Any]], str, int | None]:
    """One page: its records, the token of the next one, and how many the whole list promises."""
    import httpx2
    from lxml import etree

    answers: list[httpx2.Response] = []
    client.client.event_hooks["response"] = [answers.append]
    pause, problem = SECONDS_BEFORE_RETRY, ""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            response = client.harvest(dict(query)).http_response
            # The client's own parser mends broken XML and so would lose what a cut page lacks.
            tree = etree.fromstring(response.content, etree.XMLParser(resolve_entities=False))
            return _parsed_page(tree)
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            problem = type(error).__name__
        except (httpx2.HTTPStatusError, etree.XMLSyntaxError, AttributeError) as error:
            # AttributeError: the client looks for OAI-PMH errors in answers that hold no XML at all.
            status = answers[-1].status_code
            problem = f"HTTP {status}" if status >= 400 else "an answer that is not whole XML"
            if 400 <= status < 500 and status not in (408, 429):
                raise RemoteError(f"arXiv answered {problem} to {query}.") from error
            pause = max(pause, _retry_after(answers[-1].headers))
            if pause > config.max_wait_seconds():
                raise RemoteError(
                    f"arXiv asks to wait {pause:,.0f} s: run the command again then, it goes on at this page."
                ) from error
        if attempt < ATTEMPTS:
            report.tell(f"arXiv: {problem}; trying again in {pause:.0f} s.")
            time.sleep(pause)
            pause *= 2
    raise RemoteError(
        f"arXiv did not answer after {ATTEMPTS} attempts: {problem}. Run the command again later: it goes on at this page."
    )


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that Retry-After asks for, given in seconds or as a date; 0 without."""
    value = headers.get("retry-after", "")
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _parsed_page(tree: Any) -> tuple[list[dict[str, Any]], str, int | None]:
    records = []
    for item in tree.iterfind(".//oai:record", _NAMESPACES):
        metadata = item.find(".//arxiv:arXiv", _NAMESPACES)
        name = str(item.findtext("oai:header/oai:identifier", "", _NAMESPACES)).rpartition(":")[2]
        deleted = {"arxiv_id": name, "deleted": True}
        records.append(deleted if metadata is None else _oai_record(metadata))
    token = tree.find(".//oai:resumptionToken", _NAMESPACES)
    if token is None:
        return records, "", None
    size = token.get("completeListSize", "")
    return records, (token.text or "").strip(), int(size) if size.isdigit() else None


def _oai_record(metadata: Any) -> dict[str, Any]:
    def text(name: str, inside: Any = metadata) -> str:
        return str(inside.findtext(f"arxiv:{name}", "", _NAMESPACES) or "").strip()

    authors = []
    for author in metadata.iterfind("arxiv:authors/arxiv:author", _NAMESPACES):
        names = (text("keyname", author), text("forenames", author))
        authors.append(", ".join(filter(None, names)))
    return {
        "arxiv_id": text("id"),
        "title": " ".join(text("title").split()),
        "abstract": " ".join(text("abstract").split()),
        "authors": authors,
        "categories": text("categories").split(),
        "doi": text("doi") or None,
        "journal": text("journal-ref") or None,
        "date": text("created") or None,
        "doctype": "eprint",
    }


def _snapshot_record(row: Mapping[str, Any], categories: list[str]) -> dict[str, Any]:
    versions, listed = (
        value if isinstance(value, list) else []
        for value in (row.get("versions"), row.get("authors_parsed"))
    )
    first = versions[0] if versions and isinstance(versions[0], dict) else {}
    created = _rfc_date(str(first.get("created") or ""))
    parsed = [entry for entry in listed if isinstance(entry, list)]
    names = [", ".join(filter(None, (str(part).strip() for part in entry[:2]))) for entry in parsed]
    return {
        "arxiv_id": row.get("id"),
        "title": " ".join(str(row.get("title") or "").split()),
        "abstract": " ".join(str(row.get("abstract") or "").split()),
        "authors": names,
        "categories": categories,
        "doi": str(row.get("doi") or "").split()[:1] or None,
        "journal": row.get("journal-ref"),
        "date": created or _first_submitted(str(row.get("id") or "")) or row.get("update_date"),
        "doctype": "eprint",
    }


def _rfc_date(value: str) -> str | None:
    """`Mon, 2 Apr 2007 19:18:42 GMT` -> `2007-04-02`."""
    try:
        return parsedate_to_datetime(value).date().isoformat()
    except (TypeError, ValueError, IndexError):
        return None


def _first_submitted(arxiv_id: str) -> str | None:
    """The month in an arXiv id: `0704.0001` and `astro-ph/0612345` -> `2007-04`, `2006-12`."""
    match = re.match(r"(?:[a-z-]+(?:\.[A-Z]{2})?/)?(\d\d)(\d\d)", arxiv_id)
    if not match or not 1 <= int(match[2]) <= 12:
        return None
    century = "19" if int(match[1]) > 90 else "20"
    return f"{century}{match[1]}-{match[2]}"


def _within(category: str, wanted: str) -> bool:
    """Whether an arXiv category is the wanted one or below it: astro-ph.CO is within astro-ph."""
    return category.lower() == wanted.lower() or category.lower().startswith(f"{wanted.lower()}.")
