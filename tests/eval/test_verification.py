"""The labelled pairs of sentence and evidence, and what is held of them. Run: pytest tests/eval/test_verification.py"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.cli import app
from eval.verification import LABELS, calibrate, read_pairs, verification
from indexer.encoder import load_encoder
from indexer.errors import QueryError
from retrieval.entailment import CALIBRATION
from retrieval.verify import stands_in

DATA = Path(__file__).resolve().parents[2] / "eval" / "data"
PAIRS = DATA / "verification.jsonl"
HELD_OUT = DATA / "verification_heldout.jsonl"


def test_the_pairs_are_whole() -> None:
    pairs = read_pairs(PAIRS)
    labels = Counter(pair.label for pair in pairs)
    assert len(pairs) >= 200
    assert set(labels) == set(LABELS)
    assert min(labels.values()) >= 32
    held_out = read_pairs(HELD_OUT)
    assert {pair.split for pair in held_out} == {"held-out"}
    assert not {p.sentence for p in pairs} & {p.sentence for p in held_out}
    for pair in (*pairs, *held_out):
        assert all(stands_in(quote, pair.paper) for quote in pair.quotes), pair.pair_id


def test_checks_reach_what_is_claimed() -> None:
    found = {f.name: f.estimate for f in verification(read_pairs(PAIRS), load_encoder("astro"))}
    assert found["all: supported, precision"].mean >= 0.9
    assert found["all: supported, recall"].mean >= 0.9
    for changed in ("number changed", "object swapped", "negation flipped"):
        assert found[f"all: {changed}, caught"].mean >= 0.95


def test_the_weights_in_use_are_the_fitted_ones() -> None:
    encoder = load_encoder("astro")
    assert calibrate(read_pairs(PAIRS), encoder) == pytest.approx(CALIBRATION[encoder.id], abs=0.02)


def test_the_command_measures_and_calibrates() -> None:
    run = CliRunner().invoke(app, ["verification", "--pairs", str(PAIRS), "--json"])
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert {"calibrate: supported, recall", "test: supported, recall"} <= {r["name"] for r in rows}


@pytest.mark.parametrize(
    ("line", "problem"),
    [("{}", "line 1: expected pair_id"), ("[", "line 1: expected"), ("", "holds no pair")],
)
def test_bad_files_are_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(QueryError, match=problem):
        read_pairs(path)
