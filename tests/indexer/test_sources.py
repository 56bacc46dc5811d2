"""Sources of papers, good and bad, as real files. Run: pytest tests/indexer/test_sources.py"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.errors import SourceError
from indexer.records import IngestReport, Paper
from indexer.sources import NotAPaper, paper_from_mapping, read_source
from tests.papers import PAPERS, write_jsonl

GOOD = {"title": "A title", "abstract": "An abstract.", "arxiv_id": "2401.00001"}


def read(path: Path | str) -> tuple[list[Paper], IngestReport]:
    report = IngestReport()
    papers = list(read_source(str(path), report))
    report.indexed = len(papers)
    assert report.balanced, report
    return papers, report


def test_json_lines_plain_and_gzip_give_the_same_papers(tmp_path: Path) -> None:
    plain = write_jsonl(tmp_path / "p.jsonl", PAPERS)
    packed = tmp_path / "p.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    papers, report = read(plain)
    assert read(packed)[0] == papers
    assert report.read == len(PAPERS)
    assert papers[0] == Paper(
        title="Cold gas starves after jets heat the halo of a massive galaxy",
        abstract=PAPERS[0]["abstract"],
        bibcode="2024ApJ...900....1A",
        arxiv_id="2401.00001",
        doi="10.1000/one",
        authors=("Almeida, Rita", "Brandt, K."),
        year=2024,
        date="2024-03-15",
        journal="ApJ",
        citation_count=40,
    )
    assert (papers[5].date, papers[5].year) == ("2021-08", 2021)


def test_bad_lines_are_counted_and_stop_nothing(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    lines = [
        json.dumps(GOOD).encode(), b"{not json", b"[1, 2]", b'{"title": "caf\xe9"}', b"", b"   ",
        json.dumps({**GOOD, "title": ""}).encode(), json.dumps({"title": "No abstract"}).encode(),
        json.dumps({**GOOD, "abstract": None}).encode(), b"[" * 100_000, json.dumps({**GOOD, "year": 1800}).encode(),
    ]  # fmt: skip
    path.write_bytes(b"\n".join(lines))
    papers, report = read(path)
    assert len(papers) == 2
    assert papers[1].year == 1800
    assert dict(report.skipped) == {
        "line is not JSON": 2, "line is not a JSON object": 1, "line is not UTF-8": 1, "no title": 1, "no abstract": 2,
    }  # fmt: skip
    assert report.examples["no abstract"] == "No abstract"


def test_a_gzip_cut_in_the_middle_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl.gz"
    rows = [
        {**GOOD, "title": f"Title {i} {hash(str(i))}", "arxiv_id": f"2401.{i:05d}"}
        for i in range(20_000)
    ]
    whole = gzip.compress("".join(json.dumps(r) + "\n" for r in rows).encode())
    path.write_bytes(whole[: len(whole) // 2])
    papers, report = read(path)
    assert 1000 < len(papers) < 20_000
    assert any("cut off" in reason for reason in report.skipped)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.jsonl", b"", "is empty"),
        ("p.txt", b"x", "ending that is not known"),
        ("p.jsonl", b"\xff\xfe{\x00}\x00", "holds no JSON object"),
        ("p.jsonl", b"plain words\nmore words\n", "holds no JSON object"),
        ("p.jsonl.gz", b"not gzip at all", "is not a gzip file"),
        ("p.csv", b"name,text\na,b\n", "Columns found: name, text. Columns wanted: bibcode"),
        ("p.csv", b"title\nx\n", "no column abstract"),
        ("p.parquet", b"PAR1 nonsense", "cannot be read as Parquet"),
        ("p.bib", b"no entries here", "holds no BibTeX entry"),
    ],
)
def test_unreadable_files_are_errors_that_say_why(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        read(tmp_path / name)


def test_missing_files_directories_and_schemes_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file"):
        read(tmp_path / "nowhere.jsonl")
    with pytest.raises(SourceError, match="is a directory"):
        read(tmp_path)
    with pytest.raises(SourceError, match="unknown scheme 'ftp'"):
        read("ftp:somewhere")


def test_csv_with_ads_column_names(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(
        "Bibcode,Title,Author,Abstract,Publication Year,Citation Count,Other\n"
        '2024ApJ...900....1A,"A, b","Almeida, R.; Brandt, K.","Text, with commas",2024,12,x\n'
        "2024ApJ...900....2B,Second,Chen,Words,,,y\n"
        "too,many,fields,in,this,row,by,far\n"
        "2024ApJ...900....3C,,Chen,Words,2020,1,z\n",
        encoding="utf-8",
    )
    papers, report = read(path)
    assert [(p.title, p.authors, p.year, p.citation_count) for p in papers] == [
        ("A, b", ("Almeida, R.", "Brandt, K."), 2024, 12),
        ("Second", ("Chen",), None, None),
    ]
    assert dict(report.skipped) == {"row has more fields than the header": 1, "no title": 1}


def test_parquet_with_lists_and_missing_values(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pd.DataFrame(
        {
            "title": ["One", "Two", None],
            "abstract": ["First.", "Second.", "Third."],
            "authors": [["A, B", "C"], None, []],
            "year": [2001.0, float("nan"), 3.0],
            "citation_count": [5.0, float("nan"), -1.0],
        }
    ).to_parquet(path)
    papers, report = read(path)
    assert papers == [
        Paper("One", "First.", authors=("A, B", "C"), year=2001, citation_count=5),
        Paper("Two", "Second."),
    ]
    assert dict(report.skipped) == {"no title": 1}


def test_bibtex_as_ads_exports_it(tmp_path: Path) -> None:
    path = tmp_path / "p.bib"
    path.write_text(
        r"""
