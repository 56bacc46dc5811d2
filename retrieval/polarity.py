"""Whether a sentence denies what its evidence states, or says it the other way round: rules, no model.

Each clause is held against the clause of the evidence that shares most words with it. Every negation,
every opposite (data/opposites.csv) and two sides of a comparison that have changed places turn it round
once; turned an odd number of times it says otherwise.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from indexer import config
from indexer.tokens import tokens
from retrieval.notation import is_unit, prepared

FEWEST_SHARED_WORDS = 2

LEAST_SHARE = 1 / 3  # of a clause's words, that the evidence's clause must have

_CLAUSES = re.compile(
    r"[;:]|, yet\b|,? \b(?:but|while|whereas|which|where|so|although|though|because|since|and)\b|, "
)
_SENTENCE_END = re.compile(r"(?<=[\w)%][.!?]) (?=[A-Z])")
_NO_DENIAL = re.compile(
    r"\b(?:not only|no doubt|no (?:more|less|later|earlier|fewer) than)\b[^,;]*"
)
_NEGATORS = re.compile(
    r"\b(?:not|no|never|neither|none|nothing|without|cannot|hardly|lacks?|lacked|lacking|absent|absence|fail(?:s|ed)?"
    r"|unable|rul(?:e|es|ed|ing) out|exclud(?:e|es|ed|ing)|reject(?:s|ed|ing)?|disfavou?r(?:s|ed)?|unlikely|improbable"
    r"|implausible|devoid of|free of|depart(?:s|ed)?|deviat(?:e|es|ed)|stop(?:s|ped)?|ceas(?:e|es|ed)|undetected)\b|n['’]t\b",
    re.IGNORECASE,
)
_PLAIN_NUMBER = re.compile(r"\d+(?:\.\d+)?$")
_PREFIXES = ("un", "in", "im", "ir", "dis", "mis", "non")
# "more massive" is more of nothing, and "at most", "the Hubble tension", "most of" name no end.
_NO_END = re.compile(
    r"\b(?:more|less|most|least) (?=[a-z-]+(?:ive|ed|ful|ous|ic|al|ant|ent|able|ible|ly|ish|on|en)\b)"
    r"|\bonly (?=[\d])|\bat (?:most|least|first|last|the end)\b|\b(?:more|less) than (?=[\d(])|\b(?:above|below|over|under) (?=[\d(~])"
    r"|\b(?:right|left) (?:to|after|of)\b|\b(?:close|near) (?:to )?(?=[\d])|\blate-type\b|\bearly-type\b|\bdark (?:matter|energy)\b|\bblack hole\b"
    r"|\bredshift\b|\bhot Jupiters?\b|\bred (?:giants?|dwarfs?)\b|\bwhite dwarfs?\b|\bcold dark\b|\bfast radio bursts?\b|\bsolar \w+\b",
    re.IGNORECASE,
)
# What stands between the two sides of a comparison; only comparisons of one kind are held together.
_COMPARES = re.compile(
    r" (?:(?P<more>than|over|versus|exceed(?:s|ed|ing)?)(?: that| those)?(?: of)?|(?P<when>before|after)|(?P<rather>(?:but|and) not|rather than|instead of)) "
)
_SOONER_OR_LATER = re.compile(r"\b(?:earlier|later|sooner|first)\b")
# "more common" is more of it, "more massive" is more massive
_DEGREE = re.compile(
    r"\b(?P<more>more|less) (?P<what>[a-z-]+(?:ive|ed|ful|ous|ic|al|ant|ent|able|ible|ly|ish|on|en))\b"
)
_OF_NUMBER = re.compile(r"frequent|common|numerous|abundant|often|prevalent|plentiful")
_ASIDE = re.compile(
    r"(?:,? (?:but|and|though) not|, (?:without|not)) (?P<what>[\w -]{1,30})(?:,|(?=\.|$))"
)
_BEGINS_WITH_NOT = re.compile(r"^not\b")
_IDLE = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "is",
        "are",
        "was",
        "were",
        "be",
        "it",
        "them",
        "they",
        "ones",
        "one",
        "that",
        "those",
        "this",
        "these",
        "do",
        "does",
        "did",
        "by",
        "as",
        "seen",
    ]
)


@cache
def _opposites() -> tuple[re.Pattern[str], dict[str, tuple[int, int]]]:
    """A pattern of all words of data/opposites.csv, and of each its scale and its end, -1 or 1."""
    ends: dict[str, tuple[int, int]] = {}
    with (config.REPOSITORY / "data" / "opposites.csv").open(
        encoding="utf-8", newline=""
    ) as stream:
        for scale, row in enumerate(csv.DictReader(stream)):
            for end, column in ((-1, "low"), (1, "high")):
                for word in row[column].split(";"):
                    ends.setdefault(word, (scale, end))
    longest_first = sorted(ends, key=len, reverse=True)
    written = "|".join(map(_pattern_of, longest_first))
    return re.compile(rf"(?<![\w-])(?:{written})(?![\w])", re.IGNORECASE), ends


@lru_cache(maxsize=4096)
def _scale_of(word: str) -> tuple[int, int]:
    """The scale and the end of a word that the pattern of `_opposites` has matched."""
    _, ends = _opposites()
    if word in ends:
        return ends[word]
    return ends[max((w for w, pattern in _open_ended() if pattern.fullmatch(word)), key=len)]


@cache
def _open_ended() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The words of data/opposites.csv that go on, `faint*`, each with its pattern."""
    _, ends = _opposites()
    return tuple((word, re.compile(_pattern_of(word))) for word in ends if "*" in word)


