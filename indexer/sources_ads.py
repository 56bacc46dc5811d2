"""Papers from NASA ADS through the `ads` package: all fields in the search call, page after page.

The package builds the query, holds the session and parses the answer; time-outs, retries, quota and the
check that everything promised has arrived are here, because it has none. Each page goes into a journal,
so that a killed harvest goes on where it was.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import ads
import requests
from ads.config import SEARCH_URL
from ads.exceptions import SolrResponseParseError
from ads.search import SolrResponse

from indexer import config
from indexer.errors import MissingCredential, RemoteError, SourceError
from indexer.journal import Journal
from indexer.records import IngestReport

ROWS_A_PAGE = 2000
TIMEOUT_SECONDS = 60.0
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 2.0
FIELDS = [
    "bibcode",
    "identifier",
    "alternate_bibcode",
    "doi",
    "title",
    "abstract",
    "author",
    "pubdate",
    "year",
    "pub",
    "bibstem",
    "doctype",
    "keyword",
    "arxiv_class",
    "citation_count",
    "reference",
    "facility",
    "bibgroup",
    "object",
    "nedid",
]
_BIBCODE = re.compile(r"^\d{4}[A-Za-z&.\d]{15}$")


def ads_token_for(query: str, *, needed: bool = True) -> config.Secret | None:
    """The token to ask ADS for `query` with.

    Raises:
        SourceError: the query is empty.
        MissingCredential: a token is needed and none is set.
    """
    if not query.strip():
        raise SourceError(
            "`ads:` needs a query, such as ads:'abs:\"tidal disruption\" year:2020-2026'."
        )
    token = config.ads_token()
    if needed and not token:
        raise MissingCredential(
            "Reading from ADS needs a token: get one at https://ui.adsabs.harvard.edu/user/settings/token "
            "and set ADS_API_TOKEN (or write it to ~/.ads/dev_key)."
        )
    return token


def read_ads(
    query: str, report: IngestReport, *, journal: Journal, endpoint: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield a record per paper that ADS finds for `query`, until all that it promised has come.

    Raises:
        MissingCredential: no token is set.
        SourceError: ADS rejects the query or the token.
        RemoteError: ADS failed after retries, its quota is used up for long, or papers are missing.
    """
    token = ads_token_for(query, needed=False)
    harvest = report.harvests[-1] if report.harvests else report.begin(f"ads:{query}")
    harvest.harvested = journal.state.begun
    seen: set[str] = set()
    for record in journal.records():
        seen.add(str(record["bibcode"]))
        yield record
    if seen:
        report.tell(f"ADS: going on after {len(seen):,} papers of a harvest begun {journal.begun}.")
    if not journal.state.complete:
        token = ads_token_for(query)
        search = ads.SearchQuery(
            q=query, fl=FIELDS, sort="id asc", rows=ROWS_A_PAGE, token=str(token)
        )
        yield from _harvest(
            search, seen, journal, report, endpoint or config.ads_url() or SEARCH_URL
        )
    harvest.found = journal.state.found


def _harvest(
    search: ads.SearchQuery, seen: set[str], journal: Journal, report: IngestReport, endpoint: str
) -> Iterator[dict[str, Any]]:
    """The pages that are not in the journal; read once more from the start where ADS grew meanwhile."""
    promised = journal.state.found
    grew = False
    for again in (False, True):
        if again and not grew:
            break
        search.query["cursorMark"] = (journal.state.cursor if not again else "") or "*"
        while True:
            page = _page(search, endpoint, report)
            grew = grew or (promised is not None and page.numFound > promised)
            promised = page.numFound
            new = [d for d in page.docs if d.get("bibcode") and d["bibcode"] not in seen]
            records = list({d["bibcode"]: _record(d) for d in new}.values())
            seen.update(str(record["bibcode"]) for record in records)
            cursor = page.json.get("nextCursorMark")
            journal.add(records, cursor=cursor or journal.state.cursor, found=promised)
            report.tell(f"ADS: {len(seen):,} of {promised:,}{_quota(page)}")
            yield from records
            if not page.docs or cursor in (None, search.query["cursorMark"]):
                break
            search.query["cursorMark"] = cursor
        if len(seen) >= promised:
            journal.finish()
            return
    journal.restart()
    raise RemoteError(
        f"ADS promised {promised:,} papers for {search.query['q']!r} and sent {len(seen):,}: "
        f"{(promised or 0) - len(seen):,} are missing; run the command again, it asks for all pages anew."
    )


