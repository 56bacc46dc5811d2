"""Whether a sentence agrees with its evidence on units, names and negations: rules, no model.

What an encoder cannot see: a sentence about the neighbouring planet, in Mpc for kpc, or with a "not"
too few has nearly the vector of the true one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from indexer.tokens import tokens
from retrieval.notation import DESIGNATION, folded, is_unit, measured, prepared
from retrieval.tables import NameTable, facilities, objects

# Words that stand for one another's place, so that having another one is saying another thing.
_CLASSES = {
    "part of a galaxy": "bulge halo disc|disk bar nucleus",
    "waveband": "x-ray radio optical|visible infrared ultraviolet|uv gamma-ray millimetre|millimeter|submillimetre",
    "compact object": "black|holes neutron|stars white|dwarfs",
    "galaxy type": "spirals ellipticals lenticulars irregulars dwarfs",
    "molecule": "water|h2o methane|ch4 ammonia|nh3 phosphine|ph3 co2",
    "element": "carbon oxygen nitrogen iron magnesium helium lithium",
}

_ENGLISH = re.compile(r"\b(?:the|of|and|that|with|is|are|by|from|were|has|have)\b", re.IGNORECASE)
_PROPER = re.compile(r"(?<![\w-])(?=\w*[A-Z])[A-Za-z][\w’']*(?:-\w+)*")
# Capitals that name nothing a paper must hold.
_EVERYDAY = frozenset(
    [
        "sun",
        "solar",
        "earth",
        "galaxy",
        "galactic",
        "universe",
        "milky",
        "way",
        "big",
        "bang",
        "i",
        "we",
        "x-ray",
        "x-rays",
        "h",
        "ii",
        "iii",
        "iv",
    ]
)
_CLAUSES = re.compile(
    r"[;:]|,? \b(?:and|but|while|whereas|which|where|so|although|though|yet|because)\b|, "
)
_SENTENCE_END = re.compile(r"(?<=[\w)%][.!?]) (?=[A-Z])")
_RATHER = re.compile(r"\b(?:rather than|instead of|not only)\b[^,;]*")
_NEGATORS = re.compile(
    r"\b(?:not|no|never|neither|none|nothing|without|cannot|hardly|lacks?|lacked|lacking|absent|absence|fail(?:s|ed)?"
    r"|unable|rul(?:e|es|ed|ing) out|exclud(?:e|es|ed|ing)|depart(?:s|ed)?|deviat(?:e|es|ed)|stop(?:s|ped)?|ceas(?:e|es|ed))\b|n['’]t\b",
    re.IGNORECASE,
)
_PREFIXES = ("un", "in", "im", "ir", "dis", "mis", "non")
# The two ends of one scale: a sentence at one end disagrees with evidence at the other.
_SCALES = tuple(
    (re.compile(rf"\b(?:{low})", re.IGNORECASE), re.compile(rf"\b(?:{high})", re.IGNORECASE))
    for low, high in (
        (
            r"lower|smaller|less\b|fewer|below|decreas|declin|drops?\b|dropped|falls?\b|fell\b|reduc|weaker|weaken",
            r"higher|greater|larger|more\b|above|increas|rises?\b|rose\b|rising|grows?\b|grew\b|enhanc|exceed|stronger",
        ),
        (
            r"suppress|quench|inhibit|prevent|hinder",
            r"trigger|enhanc|promot|boost|vigorously",
        ),
        (r"faint|fade|dim(?:s|m)", r"bright|luminous"),
        (r"young", r"old"),
        (r"poor", r"rich"),
        (r"cool|cold", r"hot|warm"),
        (r"slow", r"fast|rapid|quick"),
        (r"rare|seldom|only\b|few\b", r"common|frequent|often|most of|majority"),
        (
            r"conflict|disagree|contradict|in tension|refut|inconsistent|incompatible",
            r"agree|associat|consistent|compatible|confirm|support",
        ),
        (r"lighter", r"heavier"),
        (r"low\b", r"high\b"),
        (r"before\b", r"after\b"),
        (r"dormant|quiescent|quiet|inactive", r"active|actively"),
        (r"neutral", r"(?:fully )?ionised|(?:fully )?ionized"),
        (r"bottom-heavy", r"top-heavy"),
        (r"aligned", r"misaligned|tilted"),
    )
)


def is_english(text: str) -> bool:
    """Whether a sentence holds words that only English has; short ones may not."""
    return bool(_ENGLISH.search(text))


def unit_problems(text: str, quotes: Sequence[str]) -> Iterator[str]:
    """Numbers that stand in the quotations with another unit; a number without a unit agrees with any."""
    given: dict[str, set[str]] = {}
    for quote in quotes:
        for value, unit, _ in measured(quote):
            given.setdefault(value, set()).add(unit)
    for value, unit, written in measured(text):
        units = given.get(value)
        if unit and units and unit not in units and "" not in units:
            yield f"the evidence has {written} in {' and '.join(sorted(units))}, not in {unit}"


@dataclass(frozen=True)
class _Name:
    """A name in a text: what it is the same as, how it is written, what kind of thing."""

    key: str
    written: str
    kind: str  # object, facility, other, or one of _CLASSES
    forms: tuple[str, ...]  # all that a paper may call it


def name_problems(
    text: str, quotes: Sequence[str], papers: tuple[str, ...], *, english: bool
) -> Iterator[str]:
    """Names that the papers (`title. abstract`) lack, or that stand where the evidence has another.

    The neighbouring planet is in the same abstract: a name is wrong too when the quotations do not
    have it and have one of its kind that the sentence does not have.
    """
    whole = [folded(paper) for paper in papers]
    said = _names(text, papers, english=english)
    told = [name for quote in quotes for name in _names(quote, papers, english=True)]
    heads = [paper.split(". ")[0] for paper in papers]
    titles = {name.key for head in heads for name in _names(head, papers, english=True)}
    known = {name.key for name in told} | titles
    for name in said:
        if name.kind not in _CLASSES and not any(
            stands(form, paper) for form in name.forms for paper in whole
        ):
            if not _abbreviates(name.written, whole):
                yield f"{name.written} is not in the papers it cites"
            continue
        others = [n.written for n in told if n.key not in _keys(said) and _alike(n, name)]
        quoted = any(stands(form, folded(quote)) for form in name.forms for quote in quotes)
        if name.key not in known and not quoted and others:
            yield f"the quoted evidence is about {others[0]}, not {name.written}"


def polarity_problems(text: str, quotes: Sequence[str]) -> Iterator[str]:
    """Clauses that deny what the evidence states, or state what it denies.

    Negations, prefixes (un-, in-) and opposite ends of a scale each turn a clause round; it disagrees
    when it is turned another way than the clause of the evidence that shares most words with it.
    """
    evidence = [clause for quote in quotes for clause in _clauses(quote)]
    for clause in _clauses(text):
        near = _nearest(clause, evidence)
        if near is None:
            continue
        other = near if _turned(clause, near) else _other_end(clause, near, evidence)
        if other:
            yield f"the evidence says otherwise: “{other}”"


def _alike(first: _Name, second: _Name) -> bool:
    """Whether one may stand where the other should: an object never stands for a facility."""
    if first.kind in _CLASSES or second.kind in _CLASSES:
        return first.kind == second.kind
    return {first.kind, second.kind} != {"object", "facility"}


def _keys(names: Sequence[_Name]) -> set[str]:
    return {name.key for name in names}


@lru_cache(maxsize=1024)
def _names(text: str, papers: tuple[str, ...], *, english: bool) -> list[_Name]:
    """Objects, facilities and what else is written with capitals, in `text`."""
    rest = prepared(text)
    found: list[_Name] = []
    tables: tuple[tuple[NameTable, str], ...] = ((objects(), "object"), (facilities(), "facility"))
    for match in list(DESIGNATION.finditer(rest)):
        written = match.group().rstrip(".+-")
        key = re.sub(r"[\W_]", "", folded(written))
        found.append(_Name(key, written, "object", (written,)))
    for table, kind in tables:
        for mention in table.find(rest, case_matters=True):
            names = (mention.words, *mention.entry.names)
            found.append(_Name(mention.entry.name, mention.words, kind, names))
            rest = rest.replace(mention.words, " · ")
    rest = DESIGNATION.sub(" · ", rest)
    if english:
        found += [*_capitalised(rest, papers), *_classed(rest)]
    return list({name.key: name for name in _without_twins(found)}.values())


def _without_twins(found: Sequence[_Name]) -> Iterator[_Name]:
    """A designation that a table knows counts once, by the table's name."""
    entries = {re.sub(r"[\W_]", "", folded(n.written)): n for n in found if len(n.forms) > 1}
    for name in found:
        yield entries.get(name.key, name)


