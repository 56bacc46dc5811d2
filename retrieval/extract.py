"""An answer without a language model: the sentences that answer, quoted from several papers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from indexer.encoder import Encoder
from indexer.records import Paper
from indexer.sentences import split_sentences
from indexer.tokens import tokens
from retrieval.naming import names_one
from retrieval.notation import folded
from retrieval.passages import passages_of
from retrieval.question_type import QuestionType
from retrieval.records import Hit, Sentence
from retrieval.sentence_vectors import sentence_vectors
from retrieval.understood import Understood
from retrieval.verify import Draft, check_sentence

MOST_SENTENCES = 6
MOST_OF_KIND: dict[QuestionType, int] = {"fact": 3, "definition": 4, "summary": 10}
MOST_A_PAPER = 2
MOST_READ = 4  # of a paper whose full text is read
MOST_CANDIDATES = 72  # sentences of abstracts looked at
MOST_ENCODED = 36  # of them, the best by words and paper: encoding is most of an answer's time
MOST_OF_FULL_TEXT = 24  # sentences encoded of each full text
MIN_WORDS, MAX_WORDS = 6, 70
FULL_TEXT_PLACE = 1000  # behind the abstract
REDUNDANCY = 0.35  # weight of the likeness to what is chosen already
WEIGHTS = {"meaning": 0.55, "words": 0.25, "paper": 0.2}
FINDING_BONUS, PREAMBLE_MALUS = 0.06, 0.12
NAMED_BONUS = 0.3  # of a paper that names an object of the question; most sentences lie within 0.3

_FINDING = re.compile(
    r"\b(?:we (?:find|found|show|conclude|demonstrate|detect|infer|measure|report)|results? (?:show|suggest|indicate|imply)"
    r"|suggest(?:s|ing)? that|indicat(?:es|ing) that|impl(?:y|ies|ying)|consistent with|is (?:caused|driven|explained) by|because)\b",
    re.IGNORECASE,
)
_PREAMBLE = re.compile(
    r"^(?:in this (?:paper|work|study|letter|review)|here,? we|this (?:paper|work|letter|review|study)|we (?:present|aim|describe|review|study|use|discuss|propose to|investigate))\b"
    r"|\?$|\b(?:is|are|will be) (?:discussed|presented|publicly available)\b",
    re.IGNORECASE,
)
_DANGLING = re.compile(
    r"^(?:this|these|those|such|it|they|however|moreover|furthermore|also|thus|therefore|hence|both)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Candidate:
    paper: int  # 1-based number in the answer
    place: int  # of the sentence in its abstract, then in its full text
    text: str
    words: frozenset[str]  # its tokens


def extract(
    question: str,
    hits: Sequence[Hit],
    encoder: Encoder,
    *,
    kind: QuestionType = "papers",
    objects: Sequence[Understood] = (),
) -> tuple[Sentence, ...]:
    """Return quoted sentences of `hits` that answer, as many as the kind of question wants.

    Hit i is cited as i + 1. The best paper comes first; where time matters the newest.

    Sentences are chosen by meaning, words in common with the question and their paper's place,
    and against repeating each other; papers that name one of the question's `objects` go first. Each passes the checks that a model's sentences pass.
    """
    candidates = _gather(question, hits)
    if not candidates:
        return ()
    vectors = sentence_vectors([question, *(c.text for c in candidates)], encoder)
    relevance = _relevance(question, candidates, vectors, hits)
    names = [name for item in objects for name in (item.words, *item.names)]
    naming = {n for n, hit in enumerate(hits, 1) if names and names_one(hit.paper, names)}
    relevance += NAMED_BONUS * np.array([c.paper in naming for c in candidates])
    most = MOST_OF_KIND.get(kind, MOST_SENTENCES)
    chosen = _choose(candidates, relevance, vectors[1:], most, hits)
    papers = [hit.paper for hit in hits]
    newest_first = kind == "time-sensitive"
    best_of = {
        c.paper: max(relevance[i] for i in chosen if candidates[i].paper == c.paper)
        for c in (candidates[i] for i in chosen)
    }
    ordered = sorted(
        chosen,
        key=lambda i: (
            -(papers[candidates[i].paper - 1].decimal_year or 0.0) * newest_first,
            -best_of[candidates[i].paper],
            candidates[i].paper,
            candidates[i].place,
        ),
    )
    sentences = []
    previous = 0
    for i in ordered:
        candidate = candidates[i]
        text = _attributed(
            papers[candidate.paper - 1], candidate.text, again=candidate.paper == previous
        )
        quoted = f"“{candidate.text}”"  # it says nothing of its own
        draft = Draft(quoted, (candidate.paper,), ((candidate.paper, candidate.text),))
        sentences.append(replace(check_sentence(draft, papers), text=text))
        previous = candidate.paper
    return tuple(sentences)


def _gather(question: str, hits: Sequence[Hit]) -> list[_Candidate]:
    """The sentences of the papers, in rank order, as many as may be encoded; of full texts the best."""
    found: list[_Candidate] = []
    for n, hit in enumerate(hits, 1):
        if len(found) >= MOST_CANDIDATES:
            break
        for place, text in enumerate(split_sentences(hit.paper.plain_abstract)):
            if MIN_WORDS <= len(text.split()) <= MAX_WORDS:
                found.append(_Candidate(n, place, text, frozenset(tokens(text))))
    found = _best_by_words(question, found[:MOST_CANDIDATES], hits)
    for n, hit in enumerate(hits, 1):
        found += _of_full_text(question, n, hit)
    first = {
        folded(c.text): c for c in reversed(found)
    }  # an abstract's sentence in the full text too
    return [c for c in found if first[folded(c.text)] is c]


def _best_by_words(
    question: str, candidates: Sequence[_Candidate], hits: Sequence[Hit]
) -> list[_Candidate]:
    """The candidates that are worth encoding, in their order."""
    score = _without_meaning(question, candidates, hits)
    best = np.argsort(-score, kind="stable")[:MOST_ENCODED]
    return [candidates[int(i)] for i in sorted(best)]


def _of_full_text(question: str, n: int, hit: Hit) -> list[_Candidate]:
    """The sentences of a full text's passages that share most words with the question, in their order."""
    texts = [
        sentence
        for passage in passages_of(hit.paper)
        for sentence in split_sentences(passage.text)
        if MIN_WORDS <= len(sentence.split()) <= MAX_WORDS and sentence[:1].isupper()
    ]
    if not texts:
        return []
    words = [frozenset(tokens(text)) for text in texts]
    best = np.argsort(-shared_words(question, words), kind="stable")[:MOST_OF_FULL_TEXT]
    return [
        _Candidate(n, FULL_TEXT_PLACE + int(i), texts[int(i)], words[int(i)]) for i in sorted(best)
    ]


