"""Quoted answers under headings. Run: pytest tests/retrieval/test_themes.py"""

from __future__ import annotations

import pytest

from app.answer_parts import paragraphs
from app.show import answer_page
from indexer.records import Paper
from indexer.store import Index, open_index
from indexer.tokens import tokens
from retrieval import ask
from retrieval.records import Answer, Evidence, Hit, ScoreParts, Sentence
from retrieval.rows import answer_row
from retrieval.themes import REST, _reads_well, themed
from tests.papers import build_small_index

QUESTION = "Summarise what is known about young discs."
SUBJECTS = ("water vapour", "planetary embryos", "magnetic braking")
EXTRA = "Young discs are short-lived, and their ages remain hard to measure with any method."


def _rows() -> list[dict[str, object]]:
    said = (
        "This is a study of {} in a new sample of young discs, number {}.",
        "Large data of {} show high values wherever young discs age, as part {} says.",
    )
    rows: list[dict[str, object]] = [
        {
            "arxiv_id": f"24{number:02}.0000{place}",
            "title": f"On {subject}, part {number}",
            "abstract": " ".join(text.format(subject, number) for text in said),
            "authors": [f"Author{place}{number}, A."],
            "date": f"20{20 + number}-01-0{place + 1}",
        }
        for number in range(1, 4)
        for place, subject in enumerate(SUBJECTS)
    ]
    rows.append({"arxiv_id": "2401.00009", "title": "Ages of discs", "abstract": EXTRA})
    return rows


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return open_index(build_small_index(tmp_path_factory.mktemp("discs"), _rows()))


@pytest.fixture(scope="module")
def summary(discs: Index) -> Answer:
    return ask(discs, QUESTION, offline=True, kind="summary", n_papers=9, balance=False)


def test_quotations_stand_under_headings_that_their_papers_write(summary: Answer) -> None:
    themes = list(dict.fromkeys(sentence.theme for sentence in summary.sentences))
    assert set(themes) - {REST} <= {subject.capitalize() for subject in SUBJECTS}
    assert len(set(themes) - {REST}) >= 2
    for sentence in summary.sentences:
        (n,) = sentence.citations
        assert sentence.supported
        assert sentence.theme == REST or sentence.theme.lower() in summary.papers[n - 1].paper.title
    grouped = [sentence.theme for sentence in summary.sentences]
    assert grouped == sorted(grouped, key=themes.index)  # each theme once, in one piece


def test_themes_reach_the_command_line_the_page_and_json(summary: Answer) -> None:
    themes = list(dict.fromkeys(sentence.theme for sentence in summary.sentences))
    shown = answer_page(summary).splitlines()
    page = paragraphs(summary.sentences, summary.papers, by_paper=True)
    assert [line for line in shown if line in themes] == themes
    assert [page.count(f"<h3>{theme}</h3>") for theme in themes] == [1] * len(themes)
    assert [row["theme"] for row in answer_row(summary)["sentences"]] == [
        sentence.theme for sentence in summary.sentences
    ]


def test_the_same_question_has_the_same_themes(discs: Index, summary: Answer) -> None:
    again = ask(discs, QUESTION, offline=True, kind="summary", n_papers=9, balance=False)
    assert again.sentences == summary.sentences


@pytest.mark.parametrize("kind", ["fact", "definition", "time-sensitive"])
def test_answers_that_are_short_or_in_order_of_time_have_no_themes(discs: Index, kind: str) -> None:
    answer = ask(discs, QUESTION, offline=True, kind=kind)
    assert {sentence.theme for sentence in answer.sentences} == {""}


def _hit(n: int, title: str, abstract: str) -> tuple[Hit, Sentence]:
    paper = Paper(title=title, abstract=abstract)
    sentence = Sentence(abstract, (n,), (Evidence(n, abstract, found=True),), supported=True)
    return Hit(paper, -1, n, n, 1.0, ScoreParts(0, 0, 0, 0, 0)), sentence


def test_one_subject_is_not_parted(discs: Index) -> None:
    pairs = [_hit(n, "Young discs and water vapour", "Water vapour is in discs.") for n in range(1, 8)]  # fmt: skip
    hits, sentences = zip(*pairs, strict=True)
    found = range(len(discs.papers))
    assert themed(QUESTION, sentences, hits, discs, found) == list(sentences)


def test_headings_say_more_than_the_question_and_are_no_pieces(discs: Index) -> None:
    titles = [f"On {SUBJECTS[n % 3]}" for n in range(9)]
    pairs = [_hit(n, title, f"{title} evolve quickly.") for n, title in enumerate(titles, 1)]
    hits, sentences = zip(*pairs, strict=True)
    made = themed("What is water vapour?", sentences, hits, discs, range(len(discs.papers)))
    themes = {sentence.theme for sentence in made} - {REST}
    assert themes and not any(set(tokens(theme)) <= set(tokens("water vapour")) for theme in themes)
    assert {sentence.text for sentence in made} == {sentence.text for sentence in sentences}


@pytest.mark.parametrize(
    ("words", "reads"), [("discs around", False), ("gaps within", False), ("water vapour", True)]
)
def test_no_heading_stops_before_its_noun(words: str, reads: bool) -> None:
    assert _reads_well(tuple(tokens(words)), words, ["planets"]) is reads


def test_headings_are_text_and_no_markup() -> None:
    hit, sentence = _hit(1, "T", "Gas is found.")
    marked = Sentence(sentence.text, (1,), sentence.evidence, True, theme="<b>Gas</b>")
    assert "<h3>&lt;b&gt;Gas&lt;/b&gt;</h3>" in paragraphs([marked], [hit], by_paper=True)


def test_an_empty_answer_and_papers_outside_the_index_have_no_themes(discs: Index) -> None:
    assert themed(QUESTION, [], [], discs, []) == []
    pairs = [_hit(n, f"Title {n}", f"Something else {n} is said here.") for n in range(1, 8)]
    hits, sentences = zip(*pairs, strict=True)
    assert themed(QUESTION, sentences, hits, discs, []) == list(sentences)