def _classed(text: str) -> Iterator[_Name]:
    """The words of closed classes: a bulge is no halo, radio no X-ray."""
    lower = text.casefold()
    for kind, members in _CLASSES.items():
        for member in members.split():
            # "black|holes" is one name of two words, "disc|disk" two names of one thing
            words = member.split("|")
            two = member.endswith("s") and len(words) == 2
            forms = (" ".join(words).rstrip("s"),) if two else tuple(w.rstrip("s") for w in words)
            for form in forms:
                if re.search(rf"(?<![\w-]){form.replace(' ', '[ -]')}s?\b", lower):
                    yield _Name(f"{kind}: {member}", form, kind, forms)
                    break


def _capitalised(text: str, papers: Sequence[str]) -> Iterator[_Name]:
    joined = " ".join(papers)
    for match in _PROPER.finditer(text):
        word = re.sub(r"['’]s$", "", match.group())
        capitals = sum(c.isupper() for c in word)
        if len(word) < 3 or word.lower() in _EVERYDAY or word.endswith("ian") or is_unit(word):
            continue
        first = not re.search(r"[^\W_]", re.split(r"[.!?:] ", text[: match.start()])[-1])
        if first and capitals < 2 and not _is_proper(word, joined):
            continue
        if not word[0].isupper() and capitals < 2:
            continue
        singular = word[:-1] if capitals >= 2 and word.endswith("s") else word
        yield _Name(singular.casefold(), word, "other", (singular, word))


