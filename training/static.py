"""The static encoder: a vector a word piece, a text is their mean. No network runs, so it is fast everywhere.

The table starts as the tuned encoder's vector of each word piece alone, as model2vec does (Tulkens & van Dongen
2024, github.com/MinishLab/model2vec), weighted down by how common the piece is (SIF: Arora et al. 2017), and is
then tuned on questions with their papers and on titles and sentences with their abstracts, which cost nothing here.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from indexer.encoder import Encoder

SMOOTHING = 1e-3  # a of SIF's weight a / (a + p)
SCALE = 20.0
LIGHT_RATE = 1e-3  # of learning from titles and sentences
QUESTION_RATE = 6e-3
QUESTION_PASSES = 6
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


def tune(
    table: Floats,
    tokenizer: Tokenizer,
    pairs: Pairs,
    *,
    rate: float,
    batch: int = 512,
    passes: int = 1,
) -> Floats:
    """The table after training on `pairs` of texts that belong together, each against its batch."""
    torch.manual_seed(0)
    bag = torch.nn.EmbeddingBag.from_pretrained(
        torch.from_numpy(table), freeze=False, mode="mean", sparse=True
    )
    optimizer = torch.optim.SparseAdam(bag.parameters(), lr=rate)
    left = _ids(tokenizer, [a for a, _ in pairs])
    right = _ids(tokenizer, [b for _, b in pairs])
    for _ in range(passes):
        order = torch.randperm(len(pairs)).tolist()
        for at in range(0, len(order), batch):
            chosen = order[at : at + batch]
            a, b = _units(bag, left, chosen), _units(bag, right, chosen)
            loss = torch.nn.functional.cross_entropy(SCALE * a @ b.T, torch.arange(len(chosen)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    tuned: Floats = bag.weight.detach().numpy()
    return tuned


def save(table: Floats, tokenizer_file: Path, out: Path) -> None:
    """Write the table as int8 rows with their scales, and the tokenizer, into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    scale = np.maximum(np.abs(table).max(axis=1), 1e-9) / 127.0
    np.savez(
        out / "table.npz",
        rows=np.rint(table / scale[:, None]).astype(np.int8),
        scale=scale.astype(np.float32),
    )
    if not (out / "tokenizer.json").is_file():
        shutil.copy(tokenizer_file, out / "tokenizer.json")


def directions(papers: Floats, questions: Floats, n: int) -> Floats:
    """The `n` directions that hold most of both kinds of unit vectors, `(dimension, n)`: principal axes, not centred.

    Dot products of what is turned and cut by them are the nearest to those before.
    """
    spread = papers.T @ papers / len(papers) + questions.T @ questions / len(questions)
    _, axes = np.linalg.eigh(spread.astype(np.float64))
    chosen: Floats = np.ascontiguousarray(axes[:, ::-1][:, :n], dtype=np.float32)
    return chosen


def _ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[torch.Tensor]:
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [torch.tensor(e.ids or [0]) for e in encodings]


def _units(
    bag: torch.nn.EmbeddingBag, ids: Sequence[torch.Tensor], chosen: Sequence[int]
) -> torch.Tensor:
    """Unit vectors of the chosen texts, `(len(chosen), dimension)`."""
    lengths = torch.tensor([0] + [len(ids[i]) for i in chosen[:-1]])
    vectors: torch.Tensor = bag(torch.cat([ids[i] for i in chosen]), lengths.cumsum(0))
    return torch.nn.functional.normalize(vectors, dim=-1)