def _pattern_of(word: str) -> str:
    return re.escape(word).replace(r"\*", r"\w*")


@dataclass(frozen=True)
class Clause:
    """One clause, read once."""

    text: str

    @cached_property
    def words(self) -> frozenset[str]:
        """Its content words, stemmed, without numbers and units."""
        return frozenset(w for w in self.terms if not _PLAIN_NUMBER.match(w) and not is_unit(w))

    @cached_property
    def terms(self) -> frozenset[str]:
        """Its content words, stemmed, and its numbers."""
        return frozenset(tokens(self.text))

    @cached_property
    def prefixed(self) -> tuple[tuple[str, str], ...]:
        """Its words that may begin with un-, in-, dis- and the like, each with what is left without."""
        return tuple(
            (word, word.removeprefix(prefix))
            for word in re.findall(r"[a-z]{5,}", self.text.casefold())
            for prefix in _PREFIXES
            if word.startswith(prefix)
        )

    @cached_property
    def negations(self) -> int:
        """How many words deny."""
        return len(_NEGATORS.findall(self.text))

    @cached_property
    def ends(self) -> dict[int, dict[str, set[int]]]:
        """Of each scale, the word that each of its words stands before, and at which end: -1 or 1."""
        pattern, _ = _opposites()
        said = re.split(r" (?:rather than|instead of) ", self.text)[0]
        plain = _NO_END.sub(lambda m: "·" * len(m.group()), said)
        found: dict[int, dict[str, set[int]]] = {}
        for match in pattern.finditer(plain):
            scale, end = _scale_of(match.group().lower())
            following = tokens(
                plain[match.end() : match.end() + 30].replace("·", " ").split(",")[0]
            )[:1]
            noun = following[0] if following and re.match(r" \w", plain[match.end() :]) else ""
            found.setdefault(scale, {}).setdefault(noun, set()).add(end)
        for match in _DEGREE.finditer(self.text):
            scale, noun = (0, "") if _OF_NUMBER.match(match["what"]) else (-1, match["what"])
            found.setdefault(scale, {}).setdefault(noun, set()).add(
                1 if match["more"] == "more" else -1
            )
        return found

    @cached_property
    def sides(self) -> tuple[str, frozenset[str], frozenset[str]] | None:
        """A comparison's kind, and what stands before and after it but not on both sides."""
        match = _COMPARES.search(f" {self.text} ")
        if match is None:
            return None
        before, after = (
            frozenset(w[:5].casefold() for w in re.findall(r"\w+", part)) - _IDLE
            for part in (self.text[: match.start()], self.text[match.end() - 1 :])
        )
        kind = str(match.lastgroup)
        if kind == "more" and _SOONER_OR_LATER.search(self.text):
            kind = "when"
        return kind, before - after, after - before


@lru_cache(maxsize=4096)
def _clause(text: str) -> Clause:
    return Clause(text)


def polarity_problems(text: str, quotes: Sequence[str]) -> Iterator[str]:
    """Clauses that deny what the evidence states, or state what it denies, or its opposite."""
    evidence = [clause for quote in quotes for clause in clauses(quote)]
    for clause in clauses(text):
        near = _nearest(clause, evidence)
        if not near:
            continue
        turned = [other for other in near if _turned(clause, other)]
        other = turned[0] if len(turned) == len(near) else _other_end(clause, near[0], evidence)
        if other is not None:
            yield f"the evidence says otherwise: “{other.text}”"


@lru_cache(maxsize=2048)
def clauses(text: str) -> tuple[Clause, ...]:
    """The clauses of sentences; one of fewer than two content words belongs to the one before."""
    return tuple(
        _clause(clause)
        for sentence in _SENTENCE_END.split(_NO_DENIAL.sub(" ", prepared(text)))
        for clause in _clauses_of_one(sentence)
    )


def _clauses_of_one(sentence: str) -> list[str]:
    found: list[str] = []
    for piece in _CLAUSES.split(_ASIDE.sub(_kept_aside, sentence)):
        head, that, tail = _that(piece)
        whole = _NEGATORS.search(head) or not that  # "no sign that": it is the tail that is denied
        for part in [piece] if whole else [head, tail]:
            clause = " ".join(part.split())
            if found and min(len(_clause(clause).words), len(_clause(found[-1]).words)) < 2:
                found[-1] += f" {clause}"
            elif clause:
                found.append(clause)
    return found


def _kept_aside(match: re.Match[str]) -> str:
    """`, without quasars` and `but not in the halo` deny what they name, not the clause before."""
    return match.group() if len(_clause(match["what"].replace(" ones", "")).words) > 1 else ""


