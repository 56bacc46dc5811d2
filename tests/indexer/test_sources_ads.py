"""ADS as a source, against a real HTTP server on loopback. Run: pytest tests/indexer/test_sources_ads.py"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from indexer import sources_ads
from indexer.errors import MissingCredential, RemoteError, SourceError
from indexer.records import IngestReport
from indexer.sources_ads import read_ads

TOKEN = "ads-secret-token-42"


def document(i: int) -> dict[str, Any]:
    return {
        "bibcode": f"2024ApJ...900{i:05d}A", "identifier": [f"arXiv:2401.{i:05d}", "10.1/x"], "doi": [f"10.1/{i}"], "title": [f"Title {i}"],
        "abstract": "Text.", "author": ["Li, B."], "pubdate": "2024-03-00", "year": "2024", "bibstem": ["ApJ", "ApJ...900"],
        "citation_count": i, "reference": ["2000ApJ...1"], "keyword": ["stars"],
    }  # fmt: skip


class FakeADS:
    """Serves `n` documents over cursor pages; `faults` are statuses given before the first pages."""

    def __init__(
        self, n: int, *, promised: int | None = None, faults: list[int] | None = None
    ) -> None:
        self.n, self.promised, self.faults = n, promised or n, list(faults or [])
        self.queries: list[dict[str, list[str]]] = []
        self.tokens: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                return

            def do_GET(self) -> None:
                outer.tokens.append(self.headers["Authorization"])
                query = parse_qs(urlsplit(self.path).query)
                outer.queries.append(query)
                if outer.faults:
                    self.answer(outer.faults.pop(0), {"error": "scripted"})
                    return
                start = 0 if query["cursorMark"] == ["*"] else int(query["cursorMark"][0])
                stop = min(start + int(query["rows"][0]), outer.n)
                self.answer(
                    200,
                    {
                        "responseHeader": {"params": {"rows": query["rows"][0], "fl": query["fl"]}},
                        "response": {
                            "numFound": outer.promised,
                            "docs": [document(i) for i in range(start, stop)],
                        },
                        "nextCursorMark": str(stop),
                    },
                )

            def answer(self, status: int, content: dict[str, Any]) -> None:
                self.send_response(status)
                self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(json.dumps(content).encode())

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def read(self, query: str = "year:2024") -> list[dict[str, Any]]:
        try:
            return list(
                read_ads(
                    query,
                    IngestReport(),
                    endpoint=f"http://127.0.0.1:{self.server.server_address[1]}/search/query",
                )
            )
        finally:
            self.server.shutdown()
            self.server.server_close()


@pytest.fixture(autouse=True)
def token_and_short_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ADS_API_TOKEN", TOKEN)
    monkeypatch.setattr(sources_ads, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(sources_ads, "ROWS_A_PAGE", 40)
    yield


def test_all_pages_come_with_all_fields_in_the_search_call() -> None:
    ads = FakeADS(100)
    records = ads.read()
    assert [r["bibcode"] for r in records] == [document(i)["bibcode"] for i in range(100)]
    assert len(ads.queries) == 4, "three pages and the empty one, no call per paper"
    assert {"abstract", "citation_count", "reference", "facility", "bibgroup"} <= set(
        ads.queries[0]["fl"][0].split(",") + ads.queries[0]["fl"]
    )
    assert records[3]["arxiv_id"] == "arXiv:2401.00003"
    assert ads.tokens[0] == f"Bearer {TOKEN}"


def test_passing_faults_are_tried_again() -> None:
    assert len(FakeADS(10, faults=[500, 429, 503]).read()) == 10


def test_missing_papers_are_counted() -> None:
    with pytest.raises(RemoteError, match="promised 60 papers .* sent 50: 10 are missing"):
        FakeADS(50, promised=60).read()


@pytest.mark.parametrize(
    ("faults", "error", "message"),
    [
        ([401], SourceError, "refuses the token"),
        ([400], SourceError, "rejects the query"),
        ([500] * 9, RemoteError, "HTTP 500"),
        ([429] * 9, RemoteError, "quota"),
    ],
)
def test_lasting_faults_are_errors_without_the_token(
    faults: list[int], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        FakeADS(5, faults=faults).read()
    assert TOKEN not in str(raised.value)


def test_a_token_and_a_query_are_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(SourceError, match="needs a query"):
        FakeADS(1).read("  ")
    monkeypatch.delenv("ADS_API_TOKEN")
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    with pytest.raises(MissingCredential, match="ADS_API_TOKEN"):
        FakeADS(1).read()
