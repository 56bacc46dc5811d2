"""Whether a sentence agrees with its evidence on units, names and negations: rules, no model.

What an encoder cannot see: a sentence about the neighbouring planet, in Mpc for kpc, or with a "not"
too few has nearly the vector of the true one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from indexer import config
from indexer.tokens import tokens
from retrieval.notation import DESIGNATION, folded, is_unit, prepared
from retrieval.tables import Mention, NameTable, facilities, kinds, objects

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
# What a name may be besides a member of a closed class (data/kinds.csv, _PATTERNS).
# "Perhaps" is a sentence's first word that only its capital makes a name: it is one if the evidence has another there.
_OPEN = ("object", "facility", "other", "perhaps")
_OBSERVES = re.compile(
    r"(?:['’]s)? (?:spectr|image|map|photometr|data|observation|polarimetr|light curve|astrometr|survey|satellite|flew|saw"
    r"|found|detected|discovered|measured|resolve|show|find|detect|discover|measure)"
)
_PATTERNS = (
    (
        "spectral type",
        re.compile(r"(?<![\w-])[OBAFGKMLTY](?:[\s-]type)? (?:sub|super)?(?:dwarf|giant|star)s?\b"),
    ),
    ("line", re.compile(r"(?<![\w-])(?:H|Ly|Pa|Br)[\s_-]?(?:alpha|beta|gamma|delta)\b")),
    (
        "line",
        re.compile(
            r"\[?\b(?:He|C|N|O|Ne|Mg|Si|S|Ar|Ca|Fe|Na|Al|Ni) ?(?:I{1,3}|IV|VI{0,3}|IX|XI{0,3})\b\]?"
        ),
    ),
)


def is_english(text: str) -> bool:
    """Whether a sentence holds words that only English has; short ones may not."""
    return bool(_ENGLISH.search(text))


@dataclass(frozen=True)
class _Name:
    """A name in a text: what it is the same as, how it is written, what kind of thing."""

    key: str
    written: str
    kind: str  # object, facility, other, or a closed class
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
    yield from _from_another_quotation(text, said, quotes, papers)
    titles = {name.key for head in heads for name in _names(head, papers, english=True)}
    known = {name.key for name in told} | {key for key in titles if not _rivals(key, heads, papers)}
    for name in said:
        if name.kind == "perhaps":
            others = [
                n.written
                for n in told
                if n.key not in _keys(said) and n.kind in ("object", "facility")
            ]
            if others:
                yield f"the quoted evidence is about {others[0]}, not {name.written}"
            continue
        if name.kind in _OPEN and not any(
            stands(form, paper) for form in name.forms for paper in whole
        ):
            if not _abbreviates(name.written, whole):
                yield f"{name.written} is not in the papers it cites"
            continue
        others = [
            n.written
            for n in told
            if n.key not in _keys(said) and _alike(n, name) and not _is_part(n, name)
        ]
        quoted = any(stands(form, folded(quote)) for form in name.forms for quote in quotes)
        if name.key not in known and not quoted and others:
            yield f"the quoted evidence is about {others[0]}, not {name.written}"


def _rivals(key: str, heads: Sequence[str], papers: tuple[str, ...]) -> bool:
    """Whether a title is of this and another object: then it does not say what a quotation is about."""
    for head in heads:
        named = [n for n in _names(head, papers, english=True) if n.kind in ("object", "other")]
        own = [n for n in named if n.key == key]
        if own and len(named) > 1 and re.search(r" (?:and|or|versus|vs) ", head):
            return True
    return False


def _from_another_quotation(
    text: str, said: Sequence[_Name], quotes: Sequence[str], papers: tuple[str, ...]
) -> Iterator[str]:
    """A sentence on one object whose words stand in the quotation on another one, one object in each."""
    objects_said = [name for name in said if name.kind == "object"]
    if len(objects_said) != 1 or len(quotes) < 2:
        return
    words = frozenset(tokens(text)) - frozenset(tokens(objects_said[0].written))
    nearest = max(quotes, key=lambda quote: len(words & frozenset(tokens(quote))))
    others = [
        n
        for n in _names(nearest, papers, english=True)
        if n.kind in ("object", "other")
        and (n.key == objects_said[0].key or n.key not in _keys(said))
    ]
    if len(words & frozenset(tokens(nearest))) < max(2, len(words) / 2) or not others:
        return
    if objects_said[0].key not in _keys(others) and not any(
        stands(f, folded(nearest)) for f in objects_said[0].forms
    ):
        yield f"the quoted evidence is about {others[0].written}, not {objects_said[0].written}"


def _alike(first: _Name, second: _Name) -> bool:
    """Whether one may stand where the other should: an object never stands for a facility."""
    if first.kind not in _OPEN or second.kind not in _OPEN:
        return first.kind == second.kind
    return {first.kind, second.kind} != {"object", "facility"}


def _is_part(first: _Name, second: _Name) -> bool:
    """Whether one is a survey or an instrument of the other."""
    return first.key.startswith(f"{second.key}: ") or second.key.startswith(f"{first.key}: ")


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
        if re.fullmatch(r"[a-ln-z]\d", key):
            continue  # H0, S8: symbols
        found.append(_Name(key, written, "object", (written,)))
    for table, kind in tables:
        for mention in table.find(rest, case_matters=True):
            found.append(_named(mention, kind))
            rest = rest.replace(mention.words, " · ")
    rest = DESIGNATION.sub(" · ", rest)
    if english:
        found += [*_capitalised(rest, papers), *_classed(rest)]
    return list({name.key: name for name in _without_twins(found)}.values())


def _named(mention: Mention, kind: str) -> _Name:
    """An entry of a table as it is named; a survey or instrument that stands among its aliases is its part."""
    entry, words = mention.entry, mention.words
    if kind == "facility" and _is_acronym_of_its_own(words, entry.names):
        return _Name(f"{entry.name}: {folded(words)}", words, kind, (words,))
    return _Name(entry.name, words, kind, (words, *entry.names))


def _is_acronym_of_its_own(word: str, names: Sequence[str]) -> bool:
    """Whether an acronym is no other way to write one of the names: CEERS of JWST, but not XMM of XMM-Newton."""
    if " " in word or sum(c.isupper() for c in word) < 2:
        return False
    own, name = folded(word), folded(names[0])
    others = [other for other in map(folded, names) if name in other and "/" not in other]
    initials = {"".join(part[0] for part in re.findall(r"\w+", other)) for other in others}
    return own not in initials and not any(own in other for other in others) and name not in own


def _without_twins(found: Sequence[_Name]) -> Iterator[_Name]:
    """A designation that a table knows counts once, by the table's name."""
    entries = {re.sub(r"[\W_]", "", folded(n.written)): n for n in found if len(n.forms) > 1}
    for name in found:
        yield entries.get(name.key, name)


