"""Late interaction over a table of word pieces. Run: pytest tests/indexer/test_late.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from indexer import config
from indexer.errors import EncoderError
from indexer.late import MOST_PIECES, LateInteraction
from indexer.onnx_model import file_sha256

WORDS = ("galaxy", "star", "dust", "gas")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table with a direction each for four words: galaxy counts for three, and what a paper says of dust for less."""
    tokenizer = Tokenizer.from_file(str(config.ENCODER_FOLDER / "tokenizer.json"))
    n = tokenizer.get_vocab_size()
    ids = [tokenizer.token_to_id(word) for word in WORDS]
    rows, asked, given = np.zeros((n, 4), np.int8), np.ones(n, np.float32), np.zeros(n, np.float32)
    rows[ids] = 100 * np.eye(4, dtype=np.int8)
    asked[ids[0]], given[ids[2]] = 3.0, -0.25
    shares = np.array([0.0, 0.0, 0.5, 0.5], np.float32)
    scale = np.full(n, 0.01, np.float32)
    np.savez(tmp_path / "table.npz", rows=rows, scale=scale, asked=asked, given=given, neighbours=shares)  # fmt: skip
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


class Opened(LateInteraction):
    """The table of a folder, which scores texts as they are."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, sha256=file_sha256(folder / "table.npz"))

    def of(self, question: str, texts: list[str]) -> np.ndarray:
        return self.scores(question, self.read(texts))


def test_a_score_is_the_weighted_mean_of_the_nearest_pieces(folder: Path) -> None:
    model = Opened(folder)
    assert model.of("galaxy star", ["galaxy"])[0] == pytest.approx(3 / 4)
    assert model.of("galaxy star", ["star"])[0] == pytest.approx(1 / 4)
    assert model.of("star", ["dust", "gas"]).tolist() == pytest.approx([-0.25, 0.0])
    # A neighbour's row comes in by half: (1, 0.5) and (0.5, 1), each over the root of 1.25.
    assert model.of("galaxy", ["galaxy star"])[0] == pytest.approx(
        1 / float(np.float16(np.sqrt(1.25)))
    )
    assert model.of("dust", ["galaxy dust"])[0] == pytest.approx(
        1 / float(np.float16(np.sqrt(1.25))) - 0.25
    )


def test_a_text_s_score_is_its_own_whatever_stands_beside_it(folder: Path) -> None:
    model = Opened(folder)
    texts = ["star gas", "", "gas star dust", "galaxy", "  ", "dust " * 1000]
    together = model.of("gas and star", texts)
    alone = [model.of("gas and star", [text])[0] for text in texts]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)
    assert together[1] == together[4] == 0.0


def test_nothing_asked_and_nothing_given_score_nothing(folder: Path) -> None:
    model = Opened(folder)
    assert model.of("", ["star"]).tolist() == [0.0]
    assert model.of("star", []).shape == (0,)
    assert model.of("star", [""]).tolist() == [0.0]


def test_long_texts_are_cut(folder: Path) -> None:
    model = Opened(folder)
    within = "dust " * (MOST_PIECES - 1) + "star"
    assert model.of("star", [within, "dust " + within])[0] > 0.8
    assert model.of("star", [within, "dust " + within])[1] < 0.1
    assert np.isfinite(model.of("star " * 5000, ["star"])).all()


def test_other_weights_are_refused(folder: Path) -> None:
    with pytest.raises(EncoderError, match="expected 0000"):
        LateInteraction(folder, sha256="0000")
