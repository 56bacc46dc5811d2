"""The training of the models that ship, whole, on a few papers. Run: pytest tests/training"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from indexer import config
from indexer import encoder as encoder_module
from indexer.encoder import AstroEncoder, OnnxEncoder, StaticEncoder, load_encoder
from indexer.errors import QueryError, SourceError
from indexer.late import LateInteraction, shipped
from indexer.onnx_model import OnnxModel, file_sha256
from indexer.onnx_weights import TorchEncoder
from indexer.store import Index, open_index
from tests.papers import PAPERS, write_jsonl
from training.held import found, scored
from training.material import Asked, asked, held_back, light_pairs, split
from training.mine import best, negatives
from training.recipe import Recipe, _whole
from training.vocabulary import extended

QUESTIONS = {
    "2401.00001": ["What happens to a big galaxy's fuel when its centre blows hot?", "halo heating starves"],
    "2402.00002": ["Do ellipticals whose centres shine in radio make fewer suns?"],
    "2301.00004": ["Is there steam in the air of a warm cousin of Neptune?"],
    "2501.00005": ["Why do some worlds hide what their air is made of?"],
    "2504.00007": ["Are enough strongly magnetised dead stars born for every radio flash?"],
    "2506.00009": ["How fast does space grow if one asks sound waves and no exploding stars?"],
    "2508.00012": ["How quickly does the dark heart of the Milky Way turn?"],
}  # fmt: skip


HELD = {
    "title": "Dust rings around a young star",
    "abstract": "Millimetre images of a disc show three rings of dust, which planets that have just formed may have cleared.",
    "arxiv_id": "2503.00020",
    "year": 2025,
}


def question_file(folder: Path, papers: dict[str, list[str]]) -> Path:
    rows = [
        {"query_id": f"{paper}-{n}", "question": text, "arxiv_id": paper, "style": "lay"}
        for paper, texts in papers.items()
        for n, text in enumerate(texts)
    ]
    return write_jsonl(folder / f"questions-{len(rows)}.jsonl", rows)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The whole recipe, run on the invented papers."""
    folder = tmp_path_factory.mktemp("training")
    corpus = write_jsonl(folder / "papers.jsonl", [*PAPERS, HELD])
    asked_for = {**QUESTIONS, HELD["arxiv_id"]: ["Who swept gaps into the dust of a baby sun?"]}
    said: list[str] = []
    recipe = Recipe(
        corpus=str(corpus),
        questions=[question_file(folder, asked_for)],
        kept_out=[question_file(folder, {"2508.00012": ["kept out"]})],
        work=folder / "work",
        network_questions=4,
        listed=2,
        batch=2,
        say=said.append,
    )
    recipe.run()
    at = said.index("1 questions held back, with BM25: success@10, reciprocal rank@10")
    told = [line.strip().rpartition(": ") for line in said[at + 1 : at + 6]]
    assert [name for name, _, _ in told] == ["the model to start from", "network", "table", "both", "the order of the reranker alone"]  # fmt: skip
    for _, _, numbers in told:
        success, reciprocal = map(float, numbers.split(", "))
        assert 0 <= reciprocal <= success <= 1
    return recipe


def test_questions_are_split_by_paper_and_kept_out(small_index: Index, tmp_path: Path) -> None:
    path = question_file(tmp_path, {**QUESTIONS, "9999.99999": ["not in the index"]})
    kept = question_file(tmp_path, {"2508.00012": ["kept out"]})
    found = asked([path], small_index, but_not=[kept])
    assert {q.arxiv_id for q in found} == set(QUESTIONS) - {"2508.00012"}
    assert all(small_index.papers[q.row].arxiv_id == q.arxiv_id for q in found)
    train, held = split(found)
    assert {q.arxiv_id for q in train}.isdisjoint({q.arxiv_id for q in held})
    assert sorted(train + held, key=str) == sorted(found, key=str)
    share = np.mean([held_back(f"24{n:02}.{m:05}") for n in range(1, 13) for m in range(500)])
    assert 0.05 < share < 0.075


