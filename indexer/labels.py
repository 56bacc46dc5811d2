"""The words on the map: terms that the papers of a cluster hold and others do not.

Class-based TF-IDF (Grootendorst 2022, BERTopic) of one to three adjacent words, counted once a paper so that
one paper's favourite word does not name its cluster, and written as the papers write them.
"""

from __future__ import annotations

import copy
import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import sparse

from indexer.lexical import LexicalIndex
from indexer.tokens import tokens

Term = tuple[int, ...]  # numbers of one to three adjacent words of the lexical index

TERMS = 3  # of a label
SPARE_TERMS = 3  # beyond those, for terms that are never written without other words between
SAMPLE = 20_000  # papers whose words are counted
LEAST_PAPERS = 3  # of a cluster that hold a term, and
LEAST_SHARE = 0.08  # the share of them that do
CANDIDATES = 60  # best terms of a cluster, of which those that repeat others are left out
LENGTH_BONUS = (1.0, 1.5, 1.8)  # two words say more than one
FRAGMENT_SHARE = (
    0.6  # of a term's papers that hold the same longer term: then it is a piece of that
)
SPELLING_PAPERS = 3_000  # papers read to see how terms are written
_NUMBER = re.compile(r"\d")
_JOINING = frozenset(["of", "the", "and"])
_PARTS = ".,;:?!)"
_PUNCTUATION = "“”‘’\"'()[]{}<>.,;:!?"
_EMPTY_WORDS = frozenset(
    [
        "new", "larg", "small", "high", "low", "observ", "model", "data", "analysi", "method", "sampl", "system",
        "sourc", "object", "properti", "effect", "measur", "differ", "first", "two", "three", "one", "well", "good",
        "possibl", "recent", "signific", "consist", "compar", "obtain", "provid", "suggest", "deriv", "determin",
        "studi", "investig", "report", "detect", "discuss", "perform", "includ", "work", "approach", "due", "howev",
        "addit", "respect", "function", "rang", "valu", "order", "total", "number", "time", "case", "allow", "given",
        "follow", "make", "known", "like", "form", "mean", "present", "consid", "indic", "expect", "exist", "explor",
        "demonstr", "propos", "develop", "estim", "increas", "decreas", "correl", "relat", "depend", "lead", "produc",
        "requir", "support", "general", "specif", "import", "relev", "play", "role", "understand", "origin", "natur",
        "predict", "constrain", "constraint", "explain", "reveal", "identifi", "confirm", "improv", "test", "look", "part",
    ]
)  # fmt: skip


