"""MiniLM's weights to an int8 ONNX graph, once: the only file that needs torch on a CPU.

Only matrix products with constant weights are quantised (per channel): quantising the embedding
table as well drops the agreement with fp32. On processors without VNNI 8-bit
products can saturate, so the result is checked against torch's own vectors and made again with 7 bits if it differs.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from indexer.errors import EncoderError

Vectors = npt.NDArray[np.float32]

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def export_int8(
    folder: Path, target: Path, *, self_check: Sequence[str], min_cosine: float
) -> None:
    """Write `target/model.onnx` and `target/tokenizer.json` from the transformer in `folder`.

    `target` appears whole or not at all. The graph maps token ids `(1, n_tokens)` int64 to one unit
    vector `(1, dimension)` float32: mean pooling and normalisation are part of it.

    Raises:
        EncoderError: neither 8-bit nor 7-bit weights agree with fp32 on the self-check texts.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as scratch:
        exact, quantised = Path(scratch, "fp32.onnx"), Path(scratch, "done")
        quantised.mkdir()
        shutil.copy(folder / "tokenizer.json", quantised / "tokenizer.json")
        reference = _export_fp32(
            folder, exact, Tokenizer.from_file(str(folder / "tokenizer.json")), self_check
        )
        for reduce_range in (False, True):
            _quantise(exact, quantised / "model.onnx", reduce_range=reduce_range)
            cosine = _agreement(reference, quantised, self_check)
            if cosine >= min_cosine:
                break
        else:
            raise EncoderError(
                f"The int8 graph agrees with fp32 to {cosine:.3f} only, expected {min_cosine} or more on this processor."
            )
        if not target.exists():
            quantised.rename(target)


def _export_fp32(folder: Path, target: Path, tokenizer: Tokenizer, texts: Sequence[str]) -> Vectors:
    """Write the fp32 graph; return torch's own unit vectors of `texts`, `(len(texts), dimension)`."""
    import torch
    from transformers import AutoModel
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()

    class SentenceVector(torch.nn.Module):
        def __init__(self, transformer: torch.nn.Module) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(
            self,
            input_ids: torch.Tensor,
            attention_mask: torch.Tensor,
            token_type_ids: torch.Tensor,
        ) -> torch.Tensor:
            states = self.transformer(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).last_hidden_state
            weights = attention_mask.unsqueeze(-1).to(states.dtype)
            mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, dim=-1)

    model = SentenceVector(
        AutoModel.from_pretrained(folder, attn_implementation="eager", local_files_only=True)
    ).eval()
    # Two texts, so that the batch axis is not specialised to one; three tensors, since the exporter
    # takes one tensor given twice for one input.
    example = tuple(torch.full((2, 16), value, dtype=torch.long) for value in (7, 1, 0))
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens", max=512)}
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            torch.onnx.export(
                model,
                example,
                str(target),
                input_names=list(INPUTS),
                output_names=["vectors"],
                dynamic_shapes=(axes, axes, axes),
                dynamo=True,
                verbose=False,
            )
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
    tokenizer.no_padding()
    with torch.inference_mode():
        ids = [torch.tensor([tokenizer.encode(text).ids]) for text in texts]
        vectors = [model(i, torch.ones_like(i), torch.zeros_like(i))[0].numpy() for i in ids]
    return np.stack(vectors)


def _quantise(source: Path, target: Path, *, reduce_range: bool) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(
        logging.ERROR
    )  # quantize_dynamic advises a pre-processing step through the root logger
    try:
        quantize_dynamic(
            source,
            target,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=reduce_range,
            op_types_to_quantize=["MatMul"],
            extra_options={"MatMulConstBOnly": True},
        )
    finally:
        root.setLevel(level)


def _agreement(reference: Vectors, quantised: Path, texts: Sequence[str]) -> float:
    """Mean cosine between torch's vectors of `texts` and the quantised graph's."""
    tokenizer = Tokenizer.from_file(str(quantised / "tokenizer.json"))
    tokenizer.no_padding()
    session = onnxruntime.InferenceSession(
        quantised / "model.onnx", providers=["CPUExecutionProvider"]
    )
    cosines = []
    for text, expected in zip(texts, reference, strict=True):
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        feed = dict(zip(INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True))
        cosines.append(float(session.run(None, feed)[0][0] @ expected))
    return sum(cosines) / len(cosines)