def test_light_pairs_never_hold_the_answer_twice(small_index: Index) -> None:
    pairs = list(light_pairs(small_index))
    titles = [paper.plain_title for paper in small_index.papers]
    assert set(titles) <= {a for a, _ in pairs}
    sentences = [(a, b) for a, b in pairs if a not in titles]
    assert sentences and all(a not in b for a, b in sentences)


def test_negatives_are_near_and_neither_answers_nor_twins(small_index: Index) -> None:
    found = asked([question_file(Path(small_index.path).parent, QUESTIONS)], small_index)
    papers = np.asarray(small_index.vectors, dtype=np.float32).copy()
    twin = next(row for row in range(len(papers)) if row != found[0].row)
    papers[twin] = papers[found[0].row]
    vectors = small_index.encoder.encode([q.question for q in found])
    rows = negatives(found, vectors, papers, small_index.lexical, each=3, seed=0)
    assert any(len(r) for r in rows)
    for question, vector, others in zip(found, vectors, rows, strict=True):
        assert question.row not in others and len(set(others.tolist())) == len(others) <= 3
        assert (papers[others] @ vector < papers[question.row] @ vector).all()
    assert twin not in rows[0]


def test_the_best_papers_are_those_of_meaning_and_words(small_index: Index) -> None:
    found = asked([question_file(Path(small_index.path).parent, QUESTIONS)], small_index)
    papers = np.asarray(small_index.vectors, dtype=np.float32)
    vectors = papers[[q.row for q in found]]
    lists = best(found, vectors, papers, small_index.lexical, n=5)
    assert lists.shape == (len(found), 5)
    assert all(len(set(row)) == 5 for row in lists.tolist())
    assert np.mean(lists[:, 0] == [q.row for q in found]) > 0.5, "its own vector, but for words"


def test_frequent_words_get_a_place_of_their_own() -> None:
    shipped = Tokenizer.from_file(str(config.ENCODER_FOLDER / "tokenizer.json"))
    texts = ["The redshift of blazars."] * 3 + ["An accretion disc of 2024."]
    found = extended(shipped, texts, least=3)
    assert found.encode("Redshift blazars", add_special_tokens=False).tokens == ["redshift", "blazars"]  # fmt: skip
    assert found.encode("accretion", add_special_tokens=False).tokens == ["acc", "##ret", "##ion"]
    assert found.get_vocab_size() == shipped.get_vocab_size() + 2
    assert shipped.get_vocab().items() <= found.get_vocab().items()


def test_the_tuned_encoder_knows_what_it_was_taught(trained: Recipe) -> None:
    folder = trained.out / "encoder"
    tuned = OnnxEncoder(folder, id="t", weights_sha256=file_sha256(folder / "model.onnx"))
    base = OnnxEncoder(
        trained.work / "minilm", id="b", weights_sha256=file_sha256(trained.work / "minilm" / "model.onnx")
    )  # fmt: skip
    index = open_index(trained.work / "index")
    train, _ = split(asked(trained.questions, index, but_not=trained.kept_out))
    margins = []
    for encoder in (base, tuned):
        papers = encoder.encode([paper.text() for paper in index.papers])
        cosine = encoder.encode([q.question for q in train]) @ papers.T
        right = cosine[np.arange(len(train)), [q.row for q in train]]
        margins.append(float((right - cosine.mean(axis=1)).mean()))
    assert margins[1] > margins[0]
    assert (folder / "model.onnx").stat().st_size < 30e6


def test_the_graphs_weights_in_torch_give_the_same_vectors(trained: Recipe) -> None:
    folder = trained.out / "encoder"
    texts = [f"{p['title']}. {p['abstract']}" for p in PAPERS] + ["", "word " * 1000]
    graph = OnnxEncoder(folder, id="t", weights_sha256=file_sha256(folder / "model.onnx"))
    in_torch = TorchEncoder(folder, device="cpu", max_tokens=256)(texts)
    assert (graph.encode(texts) * in_torch).sum(axis=1).min() > 0.97