def _is_proper(word: str, text: str) -> bool:
    """Whether the papers write the word with a capital within a sentence, and never without."""
    return bool(
        re.search(rf"[a-z,] {re.escape(word)}\b", text)
        and not re.search(rf"\b{word.lower()}", text)
    )


def stands(name: str, whole: str) -> bool:
    """Whether a name stands in folded text: M 31 as M31 but not within M310; b and c as planet c."""
    parts = re.findall(r"[^\W\d_]+|\d+", folded(name))
    if not parts:
        return False
    after = r"(?!\d|\.\d)" if parts[-1].isdigit() else r"(?:s|es)?(?![^\W_])"
    between = r"[\s._+*^~=-]*"
    pattern = between.join(parts)
    if len(parts) > 1 and re.fullmatch("[b-h]", parts[-1]) and parts[-2].isdigit():
        pattern = between.join(parts[:-1]) + rf"\s?(?:[b-h],? (?:and )?)*{parts[-1]}"
    return bool(re.search(r"(?<![^\W_])" + pattern + after, whole))


def _abbreviates(word: str, whole: Sequence[str]) -> bool:
    """Whether an acronym's letters begin words that follow each other in the papers."""
    letters = re.sub(r"s$", "", word).casefold()
    if not re.fullmatch(r"[A-Z]{2,6}s?", word):
        return False
    pattern = r"[\w]*[\s-]+(?:of |the |and )?".join(rf"\b{letter}" for letter in letters)
    return any(re.search(pattern, paper) for paper in whole)


def _clauses(text: str) -> list[str]:
    """The clauses of sentences; one of fewer than two content words belongs to the one before."""
    return [
        clause
        for sentence in _SENTENCE_END.split(_RATHER.sub(" ", prepared(text)))
        for clause in _clauses_of_one(sentence)
    ]


def _clauses_of_one(sentence: str) -> list[str]:
    clauses: list[str] = []
    for piece in _CLAUSES.split(sentence):
        head, that, tail = piece.partition(" that ")
        whole = _NEGATORS.search(head) or not that  # "no sign that": it is the tail that is denied
        for part in [piece] if whole else [head, tail]:
            clause = " ".join(part.split())
            if clauses and min(len(_words(clause)), len(_words(clauses[-1]))) < 2:
                clauses[-1] += f" {clause}"
            elif clause:
                clauses.append(clause)
    return clauses


@lru_cache(maxsize=4096)
def _words(clause: str) -> frozenset[str]:
    return frozenset(tokens(clause))


def _nearest(clause: str, evidence: Sequence[str]) -> str | None:
    """The clause of the evidence that speaks of the same, or None."""
    words = _words(clause)
    best, near = 0.0, None
    for other in evidence:
        theirs = _words(other)
        shared = len(words & theirs) + len(_opposites(clause, other))
        likeness = shared / max(1.0, (len(words) * len(theirs)) ** 0.5)
        if shared >= 2 and shared >= len(words) / 3 and likeness > best:
            best, near = likeness, other
    return near


def _opposites(first: str, second: str) -> set[str]:
    """Words of either that are words of the other with un-, in-, dis- and the like before them."""
    return {
        word
        for a, b in ((first, second), (second, first))
        for word in re.findall(r"[a-z]{5,}", a.casefold())
        for prefix in _PREFIXES
        if word.startswith(prefix)
        and _words(word[len(prefix) :]) & _words(b)
        and not _words(word) & _words(b)
    }


def _turned(clause: str, other: str) -> bool:
    turns = len(_NEGATORS.findall(clause)) + len(_NEGATORS.findall(other))
    opposites = _opposites(clause, other)
    turns += len(opposites)
    if not opposites and any(_ends(clause, scale) * _ends(other, scale) < 0 for scale in _SCALES):
        turns += 1 + _reversed(clause, other)
    return turns % 2 == 1


def _other_end(clause: str, near: str, evidence: Sequence[str]) -> str | None:
    """A clause of the evidence with the other end of a scale, where none has the clause's own end."""
    for scale in _SCALES:
        end = _ends(clause, scale)
        ends = [_ends(other, scale) for other in evidence]
        if not end or end in ends or _ends(near, scale):
            continue
        for other, theirs in zip(evidence, ends, strict=True):
            if theirs and _words(clause) & _words(other) and _turned(clause, other):
                return other
    return None


def _ends(clause: str, scale: tuple[re.Pattern[str], re.Pattern[str]]) -> int:
    """-1 and 1 for the two ends of a scale, 0 for none or both."""
    low, high = scale
    return bool(high.search(clause)) - bool(low.search(clause))


def _reversed(clause: str, other: str) -> bool:
    """Whether one says `A is more than B` and the other `B is less than A`."""
    if " than " not in clause or " than " not in other:
        return False
    before, after = (_words(part) for part in clause.split(" than ", 1))
    theirs_before, theirs_after = (_words(part) for part in other.split(" than ", 1))
    same = len(before & theirs_before) + len(after & theirs_after)
    return len(before & theirs_after) + len(after & theirs_before) > same
