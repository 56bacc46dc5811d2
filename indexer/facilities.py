"""Which facilities and methods a paper used, which it only mentions, and the sentences that show it.

A field of the source (ADS's `facility` and `bibgroup`) wins over the words of title and abstract.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from indexer import usage
from indexer.facility_table import Named, Table, facility_table, method_table
from indexer.records import Paper
from indexer.sentences import split_sentences

Status = Literal["used", "mentioned"]

# An object that bears a facility's name is no use of it: Kepler-63, MAXI J1820+070, IRAS 16293-2422.
_DESIGNATION = re.compile(
    r"[ -]?(?:[A-Z]{0,3}[ -]?[JBG]\d{4}|\d{4,5}[+-]\d|BH ?\d|NS ?\d)"
    r"|-(?!(?:19|20)\d\d\b)\d{1,4}(?: ?[ABa-h]{1,2})?\b(?![ -](?:m|cm|GHz|based)\b)"
    r"|-20\d\d-[A-Z]{3}|-\d\d[a-z]{2,3}\b|\d\d[a-z]{3,}| \d{2,4}(?: ?[b-h])\b|[- ]Oph"
)
# Of a paper and of a sentence as long as no real one is: whoever writes it shall not choose how long it takes.
MOST_CHARACTERS = 20_000
REACH = 1_000  # characters on either side of a name that are looked at
MOST_IN_SENTENCE = 8  # times that one name is looked at in one sentence
_NOT_A_DESIGNATION = frozenset(["Gaia", "JWST", "HST"])  # "Gaia BH1" is known by Gaia's data alone


@dataclass(frozen=True)
class Evidence:
    """A facility or method in one paper: whether it was used, and the sentence that shows it."""

    name: str
    status: Status
    sentence: str
    by_source: bool = False  # the source's own field says so


@dataclass(frozen=True)
class Detection:
    """What was found in one paper, by the names of the tables: facilities with their parts, and methods."""

    found: tuple[Evidence, ...] = ()
    methods: tuple[Evidence, ...] = ()

    @property
    def facilities(self) -> tuple[Evidence, ...]:
        """The facilities as lists give them: a part counts for what it belongs to; used ones first."""
        table, whole = facility_table(), dict[str, Evidence]()
        for evidence in self.found:
            entry = table.exact(evidence.name)
            shown = table.reported(entry) if entry else evidence.name
            known = whole.get(shown)
            if known is None or (known.status == "mentioned" and evidence.status == "used"):
                whole[shown] = replace(evidence, name=shown)
        return _sorted(whole.values())

    @property
    def instruments(self) -> tuple[Evidence, ...]:
        """The parts of facilities: instruments and surveys."""
        entries = ((facility_table().exact(one.name), one) for one in self.found)
        return tuple(evidence for entry, evidence in entries if entry and entry.parent)

    @property
    def used(self) -> list[str]:
        """The names of the facilities used."""
        return [one.name for one in self.facilities if one.status == "used"]

    @property
    def mentioned(self) -> list[str]:
        """The names of the facilities that are only mentioned."""
        return [one.name for one in self.facilities if one.status == "mentioned"]

    def uses(self) -> dict[str, bool]:
        """Whether each facility was used, all that it is a part of included."""
        table, uses = facility_table(), dict[str, bool]()
        for evidence in self.found:
            entry = table.exact(evidence.name)
            names = [one.name for one in table.chain(entry)] if entry else [evidence.name]
            for name in names:
                uses[name] = uses.get(name, False) or evidence.status == "used"
        return uses


@dataclass(frozen=True)
class _Sentence:
    text: str
    start: int  # in title and abstract together
    place: usage.Place


@dataclass(frozen=True)
class Sighting:
    """A place where an entry is named: its number, the sentence, and the cues of its use there.

    There are none where the name is a part of an object's name.
    """

    entry: int
    sentence: str
    start: int  # of the sentence
    cues: tuple[str, ...]


def detect(paper: Paper) -> Detection:
    """Find the facilities and methods of a paper in its title, abstract and the source's own fields."""
    text = text_of(paper)
    facilities, methods = (table.named(text) for table in (facility_table(), method_table()))
    sentences = _sentences(paper, text) if facilities or methods else []
    found = of_methods = dict[str, Evidence]()
    if facilities:
        seen = _with_cues_of_paper(_seen(facility_table(), facilities, sentences, text))
        found = _judged(facility_table(), seen, usage.theory(text))
    if methods:
        of_methods = _judged(method_table(), _seen(method_table(), methods, sentences, text), 0.0)
    return Detection(_sorted((found | _of_source(paper)).values()), _sorted(of_methods.values()))


def text_of(paper: Paper) -> str:
    """What detection reads of a paper: title and abstract, up to MOST_CHARACTERS."""
    return f"{paper.plain_title}. {paper.plain_abstract}"[:MOST_CHARACTERS]


def facilities_seen(paper: Paper) -> list[Sighting]:
    """All places where a paper names a facility, with their cues."""
    text = text_of(paper)
    named = facility_table().named(text)
    return _with_cues_of_paper(_seen(facility_table(), named, _sentences(paper, text), text))