def test_the_cross_encoder_reads_question_and_paper_together(trained: Recipe) -> None:
    folder = trained.out / "cross-encoder"
    assert (folder / "model.onnx").stat().st_size < 30e6
    model = OnnxModel(folder, sha256=file_sha256(folder / "model.onnx"), max_tokens=160)
    text = f"{PAPERS[3]['title']}. {PAPERS[3]['abstract']}"
    pairs = [("Is there water on a warm Neptune?", text), ("How do comets move?", text), ("", text), ("long " * 500, text)]  # fmt: skip
    scores = np.array(model(pairs)).reshape(-1)
    assert np.isfinite(scores).all() and scores[0] > scores[1]
    assert np.array_equal(scores[:1], np.array(model(pairs[:1])).reshape(-1))


def test_the_reranker_knows_what_it_was_taught(trained: Recipe) -> None:
    folder = trained.out / "reranker"
    tuned = LateInteraction(folder, sha256=file_sha256(folder / "table.npz"))
    index = open_index(trained.work / "index")
    train, _ = split(asked(trained.questions, index, but_not=trained.kept_out))
    texts = tuned.read([paper.text() for paper in index.papers])
    scores = np.array([tuned.scores(q.question, texts) for q in train])
    assert (scores.argmax(axis=1) == [q.row for q in train]).mean() > 0.7


