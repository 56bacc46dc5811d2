"""Measured values in abstracts: H0, S8, a mass, a distance, with errors and units, as a table by date.

By rules, without a model; each value keeps the words it was read from, so that it can be checked.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from indexer.records import Paper
from indexer.sentences import split_sentences
from retrieval.agreement import stands
from retrieval.notation import folded, measured, prepared
from retrieval.records import SearchResult, Table

DEPTH = 100  # papers of the ranking that are read for values
FEWEST = 2  # values that make a table
OF_THE_UNIVERSE = ("H0", "S8", "sigma8", "Omega_m", "w0")  # there is one, of no object


@dataclass(frozen=True)
class Quantity:
    """Something measured: how questions and papers name it, and its units (empty: none has to follow)."""

    name: str
    pattern: str
    units: tuple[str, ...] = ()
    plausible: tuple[float, float] = (-math.inf, math.inf)
    compound: str = ""  # the whole unit, of which papers are read for the first part


QUANTITIES = (
    Quantity(
        "H0",
        r"H_?0\b|Hubble(?:-Lemaître)? (?:constant|parameter)|expansion rate",
        ("km",),
        (20, 150),
        "km/s/Mpc",
    ),
    Quantity("S8", r"S_?8\b", (), (0.3, 1.5)),
    Quantity("sigma8", r"sigma_?8\b|σ_?8\b", (), (0.3, 1.5)),
    Quantity("Omega_m", r"(?:Omega|Ω)_?m\b|matter density(?: parameter)?", (), (0.01, 1)),
    Quantity("w0", r"w_?0\b", (), (-3, 1)),
    Quantity("mass", r"mass(?:es)?|M_?(?:BH|p|⋆|star|dyn|\*)", ("Msun", "Mearth", "Mjup")),
    Quantity("radius", r"radius|radii|R_?p", ("Rsun", "Rearth", "Rjup", "km")),
    Quantity("distance", r"distances?", ("pc", "kpc", "Mpc", "Gpc", "AU")),
    Quantity("age", r"ages?|old", ("yr", "kyr", "Myr", "Gyr")),
    Quantity("period", r"periods?", ("s", "ms", "min", "hour", "day", "yr")),
    Quantity("temperature", r"temperatures?|T_?eff", ("K", "mK", "keV")),
    Quantity("redshift", r"redshifts?|z =", (), (0, 30)),
    Quantity("spin", r"spins?", (), (-1, 1)),
    Quantity("metallicity", r"metallicity|\[Fe/H\]|\[M/H\]", (), (-9, 1)),
    Quantity("inclination", r"inclinations?", ("deg",)),
    Quantity("velocity dispersion", r"velocity dispersions?", ("km",), compound="km/s"),
)

_NUMBER = r"[-+]?\d+(?:,\d{3})*(?:\.\d+)?"
_ERRORS = (
    r"(?: ?± ?(?P<both>\d+(?:\.\d+)?)"
    r"| ?\^? ?\(?\+ ?(?P<plus>\d+(?:\.\d+)?)\)? ?[_/,]? ?\(?- ?(?P<minus>\d+(?:\.\d+)?)\)?)?"
)
# Between the name and the value only words that lead to it, and no other number.
_LEAD = r"(?P<lead>[^\d.;]{0,50}?)"
_LEADS_TO = re.compile(
    r"(?:[=≈~:]|\b(?:of|is|was|are|at|be|as|yields?|gives?|finds?|measures?|infers?))\s*$"
)
_LIMIT = re.compile(r"[<>≲≳≤≥]|\b(?:below|above|less|more|than|up to|beyond|between|from)\b|\bz\b")
_RANGE = re.compile(r"\s?(?:-|to|and)\s?\d")
_LATEX_DRESS = re.compile(r"\\(?:rm|mathrm|text|textrm|it|mathit|bf|mathbf|,|;|!)\s*|[{}$\\]")
_VALUE = re.compile(rf"(?P<value>(?<![\w.]){_NUMBER}){_ERRORS}")


# Before a value in its sentence: whose it is. "Planck's 67.4" and "compared with" are another work's.
_OTHERS = re.compile(
    r"\bet al\b|\bCollaboration\b|\b(?!It|Let|That|There)[A-Z]\w+['’]s\b|\b(?:Planck|SH0ES|SHOES|WMAP|ACT|SPT|DES|KiDS|HSC) (?:value|result|estimate|measurement)"
    r"|\b(?:compared|relative) (?:to|with)\b|\b(?:tension|agreement|disagreement|conflict|contrast|consistent|inconsistent|discrepan\w+) (?:to|with|between)\b"
    r"|\b(?:literature|previous|previously|earlier|reported by|found by|measured by|published|canonical|commonly|adopt\w*|assum\w+|fiducial|input)\b"
)
_OWN = re.compile(
    r"\b(?:we|our|this (?:work|paper|study|letter)|here)\b|\b(?:yields?|yielding|resulting in)\b",
    re.IGNORECASE,
)


def is_repeated(text: str) -> bool:
    """Whether the words before a value say that it is another work's: the nearer of the two signs decides."""
    own = max((m.end() for m in _OWN.finditer(text)), default=-1)
    others = max((m.end() for m in _OTHERS.finditer(text)), default=-1)
    return others > own


