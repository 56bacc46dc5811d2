"""The map page without a browser: what is packed for it, what is said, what a selection takes. Run: pytest tests/app/test_page_map.py"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import map_data
from app.map_data import pack
from app.page_map import selected
from indexer.store import Index, open_index
from tests.topics import build_topic_index

EVERYWHERE = [[-2, -2], [2, -2], [2, 2], [-2, 2]]


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return open_index(build_topic_index(tmp_path_factory.mktemp("topics"), 20))


def unpacked(packed: bytes) -> tuple[dict, dict[str, np.ndarray], list[str]]:
    """Header, columns and title lines, read as the browser reads them."""
    (length,) = struct.unpack("<I", packed[:4])
    header = json.loads(packed[4 : 4 + length])
    columns = {
        c["name"]: np.frombuffer(packed, map_data._TYPES[c["type"]], c["length"], c["start"])
        for c in header["columns"]
    }
    place = header["titles"]
    text = (
        zlib.decompress(packed[place["start"] : place["start"] + place["length"]]) if place else b""
    )
    return header, columns, text.decode().split("\n") if place else []


def test_every_paper_is_packed_where_it_lies(topics: Index) -> None:
    header, columns, lines = unpacked(pack(topics))
    assert header["n"] == 60 and header["id"] == topics.manifest.snapshot
    assert all(c["start"] % 4 == 0 for c in header["columns"])
    back = np.column_stack([columns["x"], columns["y"]]) / 32767.5 - 1
    assert np.abs(back - topics.landscape.places).max() < 2e-4
    assert list(columns["year"]) == list(topics.year)
    assert [None if n < 0 else int(n) for n in columns["citations"]] == [p.citation_count for p in topics.papers]  # fmt: skip
    assert lines == [f"{p.plain_title}\t{p.id}" for p in topics.papers]
    assert header["category"] == ["astro-ph.HE", "astro-ph.CO"]
    assert list(columns["category"][:3]) == [1, 1, 2]
    for level in range(header["levels"]):
        assert list(columns[f"cluster_{level}"]) == list(topics.landscape.clusters[:, level])


def test_papers_without_a_place_are_left_out_and_rows_kept(
    topics: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    places = np.array(topics.landscape.places)
    places[[0, 7]] = np.nan
    monkeypatch.setitem(topics.__dict__, "landscape", replace(topics.landscape, places=places))
    header, columns, lines = unpacked(pack(topics))
    assert header["n"] == 58 == len(lines)
    assert list(columns["row"]) == [row for row in range(60) if row not in (0, 7)]
    assert list(selected(topics, topics.landscape, {"polygon": EVERYWHERE})) == list(columns["row"])


def test_titles_of_a_large_map_stay_behind(topics: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_data, "TITLES_UP_TO", 10)
    header, _, lines = unpacked(pack(topics))
    assert header["titles"] is None and lines == []


def test_a_selection_is_an_outline_and_years(topics: Index) -> None:
    landscape = topics.landscape
    assert len(selected(topics, landscape, {"polygon": EVERYWHERE, "years": None})) == 60
    rows = selected(topics, landscape, {"polygon": EVERYWHERE, "years": [2023, 2023]})
    assert set(topics.year[rows]) == {2023} and len(rows) == (topics.year == 2023).sum()
    assert len(selected(topics, landscape, {"polygon": None})) == 0


def run_page(directory: Path) -> AppTest:
    def page(directory: str) -> None:
        from pathlib import Path

        from app import page_map
        from indexer.store import open_index

        page_map.draw(open_index(Path(directory)))

    return AppTest.from_function(page, args=(str(directory),), default_timeout=120).run()


def test_an_index_without_a_map_is_offered_one(tmp_path: Path) -> None:
    out = build_topic_index(tmp_path, 10, with_map=False)
    page = run_page(out)
    assert "has no map" in page.info[0].value
    page.button[0].click().run()
    assert not page.exception
    assert open_index(out).landscape.n_laid == 30


@pytest.mark.parametrize("setting", [{"WAYFINDER_PASSWORD": "correct horse"}, {"WAYFINDER_TRUSTED_PROXIES": "10.0.0.1"}])  # fmt: skip
def test_a_visitor_of_a_host_makes_no_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: dict[str, str]
) -> None:
    directory = build_topic_index(tmp_path, 2, with_map=False)
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    page = run_page(directory)
    assert "Whoever hosts it makes one" in page.info[0].value and not page.button


def test_the_map_has_a_table_for_who_does_not_see_it(topics: Index) -> None:
    page = run_page(topics.path)
    assert not page.exception and not page.error
    assert any("60 papers" in caption.value for caption in page.caption)
    table = page.dataframe[-1].value
    assert list(table.columns) == ["level", "subject", "within", "papers"]
    assert table[table["level"] == 1]["papers"].sum() == 60


def test_one_paper_has_a_page(tmp_path: Path) -> None:
    from indexer.build import BuildOptions, build_index
    from tests.papers import write_jsonl
    from tests.topics import AS_OF, SubjectEncoder, papers

    source = write_jsonl(tmp_path / "one.jsonl", papers(1)[:1])
    options = BuildOptions(as_of=AS_OF, with_map=True)
    build_index([str(source)], tmp_path / "one", encoder=SubjectEncoder(), options=options)
    header, columns, _ = unpacked(pack(open_index(tmp_path / "one")))
    assert header["n"] == 1 and len(columns["x"]) == 1
    assert not run_page(tmp_path / "one").exception


def test_the_list_of_a_set_begins_with_titles(topics: Index) -> None:
    def page(directory: str) -> None:
        from pathlib import Path

        import numpy as np

        from app import map_parts
        from indexer.store import open_index
        from retrieval.landscape import opened_landscape

        index = open_index(Path(directory))
        map_parts.paper_set(index, opened_landscape(index), np.arange(3), llm=None)

    test = AppTest.from_function(page, args=(str(topics.path),), default_timeout=60).run()
    shown = test.dataframe[0]
    assert list(shown.proto.column_order)[:3] == ["title", "first_author", "year"]
    assert set(shown.proto.column_order) == set(shown.value.columns)