def _relevance(
    question: str,
    candidates: Sequence[_Candidate],
    vectors: npt.NDArray[np.float32],
    hits: Sequence[Hit],
) -> npt.NDArray[np.float64]:
    """How well each candidate answers; weights sum to 1 before bonus and malus."""
    cosine: npt.NDArray[np.float64] = np.vecdot(vectors[1:], vectors[0]).astype(np.float64)
    return WEIGHTS["meaning"] * cosine + _without_meaning(question, candidates, hits)


def _without_meaning(
    question: str, candidates: Sequence[_Candidate], hits: Sequence[Hit]
) -> npt.NDArray[np.float64]:
    """What words, papers, bonus and malus add to each candidate's relevance."""
    words = shared_words(question, [candidate.words for candidate in candidates])
    top = max(hit.score for hit in hits) or 1.0
    score = np.empty(len(candidates))
    for i, candidate in enumerate(candidates):
        score[i] = (
            WEIGHTS["words"] * words[i]
            + WEIGHTS["paper"] * hits[candidate.paper - 1].score / top
            + (FINDING_BONUS if _FINDING.search(candidate.text) else 0.0)
            - (PREAMBLE_MALUS if _PREAMBLE.search(candidate.text) else 0.0)
            - (PREAMBLE_MALUS / 2 if _DANGLING.search(candidate.text) else 0.0)
        )
    return score


def shared_words(question: str, texts: Sequence[frozenset[str]]) -> npt.NDArray[np.float64]:
    """The share of the question's words in each text's tokens, rare words counting more, in [0, 1]."""
    asked = set(tokens(question))
    held = [asked & words for words in texts]
    frequency = {word: sum(word in words for words in held) for word in asked}
    weight = {word: np.log(1 + len(texts) / n) for word, n in frequency.items() if n}
    total = sum(weight.values()) or 1.0
    return np.array([sum(weight[word] for word in words) / total for words in held])


def _choose(
    candidates: Sequence[_Candidate],
    relevance: npt.NDArray[np.float64],
    vectors: npt.NDArray[np.float32],
    most: int,
    hits: Sequence[Hit],
) -> list[int]:
    """Maximal marginal relevance (Carbonell & Goldstein 1998), two sentences a paper, more of a full text."""
    chosen: list[int] = []
    open_rows = set(range(len(candidates)))
    while open_rows and len(chosen) < most:
        likeness = vectors @ vectors[chosen].T if chosen else np.zeros((len(candidates), 1))
        gain = relevance - REDUNDANCY * likeness.max(axis=1)
        best = max(sorted(open_rows), key=lambda i: gain[i])
        if chosen and relevance[best] < 0.6 * relevance[chosen[0]]:
            break
        chosen.append(best)
        open_rows.discard(best)
        paper = candidates[best].paper
        most_of_it = MOST_READ if passages_of(hits[paper - 1].paper) else MOST_A_PAPER
        if sum(candidates[i].paper == paper for i in chosen) >= most_of_it:
            open_rows -= {i for i in open_rows if candidates[i].paper == paper}
    return chosen


def _attributed(paper: Paper, quote: str, *, again: bool) -> str:
    """`Riess et al. (2022): “…”`; `The same paper adds: “…”` for a second sentence of it."""
    if again:
        who = "The same paper adds"
    elif paper.authors:
        who = paper.author_label + (f" ({paper.year})" if paper.year is not None else "")
    else:
        who = f"“{paper.plain_title}”"
    return f"{who}: “{quote}”"
