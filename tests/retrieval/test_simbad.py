"""SIMBAD's names for objects, over TAP on loopback. Run: pytest tests/retrieval/test_simbad.py"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from requests.adapters import HTTPAdapter

from indexer.store import Index
from retrieval import search, simbad

NAMES = ["NGC  9999", "NAME Whale of Wales", "[ABC2020] 17", "UGC 1", "M 1999"]
VOTABLE = """<?xml version="1.0"?><VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">
<INFO name="QUERY_STATUS" value="OK"/><TABLE><FIELD name="id" datatype="char" arraysize="*"/><DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE>
</RESOURCE></VOTABLE>"""
CAPABILITIES = """<?xml version="1.0"?><vosi:capabilities xmlns:vosi="http://www.ivoa.net/xml/VOSICapabilities/v1.0"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:tr="http://www.ivoa.net/xml/TAPRegExt/v1.0" xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1">
<capability standardID="ivo://ivoa.net/std/TAP" xsi:type="tr:TableAccess"><interface role="std" xsi:type="vs:ParamHTTP">
<accessURL use="base">https://simbad.cds.unistra.fr/simbad/sim-tap</accessURL></interface>
<language><name>ADQL</name><version ivo-id="ivo://ivoa.net/std/ADQL#v2.0">2.0</version></language>
<outputFormat><mime>application/x-votable+xml</mime></outputFormat>
<outputLimit><default unit="row">20000</default><hard unit="row">2000000</hard></outputLimit></capability></vosi:capabilities>"""


class Simbad(ThreadingHTTPServer):
    """Speaks as much of TAP as one synchronous query needs."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.queries.append(parse_qs(body)["QUERY"][0])
                known = "GQ 77" in outer.queries[-1] or "9999" in outer.queries[-1]
                rows = "".join(f"<TR><TD>{name}</TD></TR>" for name in NAMES) if known else ""
                self._send(VOTABLE.format(rows=rows))

            def do_GET(self) -> None:
                self._send(CAPABILITIES)

            def _send(self, text: str) -> None:
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/x-votable+xml")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


class ToLoopback(HTTPAdapter):
    """Sends what is meant for SIMBAD to the loopback server."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        request.url = request.url.replace(
            "https://simbad.cds.unistra.fr", f"http://127.0.0.1:{self.port}"
        )
        return super().send(request, *args, **options)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simbad]:
    server = Simbad()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    make = simbad.client

    def client() -> Any:
        made = make()
        made._session.mount("https://", ToLoopback(server.server_address[1]))
        return made

    monkeypatch.setattr(simbad, "client", client)
    monkeypatch.setenv("WAYFINDER_CACHE", str(tmp_path))
    monkeypatch.setenv("WAYFINDER_SIMBAD", "1")
    yield server
    server.shutdown()


def test_names_that_papers_write_are_kept_and_asked_for_once(server: Simbad) -> None:
    assert simbad.other_names("NGC 9999") == ("Whale of Wales", "NGC 9999", "UGC 1", "M 1999")
    assert simbad.other_names("NGC 9999") == ("Whale of Wales", "NGC 9999", "UGC 1", "M 1999")
    assert len(server.queries) == 1
    assert simbad.other_names("NGC 1") == ()


def test_a_paper_is_found_by_simbads_name(
    server: Simbad, small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = search(small_index, "jet of UGC 9999000")
    assert "UGC 1" in next(i for i in result.understood if i.kind == "object").names
    first = result.hits[0]
    assert first.paper.bibcode == "2019MNRAS.480..100F", "it is NGC 9999 there"
    assert first.parts.named == 1.0
    monkeypatch.delenv("WAYFINDER_SIMBAD")
    asked = len(server.queries)
    assert search(small_index, "jet of UGC 9999000").hits[0].parts.named == 0.0
    assert len(server.queries) == asked, "off by default"


def test_a_simbad_that_fails_costs_a_note(server: Simbad, small_index: Index) -> None:
    server.status = 500
    result = search(small_index, "jet of UGC 9999001")
    assert result.hits
    assert "SIMBAD was not asked for UGC 9999001" in result.degraded[0]
