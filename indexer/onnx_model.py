"""A network that ships as an int8 ONNX graph with its tokenizer: onnxruntime on the CPU, nothing else.

Dynamic int8 quantisation scales each activation by its own batch, so a text's result would depend on its
neighbours. One text at a time on a thread per core is faster than batches here (there is no padding) and makes
a result a function of its text alone: interrupted builds repeat exactly.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.errors import EncoderError

GRAPH = "model.onnx"
TOKENIZER = "tokenizer.json"

Floats = npt.NDArray[np.float32]
Input = str | tuple[str, str]


class OnnxModel:
    """The graph in `folder`, which maps ids, mask and types `(1, n_tokens)` to one row.

    Raises:
        EncoderError: the files are missing or are not those of `sha256`.
    """

    def __init__(self, folder: Path, *, sha256: str, max_tokens: int) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        check_weights(folder / GRAPH, sha256)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            folder / GRAPH, options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.no_padding()
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="onnx")

    def __call__(self, inputs: Sequence[Input]) -> list[Floats]:
        """The graph's row for each text or pair of texts, cut at the most tokens, in their order."""
        encodings = self._tokenizer.encode_batch(list(inputs))
        run = map if len(encodings) == 1 else self._pool.map
        return list(run(self._row, (e.ids for e in encodings), (e.type_ids for e in encodings)))

    def _row(self, ids: Sequence[int], types: Sequence[int]) -> Floats:
        tokens = np.array([ids], dtype=np.int64)
        feed = {
            "input_ids": tokens,
            "attention_mask": np.ones_like(tokens),
            "token_type_ids": np.array([types], dtype=np.int64),
        }
        row: Floats = self._session.run(None, feed)[0][0]
        return row


def check_weights(weights: Path, sha256: str) -> None:
    """See that the file of weights is the one known by `sha256`, with its tokenizer beside it.

    Raises:
        EncoderError: it is missing or another.
    """
    name = f"{weights.parent.name}/{weights.name}"  # a visitor may read it
    if not weights.is_file() or not weights.with_name(TOKENIZER).is_file():
        raise EncoderError(f"{name} or its {TOKENIZER} is missing: install Wayfinder again.")
    found = file_sha256(weights)
    if found != sha256:
        raise EncoderError(
            f"{name} has sha256 {found}, expected {sha256}: install Wayfinder again."
        )


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