def _classed(text: str) -> Iterator[_Name]:
    """What belongs to a closed class: a bulge is no halo, radio no X-ray, carbon dioxide no monoxide."""
    pattern, members = _kinds()
    for match in pattern.finditer(text):
        for kind, forms in members[_member(match.group())]:
            yield _Name(f"{kind}: {forms[0]}", match.group(), kind, forms)
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            written = re.sub(r"[\s_-]|(?<=[a-z])s$", "", match.group()).casefold()
            yield _Name(f"{kind}: {written}", match.group(), kind, (match.group(),))


@cache
def _kinds() -> tuple[re.Pattern[str], dict[str, list[tuple[str, tuple[str, ...]]]]]:
    """A pattern of all members of data/kinds.csv, and of each the kinds that it belongs to."""
    members: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for kind, rows in kinds():
        for forms in rows:
            for form in forms:
                members.setdefault(_member(form), []).append((kind, forms))
    forms_of_all = {form for _, rows in kinds() for forms in rows for form in forms}
    written = "|".join(
        re.escape(form).replace(r"\ ", "[ -]") if form[0].isupper() else _either_case(form)
        for form in sorted(forms_of_all, key=len, reverse=True)
    )
    return re.compile(rf"(?<![\w-])(?:{written})s?(?![\w])(?! ?[IVX]+\b)"), members


