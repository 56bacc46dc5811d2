"""A trained network to an int8 ONNX graph: what ships is read by onnxruntime alone.

Matrix products with constant weights are quantised per channel, the word table per row. Quantising the word
table as onnxruntime does, with one scale for all rows, drops the agreement with fp32. The weights have 7 bits:
on processors without VNNI 8-bit products can saturate, and the graph has to mean the same on all.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer
from transformers import AutoModel

from indexer.errors import EncoderError

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
MIN_AGREEMENT = 0.98  # mean cosine with fp32 on the self-check texts
WORD_TABLE = "word_embeddings.weight"

SELF_CHECK = (
    "The mass and spin of the supermassive black hole in M87 from horizon-scale images.",
    "Radial velocity variations of nearby M dwarfs reveal two temperate Earth-mass planets.",
    "Cosmological parameters from the angular power spectrum of the cosmic microwave background.",
)

Floats = npt.NDArray[np.float32]


class SentenceVector(torch.nn.Module):
    """Token ids to one unit vector a text: the mean of the last states."""

    def __init__(self, transformer: torch.nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        """Return `(n_texts, dimension)` from three `(n_texts, n_tokens)`."""
        states = self.transformer(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, dim=-1)


def export_encoder(folder: Path, target: Path) -> float:
    """Write `model.onnx` and `tokenizer.json` of the sentence-transformers model in `folder` into `target`.

    Returns the mean cosine with fp32 on a few texts.

    Raises:
        EncoderError: it is below `MIN_AGREEMENT`.
    """
    network = SentenceVector(
        AutoModel.from_pretrained(folder, attn_implementation="eager", local_files_only=True)
    ).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    target.mkdir(parents=True, exist_ok=True)
    export(network, target / "model.onnx", output="vectors")
    shutil.copy(folder / "tokenizer.json", target / "tokenizer.json")
    session = onnxruntime.InferenceSession(
        target / "model.onnx", providers=["CPUExecutionProvider"]
    )
    cosines = []
    for text in SELF_CHECK:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        feed = dict(zip(INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True))
        with torch.inference_mode():
            exact = network(*(torch.from_numpy(value) for value in feed.values()))[0].numpy()
        cosines.append(float(session.run(None, feed)[0][0] @ exact))
    agreement = float(np.mean(cosines))
    if agreement < MIN_AGREEMENT:
        raise EncoderError(
            f"The int8 graph agrees with fp32 to {agreement:.3f} only, expected {MIN_AGREEMENT} or more."
        )
    return agreement


def export(network: torch.nn.Module, target: Path, *, output: str) -> None:
    """Write `network`, which takes ids, mask and types `(n_texts, n_tokens)`, as an int8 graph."""
    with tempfile.TemporaryDirectory() as scratch:
        exact, products = Path(scratch, "fp32.onnx"), Path(scratch, "int8.onnx")
        _export_fp32(network, exact, output)
        with _quiet():
            quantize_dynamic(
                exact,
                products,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
                op_types_to_quantize=["MatMul"],
                extra_options={"MatMulConstBOnly": True},
            )
        model = onnx.load(products)
    _quantise_words(model.graph)
    _name_products(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def _export_fp32(network: torch.nn.Module, target: Path, output: str) -> None:
    # Two texts, so that the batch axis is not specialised to one; three tensors, since the exporter
    # takes one tensor given twice for one input.
    example = tuple(torch.full((2, 16), value, dtype=torch.long) for value in (7, 1, 0))
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens", max=512)}
    with _quiet():
        torch.onnx.export(
            network,
            example,
            str(target),
            input_names=list(INPUTS),
            output_names=[output],
            dynamic_shapes=(axes, axes, axes),
            dynamo=True,
            verbose=False,
        )


def _quantise_words(graph: Any) -> None:
    """Replace the word table by int8 rows and their scales: Gather, Cast and Mul for Gather."""
    table = next(t for t in graph.initializer if t.name.endswith(WORD_TABLE))
    gather = next(node for node in graph.node if table.name in node.input)
    rows = numpy_helper.to_array(table)
    scale = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-9) / 127.0
    graph.initializer.remove(table)
    graph.initializer.append(
        numpy_helper.from_array(np.rint(rows / scale).astype(np.int8), table.name)
    )
    graph.initializer.append(
        numpy_helper.from_array(scale.astype(np.float32), f"{table.name}_scale")
    )
    ids, vectors = gather.input[1], gather.output[0]
    place = list(graph.node).index(gather)
    graph.node.remove(gather)
    made = onnx.helper.make_node
    nodes = [
        made("Gather", [table.name, ids], ["words_int8"]),
        made("Cast", ["words_int8"], ["words_cast"], to=onnx.TensorProto.FLOAT),
        made("Gather", [f"{table.name}_scale", ids], ["words_scale"]),
        made("Mul", ["words_cast", "words_scale"], [vectors]),
    ]
    for offset, node in enumerate(nodes):
        graph.node.insert(place + offset, node)


def _name_products(graph: Any) -> None:
    """Give the weights of each matrix product the name of the bias that follows it, which the exporter kept."""
    follows = {name: node for node in graph.node for name in node.input}
    renamed: dict[str, str] = {}
    for node in graph.node:
        if node.op_type != "MatMulInteger":
            continue
        weight, step = node.input[1].removesuffix("_quantized"), node
        while step.op_type in ("MatMulInteger", "Cast", "Mul"):
            step = follows[step.output[0]]
        bias = next((name for name in step.input if name.endswith(".bias")), None)
        if bias is not None:
            layer = bias.removesuffix("bias") + "weight"
            renamed |= {
                f"{weight}{end}": f"{layer}{end}" for end in ("_quantized", "_scale", "_zero_point")
            }
    for tensor in graph.initializer:
        tensor.name = renamed.get(tensor.name, tensor.name)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]


@contextmanager
def _quiet() -> Iterator[None]:
    """No advice of the exporter and the quantiser, which log through several loggers."""
    loggers = [logging.getLogger(name) for name in (None, "torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
