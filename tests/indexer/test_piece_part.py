"""The papers' word pieces in an index. Run: pytest tests/indexer/test_piece_part.py"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from indexer import late
from indexer.build import build_index, update_index
from indexer.late import LateInteraction, Pieces
from indexer.store import Index, open_index
from retrieval.rerank import AstroReranker
from retrieval.search import search
from tests.encoders import HashEncoder
from tests.papers import PAPERS, write_jsonl

QUESTION = "how old are stars in globular clusters"


def same(one: Pieces, other: Pieces) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("ids", "lengths", "counts")
    )


@pytest.fixture
def texts_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are cut into pieces from now on."""
    seen: list[str] = []
    read = LateInteraction.read

    def watched(self: LateInteraction, texts: list[str]) -> Pieces:
        seen.extend(texts)
        return read(self, texts)

    monkeypatch.setattr(LateInteraction, "read", watched)
    return seen


def test_an_index_keeps_what_reading_its_papers_gives(small_index: Index) -> None:
    rows = np.array([3, 0, 7])
    assert small_index.pieces is not None
    read = late.shipped().read([small_index.papers[int(row)].text() for row in rows])
    assert same(small_index.pieces.of(rows), read)
    assert small_index.pieces.of(rows[:0]).counts.tolist() == []


def test_a_search_reads_no_text_again_and_finds_the_same_without_the_part(
    small_index: Index, tmp_path: Path, texts_read: list[str]
) -> None:
    kept = search(small_index, QUESTION)
    assert kept.hits[0].parts.reread is not None
    assert texts_read == []
    bare = Path(shutil.copytree(small_index.path, tmp_path / "bare"))
    shutil.rmtree(bare / "pieces")
    manifest = json.loads((bare / "manifest.json").read_text("utf-8"))
    manifest["parts"] = {k: v for k, v in manifest["parts"].items() if "pieces" not in k}
    (bare / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    read = search(open_index(bare), QUESTION)
    assert texts_read
    assert [hit.paper for hit in read.hits] == [hit.paper for hit in kept.hits]
    assert [hit.parts for hit in read.hits] == [hit.parts for hit in kept.hits]


def test_pieces_of_another_table_are_not_used(
    small_index: Index, texts_read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert small_index.pieces is not None
    rows = np.arange(3)
    scores = AstroReranker().rank_rows(QUESTION, small_index, rows)
    monkeypatch.setattr(small_index.pieces, "version", "another")
    assert AstroReranker().rank_rows(QUESTION, small_index, rows).tolist() == scores.tolist()
    assert len(texts_read) == 3


@pytest.mark.parametrize("version", [None, "another"])
def test_an_update_reads_new_papers_alone_unless_another_table_read_the_others(
    tmp_path: Path, texts_read: list[str], monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    index_dir = tmp_path / "index"
    first = write_jsonl(tmp_path / "first.jsonl", PAPERS[:4])
    more = write_jsonl(tmp_path / "more.jsonl", PAPERS[4:6])
    both = write_jsonl(tmp_path / "both.jsonl", PAPERS[:6])
    with monkeypatch.context() as changed:
        if version:
            changed.setattr(late.shipped(), "version", version)
        build_index([str(first)], index_dir, encoder=HashEncoder())
    texts_read.clear()
    update_index(index_dir, [str(more)], encoder=HashEncoder())
    assert len(texts_read) == (6 if version else 2)
    build_index([str(both)], tmp_path / "again", encoder=HashEncoder())
    updated, built = open_index(index_dir).pieces, open_index(tmp_path / "again").pieces
    assert updated is not None
    assert built is not None
    assert same(updated.of(np.arange(6)), built.of(np.arange(6)))
