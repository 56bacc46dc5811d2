"""`wayfinder impact`, its charts and its page. Run: pytest tests/app/test_impact.py"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import charts
from indexer.errors import QueryError
from indexer.store import open_index
from retrieval.impact import impact
from tests.app.test_cli import rows, wayfinder
from tests.retrieval.test_impact import built, papers


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


def script() -> None:
    import os
    from pathlib import Path

    from app.impact_page import page
    from indexer.store import open_index

    page(open_index(Path(os.environ["WAYFINDER_INDEX"])))


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