class TermCounts:
    """Which sampled paper holds which word, or which two or three adjacent words."""

    def __init__(self, lexical: LexicalIndex, rows: npt.NDArray[np.int64]) -> None:
        self.rows = rows
        self._words = lexical.words
        self._size = len(self._words)
        documents = [lexical.document(int(row)).astype(np.int64) for row in rows]
        self.matrix, self._codes = self._counted(documents)  # (n_rows, n_terms) 0 or 1
        self.lengths = 1 + np.searchsorted(self._starts, self._codes, side="right")
        self.whole = self._whole()

    @property
    def _starts(self) -> tuple[int, int]:
        """The first code of pairs and of triples: word a is a, (a, b) is s + a s + b, and so on."""
        return self._size, self._size + self._size**2

    def term(self, column: int) -> Term:
        """The word numbers of a term."""
        code, size, length = int(self._codes[column]), self._size, int(self.lengths[column])
        code -= (0, *self._starts)[length - 1]
        return tuple(code // size**place % size for place in reversed(range(length)))

    def words(self, term: Term) -> tuple[str, ...]:
        """The words of a term, stemmed as the lexical index has them."""
        return tuple(self._words[number] for number in term)

    @property
    def columns(self) -> dict[tuple[str, ...], int]:
        """The column of each term by its stemmed words."""
        return {self.words(self.term(c)): c for c in range(self.matrix.shape[1])}

    @property
    def bonus(self) -> npt.NDArray[np.floating]:
        """What each term's score is multiplied by: for its length, and 0 where it is a piece of a longer one."""
        return np.array(LENGTH_BONUS)[self.lengths - 1] * self.whole

    def of(self, kept: npt.NDArray[np.bool_]) -> TermCounts:
        """The counts of some of the papers, `(n_rows,)` bool."""
        part = copy.copy(self)
        part.rows, part.matrix = self.rows[kept], self.matrix[kept]
        return part

    def held_by(self, kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.floating]:
        """How many of some papers, `(n_rows,)` bool, hold each term, `(n_terms,)`."""
        return np.asarray(self.matrix[kept].sum(axis=0)).ravel()

    def holding(self, terms: Sequence[Term]) -> npt.NDArray[np.bool_]:
        """Which papers hold which of the terms, `(n_rows, len(terms))`."""
        size = self._size
        codes = [
            (0, *self._starts)[len(term) - 1] + sum(n * size**p for p, n in enumerate(term[::-1]))
            for term in terms
        ]
        return self.matrix[:, np.searchsorted(self._codes, codes)].toarray() > 0

    def _counted(
        self, documents: Sequence[npt.NDArray[np.int64]]
    ) -> tuple[sparse.csc_matrix, npt.NDArray[np.int64]]:
        size, (pairs_from, triples_from) = self._size, self._starts
        owner = np.repeat(np.arange(len(documents)), [len(d) for d in documents])
        flat = np.concatenate([*documents, np.zeros(0, np.int64)])
        one = self._plain_words(flat)[flat]
        two = one[:-1] & one[1:] & (owner[:-1] == owner[1:])
        three = two[:-1] & two[1:]
        pairs = flat[:-1] * size + flat[1:]
        triples = pairs[:-1] * size + flat[2:]
        codes = np.concatenate([flat[one], pairs_from + pairs[two], triples_from + triples[three]])
        owners = np.concatenate([owner[one], owner[:-1][two], owner[:-2][three]])
        terms, columns = np.unique(codes, return_inverse=True)
        shape = (len(documents), len(terms))
        matrix = sparse.csc_matrix((np.ones(len(columns), np.float32), (owners, columns)), shape)
        matrix.data[:] = 1.0
        held = np.diff(matrix.indptr) >= LEAST_PAPERS
        return matrix[:, held], terms[held]

    def _whole(self) -> npt.NDArray[np.bool_]:
        """Which terms stand alone: "event horizon" does not where a telescope follows most times."""
        held = np.diff(self.matrix.indptr)
        longest = np.zeros(len(held))
        size, (pairs_from, triples_from) = self._size, self._starts
        for length, start, shorter_from in ((2, pairs_from, 0), (3, triples_from, pairs_from)):
            at = np.flatnonzero(self.lengths == length)
            code = self._codes[at] - start
            for part in (code // size, code % size ** (length - 1)):
                place = np.searchsorted(self._codes, part + shorter_from)
                place = np.minimum(place, len(self._codes) - 1)
                same = self._codes[place] == part + shorter_from
                np.maximum.at(longest, place[same], held[at[same]])
        return longest < FRAGMENT_SHARE * held

    def _plain_words(self, used: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which of the used words may stand in a label: no bare numbers, nothing that fits any paper."""
        plain = np.zeros(self._size, dtype=np.bool_)
        for number in np.unique(used):
            word = self._words[number]
            plain[number] = len(word) > 1 and not word.isdigit() and word not in _EMPTY_WORDS
            if plain[number] and _NUMBER.search(word) and len(word) < 3:
                plain[number] = False
        return plain


def sampled(
    clusters: npt.NDArray[np.int32], *, seed: int, most: int = SAMPLE
) -> npt.NDArray[np.int64]:
    """Rows of papers to count words in, ascending: of each finest cluster the same share, a few at least."""
    finest = clusters[:, -1]
    order = np.random.default_rng(seed).permutation(len(finest))
    order = order[finest[order] >= 0]
    if len(order) <= most:
        return np.sort(order)
    by_cluster = order[np.argsort(finest[order], kind="stable")]
    counts = np.bincount(finest[order])
    place = np.arange(len(by_cluster)) - np.repeat(np.cumsum(counts) - counts, counts)
    wanted = np.maximum(counts * most / len(order), 20)
    return np.sort(by_cluster[place < wanted[finest[by_cluster]]])


def distinctive(
    counts: TermCounts,
    labels: npt.NDArray[np.int32],
    n_clusters: int,
    leave_out: Sequence[set[Term]],
    *,
    most: int = TERMS + SPARE_TERMS,
) -> list[list[Term]]:
    """The most distinctive terms of each cluster, best first, at most `most`.

    `labels` `(n_rows,)` are the clusters of the counted papers; `leave_out` are each cluster's terms that the
    level above has used. Score of term t in cluster c: p(t|c) log(p(t|c) / p(t)), with p the share of papers
    that hold t, times a bonus for length: class-based TF-IDF on shares of papers.
    """
    member = sparse.csr_matrix(
        (np.ones(len(labels), np.float32), (labels, np.arange(len(labels)))),
        shape=(n_clusters, len(labels)),
    )
    sizes = np.maximum(np.asarray(member.sum(axis=1)).ravel(), 1.0)
    held = (member @ counts.matrix).tocsr()
    everywhere = np.asarray(held.sum(axis=0)).ravel() / len(labels)
    bonus = counts.bonus
    return [
        _best_terms(counts, held[c], sizes[c], everywhere, bonus, leave_out[c])[:most]
        for c in range(n_clusters)
    ]


def worth(
    share: npt.NDArray[np.floating],
    everywhere: npt.NDArray[np.floating],
    bonus: npt.NDArray[np.floating],
) -> npt.NDArray[np.floating]:
    """Class-based TF-IDF of terms that `share` of a class's papers hold and `everywhere` of all."""
    return share * np.log(np.maximum(share / everywhere, 1.0)) * bonus


def _best_terms(
    counts: TermCounts,
    held: sparse.csr_matrix,
    size: float,
    everywhere: npt.NDArray[np.floating],
    bonus: npt.NDArray[np.floating],
    leave_out: set[Term],
) -> list[Term]:
    share = held.data / size
    enough = held.data >= min(max(LEAST_PAPERS, LEAST_SHARE * size), size)
    columns, share = held.indices[enough], share[enough]
    score = worth(share, everywhere[columns], bonus[columns])
    best = columns[np.lexsort((columns, -score))[:CANDIDATES]]
    chosen: list[Term] = []
    used: set[int] = set()
    known_words = {word for term in leave_out for word in term}
    for column in best:
        term = counts.term(int(column))
        if term in leave_out or (len(term) == 1 and term[0] in known_words) or used & set(term):
            continue
        chosen.append(term)
        used |= set(term)
    return chosen


def spellings(counts: TermCounts, wanted: Iterable[Term], texts: Iterable[str]) -> dict[Term, str]:
    """How the papers write each term: its most frequent form in `texts`; absent where none holds it."""
    words = {term: counts.words(term) for term in wanted}
    by_words = {stems: term for term, stems in words.items()}
    seen: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for text in texts:
        for stems, form in forms(text, by_words):
            seen[stems][form] += 1
    return {term: usual(seen[stems]) for term, stems in words.items() if stems in seen}


def forms(text: str, wanted: Container[tuple[str, ...]]) -> Iterator[tuple[tuple[str, ...], str]]:
    """One to three adjacent words of a text whose stems are `wanted`: their stems, and how they are written there.

    "of" and the like between them are kept ("equation of state"); other stop words and commas part them.
    """
    ends: list[
        tuple[tuple[str, ...], int]
    ] = []  # stems up to the word before, and where they begin
    raw = text.split()
    for place, word in enumerate(raw):
        stems = _stems(word)
        if word[:1] in "([{":
            ends = []
        if stems:
            begun = [(stems, place)] + [(before + stems, start) for before, start in ends]
            ends = [(found, start) for found, start in begun if len(found) <= 3]
            for found, start in ends:
                if found in wanted:
                    yield found, " ".join(raw[start : place + 1]).strip(_PUNCTUATION)
        if word[-1:] in _PARTS or not (stems or word in _JOINING):
            ends = []


@lru_cache(maxsize=50_000)
def _stems(word: str) -> tuple[str, ...]:
    return tuple(tokens(word))


def usual(written: Counter[str]) -> str:
    """The most frequent form; capitals only where most write them."""
    folded: Counter[str] = Counter()
    for form, n in written.items():
        folded[form.lower()] += n
    best = max(folded, key=lambda form: (folded[form], form))
    same = {form: n for form, n in written.items() if form.lower() == best}
    return max(same, key=lambda form: (same[form], form))
