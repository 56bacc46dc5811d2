"""The reranker: a cross-encoder that starts as the encoder it follows.

Question and paper go through the network together. The score begins as what the encoder knows (the cosine of
the two parts' means, and each question token's nearest paper token: Khattab & Zaharia 2020, arXiv:2004.12832)
and learns, from nothing, a linear reading of both parts. A head that starts at random had learned next to
nothing from as many questions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy, normalize
from transformers import AutoModel, AutoTokenizer, get_cosine_schedule_with_warmup

from training.encoder import settle

QUESTION_TOKENS = 48
START = 10.0  # what the two similarities count for before training
FAR = -1e4  # for tokens that are not there


@dataclass(frozen=True)
class Listed:
    """A question with its paper first and papers after it that do not answer it."""

    question: str
    papers: tuple[str, ...]


class PairScore(torch.nn.Module):
    """Question and paper, joined as [CLS] question [SEP] paper [SEP], to one score."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        width = int(network.config.hidden_size)
        self.similar = torch.nn.Linear(2, 1)
        self.reading = torch.nn.Linear(3 * width, 1)
        torch.nn.init.constant_(self.similar.weight, START)
        torch.nn.init.zeros_(self.similar.bias)
        torch.nn.init.zeros_(self.reading.weight)
        torch.nn.init.zeros_(self.reading.bias)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        """Return `(n_pairs,)` from three `(n_pairs, n_tokens)`; types are 0 in the question, 1 in the paper."""
        states = self.network(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        paper = (token_type_ids * attention_mask).to(states.dtype)
        question = attention_mask.to(states.dtype) - paper
        asked, told = _mean(states, question), _mean(states, paper)
        units = normalize(states, dim=-1)
        nearest = (units @ units.transpose(1, 2) + (1 - paper).unsqueeze(1) * FAR).amax(-1)
        met = (nearest * question).sum(1) / question.sum(1).clamp(min=1.0)
        cosine = (normalize(asked, dim=-1) * normalize(told, dim=-1)).sum(-1)
        read = torch.cat([states[:, 0], asked * told, (asked - told).abs()], dim=-1)
        alike = torch.stack([cosine, met], dim=-1)
        # Sums and not products of matrices, which the export would round to int8.
        return (
            (alike * self.similar.weight[0]).sum(-1)
            + (read * self.reading.weight[0]).sum(-1)
            + self.similar.bias
            + self.reading.bias
        )


def tune(
    base: Path,
    lists: Sequence[Listed],
    out: Path,
    *,
    tokens: int,
    rate: float = 8e-5,
    batch: int = 8,
    say: Callable[[str], None] = print,
) -> None:
    """Train one pass over `lists` from the encoder in `base`; write network, head and tokenizer to `out`."""
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(base)
    network = AutoModel.from_pretrained(base)
    settle(network)
    model = PairScore(network).to(device).train()
    heads = [*model.similar.parameters(), *model.reading.parameters()]
    body = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": body, "lr": rate}, {"params": heads, "lr": 10 * rate}], weight_decay=0.01
    )
    order = torch.randperm(len(lists)).tolist()
    steps = [order[i : i + batch] for i in range(0, len(order), batch)]
    schedule = get_cosine_schedule_with_warmup(optimizer, len(steps) // 10, len(steps))
    loss_said, began = 0.0, time.monotonic()
    for step, chosen in enumerate(steps, 1):
        scores = _scores(model, tokenizer, [lists[i] for i in chosen], tokens, device)
        loss = cross_entropy(scores, torch.zeros(len(chosen), dtype=torch.long, device=device))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        loss_said = loss.item() if step == 1 else 0.95 * loss_said + 0.05 * loss.item()
        if step == 1 or step % 20 == 0 or step == len(steps):
            minutes = (time.monotonic() - began) / 60
            say(f"reranker: step {step} of {len(steps)}, loss {loss_said:.3f}, {minutes:.1f} min")
    network.save_pretrained(out)
    tokenizer.save_pretrained(out)
    torch.save(
        {k: v for k, v in model.state_dict().items() if not k.startswith("network.")},
        out / "head.pt",
    )
    (out / "reranker.json").write_text(
        json.dumps({"tokens": tokens, "question_tokens": QUESTION_TOKENS})
    )


def load(folder: Path) -> PairScore:
    """The trained reranker in `folder`."""
    model = PairScore(AutoModel.from_pretrained(folder, attn_implementation="eager"))
    model.load_state_dict(torch.load(folder / "head.pt", weights_only=True), strict=False)
    return model.eval()


def _scores(
    model: PairScore, tokenizer: object, lists: Sequence[Listed], tokens: int, device: str
) -> torch.Tensor:
    """Scores of lists of equal length, `(n_lists, n_papers)`."""
    pairs = [(one.question, paper) for one in lists for paper in one.papers]
    encoded = tokenizer(  # type: ignore[operator]  # transformers gives its tokenizers no call type
        [a for a, _ in pairs],
        [b for _, b in pairs],
        truncation="only_second",
        max_length=tokens,
        padding=True,
        return_tensors="pt",
    ).to(device)
    scores: torch.Tensor = model(
        encoded["input_ids"], encoded["attention_mask"], encoded["token_type_ids"]
    )
    return scores.view(len(lists), -1)


def _mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    mean: torch.Tensor = (states * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True).clamp(
        min=1.0
    )
    return mean
