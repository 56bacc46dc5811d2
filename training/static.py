"""The static encoder: a vector a word piece, a text is their mean. No network runs, so it is fast everywhere.

The table starts as the tuned encoder's vector of each word piece alone, as model2vec does (Tulkens & van Dongen
2024, github.com/MinishLab/model2vec), weighted down by how common the piece is (SIF: Arora et al. 2017), and is
then tuned on titles and sentences with their abstracts, which cost nothing here, and on questions with their papers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from indexer.encoder import TABLE, Encoder
from indexer.onnx_model import TOKENIZER

SMOOTHING = 1e-3  # a of SIF's weight a / (a + p)
SCALE = 20.0
LEAST_SHARE = 0.02  # of the rate at the end, to which it falls in a line
SHORTEST = 4  # pieces of a text that some are left out of
Floats = npt.NDArray[np.float32]
Pairs = Sequence[tuple[str, str]]


def start(encoder: Encoder, tokenizer: Tokenizer, texts: Sequence[str]) -> Floats:
    """The table before training, `(n_pieces, dimension)`."""
    by_id = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    pieces = [piece.removeprefix("##") for piece, _ in by_id]
    vectors = encoder.encode(pieces)
    vectors -= vectors.mean(axis=0)
    counts = np.zeros(len(pieces))
    for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False):
        np.add.at(counts, encoding.ids, 1)
    weight = SMOOTHING / (SMOOTHING + counts / counts.sum())
    table: Floats = (vectors * weight[:, None]).astype(np.float32)
    return table


@dataclass(frozen=True)
class Schedule:
    """How a table learns from pairs; `left_out` is the share of pieces that a text lacks each time it is seen."""

    rate: float
    batch: int
    passes: int
    left_out: float


LIGHT = Schedule(rate=1e-3, batch=512, passes=2, left_out=0.0)  # titles and sentences
QUESTIONS = Schedule(rate=1e-2, batch=2048, passes=6, left_out=0.2)


def tune(table: Floats, tokenizer: Tokenizer, pairs: Pairs, how: Schedule) -> Floats:
    """The table after training on `pairs` of texts that belong together, each against its batch.

    Another text that is the same as a pair's second is not held against it.
    """
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    bag = torch.nn.EmbeddingBag.from_pretrained(
        torch.from_numpy(table), freeze=False, mode="mean", sparse=True
    )
    optimizer = torch.optim.SparseAdam(bag.parameters(), lr=how.rate)
    left, right = [_ids(tokenizer, texts) for texts in zip(*pairs, strict=True)]
    numbers: dict[str, int] = {}
    same = np.array([numbers.setdefault(text, len(numbers)) for _, text in pairs])
    starts = [
        (order, at)
        for order in (random.permutation(len(pairs)) for _ in range(how.passes))
        for at in range(0, len(pairs), how.batch)
    ]
    for step, (order, at) in enumerate(starts):
        chosen = order[at : at + how.batch]
        a, b = (_units(bag, ids, chosen, how.left_out, random) for ids in (left, right))
        twins = torch.from_numpy(same[chosen][:, None] == same[chosen]).fill_diagonal_(False)
        scores = (SCALE * a @ b.T).masked_fill(twins, -torch.inf)
        loss = torch.nn.functional.cross_entropy(scores, torch.arange(len(chosen)))
        optimizer.param_groups[0]["lr"] = how.rate * max(LEAST_SHARE, 1 - step / len(starts))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    tuned: Floats = bag.weight.detach().numpy()
    return tuned


def save(
    table: Floats, tokenizer: Tokenizer, out: Path, more: Mapping[str, Floats] | None = None
) -> None:
    """Write the table as int8 rows with their scales, `more` beside it, and the tokenizer, into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    scale = np.maximum(np.abs(table).max(axis=1), 1e-9) / 127.0
    arrays: dict[str, Any] = {
        "rows": np.rint(table / scale[:, None]).astype(np.int8),
        "scale": scale.astype(np.float32),
        **(more or {}),
    }
    np.savez(out / TABLE, **arrays)
    tokenizer.save(str(out / TOKENIZER), pretty=False)


def directions(papers: Floats, questions: Floats, n: int) -> Floats:
    """The `n` directions that hold most of both kinds of unit vectors, `(dimension, n)`: principal axes, not centred.

    Dot products of what is turned and cut by them are the nearest to those before.
    """
    spread = papers.T @ papers / len(papers) + questions.T @ questions / len(questions)
    _, axes = np.linalg.eigh(spread.astype(np.float64))
    chosen: Floats = np.ascontiguousarray(axes[:, ::-1][:, :n], dtype=np.float32)
    return chosen


def _ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[npt.NDArray[np.int64]]:
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [np.array(e.ids or [0], dtype=np.int64) for e in encodings]


def fewer(
    ids: npt.NDArray[np.int64], left_out: float, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """The pieces of a text without a random share of them; a short one is left whole."""
    if not left_out or len(ids) < SHORTEST:
        return ids
    kept = random.random(len(ids)) > left_out
    return ids[kept] if kept.any() else ids


def _units(
    bag: torch.nn.EmbeddingBag,
    ids: Sequence[npt.NDArray[np.int64]],
    chosen: npt.NDArray[np.int64],
    left_out: float,
    random: np.random.Generator,
) -> torch.Tensor:
    """Unit vectors of the chosen texts, `(len(chosen), dimension)`."""
    seen = [fewer(ids[i], left_out, random) for i in chosen]
    starts = np.cumsum([0] + [len(text) for text in seen[:-1]])
    vectors: torch.Tensor = bag(torch.from_numpy(np.concatenate(seen)), torch.from_numpy(starts))
    return torch.nn.functional.normalize(vectors, dim=-1)
