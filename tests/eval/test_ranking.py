"""The single-paper benchmark, measures and baselines. Run: pytest tests/eval"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from eval.baselines import similarity_alone, systems
from eval.cli import app
from eval.measures import MULTI, SINGLE, estimate, holm, paired_p_value, per_question
from eval.questions import locate, read_questions
from eval.ranking import run_benchmark
from indexer.build import build_index
from indexer.errors import QueryError
from indexer.store import Index, open_index
from retrieval import search
from retrieval.pathfinder import citation_weight, keyword_weight, similarity, time_weight
from retrieval.records import SearchSettings
from tests.encoders import HashEncoder
from tests.papers import AS_OF, PAPERS, write_jsonl

QUESTIONS = [
    {
        "query_id": "q1",
        "question": "water on a warm Neptune",
        "arxiv_id": "2301.00004",
        "style": "short",
    },
    {
        "query_id": "q2",
        "question": "how fast does the Galactic centre black hole rotate",
        "arxiv_id": "2508.00012",
        "style": "lay",
    },
    {
        "query_id": "q3",
        "question": "persistent source near a repeating burst",
        "bibcode": "2021Natur.590...50J",
        "style": "short",
    },
    {
        "query_id": "q4",
        "question": "a paper that is not there",
        "arxiv_id": "9999.99999",
        "style": "lay",
    },
]


@pytest.fixture
def question_file(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "questions.jsonl", QUESTIONS)


def test_measures_agree_with_a_second_computation() -> None:
    rng = np.random.default_rng(7)
    qrels = {f"q{i}": {f"d{i}": 1} for i in range(50)}
    ranks = rng.integers(1, 200, 50)
    run = {}
    for i, rank in enumerate(ranks[:45]):  # five questions without results
        documents = [f"x{j}" for j in range(150)]
        documents.insert(int(rank) - 1, f"d{i}")
        run[f"q{i}"] = {d: -float(place) for place, d in enumerate(documents[:100])}
    values = per_question(SINGLE, qrels, run)
    seen = np.where(np.arange(50) < 45, ranks, 10**9)
    for n in (1, 10, 100):
        assert list(values[f"Success@{n}"]) == [float(r <= n and r <= 100) for r in seen]
    assert values["RR@10"] == pytest.approx([1 / r if r <= 10 else 0 for r in seen])


def test_intervals_hold_the_mean_and_repeat() -> None:
    values = np.random.default_rng(1).integers(0, 2, 200).astype(float)
    first, again = estimate(values), estimate(values)
    assert first == again
    assert first.low < first.mean < first.high
    assert first.high - first.low == pytest.approx(
        2 * 1.96 * values.std() / math.sqrt(200), rel=0.1
    )
    assert estimate(np.ones(5)) == estimate(np.ones(5))
    assert (estimate(np.ones(5)).low, estimate(np.ones(5)).high) == (1.0, 1.0)


def test_significance_is_paired_and_corrected() -> None:
    rng = np.random.default_rng(3)
    base = rng.random(200)
    assert paired_p_value(base, base) == paired_p_value(base[:1], base[:1] + 1) == 1.0
    assert paired_p_value(base, base + 0.05) < 0.001
    assert paired_p_value(base, base + rng.normal(0, 1, 200)) > 0.05
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_pathfinders_formulas() -> None:
    cosine = np.array([1.0, 0.5, 0.0])
    assert similarity(np.array([0.5, 0.0])) == pytest.approx([1.0, 0.5])
    assert similarity(cosine)[0] == 1.0, "an exact match is the best match"
    assert time_weight(np.array([0.0, 0.7])) == pytest.approx([1.0, (1 / (1 + math.e)) / 0.5])
    assert citation_weight(np.array([300.0, 1000.0, 258.0])) == pytest.approx(
        [1.0, 1.0, (1 / (1 + math.e)) / 0.5]
    )
    assert keyword_weight(
        "black hole spin of", ["Black hole spin", "hole", "none"]
    ) == pytest.approx([1.0, 0.5, 0.25])


def test_questions_out_of_the_index_are_counted_and_both_figures_given(
    small_index: Index, question_file: Path
) -> None:
    asked = locate(read_questions(question_file), small_index)
    report = run_benchmark(systems(small_index, 100, baselines=True), asked, SINGLE)
    assert report.n_missing == asked.n_missing == 1
    served = {
        (row.group, row.in_corpus_only): row for row in report.rows if row.system == "wayfinder"
    }
    assert served["all", False].estimates["Success@10"].mean == 0.75
    assert served["all", True].estimates["Success@10"].mean == 1.0
    assert served["lay", False].n_questions == 2
    assert {row.system for row in report.rows} == {
        "wayfinder",
        "not reranked",
        "cross-encoder",
        "bm25",
        "dense",
        "rrf",
        "pathfinder",
        "pathfinder-all",
    }


def test_another_index_of_the_same_papers_is_compared_with(
    small_index: Index, question_file: Path, tmp_path: Path
) -> None:
    source = write_jsonl(tmp_path / "other.jsonl", PAPERS[::-1])
    build_index([str(source)], tmp_path / "other", encoder=HashEncoder(), as_of=AS_OF)
    other = open_index(tmp_path / "other")
    other.__dict__["encoder"] = HashEncoder()
    asked = locate(read_questions(question_file), small_index)
    compared = systems(small_index, 100, baselines=False, against=other)
    report = run_benchmark(compared, asked, SINGLE)
    assert list(report.runs) == ["wayfinder", "against"]
    settings = SearchSettings(k=100, rerank=False)
    for question in asked.questions:
        expected = [hit.paper.id for hit in search(other, question.text, settings).hits]
        rows = [int(d.removeprefix("row")) for d in report.runs["against"][question.query_id]]
        assert [small_index.papers[row].id for row in rows] == expected


def test_graded_judgements_are_measured_as_the_field_does(
    small_index: Index, tmp_path: Path
) -> None:
    questions = write_jsonl(
        tmp_path / "t.jsonl", [{"query_id": "t1", "question": "jets and star formation"}]
    )
    qrels = tmp_path / "t.qrels"
    qrels.write_text("t1 0 2401.00001 2\nt1 0 2402.00002 1\nt1 0 2507.00011 0\nt1 0 9999.00001 2\n")
    asked = locate(read_questions(questions, qrels=qrels), small_index)
    report = run_benchmark(systems(small_index, 100, baselines=False), asked, MULTI)
    ranked = [
        hit.paper.arxiv_id
        for hit in search(small_index, "jets and star formation", SearchSettings(k=100)).hits
    ]
    grades = {"2401.00001": 2, "2402.00002": 1}
    dcg = sum(grades.get(p, 0) / math.log2(place + 2) for place, p in enumerate(ranked[:10]))
    whole = 2 / math.log2(2) + 2 / math.log2(3) + 1 / math.log2(4)
    held = 2 / math.log2(2) + 1 / math.log2(3)
    everything, in_corpus = report.rows
    assert everything.estimates["nDCG@10"].mean == pytest.approx(dcg / whole)
    assert in_corpus.estimates["nDCG@10"].mean == pytest.approx(dcg / held)
    assert (everything.estimates["R@100"].mean, in_corpus.estimates["R@100"].mean) == (
        pytest.approx(2 / 3),
        1.0,
    )


def test_pathfinders_question_files_are_read_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "single.json"
    path.write_text(
        json.dumps(
            {
                "2401.00001": {"question_abstract": "A?", "question_conclusion": "B?"},
                "2402.00002": {"question_abstract": "C?"},
            }
        )
    )
    assert [(q.query_id, q.text, q.grades, q.style) for q in read_questions(path)] == [
        ("2401.00001-abstract", "A?", {"2401.00001": 1}, "abstract"),
        ("2401.00001-conclusion", "B?", {"2401.00001": 1}, "conclusion"),
        ("2402.00002-abstract", "C?", {"2402.00002": 1}, "abstract"),
    ]
    path.write_text(
        json.dumps(
            {
                "r1": {
                    "title": "T",
                    "question": "Q?",
                    "text": "x",
                    "citations": ["c"],
                    "arxiv": ["1", "2"],
                }
            }
        )
    )
    assert [(q.query_id, q.text, q.grades) for q in read_questions(path)] == [
        ("r1", "Q?", {"1": 1, "2": 1})
    ]
    path.write_text(json.dumps({"r1": {"title": "T"}}))
    with pytest.raises(QueryError, match="entry 'r1'"):
        read_questions(path)


def test_what_is_measured_is_what_is_served(small_index: Index) -> None:
    ranked = systems(small_index, 5, baselines=False)["wayfinder"]("fast radio bursts")
    assert ranked == [
        (hit.row, hit.score)
        for hit in search(small_index, "fast radio bursts", SearchSettings(k=5)).hits
    ]
    dense = [
        hit.row
        for hit in search(small_index, "fast radio bursts", SearchSettings(k=5, mode="dense")).hits
    ]
    assert [row for row, _ in similarity_alone(small_index, 5)("fast radio bursts")] == dense


def test_the_command_prints_tables_and_writes_trec_files(
    small_index_dir: Path, question_file: Path, tmp_path: Path
) -> None:
    words = [
        "single",
        "--questions",
        str(question_file),
        "--index",
        str(small_index_dir),
        "--out",
        str(tmp_path / "run"),
    ]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "success@10" in done.stdout
    assert "1 right papers are not in this index" in done.stdout
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert {"snapshot", "commit", "date", "machine", "command", "rows"} <= set(result)
    run = [line.split() for line in (tmp_path / "run" / "wayfinder.run").read_text().splitlines()]
    assert run[0][:4] == ["q1", "Q0", "2301.00004", "1"]
    assert (tmp_path / "run" / "qrels.txt").read_text().splitlines()[0] == "q1 0 2301.00004 1"
    lines = CliRunner().invoke(app, [*words, "--json", "--no-baselines"]).stdout.splitlines()
    rows = [json.loads(line) for line in lines if line.startswith("{")]
    assert {row["system"] for row in rows} == {"wayfinder"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no question"),
        ("not json\n", "line 1: expected"),
        ('{"query_id": "a", "question": "x"}\n', "line 1: expected"),
        ('{"query_id": "a", "question": " ", "arxiv_id": "1"}\n', "line 1: the question is empty"),
        ('{"query_id": "a", "question": "x", "arxiv_id": "1"}\n' * 2, "query_id 'a' twice"),
        ("[1]\n", "line 1: expected"),
    ],
)
def test_bad_question_files_are_errors_that_name_the_line(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(content)
    with pytest.raises(QueryError, match=message):
        read_questions(path)


def test_the_question_files_of_the_project_can_be_read() -> None:
    folder = Path(__file__).resolve().parents[2] / "eval" / "data"
    assert len(read_questions(folder / "questions_single_dev.jsonl")) == 200
    assert len(read_questions(folder / "questions_train.jsonl")) == 4599
    topics = read_questions(folder / "topics_dev.jsonl", qrels=folder / "topics_dev.qrels")
    assert len(topics) == 20
    assert {grade for q in topics for grade in q.grades.values()} == {0, 1, 2}