def _either_case(form: str) -> str:
    head, tail = form[0], re.escape(form[1:]).replace(r"\ ", "[ -]")
    return f"[{head.upper()}{head}]{tail}"


def _member(written: str) -> str:
    """A member's words without case, hyphens and plural."""
    return re.sub(r"[ -]", "", written.casefold()).removesuffix("s")


def _capitalised(text: str, papers: Sequence[str]) -> Iterator[_Name]:
    joined = " ".join(papers)
    for match in _PROPER.finditer(text):
        word = re.sub(r"['’]s$", "", match.group())
        capitals = sum(c.isupper() for c in word)
        if len(word) < 3 or word.lower() in _EVERYDAY or word.endswith("ian") or is_unit(word):
            continue
        first = not re.search(r"[^\W_]", re.split(r"[.!?:] ", text[: match.start()])[-1])
        kind = "other"
        if first and capitals < 2 and not _is_proper(word, joined):
            if not _OBSERVES.match(text[match.end() :]) or word.lower() in _plain_words():
                continue
            kind = "perhaps"
        if not word[0].isupper() and capitals < 2:
            continue
        singular = word[:-1] if capitals >= 2 and word.endswith("s") else word
        yield _Name(singular.casefold(), word, kind, (singular, word))


@cache
def _plain_words() -> frozenset[str]:
    """Words that the starter corpus writes without a capital: none is a name because it begins a sentence."""
    path = config.REPOSITORY / "data" / "starter.jsonl"
    return frozenset(re.findall(r"(?<![\w-])[a-z]{3,}", path.read_text(encoding="utf-8")))


def _is_proper(word: str, text: str) -> bool:
    """Whether the papers write the word with a capital within a sentence, and never without."""
    return bool(
        re.search(rf"[a-z,] {re.escape(word)}\b", text)
        and not re.search(rf"\b{word.lower()}", text)
    )


def stands(name: str, whole: str) -> bool:
    """Whether a name stands in folded text: M 31 as M31 but not within M310; b and c as planet c."""
    parts = _parts(name)
    return (
        bool(parts)
        and all(part in whole for part in parts)
        and bool(_standing(parts).search(whole))
    )


@lru_cache(maxsize=4096)
def _parts(name: str) -> tuple[str, ...]:
    """The words and numbers of a name, which must be in folded text that holds it."""
    return tuple(re.findall(r"[^\W\d_]+|\d+", folded(name)))


@lru_cache(maxsize=4096)
def _standing(parts: tuple[str, ...]) -> re.Pattern[str]:
    """The pattern that finds a name of these parts in folded text."""
    after = r"(?!\d|\.\d)" if parts[-1].isdigit() else r"(?:s|es)?(?![^\W_])"
    between = r"[\s._+*^~=-]*"
    pattern = between.join(parts)
    if len(parts) > 1 and re.fullmatch("[b-h]", parts[-1]) and parts[-2].isdigit():
        pattern = between.join(parts[:-1]) + rf"\s?(?:[b-h],? (?:and )?)*{parts[-1]}"
    return re.compile(r"(?<![^\W_])" + pattern + after)


def _abbreviates(word: str, whole: Sequence[str]) -> bool:
    """Whether an acronym's letters begin words that follow each other in the papers."""
    letters = re.sub(r"s$", "", word).casefold()
    if not re.fullmatch(r"[A-Z]{2,6}s?", word):
        return False
    pattern = r"[\w]*[\s-]+(?:of |the |and )?".join(rf"\b{letter}" for letter in letters)
    return any(re.search(pattern, paper) for paper in whole)
