"""Facilities and methods: used or mentioned, confusions, tables, the part on disk. Run: pytest tests/indexer/test_facilities.py"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from indexer import facility_part, facility_scan
from indexer.build import BuildOptions, add_facilities, build_index, update_index
from indexer.errors import SourceError
from indexer.facilities import detect
from indexer.facility_part import detection_version, read_facilities
from indexer.facility_table import facility_table, method_table, read_table
from indexer.records import Paper
from indexer.store import open_index
from tests.encoders import HashEncoder
from tests.papers import write_jsonl

CONFUSIONS = [
    json.loads(line)
    for line in (Path(__file__).resolve().parents[2] / "eval/data/confusions.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
TEXTS = [
    ("Deep imaging of a faint shell", "We present JWST/NIRSpec spectroscopy of one shell."),
    ("A model of discs", "We solve equations. Future observations with ALMA will test the model."),
    ("Orbits of stars", "Using Gaia DR3 astrometry we trace orbits with an N-body simulation."),
    ("Nothing named", "Stars shine for a long time."),
]


def found(abstract: str, title: str = "On one star") -> tuple[list[str], list[str]]:
    detection = detect(Paper(title=title, abstract=abstract))
    return sorted(detection.used), sorted(detection.mentioned)


@pytest.mark.parametrize("case", CONFUSIONS, ids=lambda case: case["text"][:40])
def test_a_name_that_means_something_else_is_no_facility(case: dict[str, list[str]]) -> None:
    detection = detect(Paper(title="On a matter of names", abstract=str(case["text"])))
    names = {*detection.used, *detection.mentioned}
    assert not names & set(case["wrong"])
    assert set(case["right"]) <= names


@pytest.mark.parametrize(
    ("abstract", "used", "mentioned"),
    [
        ("We present JWST/NIRSpec spectroscopy of a galaxy.", ["JWST"], []),
        ("Light curves from TESS show the transit of the planet.", ["TESS"], []),
        ("The data were obtained with the Very Large Telescope (VLT).", ["VLT"], []),
        ("Using data from XMM-Newton, NuSTAR and Swift, we fit the spectrum.", ["NuSTAR", "Swift", "XMM-Newton"], []),
        ("We select stars by Gaia DR3 astrometry.", ["Gaia"], []),
        ("We study the disc. Future observations with ALMA will resolve it.", [], ["ALMA"]),
        ("We model mergers, which will be detectable by LISA.", [], ["LISA"]),
        ("Our sizes are consistent with earlier HST results.", [], ["HST"]),
        ("We build mocks in preparation for Euclid.", [], ["Euclid"]),
        ("This catalogue is complementary to eROSITA.", [], ["eROSITA"]),
        ("JWST has revealed many early galaxies. We model their growth.", [], ["JWST"]),
        ("We analyse spectra of the planet Kepler-99 b.", [], ["Kepler"]),
        ("We report a burst of MAXI J1234-567 seen with NICER.", ["NICER"], ["MAXI"]),
        ("We use MaNGA data of SDSS-IV.", ["SDSS"], []),
        ("We use HSC images and KiDS shapes.", ["KiDS", "Subaru"], []),
        ("We use Keck spectra. In the era of the Extremely Large Telescope this will be easy.", ["Keck"], ["ELT"]),
        ("Stars form in clouds and shine.", [], []),
    ],
)  # fmt: skip
def test_used_and_mentioned(abstract: str, used: list[str], mentioned: list[str]) -> None:
    assert found(abstract) == (used, mentioned)


def test_the_evidence_is_the_sentence_that_says_most() -> None:
    detection = detect(
        Paper(
            title="A galaxy",
            abstract="ALMA has changed the field. We obtained ALMA maps of 3 mm dust. Gas is cold.",
        )
    )
    [evidence] = detection.facilities
    assert (evidence.name, evidence.status) == ("ALMA", "used")
    assert evidence.sentence == "We obtained ALMA maps of 3 mm dust."


def test_the_sources_own_fields_win() -> None:
    paper = Paper(
        title="Cold gas",
        abstract="We model gas that future observations with ALMA will see.",
        facilities=("ALMA", "Keck:I", "Backyard Telescope"),
        bibgroups=("HST", "A Group Of Friends"),
    )
    detection = detect(paper)
    assert sorted(detection.used) == ["ALMA", "Backyard Telescope", "HST", "Keck"]
    assert all(evidence.by_source for evidence in detection.facilities)


def test_instruments_count_for_their_facility() -> None:
    detection = detect(Paper(title="Gas", abstract="We present MIRI spectra of a disc with JWST."))
    assert detection.used == ["JWST"]
    assert [one.name for one in detection.instruments] == ["MIRI"]
    assert detection.uses() == {"JWST": True, "MIRI": True}


def test_methods() -> None:
    detection = detect(
        Paper(
            title="Discs",
            abstract="We run N-body simulations and fit them by MCMC. Future work will use neural networks.",
        )
    )
    assert {one.name: one.status for one in detection.methods} == {
        "N-body simulation": "used", "Markov chain Monte Carlo": "used", "neural network": "mentioned",
    }  # fmt: skip


def test_tables_are_large_and_whole() -> None:
    table = facility_table()
    assert len(table.entries) >= 220
    assert len(method_table().entries) >= 80
    kinds = {band for entry in table.entries for band in entry.bands}
    assert {"radio", "optical", "x-ray", "gamma-ray", "gravitational waves", "neutrinos"} <= kinds
    for entry in table.entries:
        assert entry.bands, f"{entry.name} has no band"
        assert list(table.chain(entry))[-1].parent == ""
        if entry.first_year and entry.last_year:
            assert entry.first_year <= entry.last_year, entry.name


def test_a_name_is_found_however_it_is_spelt_and_near_names_are_offered() -> None:
    table = facility_table()
    assert table.get("hubble space telescope") is table.get("HST")
    assert table.get("xmm newton") is table.get("XMM-Newton")
    assert table.get("Galactica") is None
    assert "Chandra" in table.nearest("Chandre")


def test_a_table_with_an_unknown_parent_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("name,kind,parent\nCamera,instrument,Nowhere\n", encoding="utf-8")
    with pytest.raises(SourceError, match="parents of Camera"):
        read_table(path)


def test_processes_find_what_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    papers = [Paper(title=title, abstract=abstract) for title, abstract in TEXTS * 3]
    alone = list(facility_scan.detect_all(papers, workers=1))
    monkeypatch.setattr(facility_scan, "FEWEST_FOR_PROCESSES", 2)
    monkeypatch.setattr(facility_scan, "PAPERS_A_TASK", 5)
    assert list(facility_scan.detect_all(papers, workers=2)) == alone


def test_processes_that_die_lose_no_paper(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"  # each process would run it again, and cannot
    script.write_text(
        "from indexer import facility_scan\n"
        "from indexer.records import Paper\n"
        "facility_scan.FEWEST_FOR_PROCESSES, facility_scan.PAPERS_A_TASK = 2, 5\n"
        "papers = [Paper(title=f'Run {n}', abstract='We present JWST spectra.') for n in range(20)]\n"
        "print([d.used for _, d in facility_scan.detect_all(papers, workers=2)])\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("JWST") == 20


def rows(texts: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [
        {"arxiv_id": f"2401.{i:05d}", "title": t, "abstract": a} for i, (t, a) in enumerate(texts)
    ]


@pytest.fixture
def index_dir(tmp_path: Path) -> Path:
    source = write_jsonl(tmp_path / "papers.jsonl", rows(TEXTS))
    build_index([str(source)], tmp_path / "index", encoder=HashEncoder())
    return tmp_path / "index"


def test_an_index_knows_who_used_what(index_dir: Path) -> None:
    uses = open_index(index_dir).uses
    assert uses is not None
    assert uses.version == detection_version()
    assert uses.facilities.rows("JWST").tolist() == [0]
    assert uses.facilities.rows("ALMA", used=True).tolist() == []
    assert uses.facilities.rows("ALMA").tolist() == [1]
    assert uses.facilities.of(0) == [("JWST", True), ("NIRSpec", True)]
    assert uses.methods.rows("N-body simulation").tolist() == [2]
    assert uses.facilities.rows("No such").tolist() == []
    assert uses.facilities.counts(used=True) == {"JWST": 1, "NIRSpec": 1, "Gaia": 1}
    assert "facilities/facilities.npy" in open_index(index_dir).manifest.parts


def test_an_update_keeps_what_was_found_and_equals_a_build(
    index_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = ("Rings of a planet", "We report a transit in light curves from CHEOPS.")
    more = write_jsonl(tmp_path / "more.jsonl", rows([*TEXTS, new])[4:])
    seen: list[str] = []

    def watched(paper: Paper):  # type: ignore[no-untyped-def]
        seen.append(paper.title)
        return detect(paper)

    monkeypatch.setattr(facility_scan, "detect", watched)
    update_index(index_dir, [str(more)], encoder=HashEncoder())
    assert seen == [new[0]]
    both = write_jsonl(tmp_path / "both.jsonl", rows([*TEXTS, new]))
    build_index([str(both)], tmp_path / "again", encoder=HashEncoder())
    updated, built = open_index(index_dir).uses, open_index(tmp_path / "again").uses
    assert updated is not None
    assert built is not None
    assert np.array_equal(np.sort(updated.facilities.pairs), np.sort(built.facilities.pairs))
    assert updated.facilities.rows("CHEOPS").tolist() == [4]


def test_other_rules_find_anew(
    index_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facility_part, "detection_version", lambda: "another")
    more = write_jsonl(tmp_path / "more.jsonl", rows([*TEXTS, ("A", "We use VLA maps.")])[4:])
    seen: list[Paper] = []
    monkeypatch.setattr(facility_scan, "detect", lambda paper: seen.append(paper) or detect(paper))
    update_index(index_dir, [str(more)], encoder=HashEncoder())
    assert len(seen) == 5


def test_an_index_without_them_gets_them_added(index_dir: Path) -> None:
    manifest = json.loads((index_dir / "manifest.json").read_text(encoding="utf-8"))
    manifest["parts"] = {k: v for k, v in manifest["parts"].items() if "facilities" not in k}
    (index_dir / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    shutil.rmtree(index_dir / "facilities")
    assert open_index(index_dir).uses is None
    add_facilities(index_dir)
    again = open_index(index_dir)
    assert again.uses is not None
    assert again.uses.facilities.rows("Gaia").tolist() == [2]
    assert len(again.papers) == 4


def test_an_index_of_one_paper_that_names_nothing(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "papers.jsonl", rows(TEXTS)[3:])
    build_index([str(source)], tmp_path / "index", encoder=HashEncoder(), options=BuildOptions())
    uses = read_facilities(tmp_path / "index")
    assert uses is not None
    assert (len(uses.facilities.pairs), uses.methods.of(0)) == (0, [])


@pytest.mark.parametrize("flood", ["HST and JWST, ", "HST-", "detected by JWST may be ", "HST is. JWST was! "])  # fmt: skip
def test_a_hostile_abstract_takes_no_longer_than_any(flood: str) -> None:
    began = time.process_time()
    detection = detect(Paper(title="On names", abstract=flood * 20_000))
    assert time.process_time() - began < 5  # an hour, where each name is looked at within the whole
    assert {*detection.used, *detection.mentioned} <= {"HST", "JWST"}
    assert detection.facilities