def _page(search: ads.SearchQuery, endpoint: str, report: IngestReport) -> SolrResponse:
    pause = FIRST_PAUSE_SECONDS
    problem = ""
    for attempt in range(1, ATTEMPTS + 1):
        wait = pause
        try:
            response = search.session.get(endpoint, params=search.query, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            problem = (
                f"no answer ({type(error).__name__})"  # the error's text may hold request headers
            )
        else:
            if response.ok:
                try:
                    return _parsed(response)
                except (ValueError, KeyError, TypeError, AttributeError, SolrResponseParseError):
                    problem = "an answer that is not ADS's JSON"
            else:
                problem = _problem(response, search)
                wait = _seconds_to_wait(response, pause)
        if attempt < ATTEMPTS:
            report.tell(f"ADS: {problem}; trying again in {wait:,.0f} s.")
            time.sleep(wait)
            pause *= 2
    raise RemoteError(
        f"ADS did not answer after {ATTEMPTS} attempts: {problem}. Run the command again later: it goes on at this page."
    )


def _parsed(response: requests.Response) -> SolrResponse:
    page = SolrResponse.load_http_response(response)
    if not isinstance(page.docs, list) or not isinstance(page.numFound, int):
        raise TypeError("docs and numFound are missing")
    return page


def _problem(response: requests.Response, search: ads.SearchQuery) -> str:
    """What a refused request means, in words, where trying again may help.

    Raises:
        SourceError: trying again cannot help.
    """
    status = response.status_code
    if status in (401, 403):
        raise SourceError(
            f"ADS refuses the token (HTTP {status}): make a new one at its user settings page."
        )
    if status == 429:
        return "the day's quota is used up (HTTP 429)"
    if status < 500 and status != 408:
        raise SourceError(
            f"ADS rejects the query (HTTP {status}): {search.query['q']!r}. {_reason(response)}"
        )
    return f"HTTP {status}"


def _reason(response: requests.Response) -> str:
    """What ADS says is wrong with a query, if it does."""
    try:
        error = response.json()["error"]
        text = str(error["msg"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        return "Try the query at https://ui.adsabs.harvard.edu first."
    return f"ADS says: {text[:300]}"


def _seconds_to_wait(response: requests.Response, pause: float) -> float:
    """The pause, or for a 429 what its headers ask for: Retry-After, or X-RateLimit-Reset (Unix time).

    The reset is compared with the server's own clock where it gives it: this machine's may be wrong.

    Raises:
        RemoteError: that is longer than a harvest waits.
    """
    if response.status_code not in (429, 503):
        return pause
    headers, wait = response.headers, pause
    try:
        if "Retry-After" in headers:
            wait = max(0.0, float(headers["Retry-After"]))
        elif "X-RateLimit-Reset" in headers:
            wait = max(0.0, float(headers["X-RateLimit-Reset"]) - _server_time(headers)) + 1.0
    except ValueError:
        return pause
    longest = config.max_wait_seconds()
    if wait > longest:
        raise RemoteError(
            f"ADS's quota is used up and reset in {wait / 3600:.1f} hours, a harvest waits {longest / 3600:.1f} at most "
            "(WAYFINDER_MAX_WAIT_SECONDS): run the command again then, it goes on at this page."
        )
    return wait


def _server_time(headers: Mapping[str, str]) -> float:
    try:
        return parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return time.time()


def _quota(page: SolrResponse) -> str:
    limits = page.get_ratelimits()
    if not limits.get("remaining"):
        return ""
    of = f" of {int(limits['limit']):,}" if str(limits.get("limit", "")).isdigit() else ""
    return f" ({limits['remaining']}{of} requests of today's quota left)"


def _record(document: Mapping[str, Any]) -> dict[str, Any]:
    identifiers = [str(i) for i in document.get("identifier") or []]
    identifiers += [str(i) for i in document.get("alternate_bibcode") or []]
    arxiv_id = next((i for i in identifiers if i.lower().startswith("arxiv:")), None)
    return {
        "bibcode": document.get("bibcode"),
        "arxiv_id": arxiv_id,
        "doi": document.get("doi"),
        "title": document.get("title"),
        "abstract": document.get("abstract"),
        "authors": document.get("author"),
        "date": document.get("pubdate"),
        "year": document.get("year"),
        "journal": document.get("bibstem") or document.get("pub"),
        "doctype": document.get("doctype"),
        "keywords": document.get("keyword"),
        "categories": document.get("arxiv_class"),
        "citation_count": document.get("citation_count"),
        "references": document.get("reference"),
        "facilities": document.get("facility"),
        "bibgroups": document.get("bibgroup"),
        "objects": document.get("object")
        or [str(name).replace("_", " ") for name in document.get("nedid") or []],
        "aliases": [i for i in dict.fromkeys(identifiers) if _BIBCODE.match(i)],
    }
