"""The whole training, from the corpus and the questions to the files in models/. Each step that is done is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from indexer.build import build_index
from indexer.encoder import (
    PROJECTION,
    TABLE,
    Encoder,
    OnnxEncoder,
    StaticEncoder,
    minilm_folder,
)
from indexer.onnx_model import GRAPH, TOKENIZER, file_sha256
from indexer.store import Index, open_index
from indexer.vectors import cached_vectors
from training import encoder as tuned_encoder
from training import reranker as tuned_reranker
from training import static
from training.export import export, export_encoder
from training.material import Asked, asked, light_pairs, split
from training.mine import negatives

SEEN = 0.62  # of the questions train the encoders; on the others its negatives are as hard as in use, for the reranker
LISTED = 4  # papers beside the right one that the reranker learns from, a question
MOST_LISTS = 4600
RERANKER_TOKENS = 144
CUT_LAYERS = (0, 2, 5)
CUT_TEXTS = (3000, 4000)  # papers and questions that the cut learns from
HALF = 192  # of the joined encoder's numbers come from the network, and as many from the table
SAMPLE = 3000  # questions that say, with all papers, which directions to keep
FILES = (
    "encoder/model.onnx",
    "encoder/table.npz",
    "encoder/projection.npy",
    "encoder-fast/table.npz",
    "reranker/model.onnx",
)
Floats = npt.NDArray[np.float32]


@dataclass
class Recipe:
    """One training: `corpus` to be indexed, `questions` to train on, `kept_out` whose papers are not asked for."""

    corpus: str
    questions: Sequence[Path]
    kept_out: Sequence[Path]
    work: Path
    out: Path
    listed: int = LISTED
    batch: int = tuned_encoder.BATCH
    say: Callable[[str], None] = print

    def run(self) -> None:
        """Train the encoder, the static encoder and the reranker; say what to write into the code."""
        base = self._exported(minilm_folder(), self.work / "minilm")
        index = self._index(base)
        questions, _ = split(asked(self.questions, index, but_not=self.kept_out))
        self.say(f"{len(questions):,} questions on {len({q.row for q in questions}):,} papers")
        n_seen = round(SEEN * len(questions))
        self._encoder(index, base, questions[:n_seen])
        tuned = self._exported(self.work / "encoder", self.out / "encoder")
        self._cut(index, tuned, questions)
        self._static(index, tuned, questions)
        self._joined(index, tuned, questions)
        self._reranker(index, tuned, questions[n_seen:])
        for name in FILES:
            self.say(f"{name}: sha256 {file_sha256(self.out / name)}")

    def _index(self, base: Encoder) -> Index:
        """The corpus with the untrained model's vectors."""
        folder = self.work / "index"
        if not folder.exists():
            self.say("encoding the corpus with the model to start from")
            build_index([self.corpus], folder, encoder=base)
        return open_index(folder)

    def _exported(self, folder: Path, target: Path) -> Encoder:
        if not (target / GRAPH).is_file():
            self.say(f"{target}: the int8 graph agrees to {export_encoder(folder, target):.3f}")
        return OnnxEncoder(target, id=folder.name, weights_sha256=file_sha256(target / GRAPH))

    def _mined(
        self, name: str, index: Index, teacher: Encoder, questions: Sequence[Asked], each: int
    ) -> list[list[int]]:
        """Rows of hard negatives a question, by a teacher that has encoded the corpus; kept in a file."""
        path = self.work / f"{name}.json"
        if not path.is_file():
            self.say(f"mining negatives with {teacher.id}")
            papers = np.asarray(self._vectors(index, teacher), dtype=np.float32)
            vectors = teacher.encode([q.question for q in questions])
            found = negatives(questions, vectors, papers, index.lexical, each=each, seed=0)
            path.write_text(json.dumps([rows.tolist() for rows in found]))
        rows: list[list[int]] = json.loads(path.read_text())
        return rows

    def _vectors(self, index: Index, encoder: Encoder) -> npt.NDArray[np.float16]:
        return cached_vectors(
            encoder,
            [bytes(key) for key in index.keys],
            [len(paper.abstract) for paper in index.papers],
            lambda row: index.papers[row].text(),
            directory=self.work / "vectors",
        )

    def _encoder(self, index: Index, base: Encoder, questions: Sequence[Asked]) -> None:
        out = self.work / "encoder"
        if out.exists():
            return
        rows = self._mined("negatives-minilm", index, base, questions, 1)
        texts = index.papers
        triples = [
            (q.question, texts[q.row].text(), texts[others[0]].text())
            for q, others in zip(questions, rows, strict=True)
            if others
        ]
        self.say(f"tuning the encoder on {len(triples):,} questions, each with a hard negative")
        tuned_encoder.tune(minilm_folder(), triples, out, batch=self.batch)

    def _cut(self, index: Index, tuned: Encoder, questions: Sequence[Asked]) -> None:
        """Three layers that give the tuned network's vectors: to compare with, not to ship."""
        out = self.work / "cut"
        if out.exists():
            return
        papers = np.asarray(self._vectors(index, tuned), dtype=np.float32)
        n_papers, n_questions = CUT_TEXTS
        rows = np.random.default_rng(0).permutation(len(papers))[:n_papers]
        asked_for = [q.question for q in questions[:n_questions]]
        texts = [index.papers[int(row)].text() for row in rows] + asked_for
        self.say(f"cutting the encoder to three layers, on {len(texts):,} texts")
        vectors = np.concatenate([papers[rows], tuned.encode(asked_for)])
        tuned_encoder.distil(self.work / "encoder", texts, vectors, out, layers=CUT_LAYERS)
        export_encoder(out, self.work / "cut-int8")

    def _static(self, index: Index, tuned: Encoder, questions: Sequence[Asked]) -> None:
        out = self.out / "encoder-fast"
        if out.exists():
            return
        self.say("tuning the static encoder")
        tokenizer = Tokenizer.from_file(str(self.out / "encoder" / TOKENIZER))
        texts = [paper.text() for paper in index.papers]
        table = static.start(tuned, tokenizer, texts)
        table = static.tune(table, tokenizer, list(light_pairs(index)), rate=static.LIGHT_RATE)
        table = static.tune(
            table,
            tokenizer,
            [(q.question, texts[q.row]) for q in questions],
            rate=static.QUESTION_RATE,
            passes=static.QUESTION_PASSES,
        )
        np.save(self.work / "table.npy", table)
        static.save(table, self.out / "encoder" / TOKENIZER, out)

    def _joined(self, index: Index, tuned: Encoder, questions: Sequence[Asked]) -> None:
        """Turn network and table to the directions that matter, half of the numbers each."""
        out = self.out / "encoder"
        if (out / PROJECTION).is_file():
            return
        self.say("joining network and table")
        sample = [q.question for q in questions[:SAMPLE]]
        papers = np.asarray(self._vectors(index, tuned), dtype=np.float32)
        kept = static.directions(papers, tuned.encode(sample), HALF)
        fast = StaticEncoder(
            self.out / "encoder-fast",
            id="table",
            weights_sha256=file_sha256(self.out / "encoder-fast" / TABLE),
        )
        papers = fast.encode([paper.text() for paper in index.papers])
        turned = static.directions(papers, fast.encode(sample), HALF)
        table: Floats = np.load(self.work / "table.npy") @ turned
        static.save(table, out / TOKENIZER, out)
        np.save(out / PROJECTION, kept)

    def _reranker(self, index: Index, tuned: Encoder, questions: Sequence[Asked]) -> None:
        work, out = self.work / "reranker", self.out / "reranker"
        if not work.exists():
            rows = self._mined("negatives-tuned", index, tuned, questions, self.listed)
            lists = [
                tuned_reranker.Listed(
                    q.question, tuple(index.papers[row].text() for row in (q.row, *others))
                )
                for q, others in zip(questions, rows, strict=True)
                if len(others) == self.listed
            ][:MOST_LISTS]
            self.say(f"tuning the reranker on {len(lists):,} lists of {self.listed + 1} papers")
            tuned_reranker.tune(self.work / "encoder", lists, work, tokens=RERANKER_TOKENS)
        if not (out / GRAPH).is_file():
            out.mkdir(parents=True, exist_ok=True)
            export(tuned_reranker.load(work), out / GRAPH, output="scores")
            (out / TOKENIZER).write_bytes((self.out / "encoder" / TOKENIZER).read_bytes())
