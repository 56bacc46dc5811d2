"""The reranker that reads word by word: late interaction over a table of word pieces.

Each piece of the question looks for the nearest piece of the paper, and what it finds counts for as much as the piece
matters (ColBERT: Khattab & Zaharia 2020, arXiv:2004.12832). No network runs: a piece's vector is its row of the
table with a share of its neighbours' rows. It starts from the static encoder's table and learns from the papers that the
encoder and BM25 put first, so that its order is another opinion on just these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from indexer.late import MOST_PIECES, LateTable
from training import static
from training.material import Asked
from training.static import LEAST_SHARE, fewer

DIMENSION = 128
NEIGHBOURS = 0.5  # at the start, of the rows of the pieces before and after
SCALE = 20.0
UNKNOWN = -9.0  # added to the score of padding

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Schedule:
    """How the reranker learns from questions, each with its paper and `others` of its list."""

    rate: float = 1e-3
    scalar_rate: float = 5e-3  # of weights, of which a piece has one each
    batch: int = 32
    passes: int = 2
    others: int = 7
    left_out: float = 0.1


class _Late(torch.nn.Module):
    def __init__(self, table: LateTable) -> None:
        super().__init__()
        self.rows = torch.nn.Parameter(torch.from_numpy(table.rows.copy()))
        self.asked = torch.nn.Parameter(torch.from_numpy(np.log(table.asked)))
        self.given = torch.nn.Parameter(torch.from_numpy(table.given.copy()))
        self.neighbours = torch.nn.Parameter(torch.from_numpy(table.neighbours.copy()))

    def forward(self, questions: torch.Tensor, papers: torch.Tensor, n_papers: int) -> torch.Tensor:
        """Scores `(n_questions, n_papers)` of padded ids `(n_questions, n)` and `(n_questions * n_papers, m)`; -1 pads."""
        n = len(questions)
        asked = self._vectors(questions, self.neighbours[:2])
        given = self._vectors(papers, self.neighbours[2:])
        near = torch.bmm(asked, given.view(n, -1, given.shape[-1]).transpose(1, 2))
        near = near.view(n, questions.shape[1], n_papers, -1)
        worth = self.given[papers.clamp(min=0)].masked_fill(papers < 0, UNKNOWN)
        nearest = (near + worth.view(n, 1, n_papers, -1)).max(-1).values
        weight = self.asked[questions.clamp(min=0)].exp() * (questions >= 0)
        return (nearest * (weight / weight.sum(-1, keepdim=True)).unsqueeze(-1)).sum(1)

    def _vectors(self, ids: torch.Tensor, neighbours: torch.Tensor) -> torch.Tensor:
        rows = torch.nn.functional.embedding(ids.clamp(min=0), self.rows) * (ids >= 0).unsqueeze(-1)
        mixed = rows.clone()
        mixed[:, 1:] += neighbours[0] * rows[:, :-1]
        mixed[:, :-1] += neighbours[1] * rows[:, 1:]
        return torch.nn.functional.normalize(mixed, dim=-1)


def start(table: Floats) -> LateTable:
    """The reranker before training, from the static encoder's table `(n_pieces, dimension)`: a row's length is its weight."""
    _, axes = np.linalg.eigh((table.T @ table).astype(np.float64))
    rows = (table @ axes[:, ::-1][:, :DIMENSION].astype(np.float32)).astype(np.float32)
    lengths = np.linalg.norm(table, axis=1)
    return LateTable(
        rows=np.ascontiguousarray(rows / rows.std() * 0.1),
        asked=np.maximum(lengths / lengths.mean(), 1e-3).astype(np.float32),
        given=np.zeros(len(table), dtype=np.float32),
        neighbours=np.full(4, NEIGHBOURS, dtype=np.float32),
    )


def tune(
    table: LateTable,
    tokenizer: Tokenizer,
    questions: Sequence[Asked],
    lists: npt.NDArray[np.integer],
    texts: Sequence[str],
    how: Schedule | None = None,
) -> LateTable:
    """The reranker after training on `questions`, whose best papers by the search so far are `lists`, rows of `texts`.

    `lists` is `(n_questions, n)`, the best first; the better ranked, the likelier a paper is drawn.
    """
    how = how or Schedule()
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    model = _Late(table)
    scalars = [model.asked, model.given, model.neighbours]
    optimizer = torch.optim.Adam(
        [{"params": [model.rows], "lr": how.rate}, {"params": scalars, "lr": how.scalar_rate}]
    )
    rates = [how.rate, how.scalar_rate]
    asked = [_ids(tokenizer, q.question) for q in questions]
    papers = [_ids(tokenizer, text) for text in texts]
    batches = [
        order[at : at + how.batch]
        for order in (random.permutation(len(questions)) for _ in range(how.passes))
        for at in range(0, len(questions), how.batch)
    ]
    for step, batch in enumerate(batches):
        rows = [_drawn(questions[i].row, lists[i], how.others, random) for i in batch]
        n_papers = min(map(len, rows))
        seen = [fewer(asked[i], how.left_out, random) for i in batch]
        shown = [fewer(papers[row], how.left_out, random) for r in rows for row in r[:n_papers]]
        scores = model(_padded(seen), _padded(shown), n_papers)
        loss = torch.nn.functional.cross_entropy(
            SCALE * scores, torch.zeros(len(batch), dtype=torch.long)
        )
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * max(LEAST_SHARE, 1 - step / len(batches))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return LateTable(
        rows=model.rows.detach().numpy(),
        asked=model.asked.detach().exp().numpy(),
        given=model.given.detach().numpy(),
        neighbours=model.neighbours.detach().numpy(),
    )


def save(table: LateTable, tokenizer: Tokenizer, out: Path) -> None:
    """Write `table.npz`, its rows as int8, and the tokenizer into `out`."""
    weights = {"asked": table.asked, "given": table.given, "neighbours": table.neighbours}
    static.save(table.rows, tokenizer, out, weights)


def _drawn(
    answer: int, best: npt.NDArray[np.integer], others: int, random: np.random.Generator
) -> list[int]:
    """The answer's row and `others` of its list, or all of a shorter one, with weights 1/sqrt(rank)."""
    wrong = best[best != answer]
    weight = 1.0 / np.sqrt(np.arange(1, len(wrong) + 1))
    drawn = random.choice(wrong, min(others, len(wrong)), replace=False, p=weight / weight.sum())
    return [answer, *drawn.tolist()]


def _ids(tokenizer: Tokenizer, text: str) -> Ids:
    return np.array(tokenizer.encode(text, add_special_tokens=False).ids[:MOST_PIECES] or [0])


def _padded(ids: Sequence[Ids]) -> torch.Tensor:
    found = np.full((len(ids), max(map(len, ids))), -1, dtype=np.int64)
    for row, text in zip(found, ids, strict=True):
        row[: len(text)] = text
    return torch.from_numpy(found)
