"""The astro-ph knowledge graph in its documented layout, with the arXiv snapshot. Run: pytest tests/indexer/test_sources_graph.py"""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.build import build_index
from indexer.errors import SourceError
from indexer.records import IngestReport
from indexer.sources import read_source
from indexer.sources_graph import NEEDED
from indexer.store import open_index
from tests.encoders import HashEncoder
from tests.indexer.test_sources_arxiv import snapshot_line, write

ARXIV_IDS = ["0704.0001", "astro-ph-0612345", "0704.0003"]
BIBCODES = ["2007ApJ...655....1L", "2006MNRAS.1..100W", "2007arXiv0704.0003X"]


def table(path: Path, header: str, rows: list[tuple[object, ...]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header.split(","))
    writer.writerows(rows)
    path.write_bytes(gzip.compress(text.getvalue().encode()))


def data_set(folder: Path) -> Path:
    """Three papers in the layout of the public data set; references go to two of them and to two outside."""
    folder.mkdir()
    n = len(ARXIV_IDS)
    table(folder / "papers_index_mapping.csv.gz", "paper_idx,arxiv_id", list(enumerate(ARXIV_IDS)))
    np.save(folder / "papers_years.npy", np.array([2007, 2006, 2007], dtype=np.int64))
    codes = [
        (i, a, b, f"2007arXiv{i:09d}L;{b}")
        for i, (a, b) in enumerate(zip(ARXIV_IDS, BIBCODES, strict=True))
    ]
    table(
        folder / "arxiv_to_bibcode_mapping.csv.gz",
        "paper_idx,arxiv_id,primary_bibcode,all_bibcodes",
        codes,
    )
    write(
        folder / "abstracts_all.jsonl.gz",
        [{"arxiv_id": a, "abstract": "Not used."} for a in ARXIV_IDS],
    )
    cited: list[dict[str, Any]] = [
        {"paper_idx": i, "bibcode": BIBCODES[i], "all_bibcodes": [BIBCODES[i]], "references": r, "citations": [], "num_references": len(r),
         "num_citations": 10 * i}
        for i, r in ((2, [0, 1, n, n + 1]), (0, [n + 1]), (1, []))
    ]  # fmt: skip
    write(folder / "citations_indexed.jsonl.gz", cited)
    outside = [
        (n, "1968ZA.....69...80B", "external_bibcode"),
        (n + 1, "1998AJ....116.1009R", "external_bibcode"),
    ]
    table(folder / "identifier_mapping_external.csv.gz", "identifier_idx,identifier,type", outside)
    names = [(0, "Galaxy Physics", "Cold gas", "A, quoted"), (1, "Cosmology", "Halo", "x")]
    table(folder / "concepts_vocabulary.csv.gz", "label,class,concept,description", names)
    table(
        folder / "papers_concepts_mapping.csv.gz",
        "arxiv_id,label",
        [("0704.0001", 1), ("0704.0003", 0), ("0704.0001", 0), ("9999.9", 0)],
    )
    table(
        folder / "ads_keywords_curated.csv.gz",
        "arxiv_id,keyword",
        [("0704.0001", "galaxies"), ("astro-ph-0612345", "stars"), ("0704.0001", "ism")],
    )
    return folder


def records(folder: Path) -> dict[str, Any]:
    report = IngestReport()
    found = {p.arxiv_id or "": p for p in read_source(f"astro-ph-kg:{folder}", report)}
    return {"papers": found, "skipped": dict(report.skipped)}


def test_records_enrich_with_everything_but_a_title(tmp_path: Path) -> None:
    papers = records(data_set(tmp_path / "kg"))["papers"]
    assert list(papers) == ["0704.0003", "0704.0001", "astro-ph/0612345"]
    first = papers["0704.0001"]
    assert (first.title, first.abstract, first.bibcode) == ("", "", "2007ApJ...655....1L")
    assert (first.concepts, first.keywords) == (("Halo", "Cold gas"), ("galaxies", "ism"))
    assert (first.references, first.citation_count) == (("1998AJ....116.1009R",), 0)
    assert papers["0704.0003"].references == (
        *BIBCODES[:2],
        "1968ZA.....69...80B",
        "1998AJ....116.1009R",
    )
    assert papers["astro-ph/0612345"].citation_count == 10


def test_all_of_astro_ph_without_a_key(tmp_path: Path) -> None:
    folder = data_set(tmp_path / "kg")
    snapshot = write(
        tmp_path / "s.json",
        [snapshot_line(1), snapshot_line(5, id="astro-ph/0612345"), snapshot_line(9)],
    )
    sources = [f"arxiv-snapshot:{snapshot}", f"astro-ph-kg:{folder}"]
    manifest, report = build_index(sources, tmp_path / "index", encoder=HashEncoder())
    assert report.balanced
    assert manifest.counts == {
        "read": 6, "indexed": 3, "merged": 2, "skipped": {"only enriches, and no paper has its identifiers": 1},
    }  # fmt: skip
    index = open_index(tmp_path / "index")
    assert [p.arxiv_id for p in index.papers] == ["0704.0001", "astro-ph/0612345", "0704.0009"]
    paper = index.papers[index.row_of("2007ApJ...655....1L")]
    assert (paper.title, paper.concepts, paper.keywords) == (
        "Gas in galaxy 1",
        ("Halo", "Cold gas"),
        ("galaxies", "ism"),
    )
    assert (paper.year, paper.citation_count) == (2007, 0)
    assert index.papers[2].citation_count is None
    assert len(index.graph.citing(["1998AJ....116.1009R"])) == 1
    with pytest.raises(
        SourceError, match="No usable paper.*Add the source that has them, such as arxiv-snapshot"
    ):
        build_index(sources[1:], tmp_path / "alone", encoder=HashEncoder())


@pytest.mark.parametrize("name", NEEDED)
def test_half_of_the_data_set_and_lfs_pointers_are_errors_with_the_command(
    tmp_path: Path, name: str
) -> None:
    folder = data_set(tmp_path / "kg")
    (folder / name).write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    )
    with pytest.raises(SourceError, match=rf"{name} is a Git LFS pointer.*lfs pull"):
        records(folder)
    (folder / name).unlink()
    with pytest.raises(
        SourceError, match=rf"lacks 1 of the {len(NEEDED)} files that are read: {name}.*git clone"
    ):
        records(folder)


