"""The encoder: MiniLM tuned on questions with their papers and hard negatives.

Multiple-negatives ranking loss (Henderson et al. 2017, arXiv:1705.00652): in each batch a question's paper
against its own hard negative and the papers and negatives of all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import MSELoss, MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.training_args import BatchSamplers

TRAINED_TOKENS = 160  # of a paper, where the graph later reads 256: half the time, and no worse
READ_TOKENS = 256
BATCH = 48
Floats = npt.NDArray[np.float32]
Triples = Sequence[tuple[str, str, str]]  # question, paper that answers it, paper that does not


def tune(
    base: Path | str,
    triples: Triples,
    out: Path,
    *,
    rate: float = 8e-5,
    batch: int = BATCH,
) -> None:
    """Train one pass over `triples` from the model in `base`; write the model to `out`.

    The word table stays as it is: on two cores it would take a third of the time, and a question of words not
    trained on keeps its neighbours.
    """
    model = SentenceTransformer(str(base))
    network = model[0].auto_model
    settle(network)
    model.max_seq_length = TRAINED_TOKENS
    columns = dict(
        zip(("anchor", "positive", "negative"), map(list, zip(*triples, strict=True)), strict=True)
    )
    trainer = SentenceTransformerTrainer(
        model=model,
        args=_arguments(out, rate=rate, batch=batch),
        train_dataset=Dataset.from_dict(columns),
        loss=MultipleNegativesRankingLoss(model),
    )
    trainer.train()
    model.max_seq_length = READ_TOKENS
    model.save_pretrained(str(out))


def distil(
    teacher: Path,
    texts: Sequence[str],
    vectors: Floats,
    out: Path,
    *,
    layers: Sequence[int],
    rate: float = 2e-4,
    batch: int = BATCH,
) -> None:
    """Train a copy of `teacher` with some of its layers to give the teacher's `vectors` of `texts`; write it to `out`."""
    student = SentenceTransformer(str(teacher))
    _keep_layers(student[0].auto_model, layers)
    settle(student[0].auto_model)
    student.max_seq_length = TRAINED_TOKENS
    columns = Dataset.from_dict({"text": list(texts), "label": vectors.tolist()})
    trainer = SentenceTransformerTrainer(
        model=student,
        args=_arguments(out, rate=rate, batch=batch),
        train_dataset=columns,
        loss=MSELoss(student),
    )
    trainer.train()
    student.max_seq_length = READ_TOKENS
    student.save_pretrained(str(out))


def _arguments(out: Path, *, rate: float, batch: int) -> SentenceTransformerTrainingArguments:
    return SentenceTransformerTrainingArguments(
        output_dir=str(out),
        num_train_epochs=1,
        per_device_train_batch_size=batch,
        learning_rate=rate,
        warmup_steps=0.1,
        lr_scheduler_type="cosine",
        batch_sampler=BatchSamplers.NO_DUPLICATES,
        save_strategy="no",
        report_to=[],
        logging_steps=20,
        fp16=torch.cuda.is_available(),
        seed=0,
    )


def settle(network: Any) -> None:
    """Freeze the word table and take dropout out: one pass over the material overfits nothing."""
    network.embeddings.requires_grad_(False)
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def _keep_layers(network: Any, layers: Sequence[int]) -> None:
    """Cut a BERT network to some of its layers, in that order."""
    network.encoder.layer = torch.nn.ModuleList(network.encoder.layer[i] for i in layers)
    network.config.num_hidden_layers = len(layers)