@ARTICLE{2022ApJ...934L...7R,
  author = {{Almeida}, Rita G. and {Brandt}, Karl},
  title = "{A Value of the Hubble Constant with 1 km s$^{-1}$ Mpc$^{-1}$ Uncertainty}",
  journal = {\apjl}, keywords = {Galaxy distances, Cosmology}, year = 2022, month = jul,
  doi = {10.3847/ABC}, archivePrefix = {arXiv}, eprint = {2112.04510},
  abstract = "{We report M\"uller's value.}",
  adsurl = {https://ui.adsabs.harvard.edu/abs/2022ApJ...934L...7R},
}
@misc{nothing, title = {No abstract here}, year = 1999}
@article{broken, title = {x
@article{other, title = {Another}, abstract = {Text.}, author = {Li, B.}, year = {1999}}
""",
        encoding="utf-8",
    )
    papers, report = read(path)
    first = papers[0]
    assert first.bibcode == "2022ApJ...934L...7R"
    assert (first.authors, first.journal, first.arxiv_id) == (
        ("Almeida, Rita G.", "Brandt, Karl"),
        "ApJL",
        "2112.04510",
    )
    assert first.plain_title == "A Value of the Hubble Constant with 1 km s^-1 Mpc^-1 Uncertainty"
    assert first.plain_abstract == "We report Müller's value."
    assert [p.title for p in papers] == [first.title, "Another"]
    assert dict(report.skipped) == {"no abstract": 1, "BibTeX entry cannot be parsed": 1}


@pytest.mark.parametrize(
    ("given_", "date", "year"),
    [
        ({"date": "2025-1-9"}, "2025-01-09", 2025), ({"date": "1992-04"}, "1992-04", 1992), ({"date": "2024-00-00"}, "2024", 2024),
        ({"date": "soon"}, None, None), ({"year": "1800"}, None, 1800), ({"year": 3000}, None, None), ({"year": 2024.0}, None, 2024),
        ({"year": "n/a", "date": "2020-13-40"}, "2020", 2020), ({}, None, None), ({"year": True}, None, None),
    ],
)  # fmt: skip
def test_dates_and_years(given_: dict[str, object], date: str | None, year: int | None) -> None:
    paper = paper_from_mapping({**GOOD, **given_})
    assert (paper.date, paper.year) == (date, year)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
FIELDS = st.sampled_from([*Paper.__dataclass_fields__, "other"])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(FIELDS, JSON))
def test_any_mapping_is_a_paper_or_has_a_reason(record: dict[str, object]) -> None:
    try:
        paper = paper_from_mapping(record)
    except NotAPaper as reason:
        assert str(reason) in ("no title", "no abstract")
        return
    paper.text().encode("utf-8")
    assert paper.title
    assert paper.abstract
    assert paper.citation_count is None or paper.citation_count >= 0


def test_the_real_corpus_reads_whole(shared_data: Path) -> None:
    report = IngestReport()
    n = sum(1 for _ in read_source(str(shared_data / "corpus.jsonl.gz"), report))
    assert n == report.read == 42_385
    assert not report.skipped
