"""The whole training, from the corpus and the questions to the files that ship. Each step that is done is kept.

A step's files are there once they are whole: one that was killed is done again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from indexer.build import build_index
from indexer.encoder import (
    DIRECTIONS,
    TABLE,
    Encoder,
    OnnxEncoder,
    StaticEncoder,
    minilm_folder,
)
from indexer.errors import QueryError
from indexer.late import LateInteraction
from indexer.onnx_model import GRAPH, TOKENIZER, file_sha256
from indexer.store import Index, open_index
from indexer.vectors import cached_vectors
from training import cross_encoder, late, static
from training import encoder as tuned_encoder
from training.export import export, export_encoder
from training.held import found
from training.material import Asked, asked, light_pairs, split
from training.mine import best, negatives
from training.vocabulary import extended

# The first that train the network, two thirds of a smaller set; on the others its negatives are as hard as in use.
NETWORK_QUESTIONS = 10_371
CROSS_QUESTIONS = 6395  # the next, that the cross-encoder learns from
LISTED = 4  # papers beside the right one that it reads, a question
MOST_LISTS = 4600
CROSS_TOKENS = 144
LATE_LISTED = 100  # best papers that the late interaction learns to order, a question
CUT_LAYERS = (0, 2, 5)
CUT_TEXTS = (3000, 4000)  # papers and questions that the cut learns from
HALF = 192  # of the joined encoder's numbers come from the network, and as many from the table
SAMPLE = 3000  # questions that say, with all papers, which directions to keep
FILES = (
    "encoder/model.onnx",
    "encoder/directions.npz",
    "encoder-fast/table.npz",
    "reranker/table.npz",
    "cross-encoder/model.onnx",
)
Floats = npt.NDArray[np.float32]


@dataclass
class Recipe:
    """One training: `corpus` to be indexed, `questions` to train on, `kept_out` whose papers are not asked for.

    All that it makes is in `work`, the models in its folder `models`; vectors of texts are in the cache, as those of any index.
    """

    corpus: str
    questions: Sequence[Path]
    kept_out: Sequence[Path]
    work: Path
    network_questions: int = NETWORK_QUESTIONS
    listed: int = LISTED
    batch: int = tuned_encoder.BATCH
    say: Callable[[str], None] = print

    @property
    def out(self) -> Path:
        """Where the models go; those that ship are not touched."""
        return self.work / "models"

    def run(self) -> None:
        """Train the encoders and the rerankers; say what to write into the code.

        Raises:
            QueryError: the corpus is another than that of `work`, or holds too few of the questions' papers.
            SourceError: it cannot be read.
        """
        base = self._exported(minilm_folder(), self.work / "minilm")
        index = self._index(base)
        questions, held = split(asked(self.questions, index, but_not=self.kept_out))
        self.say(f"{len(questions):,} questions on {len({q.row for q in questions}):,} papers")
        if len(questions) < 2 * self.batch:
            raise QueryError(
                f"{self.corpus} holds the papers of {len(questions):,} questions and training needs {2 * self.batch:,}: "
                "give a corpus of astronomy's abstracts with their arXiv ids."
            )
        first = min(self.network_questions, len(questions) * 2 // 3)
        self._encoder(index, base, questions[:first])
        tuned = self._exported(self.work / "encoder", self.out / "encoder")
        self._cut(index, tuned, questions)
        self._static(index, tuned, questions)
        self._joined(index, tuned, questions)
        self._late(index, tuned, questions)
        self._cross_encoder(index, tuned, questions[first : first + CROSS_QUESTIONS])
        if held:
            self._tell(index, base, tuned, held)
        for name in FILES:
            self.say(f"{name}: sha256 {file_sha256(self.out / name)}")

    def _index(self, base: Encoder) -> Index:
        """The corpus with the untrained model's vectors."""
        folder, of_what = self.work / "index", self.work / "corpus.sha256"
        if not folder.exists():
            self.say("encoding the corpus with the model to start from")
            build_index([self.corpus], folder, encoder=base)
        if not of_what.exists():
            of_what.write_text(file_sha256(Path(self.corpus)))
        elif not Path(self.corpus).is_file() or of_what.read_text() != file_sha256(
            Path(self.corpus)
        ):
            raise QueryError(
                f"{self.work} holds a training on another corpus than {self.corpus}: name another folder for this one."
            )
        return open_index(folder)

    def _exported(self, folder: Path, target: Path) -> Encoder:
        if not target.exists():
            with _whole(target) as half:
                agreement = export_encoder(folder, half)
            self.say(f"{target}: the int8 graph agrees to {agreement:.3f}")
        return OnnxEncoder(target, id=target.name, weights_sha256=file_sha256(target / GRAPH))

    def _mined(
        self, name: str, index: Index, teacher: Encoder, questions: Sequence[Asked], each: int
    ) -> list[list[int]]:
        """Rows of hard negatives a question, by a teacher that has encoded the corpus; kept in a file."""
        path = self.work / f"{name}.json"
        if not path.is_file():
            self.say(f"mining negatives with {teacher.id}")
            papers = np.asarray(self._vectors(index, teacher), dtype=np.float32)
            vectors = teacher.encode([q.question for q in questions])
            hard = negatives(questions, vectors, papers, index.lexical, each=each, seed=0)
            with _whole(path) as half:
                half.write_text(json.dumps([rows.tolist() for rows in hard]))
        rows: list[list[int]] = json.loads(path.read_text())
        return rows

    def _vectors(self, index: Index, encoder: Encoder) -> npt.NDArray[np.float16]:
        return cached_vectors(
            encoder,
            [bytes(key) for key in index.keys],
            [len(paper.abstract) for paper in index.papers],
            lambda row: index.papers[row].text(),
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
        with _whole(out) as half:
            tuned_encoder.tune(minilm_folder(), triples, half, batch=self.batch)

    def _cut(self, index: Index, tuned: Encoder, questions: Sequence[Asked]) -> None:
        """Three layers that give the tuned network's vectors: to compare with, not to ship."""
        out = self.work / "cut-int8"
        if out.exists():
            return
        papers = np.asarray(self._vectors(index, tuned), dtype=np.float32)
        n_papers, n_questions = CUT_TEXTS
        rows = np.random.default_rng(0).permutation(len(papers))[:n_papers]
        asked_for = [q.question for q in questions[:n_questions]]
        texts = [index.papers[int(row)].text() for row in rows] + asked_for
        self.say(f"cutting the encoder to three layers, on {len(texts):,} texts")
        vectors = np.concatenate([papers[rows], tuned.encode(asked_for)])
        cut = self.work / "cut"
        tuned_encoder.distil(self.work / "encoder", texts, vectors, cut, layers=CUT_LAYERS)
        self._exported(cut, out)

    def _static(self, index: Index, tuned: Encoder, questions: Sequence[Asked]) -> None:
        out = self.out / "encoder-fast"
        if out.exists():
            return
        self.say(f"tuning the static encoder on {len(questions):,} questions")
        texts = [paper.text() for paper in index.papers]
        pieces = Tokenizer.from_file(str(self.out / "encoder" / TOKENIZER))
        tokenizer = extended(pieces, texts)
        table = static.start(tuned, tokenizer, texts)
        table = static.tune(table, tokenizer, list(light_pairs(index)), static.LIGHT)
        pairs = [(q.question, texts[q.row]) for q in questions]
        table = static.tune(table, tokenizer, pairs, static.QUESTIONS)
        np.save(self.work / "table.npy", table)
        with _whole(out) as half:
            static.save(table, tokenizer, half)

    def _joined(self, index: Index, tuned: Encoder, questions: Sequence[Asked]) -> None:
        """Find the directions that matter of network and table, half of the numbers each."""
        target = self.out / "encoder" / DIRECTIONS
        if target.is_file():
            return
        self.say("joining network and table")
        sample = [q.question for q in questions[:SAMPLE]]
        papers = np.asarray(self._vectors(index, tuned), dtype=np.float32)
        fast = self._fast()
        texts = [paper.text() for paper in index.papers]
        network = static.directions(papers, tuned.encode(sample), HALF)
        table = static.directions(fast.encode(texts), fast.encode(sample), HALF)
        with _whole(target) as half, half.open("wb") as stream:
            np.savez(stream, network=network, table=table)

    def _fast(self, directions: Floats | None = None) -> StaticEncoder:
        folder = self.out / "encoder-fast"
        sha256 = file_sha256(folder / TABLE)
        return StaticEncoder(folder, id="table", weights_sha256=sha256, directions=directions)

    def _both(self, read: Floats, texts: Sequence[str]) -> Floats:
        """The joined encoder's vectors of texts that the network has `read`."""
        with np.load(self.out / "encoder" / DIRECTIONS) as directions:
            half = read @ directions["network"]
            fast = self._fast(directions["table"])
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        both: Floats = np.concatenate([half, fast.encode(texts)], axis=1)
        return both * np.float32(np.sqrt(0.5))

    def _late(self, index: Index, tuned: Encoder, questions: Sequence[Asked]) -> None:
        out = self.out / "reranker"
        if out.exists():
            return
        self.say(f"tuning the reranker on the lists of {len(questions):,} questions")
        texts = [paper.text() for paper in index.papers]
        asked_for = [q.question for q in questions]
        papers = self._both(np.asarray(self._vectors(index, tuned), dtype=np.float32), texts)
        vectors = self._both(tuned.encode(asked_for), asked_for)
        lists = best(questions, vectors, papers, index.lexical, n=LATE_LISTED)
        tokenizer = Tokenizer.from_file(str(self.out / "encoder-fast" / TOKENIZER))
        start = late.start(np.load(self.work / "table.npy"))
        tuned_table = late.tune(start, tokenizer, questions, lists, texts)
        with _whole(out) as half:
            late.save(tuned_table, tokenizer, half)

    def _cross_encoder(self, index: Index, tuned: Encoder, questions: Sequence[Asked]) -> None:
        work, out = self.work / "cross-encoder", self.out / "cross-encoder"
        if not work.exists():
            rows = self._mined("negatives-tuned", index, tuned, questions, self.listed)
            lists = [
                cross_encoder.Listed(
                    q.question, tuple(index.papers[row].text() for row in (q.row, *others))
                )
                for q, others in zip(questions, rows, strict=True)
                if len(others) == self.listed
            ][:MOST_LISTS]
            self.say(
                f"tuning the cross-encoder on {len(lists):,} lists of {self.listed + 1} papers"
            )
            with _whole(work) as half:
                cross_encoder.tune(self.work / "encoder", lists, half, tokens=CROSS_TOKENS)
        if not out.exists():
            with _whole(out) as half:
                half.mkdir()
                export(cross_encoder.load(work), half / GRAPH, output="scores")
                shutil.copy(self.out / "encoder" / TOKENIZER, half / TOKENIZER)

    def _tell(self, index: Index, base: Encoder, tuned: Encoder, held: Sequence[Asked]) -> None:
        """Say what each step brought on the questions held back."""
        texts, asked_for = [paper.text() for paper in index.papers], [q.question for q in held]
        read = {
            encoder: (
                encoder.encode(asked_for),
                np.asarray(self._vectors(index, encoder), dtype=np.float32),
            )
            for encoder in (base, tuned)
        }
        questions, papers = read[tuned]
        fast, folder = self._fast(), self.out / "reranker"
        models = {
            "the model to start from": read[base],
            "network": read[tuned],
            "table": (fast.encode(asked_for), fast.encode(texts)),
            "both": (self._both(questions, asked_for), self._both(papers, texts)),
        }
        reranker = LateInteraction(folder, sha256=file_sha256(folder / TABLE))
        self.say(f"{len(held):,} questions held back, with BM25: success@10, reciprocal rank@10")
        for name, (success, reciprocal) in found(
            held, models, index.lexical, reranker=reranker, texts=texts
        ).items():
            self.say(f"  {name}: {success:.3f}, {reciprocal:.3f}")


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Where to make a file or folder that is at `path` once the block has ended well."""
    half = path.with_name(f"{path.name}.half")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(half, ignore_errors=True)
    yield half
    half.rename(path)
