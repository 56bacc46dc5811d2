"""The encoder's graph on a CUDA device: its int8 weights read out and run in torch.

Only the weights are rounded there, not the activations, so its vectors are as near to the trained network's as
the CPU's are, or nearer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.onnx_model import GRAPH, TOKENIZER

BATCH = 256
HEAD_WIDTH = 32  # of one attention head in MiniLM

Floats = npt.NDArray[np.float32]


def weights(graph: Path) -> dict[str, Floats]:
    """The network's weights by torch's names, int8 ones multiplied by their scales."""
    import onnx
    from onnx import numpy_helper

    given = {t.name: numpy_helper.to_array(t) for t in onnx.load(graph).graph.initializer}
    found: dict[str, Floats] = {}
    for name, values in given.items():
        if name.endswith("_quantized"):
            layer = name.removesuffix("_quantized")
            whole = (values.astype(np.float32) - given[f"{layer}_zero_point"]) * given[
                f"{layer}_scale"
            ]
            found[layer] = whole.T  # torch keeps outputs first
        elif f"{name}_scale" in given:
            found[name] = values.astype(np.float32) * given[f"{name}_scale"]
        elif name.endswith((".weight", ".bias")):
            found[name] = values
    return {name.removeprefix("transformer."): values for name, values in found.items()}


class TorchEncoder:
    """The graph in `folder` as a torch network on `device`."""

    def __init__(self, folder: Path, *, device: str, max_tokens: int) -> None:
        import torch
        from tokenizers import Tokenizer

        self._torch, self._device = torch, device
        self._network = _network(weights(folder / GRAPH)).to(device).eval()
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.enable_padding()

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, `(len(texts), dimension)`, in the order of `texts`; like lengths share a batch."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found: dict[int, Floats] = {}
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            found.update(zip(chosen, self._batch([texts[i] for i in chosen]), strict=True))
        return np.stack([found[i] for i in range(len(texts))])

    def _batch(self, texts: list[str]) -> Floats:
        torch = self._torch
        encodings = self._tokenizer.encode_batch(texts)
        ids = torch.tensor([e.ids for e in encodings], device=self._device)
        mask = torch.tensor([e.attention_mask for e in encodings], device=self._device)
        with torch.inference_mode():
            states = self._network(input_ids=ids, attention_mask=mask).last_hidden_state
            held = mask.unsqueeze(-1).to(states.dtype)
            mean = (states * held).sum(1) / held.sum(1)
            vectors: Floats = torch.nn.functional.normalize(mean, dim=-1).cpu().numpy()
        return vectors


def _network(values: dict[str, Floats]) -> Any:
    import torch
    from transformers import BertConfig, BertModel

    words, width = values["embeddings.word_embeddings.weight"].shape
    layers = {name.split(".")[2] for name in values if name.startswith("encoder.layer.")}
    shape = BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=len(layers),
        num_attention_heads=width // HEAD_WIDTH,
        intermediate_size=len(values["encoder.layer.0.intermediate.dense.bias"]),
    )
    network = BertModel(shape, add_pooling_layer=False)
    network.load_state_dict(
        {name: torch.from_numpy(np.ascontiguousarray(v)) for name, v in values.items()}
    )
    return network
