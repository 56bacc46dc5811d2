"""The command line as outside programs use it: a real process. Run: pytest tests/app/test_cli.py"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app import terminal
from app.default_index import default_index_dir
from indexer.build import starter_index_dir
from indexer.encoder import ASTRO_ID
from indexer.snapshots import build_lock
from tests import documents
from tests.llm_server import KEY, LLMServer, Reply, sentence
from tests.papers import PAPERS, write_jsonl

COMMAND = [str(Path(sys.executable).with_name("wayfinder"))]


def wayfinder(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def rows(done: subprocess.CompletedProcess[str]) -> list[dict]:  # type: ignore[type-arg]
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_search_prints_one_json_object_a_line(small_index_dir: Path) -> None:
    found = rows(
        wayfinder(
            "search",
            "repeating fast radio burst",
            "--index",
            str(small_index_dir),
            "-k",
            "3",
            "--json",
        )
    )
    assert [row["rank"] for row in found] == [1, 2, 3]
    assert found[0]["bibcode"] == "2021Natur.590...50J"
    assert {
        "rank",
        "score",
        "bibcode",
        "arxiv_id",
        "title",
        "year",
        "citation_count",
        "parts",
    } <= set(found[0])
    assert {"dense", "lexical", "named", "relevance", "recency", "impact"} <= set(found[0]["parts"])


def test_search_flags_narrow_and_weight(small_index_dir: Path) -> None:
    words = ("search", "black holes and galaxies", "--index", str(small_index_dir), "--json", "--mode", "hybrid", "--since", "2024",
             "--until", "2025", "--min-citations", "3", "--author", "Chen", "--recency", "0.2", "--impact", "0.1")  # fmt: skip
    assert [row["arxiv_id"] for row in rows(wayfinder(*words))] == ["2402.00002"]
    assert (
        rows(
            wayfinder(
                "search", "planets", "--index", str(small_index_dir), "--json", "--facility", "JWST"
            )
        )[0]["year"]
        == 2023
    )


def test_a_file_of_queries_is_answered_in_order(small_index_dir: Path, tmp_path: Path) -> None:
    asked = [
        {"query_id": "b", "query": "water on a warm Neptune"},
        {"query_id": "a", "query": "Hubble constant"},
    ]
    queries = write_jsonl(tmp_path / "q.jsonl", asked)
    found = rows(
        wayfinder(
            "search",
            "--queries",
            str(queries),
            "--index",
            str(small_index_dir),
            "--json",
            "-k",
            "2",
        )
    )
    assert [(row["query_id"], row["query"], len(row["hits"])) for row in found] == [
        ("b", "water on a warm Neptune", 2), ("a", "Hubble constant", 2),
    ]  # fmt: skip
    assert found[0]["hits"][0]["bibcode"] == "2023A&A...670...10G"
    queries.write_text(
        '{"query_id": "x", "query": ""}\nnonsense\n{"query_id": "y", "query": "stars"}\n'
    )
    done = wayfinder(
        "search", "--queries", str(queries), "--index", str(small_index_dir), "--json", "-k", "1"
    )
    assert done.returncode == 2
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(bool(a["hits"]), "error" in a) for a in answers] == [
        (False, True),
        (False, True),
        (True, False),
    ]
    assert "2 of the lines" in done.stderr
    odd = ['"dark \\ud800 energy"', '"dark\u2028energy"', "null", '["a"]']
    queries.write_text("".join(f'{{"query_id": "z", "query": {q}}}\n' for q in odd))
    done = wayfinder("search", "--queries", str(queries), "--index", str(small_index_dir), "--json")
    answers = [json.loads(line) for line in done.stdout.split("\n")[:-1]]
    assert [bool(a["hits"]) for a in answers] == [True, True, False, False]


def test_similar_and_status(small_index_dir: Path) -> None:
    found = rows(
        wayfinder(
            "similar", "2021Natur.590...50J", "--index", str(small_index_dir), "-k", "2", "--json"
        )
    )
    assert found[0]["arxiv_id"] == "2504.00007"
    (status,) = rows(wayfinder("index", "status", str(small_index_dir), "--json", "--verify"))
    assert (status["n_papers"], status["encoder"], status["as_of"]) == (
        12,
        ASTRO_ID,
        "2026-06-30",
    )
    assert status["years"]["1871"] == 1
    page = wayfinder("index", "status", str(small_index_dir)).stdout
    assert "12, 1871 to 2025" in page
    assert "12 read = 12 indexed + 0 merged + 0 skipped" in page


def test_an_index_of_an_earlier_encoder_is_taken_along(
    small_index_dir: Path, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    shutil.copytree(small_index_dir, index, symlinks=True)
    path = index / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "encoder": "wayfinder-astro-1"}))
    said = wayfinder("search", "jets", "--index", str(index)).stderr
    assert "wayfinder-astro-1" in said and "wayfinder index reencode" in said
    assert f"needs     encoder {ASTRO_ID}" in wayfinder("index", "status", str(index)).stdout
    wayfinder("index", "reencode", str(index))
    assert rows(wayfinder("search", "jets", "--index", str(index), "--json"))


def test_similar_reads_a_draft_from_a_file_or_standard_input(
    small_index_dir: Path, tmp_path: Path
) -> None:
    draft = tmp_path / "draft.txt"
    draft.write_text("Repeating fast radio bursts come from magnetars, see 2504.00007.")
    where = ("--index", str(small_index_dir), "-k", "1", "--json")
    found = rows(wayfinder("similar", "--text", str(draft), *where))
    piped = subprocess.run(
        [*COMMAND, "similar", "--text", "-", *where],
        input=draft.read_text(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert [row["bibcode"] for row in found] == ["2021Natur.590...50J"]
    assert rows(piped) == found
    assert wayfinder("similar", *where).returncode == 2
    assert "by is 'magic'" in wayfinder("similar", "2401.00001", "--by", "magic", *where).stderr


def test_search_shows_what_the_weights_moved(small_index_dir: Path) -> None:
    page = wayfinder(
        "search", "fast radio bursts and magnetars", "--index", str(small_index_dir),
        "-k", "3", "--recency", "1", "--half-life", "1",
    ).stdout  # fmt: skip
    assert " · was " in page
    assert "Without --recency and --impact these would be here too:" in page


def test_ask_with_and_without_a_model(small_index_dir: Path) -> None:
    question = "How do jets suppress star formation?"
    (offline,) = rows(
        wayfinder("ask", question, "--index", str(small_index_dir), "--json", "--offline")
    )
    assert {"answer", "sentences", "papers", "refused", "mode"} <= set(offline)
    assert {"text", "citations", "supported", "evidence"} <= set(offline["sentences"][0])
    assert offline["mode"] == "extractive"
    assert [p["n"] for p in offline["papers"]] == list(range(1, len(offline["papers"]) + 1))
    n = next(p["n"] for p in offline["papers"] if p["arxiv_id"] == "2401.00001")
    quote = "the star formation rate falls by a factor of 12.5"
    english = "The star formation rate falls by a factor of 12.5."
    spanish = "La tasa de formación estelar cae en un factor de 12.5."
    again = json.dumps({"replaces": 1, "text": spanish})
    with LLMServer([Reply(sentence(english, (n, quote))), Reply(again)]) as server:
        settings = {"WAYFINDER_LLM_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY}
        done = wayfinder(
            "ask",
            question,
            "--index",
            str(small_index_dir),
            "--json",
            "--style",
            "brief",
            "--audience",
            "student",
            "--language",
            "Spanish",
            **settings,
        )
    (answer,) = rows(done)
    assert answer["sentences"][0].pop("entailment") > 0.9
    assert answer["sentences"] == [
        {
            "text": spanish,
            "citations": [n],
            "supported": True,
            "problems": [],
            "repaired": False,
            "theme": "",
            "evidence": [
                {"n": n, "quote": quote, "found": True, "source": "abstract", "section": ""}
            ],
        }
    ]
    first, second = (request["messages"][0]["content"] for request in server.requests)
    assert "one or two sentences" in first
    assert all(words in second for words in ("Spanish", "first-year student"))
    assert KEY not in done.stdout + done.stderr
    people = wayfinder("ask", question, "--index", str(small_index_dir)).stdout
    assert "Almeida & Brandt (2024): “" in people
    assert "[1]" in people


def test_ask_reads_full_texts_beside_the_abstracts(small_index_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "dust.pdf").write_bytes(documents.pdf([documents.paper_lines()]))
    (tmp_path / "torn.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    files = [w for name in ("dust.pdf", "torn.pdf") for w in ("--full-text", str(tmp_path / name))]
    words = ("ask", documents.QUESTION, "--offline", "--index", str(small_index_dir))
    done = wayfinder(*words, *files, "--json")
    (answer,) = rows(done)
    evidence = [e for s in answer["sentences"] for e in s["evidence"]]
    finding = {
        "quote": documents.FINDING,
        "found": True,
        "source": "full text",
        "section": "Results",
    }
    assert finding in [{k: e[k] for k in finding} for e in evidence]
    assert "torn.pdf is damaged" in done.stderr and "torn.pdf is damaged" in " ".join(
        answer["degraded"]
    )
    assert answer["basis"]["n_full_text"] == 1
    missing = wayfinder(*words, "--full-text", str(tmp_path / "none.pdf"))
    assert missing.returncode == 2 and "none.pdf cannot be opened" in missing.stderr


def test_build_says_what_became_of_every_record(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "p.jsonl", [*PAPERS[:3], PAPERS[0], {"title": "no abstract"}])
    done = wayfinder(
        "index",
        "build",
        "--from",
        str(source),
        "--out",
        str(tmp_path / "i"),
        "--as-of",
        "2026-01-01",
    )
    assert done.returncode == 0, done.stderr
    assert "5 records read = 3 indexed + 1 merged + 1 skipped" in done.stdout
    assert "skipped 1: no abstract (first: no abstract)" in done.stdout
    assert "encoding" in done.stderr
    (summary,) = rows(
        wayfinder(
            "index",
            "build",
            "--from",
            str(source),
            "--from",
            str(source),
            "--out",
            str(tmp_path / "i"),
            "--json",
            "-q",
            "--limit",
            "2",
        )
    )
    assert (summary["indexed"], summary["encoder"]) == (1, ASTRO_ID) or summary["indexed"] == 2


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["search", "", "--index", "{index}"], 2, "question is empty"),
        (["search", "x", "--index", "{index}"], 2, "only 'x'"),
        (["search", "stars", "-k", "0", "--index", "{index}"], 2, "k is 0"),
        (["search", "stars", "-k", "1000000000", "--index", "{index}"], 2, "ask for 1 to 1000"),
        (["search", "stars", "--mode", "magic", "--index", "{index}"], 2, "mode is 'magic'"),
        (
            ["search", "stars", "--since", "3000", "--until", "1800", "--index", "{index}"],
            2,
            "3000 to 1800",
        ),
        (["search", "--index", "{index}"], 2, "either a QUERY or --queries"),
        (["search", "stars", "--index", "/nowhere"], 2, "no index at /nowhere"),
        (["search", "stars", "--no-such-flag"], 2, "no-such-flag"),
        (["similar", "9999.1", "--index", "{index}"], 2, "No paper with identifier"),
        (["ask", " ", "--index", "{index}"], 2, "question is empty"),
        (["ask", "stars", "--audience", "cats", "--index", "{index}"], 2, "audience is 'cats'"),
        (["index", "status", "/nowhere"], 2, "no index at /nowhere"),
        (
            ["index", "build", "--from", "/nowhere.jsonl", "--out", "{tmp}/x"],
            2,
            "no file /nowhere.jsonl",
        ),
        (["index", "build", "--from", "ads:stars", "--out", "{tmp}/x"], 2, "ADS_API_TOKEN"),
        (
            ["index", "build", "--from", "starter", "--out", "{tmp}/x", "--encoder", "/no/model"],
            1,
            "There is no encoder",
        ),
        (["serve", "--index", "/nowhere"], 2, "no index at /nowhere"),
        (["eval", "single", "--questions", "/nowhere", "--index", "{index}"], 2, "cannot be read"),
    ],
)
def test_mistakes_are_words_and_a_status(
    words: list[str], status: int, message: str, small_index_dir: Path, tmp_path: Path
) -> None:
    done = wayfinder(
        *(w.format(index=small_index_dir, tmp=tmp_path) for w in words),
        HOME=str(tmp_path),
        WAYFINDER_CACHE=str(Path.home() / ".cache" / "wayfinder"),
    )
    assert done.returncode == status, done.stderr
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_help_is_a_page_for_astronomers() -> None:
    page = wayfinder("--help").stdout
    for words in (
        "Search the astronomical literature",
        "wayfinder ask",
        "index",
        "search",
        "similar",
        "ask",
        "serve",
        "eval",
    ):
        assert words in page


def test_no_command_prints_a_traceback_when_the_reader_leaves(small_index_dir: Path) -> None:
    line = f"{COMMAND[0]} search 'black holes' --index {small_index_dir} --json -k 100 | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["rank"] == 1
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_a_sentence_and_a_status(small_index_dir: Path) -> None:
    line = f"{COMMAND[0]} ask 'How do jets suppress star formation?' --offline --index {small_index_dir} > /dev/full"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_what_steers_a_terminal_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.out("a\x1b[31mb\x9bc\td\ne\r")
    terminal.say("f\x1b]0;title\x07g")
    printed = capsys.readouterr()
    assert printed.out == "a[31mbc\td\ne\n"
    assert "f]0;titleg" in printed.err and "\x1b" not in printed.err


def test_nothing_is_called_written_that_was_not(small_index_dir: Path) -> None:
    with LLMServer([Reply("{{{")]) as server:
        done = wayfinder("ask", "How do jets suppress star formation?", "--index", str(small_index_dir),
                         WAYFINDER_LLM_BASE_URL=server.base_url, WAYFINDER_LLM_MODEL="toy-1", WAYFINDER_LLM_CACHE="0")  # fmt: skip
    assert "Written by" not in done.stderr
    assert "toy-1, 120 tokens used, nothing usable came" in " ".join(done.stderr.split())


def test_who_begins_while_another_builds_the_starter_index_waits_for_it(
    tmp_path: Path, starter_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYFINDER_CACHE", str(tmp_path))
    wanted = starter_index_dir("astro")
    said: list[str] = []

    def told(stage: str, done: int, total: int | None) -> None:
        said.append(stage)
        if len(said) == 2:  # it is done
            shutil.copytree(starter_index, wanted)

    with build_lock(wanted):
        assert default_index_dir(None, told) == wanted
    assert len(said) == 2 and all(stage.startswith("waiting for the process") for stage in said)


def test_the_starter_corpus_is_the_default(starter_index: Path) -> None:
    found = rows(wayfinder("search", "the image of the black hole in M87", "--json", "-k", "3"))
    assert any("M87" in row["title"] for row in found)
    assert read_count(starter_index) == 459


def read_count(index: Path) -> int:
    return int(json.loads((index / "manifest.json").read_text())["n_papers"])


def test_facilities_as_json_and_as_text(tmp_path: Path) -> None:
    papers = [
        {"arxiv_id": "2401.00001", "title": "A shell", "abstract": "We use HST images. Future work with JWST is planned. We run MCMC."},
        {"doi": "10.1/x", "title": "Nothing", "abstract": "Stars shine."},
        {"arxiv_id": "2401.00003", "abstract": "No title."},
    ]  # fmt: skip
    source = write_jsonl(tmp_path / "papers.jsonl", papers)
    result = wayfinder("facilities", "--from", str(source), "--json")
    first, second = rows(result)
    assert (first["id"], first["used"], first["mentioned"]) == ("2401.00001", ["HST"], ["JWST"])
    assert first["evidence"][0] == {"name": "HST", "status": "used", "sentence": "We use HST images."}  # fmt: skip
    assert [one["name"] for one in first["methods"]] == ["Markov chain Monte Carlo"]
    assert (second["doi"], second["used"]) == ("10.1/x", [])
    assert "1 records kept out: no title" in result.stderr
    text = wayfinder("facilities", "--from", str(source)).stdout
    assert "used      HST" in text
    assert "no facility or method named" in text


def test_facilities_of_a_file_that_is_not_there() -> None:
    result = wayfinder("facilities", "--from", "/nowhere.jsonl", "--json")
    assert result.returncode == 2
    assert "/nowhere.jsonl" in result.stderr
