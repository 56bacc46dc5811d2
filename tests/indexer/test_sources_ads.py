"""ADS as a source, against a real HTTP server on loopback. Run: pytest tests/indexer/test_sources_ads.py"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import date
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from indexer import config, sources_ads
from indexer.build import build_index
from indexer.errors import MissingCredential, QueryError, RemoteError, SourceError
from indexer.journal import Journals
from indexer.records import IngestReport
from indexer.sources import paper_from_mapping
from indexer.sources_ads import read_ads
from indexer.store import open_index
from tests.encoders import HashEncoder

REAL_TIME = time.time
TOKEN = "ads-secret-token-42"


def document(i: int) -> dict[str, Any]:
    return {
        "bibcode": f"2024ApJ...900{i:05d}A", "identifier": [f"arXiv:2401.{i:05d}", "10.1/x"], "doi": [f"10.1/{i}"], "title": [f"Title {i}"],
        "abstract": "Text.", "author": ["Li, B."], "pubdate": "2024-03-00", "year": "2024", "bibstem": ["ApJ", "ApJ...900"],
        "citation_count": i, "reference": ["2000ApJ...1"], "keyword": ["stars"],
        "alternate_bibcode": [f"2024arXiv2401{i:05d}A"], "facility": ["Keck"], "bibgroup": ["HST"], "object": ["M 31"],
    }  # fmt: skip


class FakeADS:
    """Serves `n` documents over cursor pages; before a page, what `script` says for that request comes.

    A script entry is a status, or a name: `cut` (the connection ends in mid-body), `broken` (not JSON),
    `twice` (the page before it again), `grow` (ten documents more), `quota` (429 until a moment).
    """

    def __init__(
        self, n: int, *, promised: int | None = None, faults: list[int | str] | None = None
    ) -> None:
        self.n, self.promised, self.faults = n, promised, list(faults or [])
        self.queries: list[dict[str, list[str]]] = []
        self.tokens: list[str] = []
        self.reset = time.time() + 1.5
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                return

            def date_time_string(self, timestamp: float | None = None) -> str:
                return formatdate(REAL_TIME(), usegmt=True)

            def do_GET(self) -> None:
                outer.tokens.append(self.headers["Authorization"])
                query = parse_qs(urlsplit(self.path).query)
                outer.queries.append(query)
                fault = outer.faults.pop(0) if outer.faults else None
                if isinstance(fault, int):
                    self.answer(fault, {"error": {"msg": "scripted"}}, {"Retry-After": "0"})
                    return
                if fault == "quota":
                    reset = {
                        "X-RateLimit-Reset": str(int(outer.reset)),
                        "X-RateLimit-Remaining": "0",
                    }
                    self.answer(429, {"error": "Too many requests"}, reset)
                    return
                if fault == "grow":
                    outer.n += 10
                start = 0 if query["cursorMark"] == ["*"] else int(query["cursorMark"][0])
                if fault == "twice":
                    start = max(0, start - int(query["rows"][0]))
                self.page(query, start, min(start + int(query["rows"][0]), outer.n), fault)

            def page(
                self, query: dict[str, list[str]], start: int, stop: int, fault: object
            ) -> None:
                content = {
                    "responseHeader": {"params": {"rows": query["rows"][0], "fl": query["fl"]}},
                    "response": {
                        "numFound": outer.promised or outer.n,
                        "docs": [document(i) for i in range(start, stop)],
                    },
                    "nextCursorMark": str(stop),
                }
                if fault == "broken":
                    content = {"responseHeader": {"params": {}}}
                self.answer(
                    200,
                    content,
                    {
                        "X-RateLimit-Remaining": "4,321".replace(",", ""),
                        "X-RateLimit-Limit": "5000",
                    },
                    cut=fault == "cut",
                )

            def answer(
                self,
                status: int,
                content: dict[str, Any],
                headers: dict[str, str],
                *,
                cut: bool = False,
            ) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if cut else body)
                if cut:
                    self.wfile.flush()
                    self.close_connection = True

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/search/query"

    def read(self, query: str = "year:2024", told: list[str] | None = None) -> list[dict[str, Any]]:
        report = IngestReport(tell=(told if told is not None else []).append)
        return list(
            read_ads(query, report, journal=Journals().open(f"ads:{query}"), endpoint=self.url)
        )


@pytest.fixture(autouse=True)
def token_and_short_pauses(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    monkeypatch.setenv("ADS_API_TOKEN", TOKEN)
    monkeypatch.setenv("WAYFINDER_CACHE", str(tmp_path_factory.mktemp("cache")))
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


def test_all_of_adss_own_fields_are_kept() -> None:
    ads = FakeADS(1)
    (record,) = ads.read()
    paper = paper_from_mapping(record)
    assert (paper.facilities, paper.bibgroups, paper.objects) == (("Keck",), ("HST",), ("M 31",))
    assert (paper.keywords, paper.references) == (("stars",), ("2000ApJ...1",))
    assert "2024arXiv240100000A" in paper.aliases


@pytest.mark.parametrize("fault", [500, 503, 429, "cut", "broken"])
def test_passing_faults_are_tried_again(fault: int | str) -> None:
    ads = FakeADS(100, faults=[fault, None, fault, fault])  # type: ignore[list-item]
    assert len(ads.read()) == 100
    assert len(ads.queries) == 7


def test_the_quota_is_shown_and_waited_for_by_the_servers_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    ads = FakeADS(50, faults=[None, "quota"])  # type: ignore[list-item]
    monkeypatch.setattr(
        time, "time", lambda: REAL_TIME() - 86_400
    )  # this machine's clock is a day late
    began = time.monotonic()
    assert len(ads.read(told=told)) == 50
    assert 0.3 < time.monotonic() - began < 10
    assert any("4321 of 5,000 requests of today's quota left" in text for text in told)
    assert any("the day's quota is used up" in text for text in told)


def test_a_quota_that_is_reset_tomorrow_is_an_error_at_once() -> None:
    ads = FakeADS(50, faults=["quota"])
    ads.reset = time.time() + 80_000
    with pytest.raises(RemoteError, match="reset in 22.2 hours.*goes on at this page"):
        ads.read()
    assert len(ads.read()) == 50


def test_a_killed_harvest_goes_on_at_its_page(tmp_path_factory: pytest.TempPathFactory) -> None:
    ads = FakeADS(100, faults=[None, None, 500, 500, 500, 500, 500])  # type: ignore[list-item]
    with pytest.raises(RemoteError, match="goes on at this page"):
        ads.read()
    n_asked = len(ads.queries)
    assert [r["bibcode"] for r in ads.read()] == [document(i)["bibcode"] for i in range(100)]
    assert [q["cursorMark"] for q in ads.queries[n_asked:]] == [["80"], ["100"]]
    assert len(ads.read()) == 100
    assert len(ads.queries) == n_asked + 2, "a complete journal asks for nothing"


def test_papers_that_appear_while_paging_are_fetched_and_rows_twice_counted_once() -> None:
    assert len(FakeADS(100, faults=[None, "grow"]).read()) == 110  # type: ignore[list-item]
    with pytest.raises(RemoteError, match="sent 40: 100 are missing"):
        FakeADS(100, faults=[None, "twice"], promised=140).read("other")  # type: ignore[list-item]


def test_no_paper_is_an_error_of_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYFINDER_ADS_URL", FakeADS(0).url)
    with pytest.raises(SourceError, match="No usable paper in ads:nothing: 0 records read"):
        build_index(["ads:nothing"], tmp_path / "out", encoder=HashEncoder())


def test_query_counts_and_date_go_into_the_manifest_and_the_journal_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ads = FakeADS(60)
    monkeypatch.setenv("WAYFINDER_ADS_URL", ads.url)
    manifest, _ = build_index(["ads:year:2024"], tmp_path / "out", encoder=HashEncoder())
    (harvest,) = manifest.harvests
    assert (harvest["source"], harvest["read"], harvest["found"]) == ("ads:year:2024", 60, 60)
    assert harvest["harvested"] == date.today().isoformat()
    assert TOKEN not in (tmp_path / "out" / "manifest.json").read_text()
    assert not [p for p in (config.cache_dir() / "harvests").iterdir() if p.is_dir()]
    assert open_index(tmp_path / "out").row_of("2024arXiv240100003A") == 3


def test_the_token_is_in_no_file_and_no_message(tmp_path: Path) -> None:
    told: list[str] = []
    FakeADS(10, faults=[500, "cut"]).read(told=told)
    assert all(TOKEN not in text for text in told)
    files = [p for p in config.cache_dir().rglob("*") if p.is_file()]
    assert files
    assert all(TOKEN.encode() not in p.read_bytes() for p in files)


def test_missing_papers_are_counted() -> None:
    with pytest.raises(RemoteError, match="promised 60 papers .* sent 50: 10 are missing"):
        FakeADS(50, promised=60).read()


@pytest.mark.parametrize(
    ("faults", "error", "message"),
    [
        ([401], SourceError, "refuses the token"),
        ([400], SourceError, "rejects the query"),
        ([500] * 9, RemoteError, "HTTP 500"),
        ([404], SourceError, "scripted"),
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


def test_tokens_and_addresses_that_cannot_be_are_said_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for token in ("t\u00f6k\u2603en", "two\nlines"):
        monkeypatch.setenv("ADS_API_TOKEN", token)
        with pytest.raises(QueryError, match="no token has") as caught:
            config.ads_token()
        assert token not in str(caught.value)
    monkeypatch.setenv("WAYFINDER_ADS_URL", "nonsense")
    with pytest.raises(QueryError, match="WAYFINDER_ADS_URL is no address"):
        config.ads_url()
