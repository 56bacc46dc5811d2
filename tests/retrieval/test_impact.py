"""What facilities, methods and topics contributed, counted against simple counting. Run: pytest tests/retrieval/test_impact.py"""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.cli_impact import as_csv, page_of
from app.impact_report import report
from indexer.build import build_index
from indexer.errors import IndexMissing, PaperNotFound, QueryError
from indexer.store import Index, open_index
from retrieval.impact import Scope, compare, impact, known_names
from retrieval.impact_rows import CSV_COLUMNS, impact_row
from retrieval.impact_terms import title_terms
from retrieval.shares import wilson
from tests.encoders import HashEncoder
from tests.papers import write_jsonl

USES = "We use JWST images of one star."
BOTH = "We present JWST and ALMA maps of a galaxy."
MENTIONS = "We model stars. Future observations with JWST will test the model."
NOTHING = "Stars shine for a long time."


def paper(i: int, abstract: str, year: int, title: str = "On stars", **more: Any) -> dict[str, Any]:
    return {
        "bibcode": f"{year}ApJ...{i:03d}....1A", "arxiv_id": f"{year % 100:02d}01.{i:05d}", "title": f"{title} {i}",
        "abstract": abstract, "year": year, "date": f"{year}-06-15", "authors": [f"Author{i}, A."], **more,
    }  # fmt: skip


def papers() -> list[dict[str, Any]]:
    """2020: 2 papers, none used it; 2023: 4, 1 used; 2024: 4, 2 used; 2025: 4, 3 used, 1 mentions."""
    return [
        paper(1, NOTHING, 2020, citation_count=10), paper(2, NOTHING, 2020),
        paper(3, USES, 2023, citation_count=30), paper(4, NOTHING, 2023, citation_count=10), paper(5, NOTHING, 2023), paper(6, NOTHING, 2023),
        paper(7, USES, 2024, citation_count=4), paper(8, BOTH, 2024), paper(9, NOTHING, 2024, citation_count=2), paper(10, NOTHING, 2024),
        paper(11, BOTH, 2025, citation_count=0), paper(12, USES, 2025, citation_count=2), paper(13, "We use JWST and MIRI spectra.", 2025), paper(14, MENTIONS, 2025),
    ]  # fmt: skip


def built(folder: Path, rows: list[dict[str, Any]]) -> Index:
    from datetime import date

    source = write_jsonl(folder / "papers.jsonl", rows)
    build_index([str(source)], folder / "index", encoder=HashEncoder(), as_of=date(2026, 1, 1))
    return open_index(folder / "index")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return built(tmp_path_factory.mktemp("impact"), papers())


def test_papers_and_shares_a_year(index: Index) -> None:
    found = impact(index, "James Webb Space Telescope")
    assert found.name == "JWST"
    assert (len(found.used), len(found.mentioned)) == (6, 1)
    assert [(y.year, y.used, y.mentioned, y.papers) for y in found.years] == [
        (2023, 1, 0, 4), (2024, 2, 0, 4), (2025, 3, 1, 4),
    ]  # fmt: skip
    assert found.years[0].share == 0.25
    assert (found.years[0].low, found.years[0].high) == pytest.approx((0.0456, 0.6994), abs=2e-4)
    assert [y.since_first for y in found.years] == [1, 2, 3]
    assert (found.first_paper_year, found.median_age) == (2023, 2.5)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (1, 4), (30, 12_226), (5_343, 5_343)])
def test_wilsons_interval_is_scipys(k: int, n: int) -> None:
    from scipy.stats import binomtest

    theirs = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n) == pytest.approx((theirs.low, theirs.high), abs=1e-7)


def test_citations_that_are_unknown_are_not_zero(index: Index) -> None:
    cited = impact(index, "JWST").cited
    assert (cited.n_known, cited.n_unknown, cited.total, cited.median, cited.h_index) == (4, 2, 36, 3.0, 2)  # fmt: skip
    # like papers: of 2023 (20), 2024 (3), 2025 (1) and 2025 (1) on average
    assert cited.ratio == pytest.approx(36 / (20 + 3 + 1 + 1))
    assert cited.within[0].mean is None  # no reference list is known
    alma = impact(index, "ALMA", scope=Scope(since=2024, until=2024)).cited
    assert (alma.n_known, alma.total, alma.h_index, alma.ratio) == (0, None, None, None)


def test_citations_within_two_years_by_dated_citing_papers(tmp_path: Path) -> None:
    cited = paper(1, USES, 2020)
    late = paper(4, NOTHING, 2023)
    rows = [
        cited,
        paper(2, NOTHING, 2020, references=[cited["bibcode"]]),
        paper(3, NOTHING, 2021, references=[cited["arxiv_id"], cited["bibcode"]]),
        late | {"references": [cited["bibcode"]]},
    ]  # fmt: skip
    within = impact(built(tmp_path, rows), "JWST").cited.within
    assert [(w.years, w.n, w.mean) for w in within] == [(2, 1, 2.0), (5, 1, 3.0)]
    assert within[0].expected == pytest.approx(1.0)  # 2 and 0, of the two papers of 2020
    assert within[0].covered == pytest.approx(2 / 3)  # of the papers of the two years after


