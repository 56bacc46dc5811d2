"""Papers from NASA ADS through the `ads` package: all fields in the search call, page after page.

The package builds the query, holds the session and parses the answer; time-outs, retries and the
check that everything promised has arrived are here, because it has none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import ads
import requests
from ads.config import SEARCH_URL
from ads.exceptions import SolrResponseParseError
from ads.search import SolrResponse

from indexer import config
from indexer.errors import MissingCredential, RemoteError, SourceError
from indexer.records import IngestReport

ROWS_A_PAGE = 2000
TIMEOUT_SECONDS = 60.0
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 120.0
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
]


def read_ads(
    query: str, report: IngestReport, *, endpoint: str = SEARCH_URL
) -> Iterator[dict[str, Any]]:
    """Yield a record per paper that ADS finds for `query`, until all that it promised has come.

    Raises:
        MissingCredential: no token is set.
        SourceError: ADS rejects the query or the token.
        RemoteError: ADS failed after retries, or gave fewer papers than it promised.
    """
    token = config.ads_token()
    if not token:
        raise MissingCredential(
            "Reading from ADS needs a token: get one at https://ui.adsabs.harvard.edu/user/settings/token "
            "and set ADS_API_TOKEN (or write it to ~/.ads/dev_key)."
        )
    if not query.strip():
        raise SourceError(
            "`ads:` needs a query, such as ads:'abs:\"tidal disruption\" year:2020-2026'."
        )
    search = ads.SearchQuery(q=query, fl=FIELDS, sort="id asc", rows=ROWS_A_PAGE, token=str(token))
    n_seen, seen = 0, set()
    while True:
        page = _page(search, endpoint)
        for document in page.docs:
            if document.get("bibcode") not in seen:
                seen.add(document.get("bibcode"))
                n_seen += 1
                yield _record(document)
        cursor = page.json.get("nextCursorMark")
        if not page.docs or cursor in (None, search.query["cursorMark"]):
            break
        search.query["cursorMark"] = cursor
    if n_seen < page.numFound:
        raise RemoteError(
            f"ADS promised {page.numFound:,} papers for {query!r} and sent {n_seen:,}: "
            f"{page.numFound - n_seen:,} are missing; try again."
        )


def _page(search: ads.SearchQuery, endpoint: str) -> SolrResponse:
    pause = FIRST_PAUSE_SECONDS
    problem = ""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            response = search.session.get(endpoint, params=search.query, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            problem = (
                f"no answer ({type(error).__name__})"  # the error's text may hold request headers
            )
        else:
            if response.ok:
                try:
                    return SolrResponse.load_http_response(response)
                except (ValueError, SolrResponseParseError):
                    problem = "an answer that is not ADS's JSON"
            elif response.status_code in (401, 403):
                raise SourceError(
                    f"ADS refuses the token (HTTP {response.status_code}): make a new one at its user settings page."
                )
            elif response.status_code == 429:
                problem = "the day's quota is used up (HTTP 429)"
                pause = _seconds_until_reset(response.headers, pause)
            elif response.status_code < 500:
                raise SourceError(
                    f"ADS rejects the query (HTTP {response.status_code}): {search.query['q']!r}."
                )
            else:
                problem = f"HTTP {response.status_code}"
        if attempt < ATTEMPTS and pause <= LONGEST_PAUSE_SECONDS:
            time.sleep(pause)
            pause *= 2
        else:
            break
    raise RemoteError(f"ADS did not answer after {attempt} attempts: {problem}. Try again later.")


def _seconds_until_reset(headers: Mapping[str, str], fallback: float) -> float:
    """Seconds that a 429 asks to wait: Retry-After, or ADS's X-RateLimit-Reset (Unix time)."""
    try:
        if "Retry-After" in headers:
            return max(0.0, float(headers["Retry-After"]))
        if "X-RateLimit-Reset" in headers:
            return max(0.0, float(headers["X-RateLimit-Reset"]) - time.time())
    except ValueError:
        pass
    return fallback


def _record(document: Mapping[str, Any]) -> dict[str, Any]:
    identifiers = document.get("identifier") or []
    arxiv_id = next((i for i in identifiers if str(i).lower().startswith("arxiv:")), None)
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
    }
