"""Whether a sentence agrees with its evidence on units, names and negations: rules, no model.

What an encoder cannot see: a sentence about the neighbouring planet, in Mpc for kpc, or with a "not"
too few has nearly the vector of the true one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from retrieval.notation import DESIGNATION, folded, is_unit, prepared
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


def is_english(text: str) -> bool:
    """Whether a sentence holds words that only English has; short ones may not."""
    return bool(_ENGLISH.search(text))


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