def test_company_and_its_matrix(index: Index) -> None:
    found = impact(index, "ALMA")
    assert [(one.name, len(one.rows)) for one in found.together] == [("JWST", 2)]
    assert found.matrix == ((2,),)
    assert [
        one.name for one in impact(index, "MIRI").together
    ] == []  # its own facility is no company


def test_restricted_to_words_years_and_chosen_papers(index: Index) -> None:
    assert len(impact(index, "JWST", scope=Scope(query="galaxy maps")).used) == 2
    assert len(impact(index, "JWST", scope=Scope(since=2024, until=2024)).used) == 2
    chosen = Scope(papers=("2023ApJ...003....1A", "2501.00012", "2020ApJ...001....1A", "no such"))
    found = impact(index, "JWST", scope=chosen)
    assert (len(found.used), found.n_scope) == (2, 3)
    said = "among 4 chosen papers, 1 of them not in this index"
    assert found.scope.label == said
    assert impact_row(index, found)["restricted"] == said
    assert said in page_of(index, found)
    assert said.capitalize() in report(index, [found])


def test_growth_compares_three_years_with_the_three_before(tmp_path: Path) -> None:
    rows = [paper(i, USES if i % 10 == 0 else NOTHING, 2021) for i in range(100)]
    rows += [paper(100 + i, USES if i % 5 == 0 else NOTHING, 2025) for i in range(100)]
    growth = impact(built(tmp_path, rows), "JWST").growth
    assert growth.ratio == pytest.approx(2.0)
    # exp(ln 2 -+ 1.96 sqrt(1/20 - 1/100 + 1/10 - 1/100))
    assert (growth.low, growth.high) == pytest.approx((0.9866, 4.0545), abs=1e-3)
    assert (growth.late, growth.early) == ((2023, 2025), (2020, 2022))


def test_terms_gained_and_lost(tmp_path: Path) -> None:
    rows = [paper(i, USES, 2023, title="Old quiet comets") for i in range(20)]
    rows += [paper(20 + i, USES, 2025, title="Little red dots") for i in range(20)]
    terms = impact(built(tmp_path, rows), "JWST").terms
    assert terms.split_year == 2025
    assert {t.text for t in terms.gained} & {"little red", "red dots"}
    assert {t.text for t in terms.lost} & {"old quiet", "quiet comets"}
    assert all(t.late == 1.0 and t.early == 0.0 for t in terms.gained)


def test_words_of_titles() -> None:
    assert title_terms("The red dots of $z\\sim10$ galaxies") >= {"red", "dots", "red dots", "galaxies"}  # fmt: skip
    assert "the" not in title_terms("The red dots")


def test_methods_and_topics(index: Index) -> None:
    topic = impact(index, "galaxy maps", "topic")
    assert (topic.name, len(topic.used), topic.entry) == ("galaxy maps", 2, None)
    with pytest.raises(QueryError, match="ask with --method"):
        impact(index, "MCMC")
    with pytest.raises(QueryError, match="ask without --method"):
        impact(index, "JWST", "method")
    assert len(impact(index, "neural network", "method").used) == 0


def test_what_nobody_has(index: Index) -> None:
    with pytest.raises(QueryError, match=r"called 'Jwstt': did you mean JWST"):
        impact(index, "Jwstt")
    with pytest.raises(QueryError, match="is empty"):
        impact(index, "  ")
    with pytest.raises(QueryError, match="of 2020 to 2025 is since 1900, until 1910"):
        impact(index, "JWST", scope=Scope(since=1900, until=1910))
    with pytest.raises(QueryError, match="is on “zzyzx”"):
        impact(index, "JWST", scope=Scope(query="zzyzx"))
    with pytest.raises(PaperNotFound, match="None of the 1 chosen papers"):
        impact(index, "JWST", scope=Scope(papers=("no such",)))
    none = impact(index, "Chandra")  # known, and no paper here
    assert (len(none.used), none.years, none.cited.total, none.growth.ratio) == (0, (), None, None)


