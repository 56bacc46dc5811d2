"""Which facilities and methods a paper used, which it only mentions, and the sentences that show it.

A field of the source (ADS's `facility` and `bibgroup`) wins over the words of title and abstract.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
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
    r"|-20\d\d-[A-Z]{3}|\d\d[a-z]{3,}| \d{2,4}(?: ?[b-h])\b|[- ]Oph"
)
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


def detect(paper: Paper) -> Detection:
    """Find the facilities and methods of a paper in its title, abstract and the source's own fields."""
    title, abstract = paper.plain_title, paper.plain_abstract
    text = f"{title}. {abstract}"
    facilities, methods = (table.named(text) for table in (facility_table(), method_table()))
    sentences = _sentences(title, abstract, text) if facilities or methods else []
    found = _judged(facility_table(), facilities, sentences, text) | _of_source(paper)
    of_methods = _judged(method_table(), methods, sentences, text)
    return Detection(_sorted(found.values()), _sorted(of_methods.values()))


def _sentences(title: str, abstract: str, text: str) -> list[_Sentence]:
    """The title and the sentences of the abstract, with their places in `text`."""
    split = split_sentences(abstract)
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


def _judged(
    table: Table, named: Sequence[Named], sentences: Sequence[_Sentence], text: str
) -> dict[str, Evidence]:
    """Each entry named, with the verdict of the sentence that says most for its use."""
    scores: dict[int, list[tuple[float, _Sentence]]] = {}
    starts = [sentence.start for sentence in sentences]
    by_sentence: dict[int, list[Named]] = {}
    for one in named:
        by_sentence.setdefault(bisect_right(starts, one.start) - 1, []).append(one)
    for i, inside in by_sentence.items():
        for one in inside:
            scores.setdefault(one.entry, []).append(
                (_score(table, sentences[i], one, inside, text), sentences[i])
            )
    verdicts = {entry: _verdict(of_entry) for entry, of_entry in scores.items()}
    is_clear = max((score for score, _ in verdicts.values()), default=0.0) >= usage.CLEAR
    least = 0.0 if is_clear or table is method_table() else usage.DOUBTFUL
    return {
        table.entries[entry].name: Evidence(
            table.entries[entry].name, "used" if score > least else "mentioned", sentence
        )
        for entry, (score, sentence) in verdicts.items()
    }


def _verdict(of_entry: Sequence[tuple[float, _Sentence]]) -> tuple[float, str]:
    """The highest score, raised where many sentences name the entry, and the sentence that has it."""
    best, shown = max(of_entry, key=lambda pair: pair[0])
    n_sentences = len({sentence.start for _, sentence in of_entry})
    often = usage.OFTEN if n_sentences > 2 and best > usage.NAME_OF_OBJECT / 2 else 0.0
    return best + often, shown.text


def _score(
    table: Table, sentence: _Sentence, one: Named, inside: Sequence[Named], text: str
) -> float:
    is_object = _DESIGNATION.match(text, one.end)
    if is_object and table.entries[one.entry].name not in _NOT_A_DESIGNATION:
        return usage.NAME_OF_OBJECT
    end = sentence.start + len(sentence.text)
    here = (one.start, one.end)
    others = [(n.start, n.end) for n in inside if (n.start, n.end) != here and n.end <= end]
    marked = usage.marked(text[: max(end, one.end)], here, others, sentence.start)
    place: usage.Place = sentence.place if table is facility_table() else "method"
    return usage.weigh(marked, place)


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