@dataclass(frozen=True)
class Value:
    """One value: `minus` and `plus` are its errors, None where none is given."""

    value: float
    minus: float | None
    plus: float | None
    unit: str
    quote: str  # the sentence it stands in
    repeated: bool = False  # of another work, as its sentence says


def asked_quantity(question: str) -> Quantity | None:
    """The quantity that a question asks for, or None."""
    text = prepared(question)
    for quantity in QUANTITIES:
        if re.search(
            rf"(?<!\w)(?:{quantity.pattern})(?!\w)",
            text,
            re.IGNORECASE if len(quantity.name) > 2 else 0,
        ):
            return quantity
    return None


def values_in(paper: Paper, quantity: Quantity) -> list[Value]:
    """The values of a quantity that an abstract gives, in its order; limits and ranges are left out."""
    found = []
    name = re.compile(
        rf"(?<!\w)(?:{quantity.pattern})(?!\w){_LEAD}{_VALUE.pattern}",
        re.IGNORECASE if len(quantity.name) > 2 else 0,
    )
    if not _may_name(paper.abstract, quantity):
        return []
    for sentence in split_sentences(paper.plain_abstract):
        text = prepared(sentence)
        for match in name.finditer(text):
            value = _value(match, text, quantity, sentence)
            if value is not None:
                found.append(value)
    return found


def _may_name(abstract: str, quantity: Quantity) -> bool:
    """Whether an abstract as it is written could name the quantity: reading its LaTeX takes a hundred times longer."""
    bare = _LATEX_DRESS.sub("", abstract)
    return bool(re.search(quantity.pattern, bare, re.IGNORECASE))


def _value(match: re.Match[str], text: str, quantity: Quantity, sentence: str) -> Value | None:
    if _LIMIT.search(match["lead"]) or _RANGE.match(text, match.end()):
        return None
    numbers = measured(text[match.start("value") :])
    # without a unit, a value must be led to: "S8 from 1,000 deg" is none
    led = bool(quantity.units) or bool(_LEADS_TO.search(match["lead"]))
    if not numbers or not led or numbers[0][1] not in (quantity.units or ("",)):
        return None
    low, high = quantity.plausible
    if not low <= float(numbers[0][0]) <= high:
        return None
    written = float(match["value"].replace(",", ""))
    scale = float(numbers[0][0]) / written if written else 1.0
    minus, plus = match["both"] or match["minus"], match["both"] or match["plus"]
    return Value(
        float(numbers[0][0]),
        None if minus is None else float(minus) * scale,
        None if plus is None else float(plus) * scale,
        numbers[0][1],
        sentence,
        is_repeated(text[: match.start("value")]),
    )


def values_table(question: str, found: SearchResult) -> Table | None:
    """The values that the papers of a ranking give for the quantity asked for, oldest first.

    Where the question names an object, only sentences or titles that name it count. None where no quantity is
    asked for, fewer than two values are found, or it is no quantity of the universe and no object is named: masses
    of whatever the papers are on make no table.
    """
    quantity = asked_quantity(question)
    objects = [item for item in found.understood if item.kind == "object"]
    if quantity is None or not (objects or quantity.name in OF_THE_UNIVERSE):
        return None
    rows = []
    for hit in found.hits:
        for value in values_in(hit.paper, quantity)[:2]:
            near = folded(f"{hit.paper.plain_title} {value.quote}")
            if objects and not any(stands(n, near) for i in objects for n in (i.words, *i.names)):
                continue
            when = hit.paper.decimal_year
            rows.append(
                (
                    round(when, 2) if when is not None else None,
                    hit.paper.author_label,
                    value.value,
                    value.minus,
                    value.plus,
                    quantity.compound or value.unit,
                    "repeated" if value.repeated else "own",
                    hit.paper.id,
                    value.quote,
                )
            )
    if len(rows) < FEWEST:
        return None
    return Table(
        title=f"Values of {quantity.name} in the abstracts of the first {len(found.hits)} papers",
        columns=(
            "date",
            "paper",
            "value",
            "minus",
            "plus",
            "unit",
            "whose",
            "identifier",
            "read from",
        ),
        rows=tuple(sorted(rows, key=lambda row: (row[0] is None, row[0] or 0.0))),
        plot=("date", "value"),
        errors=("minus", "plus"),
    )