def _that(piece: str) -> tuple[str, str, str]:
    """A clause and what it says `that`; in "exceeds that of simulations" it says nothing."""
    match = re.search(r" that (?!of\b|in\b|from\b|is\b|was\b)", piece)
    return (piece[: match.start()], " that ", piece[match.end() :]) if match else (piece, "", "")


def _nearest(clause: Clause, evidence: Sequence[Clause]) -> list[Clause]:
    """The clauses of the evidence that speak of the same, nearest first; several where they are as near."""
    rated = []
    for other in evidence:
        shared = len(clause.words & other.words) + len(_prefixed(clause, other))
        terms = len(clause.terms & other.terms) + shared - len(clause.words & other.words)
        likeness = terms / max(1.0, (len(clause.terms) * len(other.terms)) ** 0.5)
        if shared >= FEWEST_SHARED_WORDS and shared >= LEAST_SHARE * len(clause.words):
            rated.append((likeness, other))
    best = max((likeness for likeness, _ in rated), default=0.0)
    return [other for likeness, other in rated if likeness >= 0.99 * best]


@lru_cache(maxsize=4096)
def _prefixed(first: Clause, second: Clause) -> frozenset[str]:
    """Words of either that are words of the other with un-, in-, dis- and the like before them."""
    return frozenset(
        word
        for a, b in ((first, second), (second, first))
        for word, rest in a.prefixed
        if _stems(rest) & b.words and not _stems(word) & b.words
    )


@lru_cache(maxsize=8192)
def _stems(word: str) -> frozenset[str]:
    return frozenset(tokens(word))


def _turned(clause: Clause, other: Clause) -> bool:
    """Whether one clause says the other's opposite."""
    prefixed = {word for word in _prefixed(clause, other) if not _NEGATORS.fullmatch(word)}
    turns = clause.negations + other.negations + len(prefixed) + _put_aside(clause, other)
    if not prefixed:
        turns += sum(
            _opposed(ends, other.ends[scale])
            for scale, ends in clause.ends.items()
            if scale in other.ends
        )
    return (turns + _changed_places(clause, other)) % 2 == 1


def _opposed(mine: dict[str, set[int]], theirs: dict[str, set[int]]) -> bool:
    """Whether two clauses are at opposite ends of a scale: before the same word, else on the whole."""
    all_mine, all_theirs = set().union(*mine.values()), set().union(*theirs.values())
    if len(all_mine) == 2 and len(all_theirs) == 2:
        return False  # both name both: which is which is for the comparison to say
    shared = [noun for noun in mine if noun and noun in theirs]
    if shared:
        return any(not mine[noun] & theirs[noun] for noun in shared)
    return len(all_mine) == len(all_theirs) == 1 and all_mine != all_theirs


def _put_aside(clause: Clause, other: Clause) -> bool:
    """Whether a clause "not by B" meets "A rather than B": both deny the same."""
    if not _BEGINS_WITH_NOT.match(clause.text) or other.sides is None or other.sides[0] != "rather":
        return False
    return bool(
        clause.words & _clause(" ".join(re.split("rather than|instead of", other.text)[1:])).words
    )


def _changed_places(clause: Clause, other: Clause) -> bool:
    """Whether one says `A is more than B` and the other `B is more than A`, in the same regard."""
    if clause.sides is None or other.sides is None:
        return _about_the_other_side(clause, other) or _about_the_other_side(other, clause)
    kind, before, after = clause.sides
    their_kind, their_before, their_after = other.sides
    forth, back = before & their_after, after & their_before
    if kind != their_kind or not (forth or back):
        return False
    alike = {w[:5] for w in clause.words & other.words} - {w[:5] for w in forth | back}
    if not (alike or _regards(clause) & _regards(other)):
        return False  # "A dominates over B", "B is weaker than A": not to be told by rules
    return bool(forth and back) or not after & their_after


def _regards(clause: Clause) -> set[int]:
    """The scales on which a clause names one end: where it names both, they are what is compared."""
    return {scale for scale, nouns in clause.ends.items() if len(set().union(*nouns.values())) == 1}


def _about_the_other_side(clause: Clause, other: Clause) -> bool:
    """Whether a clause without "than", "B is weaker", is on what stands after the other's "than"."""
    if clause.sides is not None or other.sides is None or other.sides[0] == "rather":
        return False
    if not _regards(clause) & _regards(other):
        return False
    _, before, after = other.sides
    subject = {w[:5].casefold() for w in re.findall(r"\w+", clause.text)[:4]} - _IDLE
    return bool(subject & after) and not subject & before


def _other_end(clause: Clause, near: Clause, evidence: Sequence[Clause]) -> Clause | None:
    """A clause of the evidence with the other end of a scale, where none has the clause's own end."""
    for scale, nouns in clause.ends.items():
        end = set().union(*nouns.values())
        theirs = [
            (other, set().union(*other.ends[scale].values()))
            for other in evidence
            if scale in other.ends
        ]
        if len(end) == 2 or scale in near.ends or any(end & ends for _, ends in theirs):
            continue
        for other, _ in theirs:
            if clause.words & other.words and _turned(clause, other):
                return other
    return None