def test_an_index_without_facilities_says_what_to_do(index: Index, tmp_path: Path) -> None:
    import json

    old = tmp_path / "old"
    shutil.copytree(index.path, old)
    manifest = json.loads((old / "manifest.json").read_text(encoding="utf-8"))
    manifest["parts"] = {k: v for k, v in manifest["parts"].items() if "facilities/" not in k}
    (old / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    shutil.rmtree(old / "facilities")
    with pytest.raises(IndexMissing, match="wayfinder index facilities"):
        impact(open_index(old), "JWST")


def test_one_paper(tmp_path: Path) -> None:
    found = impact(built(tmp_path, [paper(1, USES, 2025)]), "JWST")
    assert [(y.year, y.used, y.share) for y in found.years] == [(2025, 1, 1.0)]
    assert found.cited.total is None
    assert found.terms.gained == ()


def test_papers_without_year_and_category_are_counted_apart(tmp_path: Path) -> None:
    undated = {"title": "No year", "abstract": USES, "arxiv_id": "2301.99999", "citation_count": 5}
    found = impact(built(tmp_path, [undated, paper(1, USES, 2025, citation_count=1)]), "JWST")
    assert (found.n_year_unknown, len(found.used), len(found.years)) == (1, 2, 1)
    assert found.cited.n_without_category == 2


def test_several_side_by_side_each_once(index: Index) -> None:
    assert [f.name for f in compare(index, ["JWST", "Webb telescope", "ALMA"])] == ["JWST", "ALMA"]
    with pytest.raises(QueryError, match="at most 8"):
        compare(index, [str(n) for n in range(9)])
    assert known_names(index, "facility") == ["JWST", "ALMA", "MIRI"]


def test_every_number_has_its_papers_in_json(index: Index) -> None:
    row = impact_row(index, impact(index, "JWST"))
    assert [len(y["used_ids"]) for y in row["years"]] == [y["used"] for y in row["years"]]
    assert row["years"][0]["used_ids"] == ["2023ApJ...003....1A"]
    assert sorted(row["used_ids"]) == sorted(i for y in row["years"] for i in y["used_ids"])
    assert row["citations"]["h_ids"] == ["2023ApJ...003....1A", "2024ApJ...007....1A"]
    assert row["together"] == [
        {"name": "ALMA", "papers": 2, "ids": ["2024ApJ...008....1A", "2025ApJ...011....1A"]}
    ]
    assert set(row["definitions"]) >= {"used", "share", "h_index", "growth", "citation_ratio"}


def test_csv_is_one_long_table_and_no_formula(index: Index) -> None:
    table = list(csv.reader(io.StringIO(as_csv(index, compare(index, ["JWST", "ALMA"])))))
    assert tuple(table[0]) == CSV_COLUMNS
    rows = {(r[0], r[1], r[2]): r for r in table[1:]}
    assert rows["JWST", "used", "2024"][3] == "2"
    assert rows["JWST", "used", "2024"][-1] == "2024ApJ...007....1A 2024ApJ...008....1A"
    assert rows["ALMA", "citations", "total"][3] == "0"  # one known count, of 0
    assert rows["JWST", "citations_within_2_years", "mean"][3] == ""  # unknown
    assert not any(cell[:1] in "=+@" for row in table for cell in row if cell)


def test_the_report_is_escaped_and_says_what_is_unknown(tmp_path: Path) -> None:
    rows = [paper(1, USES, 2025, title="<script>alert(1)</script> dots", citation_count=3)]
    rows.append(paper(2, BOTH, 2024))
    opened = built(tmp_path, rows)
    page = report(opened, [impact(opened, "JWST"), impact(opened, "Chandra")])
    assert "<script>" not in page
    assert "alert(1) dots" in page
    assert "unknown for 1" in page
    assert "2025ApJ...001....1A" in page
    assert "Wilson" in page
    assert "No paper within the restrictions used it" in page


def test_growth_counts_the_years_before_the_first_paper(tmp_path: Path) -> None:
    rows = [paper(i, NOTHING, 2020) for i in range(4)]
    rows += [paper(4, NOTHING, 2021), paper(5, USES, 2022), paper(6, USES, 2023), paper(7, USES, 2024), paper(8, NOTHING, 2025)]  # fmt: skip
    growth = impact(built(tmp_path, rows), "JWST").growth
    assert (growth.late, growth.early) == ((2023, 2025), (2020, 2022))
    assert growth.ratio == pytest.approx((2 / 3) / (1 / 6))


def test_a_facility_that_only_the_source_names_is_no_company_of_its_own(tmp_path: Path) -> None:
    rows = [paper(i, USES, 2024, facilities=["Backyard Telescope"]) for i in range(3)]
    found = impact(built(tmp_path, rows), "Backyard Telescope")
    assert len(found.used) == 3
    assert [one.name for one in found.together] == ["JWST"]


def test_a_cited_paper_of_no_year_says_so(tmp_path: Path) -> None:
    rows = [{"arxiv_id": "2401.00001", "title": "On stars", "abstract": USES, "citation_count": 3, "authors": ["Author, A."]}]  # fmt: skip
    index = built(tmp_path, rows)
    page = page_of(index, impact(index, "JWST"))
    assert "Author, year unknown: On stars" in page and "None" not in page