def _sentences(paper: Paper, text: str) -> list[_Sentence]:
    """The title and the sentences of the abstract, with their places in `text`."""
    title = paper.plain_title[:MOST_CHARACTERS]
    split = split_sentences(text[len(title) + 2 :])
    own = usage.begins_own_work(split)
    found = [_Sentence(title, 0, "title")]
    at = len(title)
    for i, sentence in enumerate(split):
        start = text.find(sentence, at)
        if (
            start >= 0
        ):  # pieces joined over odd white space are not: the one before holds their names
            found.append(_Sentence(sentence, start, "background" if i < own else "body"))
            at = start + len(sentence)
    return found


def _seen(
    table: Table, named: Sequence[Named], sentences: Sequence[_Sentence], text: str
) -> list[Sighting]:
    starts = [sentence.start for sentence in sentences]
    by_sentence: dict[int, list[Named]] = {}
    for one in named:
        by_sentence.setdefault(bisect_right(starts, one.start) - 1, []).append(one)
    return [
        Sighting(
            one.entry,
            sentences[i].text,
            sentences[i].start,
            _cues(table, sentences[i], one, inside, text),
        )
        for i, inside in by_sentence.items()
        for one in _first_of_each(inside)
    ]


def _first_of_each(inside: Sequence[Named]) -> Iterator[Named]:
    """The names in a sentence, each at most MOST_IN_SENTENCE times."""
    n_seen: Counter[int] = Counter()
    for one in inside:
        n_seen[one.entry] += 1
        if n_seen[one.entry] <= MOST_IN_SENTENCE:
            yield one


def _cues(
    table: Table, sentence: _Sentence, one: Named, inside: Sequence[Named], text: str
) -> tuple[str, ...]:
    is_object = _DESIGNATION.match(text, one.end)
    if is_object and table.entries[one.entry].name not in _NOT_A_DESIGNATION:
        return ()
    begin = max(sentence.start, one.start - REACH)
    end = min(sentence.start + len(sentence.text), one.end + REACH)
    here = (one.start, one.end)
    others = [
        (n.start, n.end)
        for n in inside
        if (n.start, n.end) != here and begin <= n.start and n.end <= end
    ]
    marked = usage.marked(text[: max(end, one.end)], here, others, begin)
    return usage.cues(marked, sentence.place if table is facility_table() else "method")


def _with_cues_of_paper(seen: Sequence[Sighting]) -> list[Sighting]:
    """The sightings with the cues that the whole paper gives: parts of a facility are taken together."""
    table, by_whole = facility_table(), dict[str, list[Sighting]]()
    for one in seen:
        if one.cues:
            by_whole.setdefault(table.reported(table.entries[one.entry]), []).append(one)
    more = {name: _cues_of_paper(of_whole) for name, of_whole in by_whole.items()}
    return [
        replace(one, cues=one.cues + more[table.reported(table.entries[one.entry])])
        if one.cues
        else one
        for one in seen
    ]


def _cues_of_paper(of_whole: Sequence[Sighting]) -> tuple[str, ...]:
    n_sentences = len({one.start for one in of_whole})
    *_, whole = facility_table().chain(facility_table().entries[of_whole[0].entry])
    is_planned = whole.first_year is None
    in_title = any("title" in one.cues for one in of_whole)
    applying = {
        "named twice": n_sentences == 2,
        "named often": n_sentences > 2,
        "planned": is_planned,
        "planned, in the title": is_planned and in_title,
        "called future": any("ahead" in one.cues for one in of_whole),
    }
    return tuple(cue for cue, applies in applying.items() if applies)


def _judged(table: Table, seen: Sequence[Sighting], theory: float) -> dict[str, Evidence]:
    """Each entry seen, with the verdict of the sentence that says most for its use."""
    best: dict[int, tuple[float, Sighting]] = {}
    for one in seen:
        score = usage.weigh(one.cues, theory) if one.cues else usage.NAME_OF_OBJECT
        if one.entry not in best or score > best[one.entry][0]:
            best[one.entry] = (score, one)
    return {
        table.entries[entry].name: Evidence(
            table.entries[entry].name, "used" if score > 0 else "mentioned", one.sentence
        )
        for entry, (score, one) in best.items()
    }


def _of_source(paper: Paper) -> dict[str, Evidence]:
    """What the source's own fields say was used: ADS's `facility` as given, `bibgroup` where known."""
    table, found = facility_table(), {}
    fields = (("facility", paper.facilities), ("bibgroup", paper.bibgroups))
    for field, values in fields:
        for value in values:
            entry = table.get(value) or table.get(re.split(r"[:/(]", value)[0])
            if entry is None and field == "bibgroup":
                continue
            name = entry.name if entry else value.strip()
            found[name] = Evidence(name, "used", f"{field}: {value}", by_source=True)
    return found


def _sorted(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Used first, in the order of the text."""
    return tuple(sorted(evidence, key=lambda one: one.status != "used"))
