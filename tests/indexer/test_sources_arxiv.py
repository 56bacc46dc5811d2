"""arXiv as a source: the snapshot file, and OAI-PMH against a real HTTP server. Run: pytest tests/indexer/test_sources_arxiv.py"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from indexer import sources_arxiv
from indexer.errors import RemoteError, SourceError
from indexer.journal import Journals
from indexer.records import IngestReport, Paper
from indexer.sources import read_source
from indexer.sources_arxiv import read_arxiv

ROWS_A_PAGE = 10


def snapshot_line(i: int, **more: object) -> dict[str, Any]:
    return {
        "id": f"0704.{i:04d}", "submitter": "X", "authors": "A. Li and B. Wu", "title": f"Gas in\n  galaxy {i}", "comments": None,
        "journal-ref": "Astrophys.J.655:1-9,2007", "doi": f"10.1086/{i}", "report-no": None, "categories": "astro-ph hep-th",
        "license": None, "abstract": f"  We find gas\nin galaxy {i}.\n", "update_date": "2009-11-13",
        "versions": [{"version": "v1", "created": "Mon, 2 Apr 2007 19:18:42 GMT"}, {"version": "v2", "created": "Tue, 1 Jan 2008 00:00:00 GMT"}],
        "authors_parsed": [["Li", "A.", ""], ["van der Wu", "B.", "Jr."]], **more,
    }  # fmt: skip


def write(path: Path, rows: list[Any]) -> Path:
    content = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def read(source: str) -> tuple[list[Paper], IngestReport]:
    report = IngestReport()
    return list(read_source(source, report)), report


@pytest.mark.parametrize("name", ["arxiv-metadata-oai-snapshot.json", "snapshot.json.gz"])
def test_the_snapshot_in_its_layout_filtered_by_category(tmp_path: Path, name: str) -> None:
    rows = [
        snapshot_line(1),
        snapshot_line(2, categories="math.AG"),
        snapshot_line(3, categories="gr-qc astro-ph.CO"),
        "{broken",
        '"a string"',
        snapshot_line(4, abstract=""),
        snapshot_line(5, id="astro-ph/0612345", versions=[], doi=None, **{"journal-ref": None}),
    ]
    path = write(tmp_path / name, rows)
    papers, report = read(f"arxiv-snapshot:{path}")
    assert [p.arxiv_id for p in papers] == ["0704.0001", "0704.0003", "astro-ph/0612345"]
    assert papers[0] == Paper(
        "Gas in galaxy 1", "We find gas in galaxy 1.", arxiv_id="0704.0001", doi="10.1086/1", authors=("Li, A.", "van der Wu, B."),
        year=2007, date="2007-04-02", journal="Astrophys.J.655:1-9,2007", doctype="eprint", categories=("astro-ph", "hep-th"),
    )  # fmt: skip
    assert papers[2].date == "2006-12"
    assert dict(report.skipped) == {"line is not JSON": 1, "line is not a record of the arXiv snapshot": 1, "no abstract": 1}  # fmt: skip
    assert [p.arxiv_id for p in read(f"arxiv-snapshot:{path}#math.AG")[0]] == ["0704.0002"]


def test_a_cut_snapshot_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "s.json.gz", [snapshot_line(i, x=hash(str(i))) for i in range(5000)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    papers, report = read(f"arxiv-snapshot:{path}")
    assert 100 < len(papers) < 5000
    assert any("cut off" in reason for reason in report.skipped)


@pytest.mark.parametrize(
    "odd", [{"versions": {"a": 1}}, {"versions": 7}, {"authors_parsed": 7}, {"versions": [7]}]
)
def test_an_odd_record_does_not_stop_the_rest(tmp_path: Path, odd: dict[str, Any]) -> None:
    path = write(tmp_path / "snap.json", [snapshot_line(1, **odd), snapshot_line(2)])
    assert len(read(f"arxiv-snapshot:{path}")[0]) == 2


def test_a_git_lfs_pointer_and_a_foreign_file_are_errors(tmp_path: Path) -> None:
    pointer = tmp_path / "s.json"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    with pytest.raises(SourceError, match="Git LFS pointer.*lfs pull"):
        read(f"arxiv-snapshot:{pointer}")
    pointer.rename(tmp_path / "p.jsonl")
    with pytest.raises(SourceError, match="Git LFS pointer"):
        read(str(tmp_path / "p.jsonl"))
    with pytest.raises(SourceError, match="holds no line of the arXiv snapshot"):
        read(f"arxiv-snapshot:{write(tmp_path / 'x.json', [{'title': 'x'}])}")


RECORD = """<record><header><identifier>oai:arXiv.org:2601.{i:05d}</identifier><datestamp>2026-01-02</datestamp>
<setSpec>physics:astro-ph</setSpec></header><metadata><arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>2601.{i:05d}</id>
<created>2026-01-01</created><authors><author><keyname>Li</keyname><forenames>A.</forenames></author></authors>
<title>Star {i} &amp; its
 disc</title><categories>astro-ph.SR astro-ph.GA</categories><doi>10.1/{i}</doi><abstract>We see star {i}.</abstract></arXiv></metadata></record>"""
DELETED = "<record><header status='deleted'><identifier>oai:arXiv.org:2601.99999</identifier><datestamp>2026-01-02</datestamp></header></record>"


class FakeOAI:
    """Speaks OAI-PMH for `n` records; `script` holds what comes in place of, or with, the next pages."""

    def __init__(self, n: int, script: list[object] | None = None) -> None:
        self.n, self.script = n, list(script or [])
        self.queries: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                return

            def do_GET(self) -> None:
                query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
                outer.queries.append(query)
                step = outer.script.pop(0) if outer.script else None
                if isinstance(step, int):
                    self.answer(step, "busy", {"Retry-After": "0"})
                elif step == "expired":
                    self.answer(200, envelope('<error code="badResumptionToken">old</error>'))
                elif outer.n == 0:
                    self.answer(200, envelope('<error code="noRecordsMatch">none</error>'))
                else:
                    start = int(query.get("resumptionToken", "0"))
                    self.answer(200, outer.page(start, twice=step == "twice"), {}, broken=step)

            def answer(
                self,
                status: int,
                body: str,
                headers: dict[str, str] | None = None,
                broken: object = None,
            ) -> None:
                content = body.encode()
                if broken == "malformed":
                    content = content[: len(content) // 2]
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if broken == "cut" else content)
                self.close_connection = broken == "cut"

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/oai"

    def page(self, start: int, *, twice: bool) -> str:
        stop = min(start + ROWS_A_PAGE, self.n)
        rows = [RECORD.format(i=i) for i in range(max(0, start - 3) if twice else start, stop)]
        token = str(stop) if stop < self.n else ""
        return envelope(
            f"<ListRecords>{''.join(rows)}{DELETED}<resumptionToken cursor='{start}' completeListSize='{self.n + 1}'>{token}</resumptionToken></ListRecords>"
        )

    def read(
        self, place: str = "astro-ph since 2026-01-01", told: list[str] | None = None
    ) -> list[dict[str, Any]]:
        journal = Journals().open(f"arxiv:{place}")
        report = IngestReport(tell=(told if told is not None else []).append)
        return list(read_arxiv(place, report, journal=journal, endpoint=self.url))


def envelope(inner: str) -> str:
    return f'<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><responseDate>2026-01-02T00:00:00Z</responseDate>{inner}</OAI-PMH>'


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(sources_arxiv, "SECONDS_BETWEEN_PAGES", 0.0)
    monkeypatch.setattr(sources_arxiv, "SECONDS_BEFORE_RETRY", 0.01)
    monkeypatch.setenv("WAYFINDER_CACHE", str(tmp_path / "cache"))
    yield


def test_all_pages_of_oai_pmh_come_and_deleted_records_do_not() -> None:
    server = FakeOAI(35)
    records = server.read()
    assert [r["arxiv_id"] for r in records] == [f"2601.{i:05d}" for i in range(35)]
    assert records[3] == {
        "arxiv_id": "2601.00003", "title": "Star 3 & its disc", "abstract": "We see star 3.", "authors": ["Li, A."],
        "categories": ["astro-ph.SR", "astro-ph.GA"], "doi": "10.1/3", "journal": None, "date": "2026-01-01", "doctype": "eprint",
    }  # fmt: skip
    assert server.queries[0] == {"verb": "ListRecords", "metadataPrefix": "arXiv", "from": "2026-01-01", "set": "physics:astro-ph"}  # fmt: skip
    assert server.queries[1] == {"verb": "ListRecords", "resumptionToken": "10"}


@pytest.mark.parametrize("fault", [503, 500, 429, "cut", "malformed"])
def test_passing_faults_lose_nothing(fault: object) -> None:
    assert len(FakeOAI(35, [None, fault, fault]).read()) == 35


def test_rows_twice_are_one_paper_and_an_expired_token_starts_the_list_again() -> None:
    assert len(FakeOAI(35, [None, "twice"]).read()) == 35
    assert len(FakeOAI(35, [None, None, "expired"]).read("gr-qc since 2026-01-01")) == 35


def test_a_killed_harvest_goes_on_at_its_token() -> None:
    server = FakeOAI(35, [None, None, *[500] * 5])
    with pytest.raises(RemoteError, match="HTTP 500.*goes on at this page"):
        server.read()
    n_asked = len(server.queries)
    assert len(server.read()) == 35
    assert server.queries[n_asked]["resumptionToken"] == "20"


def test_missing_records_are_said_and_none_at_all_is_none() -> None:
    server = FakeOAI(35)
    page = server.page
    server.page = lambda start, twice: page(start, twice=twice).replace("2601.00004", "2601.00005")  # type: ignore[method-assign]
    told: list[str] = []
    assert len(server.read(told=told)) == 34
    assert told[-1] == "arXiv promised about 36 records and sent 35."
    assert FakeOAI(0).read("astro-ph since 2026-02-01") == []


@pytest.mark.parametrize("place", ["astro-ph since soon", "astro-ph until 2026", "astro ph"])
def test_a_place_that_cannot_be_read_is_an_error(place: str) -> None:
    with pytest.raises(SourceError, match=f"arxiv:{place}"):
        FakeOAI(1).read(place)