def test_other_columns_and_broken_lines_are_said(tmp_path: Path) -> None:
    folder = data_set(tmp_path / "kg")
    path = folder / "citations_indexed.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).splitlines()
    path.write_bytes(
        gzip.compress(b"\n".join([lines[0], b"{broken", json.dumps({"x": 1}).encode()]))
    )
    found = records(folder)
    assert len(found["papers"]) == 3, "papers without a line of citations keep their other facts"
    assert found["papers"]["0704.0001"].citation_count is None
    assert found["skipped"] == {"citations_indexed.jsonl.gz: a line is not as documented": 2}
    table(folder / "concepts_vocabulary.csv.gz", "number,name", [])
    with pytest.raises(SourceError, match="no column label, concept; found: number, name"):
        records(folder)


@pytest.mark.parametrize(
    "line",
    [
        '{"paper_idx": "0"}', '{"paper_idx": 0.5}', '{"paper_idx": 0, "references": "x"}',
        '{"paper_idx": 0, "references": [null, "1", -500, 1.5]}', '{"paper_idx": 0, "references": 5}', "[]",
    ],
)  # fmt: skip
def test_values_that_are_not_as_documented_name_no_paper(tmp_path: Path, line: str) -> None:
    folder = data_set(tmp_path / "kg")
    with gzip.open(folder / "citations_indexed.jsonl.gz", "wt") as stream:
        stream.write(line + "\n")
    papers = records(folder)["papers"]
    assert len(papers) == 3
    assert not any(paper.references for paper in papers.values())


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_years_that_are_no_array_are_an_error(tmp_path: Path, content: bytes) -> None:
    folder = data_set(tmp_path / "kg")
    (folder / "papers_years.npy").write_bytes(content)
    with pytest.raises(SourceError, match="no array of years"):
        records(folder)
