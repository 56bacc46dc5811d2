"""`wayfinder impact`, its charts and its page. Run: pytest tests/app/test_impact.py"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY
from streamlit.testing.v1 import AppTest

from app import charts
from indexer.errors import QueryError, StorageError
from indexer.store import open_index
from retrieval.impact import impact
from tests.app.test_cli import rows, wayfinder
from tests.retrieval.test_impact import built, paper, papers
from tests.retrieval.test_impact_places import built as places_index
from tests.retrieval.test_impact_places import with_uses


@pytest.fixture(scope="module")
def index_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("impact"), papers()).path


def test_json_text_report_and_chart(index_dir: Path, tmp_path: Path) -> None:
    page, plot = tmp_path / "impact.html", tmp_path / "impact.svg"
    done = wayfinder("impact", "JWST", "--compare", "ALMA", "--index", str(index_dir), "--json", "--report", str(page), "--plot", str(plot))  # fmt: skip
    first, second = rows(done)
    assert (first["name"], first["used"], second["name"], second["used"]) == ("JWST", 6, "ALMA", 2)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert plot.read_text(encoding="utf-8").startswith("<svg")
    text = wayfinder("impact", "JWST", "--index", str(index_dir), "--since", "2024").stdout
    assert "papers that used it" in text
    assert "known for 3 papers, unknown for 2" in text


def test_mistakes_are_said(index_dir: Path) -> None:
    for words, said in (
        (("Jwstt",), "did you mean JWST"),
        (("JWST", "--since", "2025", "--until", "2020"), "exchange them"),
        (("JWST", "--json", "--csv"), "not both"),
        (("JWST", "--papers", "/nowhere"), "/nowhere cannot be read"),
    ):
        done = wayfinder("impact", *words, "--index", str(index_dir))
        assert done.returncode == 2
        assert said in done.stderr


def test_charts_become_svg_and_png(index_dir: Path, tmp_path: Path) -> None:
    found = impact(open_index(index_dir), "JWST")
    for spec in (charts.share_chart([found]), charts.papers_chart(found), charts.company_chart(found)):  # fmt: skip
        assert charts.svg(spec).startswith("<svg")
    charts.save(charts.share_chart([found]), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(QueryError, match=r"\.svg or \.png"):
        charts.save(charts.share_chart([found]), tmp_path / "a.gif")
    with pytest.raises(StorageError, match="was not written"):
        charts.save(charts.share_chart([found]), tmp_path / "no folder" / "a.svg")


def script() -> None:
    import os
    from pathlib import Path

    from app.page_impact import draw
    from indexer.store import open_index

    draw(open_index(Path(os.environ["WAYFINDER_INDEX"])))


def test_the_page_counts_and_logs_each_question_once(
    mapped_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WAYFINDER_INDEX", str(mapped_dir))
    monkeypatch.setenv("WAYFINDER_LOG_QUESTIONS", "1")
    caplog.set_level(logging.INFO, "wayfinder.questions")
    of = {"door": "page", "what": "impact", "outcome": "done"}
    before = REGISTRY.get_sample_value("wayfinder_questions_total", of) or 0
    app = AppTest.from_function(script, default_timeout=60).run()
    app.run()  # drawn again, asked once
    app.text_input[0].set_value("voids").run()
    rows = [record.facts for record in caplog.records if record.name == "wayfinder.questions"]  # type: ignore[attr-defined]
    assert [(row["door"], row["what"], row["question"]) for row in rows] == [("page", "impact", "JWST")] * 2  # fmt: skip
    assert REGISTRY.get_sample_value("wayfinder_questions_total", of) == before + 2
    assert not app.exception


def mapped() -> None:
    """The page for an index with a map, the first six papers taken from it: those of magnetars and so on."""
    import os
    from pathlib import Path

    import numpy as np
    import streamlit as st

    from app.page_impact import draw
    from app.page_session import keep_set
    from indexer.store import open_index

    index = open_index(Path(os.environ["WAYFINDER_INDEX"]))
    if "begun" not in st.session_state:
        st.session_state["begun"] = True
        keep_set(index, np.array(st.session_state["taken"], dtype=np.int64))
    draw(index)


@pytest.fixture(scope="module")
def mapped_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mapped")
    return places_index(folder, [*with_uses(10), paper(90, "Stars shine.", 2024)]).path


def test_a_set_from_the_map_restricts_the_page_until_taken_away(mapped_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setenv("WAYFINDER_INDEX", str(mapped_dir))
    app = AppTest.from_function(mapped, default_timeout=60)
    app.session_state["taken"] = list(range(12))
    app.run()
    assert not app.exception
    assert app.button[0].label == "Among 12 papers from the map"
    assert app.multiselect[0].value == ["JWST"]
    assert "12 papers looked at, among 12 papers" in app.caption[0].value
    app.text_input[0].set_value("voids").run()
    assert "4 papers looked at, on" in app.caption[0].value
    app.slider[0].set_value((2018, 2020)).run()
    assert "until 2020" in app.caption[0].value
    app.text_input[0].set_value("").run()
    app.slider[0].set_value((2018, 2025)).run()
    app.button[0].click().run()
    assert not app.exception and not app.button
    assert "31 papers looked at, as of" in app.caption[0].value


def test_a_set_without_a_user_and_of_one_paper(mapped_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setenv("WAYFINDER_INDEX", str(mapped_dir))
    app = AppTest.from_function(mapped, default_timeout=60)
    app.session_state["taken"] = [30]
    app.run()
    assert not app.exception
    assert "None of 1 paper from the map used one of the facilities" in app.info[0].value
    assert app.multiselect[0].value == []
    app.multiselect[0].set_value(["JWST"]).run()
    assert not app.exception
    assert any("No paper here used it" in caption.value for caption in app.caption)
    app.session_state["taken"] = [0]
    del app.session_state["begun"]
    app.run()
    assert not app.exception
    assert app.multiselect[0].value == ["JWST"]


def test_a_set_of_another_snapshot_is_forgotten(mapped_dir: Path) -> None:
    import streamlit as st

    from app.page_session import set_from_map

    st.session_state["set-from-map"] = ("another", np.arange(3))
    assert set_from_map(open_index(mapped_dir)) is None


def test_an_index_without_a_map_says_how_to_make_one(index_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setenv("WAYFINDER_INDEX", str(index_dir))
    app = AppTest.from_function(script, default_timeout=60).run()
    assert any("wayfinder index map" in caption.value for caption in app.caption)
    assert not any(str(index_dir.parent) in caption.value for caption in app.caption)


def text_of(app: AppTest) -> str:
    return " ".join(str(e.proto) for e in app.main if hasattr(e, "proto"))


def test_the_page(index_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYFINDER_INDEX", str(index_dir))
    app = AppTest.from_function(script, default_timeout=60).run()
    assert not app.exception
    assert app.multiselect[0].value == ["JWST"]
    assert "14 papers looked at" in app.caption[0].value
    app.multiselect[0].set_value(["JWST", "ALMA"]).run()
    assert [tab.label for tab in app.tabs] == ["JWST", "ALMA"]
    app.text_input[0].set_value("zzyzx").run()
    assert not app.exception
    assert "zzyzx" in app.warning[0].value


def test_a_visitors_words_on_a_tab_are_no_markup(
    index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYFINDER_INDEX", str(index_dir))
    app = AppTest.from_function(script, default_timeout=60).run()
    app.button_group[0].set_value("Topic").run()
    app.text_input[0].set_value("galaxies :red[x]; **stars**").run()
    assert not app.exception
    assert [tab.label for tab in app.tabs] == ["galaxies \\:red\\[x\\]", "\\*\\*stars\\*\\*"]


def test_the_page_of_an_index_without_facilities(index_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    import shutil

    old = tmp_path / "old"
    shutil.copytree(index_dir, old)
    manifest = json.loads((old / "manifest.json").read_text(encoding="utf-8"))
    manifest["parts"] = {k: v for k, v in manifest["parts"].items() if "facilities/" not in k}
    (old / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    shutil.rmtree(old / "facilities")
    monkeypatch.setenv("WAYFINDER_INDEX", str(old))
    app = AppTest.from_function(script, default_timeout=60).run()
    assert "wayfinder index facilities" in app.info[0].value


def test_papers_without_a_place_and_a_topic_without_facilities(mapped_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    from dataclasses import replace

    index = open_index(mapped_dir)
    places = np.full_like(index.landscape.places, np.nan)
    clusters = np.full_like(index.landscape.clusters, -1)
    lost = replace(index.landscape, places=places, clusters=clusters)
    app = AppTest.from_function(unplaced, args=(str(mapped_dir), lost, True), default_timeout=60).run()  # fmt: skip
    assert not app.exception
    assert any("None of its papers has a place" in caption.value for caption in app.caption)
    app = AppTest.from_function(unplaced, args=(str(mapped_dir), index.landscape, False), default_timeout=60).run()  # fmt: skip
    assert "wayfinder index facilities" in app.info[0].value
    app.text_input[0].set_value("voids").run()
    assert not app.exception
    assert any("10 of its papers have a place" in caption.value for caption in app.caption)
    assert "papers that are on it" in text_of(app) and "used it" not in text_of(app).split("What the numbers")[0]  # fmt: skip


def unplaced(directory: str, landscape: object, with_facilities: bool) -> None:
    from pathlib import Path

    from app.page_impact import draw
    from indexer.store import open_index

    index = open_index(Path(directory))
    index.__dict__["landscape"] = landscape
    if not with_facilities:
        index.__dict__["uses"] = None
    draw(index)
