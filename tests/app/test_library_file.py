"""Libraries that the host keeps: brought together, bounded, deleted, never lost. Run: pytest tests/app/test_library_file.py"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from app import library_file
from app.library import Library
from app.library_file import LibraryFile, folder_made_ready, path_for
from app.privacy import privacy_parts
from app.web_visitor import VISITOR
from indexer.errors import QueryError
from indexer.records import Paper
from indexer.store import Index
from tests.papers import build_small_index
from tests.servers import Server, asked, web_server


def opened(path: Path) -> Library:
    library = Library(kept=LibraryFile(path))
    library.refresh()
    return library


def problem(library: Library) -> str:
    assert library.kept is not None
    return library.kept.problem


def test_a_library_is_there_at_the_next_visit(small_index: Index, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    first, elsewhere = opened(path), Paper("Elsewhere <b>", "long", doi="10.1/x", authors=("Ada, L.", "B; C"), year=1999)  # fmt: skip
    assert not path.exists()
    first.add(small_index.papers[:3])
    first.add([elsewhere, Paper("", "", doi="10.1/untitled")], indexed=False)
    assert path.stat().st_mode & 0o777 == 0o600
    again = opened(path)
    assert again.entries == first.entries and list(again.entries) == list(first.entries)
    kept = again.entries["10.1/x"]
    assert kept is not None and (kept.title, kept.authors, kept.year, kept.abstract) == ("Elsewhere <b>", ("Ada, L.", "B; C"), 1999, "")  # fmt: skip
    assert "long" not in path.read_text()
    again.clear()
    assert list(tmp_path.glob("*.json")) == [] and not opened(path)


def test_two_visits_lose_nothing_of_each_other(small_index: Index, tmp_path: Path) -> None:
    path, papers = tmp_path / "a.json", list(small_index.papers)
    ids = [paper.id for paper in papers]
    one, other = opened(path), opened(path)
    one.add(papers[:2])
    other.add(papers[2:4])
    assert list(other.entries) == ids[:4]
    one.remove([ids[0]])  # it has not yet seen what the other added, and takes it up
    assert list(one.entries) == ids[1:4]
    other.add(papers[4:5])  # what the first took away does not come back
    assert list(other.entries) == ids[1:5]
    one.refresh()
    assert one.entries == other.entries == opened(path).entries
    one.delete()
    assert not path.exists() and not one
    other.add(papers[5:6])
    assert list(other.entries) == [ids[5]]


def test_many_visits_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.json"

    def visit(n: int) -> None:
        library = opened(path)
        for i in range(10):
            library.add([Paper("t", "", bibcode=f"{n}-{i}")])

    visits = [threading.Thread(target=visit, args=(n,)) for n in range(6)]
    for one in visits:
        one.start()
    for one in visits:
        one.join(60)
    assert set(opened(path).entries) == {f"{n}-{i}" for n in range(6) for i in range(10)}


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"library": 2, "papers": {}}', '{"library": 1, "papers": [1]}',
     '{"library": 1, "papers": {"a": 3}}', '{"library": 1}', "[" * 100_000, "\x00\xff"],
)  # fmt: skip
def test_a_bad_file_is_said_and_left_as_it_is(
    content: str, small_index: Index, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content.encode("latin-1"))
    library = opened(path)
    assert "damaged or of another Wayfinder; it was left as it is" in problem(library)
    assert library.add(small_index.papers[:2]) == (2, 0)
    assert path.read_bytes() == content.encode("latin-1") and len(library) == 2
    path.unlink()  # whoever hosts it has moved it away
    library.refresh()
    assert problem(library) == "" and opened(path).entries == library.entries
    path.write_text("{")
    library.delete()
    assert not path.exists() and not library and problem(library) == ""


def test_what_cannot_be_kept_stays_for_the_visit_and_is_said(
    small_index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    path = folder / "a.json"
    library = opened(path)
    library.add(small_index.papers[:2])
    folder.rename(tmp_path / "away")  # a disk that is not mounted
    library.add(small_index.papers[2:3])
    assert "its folder is not there" in problem(library) and len(library) == 3
    assert not folder.exists()
    (tmp_path / "away").rename(folder)
    library.refresh()
    assert problem(library) == "" and opened(path).entries == library.entries
    monkeypatch.setattr(library_file, "LOCK_SECONDS", 0.1)
    with FileLock(folder / ".lock"):
        library.remove([small_index.papers[0].id])
        assert "others write there" in problem(library)
    library.refresh()
    assert problem(library) == "" and len(opened(path)) == 2
    monkeypatch.setattr(library_file, "MOST_BYTES", 500)
    large = Paper("t" * 600, "", doi="10.1/large")
    library.add([large], indexed=False)
    assert "would take more than" in problem(library) and large in library
    assert len(json.loads(path.read_text())["papers"]) == 2
    monkeypatch.undo()
    monkeypatch.setattr(library_file, "MOST_PAPERS", 4)
    other = opened(path)
    other.add(small_index.papers[4:6])
    library.refresh()
    assert "1 paper found no room" in problem(library) and large in library and len(library) == 5


def test_the_file_is_named_by_a_hash_of_a_name_that_cannot_lead_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert path_for("ada") is None and folder_made_ready() is None
    monkeypatch.setenv("WAYFINDER_LIBRARY", str(tmp_path / "kept"))
    assert path_for("") is None
    names = ("ada", "Ada", "../../etc/passwd", "a" * 10_000, "\x00", "Zo\xc3\xab")
    paths = [path_for(name) for name in names]
    assert {path.parent for path in paths if path} == {tmp_path / "kept"}
    assert len(set(paths)) == len(names)
    assert paths[0] and paths[0].stem == hashlib.sha256(b"ada").hexdigest()
    assert paths[-1] and paths[-1].stem == hashlib.sha256("Zoë".encode()).hexdigest()
    assert folder_made_ready() == tmp_path / "kept"
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WAYFINDER_LIBRARY", str(tmp_path / "file"))
    with pytest.raises(QueryError, match="WAYFINDER_LIBRARY is .*cannot be written to"):
        folder_made_ready()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "nothing of it is stored on the server"),
        ({"WAYFINDER_LIBRARY": "/srv/secret"}, "it has no login. So your library is kept for this visit only"),
        ({"WAYFINDER_LIBRARY": "/srv/secret", "WAYFINDER_PASSWORD": "correct horse"}, "its one password is everybody's"),
        ({"WAYFINDER_LIBRARY": "/srv/secret", "WAYFINDER_LOGIN_HEADER": "X-User", "WAYFINDER_TRUSTED_PROXIES": "10.0.0.1"},
         "kept on this host until you delete it"),
    ],
)  # fmt: skip
def test_the_page_on_privacy_says_whether_libraries_are_kept(
    environment: dict[str, str], said: str, small_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    parts = privacy_parts(small_index)
    told = " ".join(parts["What is kept here, and how long"])
    assert said in told and "/srv/secret" not in told and "correct horse" not in told
    files = "the files named above" in " ".join(parts["Who can read it"])
    assert files == ("until you delete it" in told)


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host that keeps libraries."""
    monkeypatch.setenv("WAYFINDER_LIBRARY", str(tmp_path / "kept"))
    monkeypatch.setenv("WAYFINDER_LOGIN_HEADER", "X-Remote-User")
    monkeypatch.setenv("WAYFINDER_TRUSTED_PROXIES", "127.0.0.1")
    folder = folder_made_ready()
    assert folder is not None
    return folder