def test_the_static_encoder_is_a_mean_of_its_pieces(trained: Recipe) -> None:
    folder = trained.out / "encoder-fast"
    encoder = StaticEncoder(folder, id="s", weights_sha256=file_sha256(folder / "table.npz"))
    vectors = encoder.encode(["star galaxy", "galaxy star", "", "quasar"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
    assert vectors[0] @ vectors[3] < 0.99
    assert encoder.encode([]).shape == (0, 384)


def test_the_cut_has_three_layers_and_its_teachers_numbers(trained: Recipe) -> None:
    folder = trained.work / "cut-int8"
    cut = OnnxEncoder(folder, id="c", weights_sha256=file_sha256(folder / "model.onnx"))
    assert cut.encode(["stars"]).shape == (1, 384)
    whole = (trained.out / "encoder" / "model.onnx").stat().st_size
    assert (folder / "model.onnx").stat().st_size < whole - 3 * 1_700_000


def test_network_and_table_are_joined_half_and_half(
    trained: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = trained.out / "encoder"
    for constant, file in (
        ("ASTRO_GRAPH_SHA256", "model.onnx"),
        ("FAST_SHA256", "../encoder-fast/table.npz"),
        ("ASTRO_DIRECTIONS_SHA256", "directions.npz"),
    ):
        monkeypatch.setattr(encoder_module, constant, file_sha256(folder / file))
    joined = AstroEncoder(folder, trained.out / "encoder-fast")
    assert joined.dimension == 384 and joined.light.dimension == 192
    texts = [f"{p['title']}. {p['abstract']}" for p in PAPERS]
    vectors = joined.encode(texts)
    np.testing.assert_allclose(np.linalg.norm(vectors[:, :192], axis=1), np.sqrt(0.5), atol=1e-5)
    np.testing.assert_allclose(vectors[:, 192:] * np.sqrt(2), joined.light.encode(texts), atol=1e-5)
    network = OnnxEncoder(folder, id="t", weights_sha256=file_sha256(folder / "model.onnx"))
    alone = network.encode(texts)
    half = vectors[:, :192] * np.sqrt(2)
    assert np.abs(half @ half.T - alone @ alone.T).max() < 0.05, "cut to what these papers need"


def test_what_is_done_is_not_done_again(trained: Recipe) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.out.rglob("*") if path.is_file()}
    said: list[str] = []
    trained.say = said.append
    trained.run()
    assert before == {path: path.stat().st_mtime_ns for path in trained.out.rglob("*") if path.is_file()}  # fmt: skip
    assert any(f"encoder/model.onnx: sha256 {file_sha256(trained.out / 'encoder' / 'model.onnx')}" in line for line in said)  # fmt: skip


def test_another_corpus_and_one_that_is_not_there_are_refused(
    trained: Recipe, tmp_path: Path
) -> None:
    other = write_jsonl(tmp_path / "other.jsonl", PAPERS[:3])
    for corpus in (str(other), str(tmp_path / "nowhere.jsonl")):
        with pytest.raises(QueryError, match="another corpus"):
            replace(trained, corpus=corpus).run()
    with pytest.raises(SourceError, match="nowhere"):
        replace(trained, corpus=str(tmp_path / "nowhere.jsonl"), work=tmp_path / "new").run()
    with pytest.raises(QueryError, match="training needs 4"):
        replace(trained, corpus=str(other), questions=[], work=tmp_path / "few").run()


def test_a_step_that_was_stopped_is_done_again(tmp_path: Path) -> None:
    target = tmp_path / "models" / "encoder"
    with pytest.raises(KeyboardInterrupt), _whole(target) as half:
        half.mkdir()
        (half / "model.onnx").write_text("half of it")
        raise KeyboardInterrupt
    assert not target.exists()
    with _whole(target) as half:
        assert not half.exists()
        half.mkdir()
    assert list(tmp_path.rglob("*")) == [target.parent, target]


def test_a_model_that_knows_is_told_from_one_that_does_not(small_index: Index) -> None:
    questions = asked([question_file(Path(small_index.path).parent, QUESTIONS)], small_index)
    papers = np.asarray(small_index.vectors, dtype=np.float32)
    right = papers[[q.row for q in questions]]
    models = {"opposite": (-right, papers), "knowing": (right, papers)}
    texts = [paper.text() for paper in small_index.papers]
    told = found(questions, models, small_index.lexical, reranker=shipped(), texts=texts)
    assert list(told) == ["opposite", "knowing", "the order of the reranker alone"]
    assert told["knowing"][0] == 1.0 and told["knowing"][1] > 0.9
    assert told["opposite"][1] < told["knowing"][1] - 0.2


def test_what_is_found_is_counted_by_its_place() -> None:
    questions = [Asked("q", "lay", "", row) for row in (0, 5, 9, 20)]
    lists = np.array([range(12), range(12), [9, *range(11)], range(12)])
    assert scored(questions, lists) == pytest.approx((0.75, (1 + 1 / 6 + 1 + 0) / 4))
    with_it_eleventh = np.array([[*range(1, 11), 0]])
    assert scored(questions[:1], with_it_eleventh) == (0.0, 0.0)


def test_the_written_questions_share_no_run_of_words_and_no_paper_with_the_development_set() -> (
    None
):
    data = Path(__file__).resolve().parents[2] / "eval" / "data"
    rows = [
        json.loads(line)
        for name in ("questions_train.jsonl", "questions_written.jsonl")
        for line in (data / name).read_text(encoding="utf-8").splitlines()
    ]
    dev = {json.loads(line)["arxiv_id"] for line in (data / "questions_single_dev.jsonl").open()}
    assert len(rows) > 50_000 and len({row["query_id"] for row in rows}) == len(rows)
    assert not dev & {row["arxiv_id"] for row in rows}
    assert {row["style"] for row in rows} == {"lay", "concept", "short", "specific"}
    held = [json.loads(line) for line in (data / "questions_held.jsonl").open(encoding="utf-8")]
    assert held == [row for row in rows if held_back(row["arxiv_id"])]


def test_what_ships_is_what_the_code_knows() -> None:
    assert load_encoder("astro").encode(["a"]).shape == (1, 384)
    assert load_encoder("astro-fast").encode(["a"]).shape == (1, 384)