def library_page(directory: Path, who: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page of a visit whose gate has found out who it is."""
    import streamlit as st

    monkeypatch.setattr(type(st.context), "headers", {VISITOR: who})

    def page(directory: str) -> None:
        from pathlib import Path

        from app import page_library
        from indexer.store import open_index

        page_library.draw(open_index(Path(directory)))

    return AppTest.from_function(page, args=(str(directory),), default_timeout=60).run()


def told(test: AppTest) -> str:
    return " ".join(str(e.value) for kind in ("info", "warning", "caption", "markdown") for e in test.get(kind)).replace("\\", "")  # fmt: skip


def test_the_page_keeps_loads_and_deletes(
    small_index_dir: Path, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = library_page(small_index_dir, "user ada", monkeypatch)
    assert "kept on this host until you delete it" in told(test) and "Delete my library" in told(test)  # fmt: skip
    test.text_area[0].set_value("2504.00007")
    test.button[0].click().run()
    assert [path.stem for path in at_home.glob("*.json")] == [hashlib.sha256(b"ada").hexdigest()]
    assert "ada" not in next(at_home.glob("*.json")).read_text()
    other = library_page(small_index_dir, "user bob", monkeypatch)
    assert "Your library is empty" in told(other)
    again = library_page(small_index_dir, "user ada", monkeypatch)
    assert list(again.session_state["library"].entries) == ["2504.00007"]
    assert not any(button.label == "Empty the library" for button in again.button)
    next(button for button in again.button if button.label == "Delete it now").click().run()
    assert "Your library is empty" in told(again) and not list(at_home.glob("*.json"))
    assert not again.exception


def test_an_address_is_no_name_and_nothing_is_stored(
    small_index_dir: Path, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WAYFINDER_LOGIN_HEADER")
    for who in ("192.0.2.7", "user root"):  # the second without a login that could tell it
        test = library_page(small_index_dir, who, monkeypatch)
        test.text_area[0].set_value("2504.00007")
        test.button[0].click().run()
        assert len(test.session_state["library"]) == 1
        assert "knows no names" in told(test) and "nothing of it is stored" in told(test)
    assert not list(at_home.iterdir())


def test_a_bad_file_is_said_on_the_page_and_can_be_deleted_there(
    small_index_dir: Path, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = path_for("ada")
    assert path is not None
    path.write_text("nonsense")
    test = library_page(small_index_dir, "user ada", monkeypatch)
    assert "not kept on this host now" in told(test) and path.read_text() == "nonsense"
    next(button for button in test.button if button.label == "Delete it now").click().run()
    assert not path.exists() and "not kept on this host now" not in told(test)


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    folder = tmp_path_factory.mktemp("hosted")
    with web_server(
        build_small_index(folder), WAYFINDER_LOGIN_HEADER="X-Remote-User", WAYFINDER_TRUSTED_PROXIES="127.0.0.1",
        WAYFINDER_LIBRARY=str(folder / "kept"),
    ) as server:  # fmt: skip
        yield server, folder / "kept"


def test_a_served_page_loads_the_library_of_who_the_proxy_names(
    hosted: tuple[Server, Path],
) -> None:
    server, folder = hosted
    assert folder.is_dir()
    row = {"library": 1, "papers": {"2402.00002": None, "10.1/x": {"title": "<script>alert(1)</script>"}}}  # fmt: skip
    path = folder / f"{hashlib.sha256('Zoë'.encode()).hexdigest()}.json"
    path.write_text(json.dumps(row))
    name = "Zoë".encode().decode("latin-1")
    for who, has in ((name, True), ("Zoë".encode("unicode_escape").decode(), False), ("ada", False)):  # fmt: skip
        with server.open_page(**{"X-Remote-User": who, VISITOR: f"user {name}"}) as websocket:
            page = asked(websocket, "", "library")
        assert ("2 papers" in page) == has and ("Your library is empty" in page) != has
        assert "kept on this host until you delete it" in page
        assert not re.search(r"body: \"[^\n]*<script>alert", page)
    assert json.loads(path.read_text()) == row
