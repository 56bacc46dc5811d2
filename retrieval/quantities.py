"""Numbers of a sentence against those of its evidence: value, unit, error, bound and what is counted.

A number agrees with a quoted one that is the same, is it in another unit, or is what it is rounded to.
Number words ("twelve", "half", "tenfold", "two orders of magnitude") count as evidence for a number; in
the sentence they are wrong only where the evidence counts the same thing otherwise.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from indexer.tokens import tokens
from retrieval.notation import DESIGNATION, UNIT_POWER, folded, prepared, reading, spread
from retrieval.units import ONE_OF, SHARE, Unit, unit_at

CONTEXT_WORDS = 5

_CARDINALS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS: dict[str, float] = (
    {word: float(n) for n, word in enumerate(_CARDINALS)}
    | {word: 10.0 * n for n, word in enumerate(_TENS, 2)}
    | {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9}
    | {"once": 1.0, "twice": 2.0, "double": 2.0, "doubled": 2.0, "thrice": 3.0, "triple": 3.0}
)
_SHARES = {"half": 0.5, "third": 1 / 3, "quarter": 0.25, "fifth": 0.2, "tenth": 0.1}
_ONE_WORD = "|".join(sorted(_WORDS, key=len, reverse=True))
_IN_WORDS = re.compile(
    rf"(?<![\w-])(?P<orders>(?:an|{_ONE_WORD}|\d+) orders? of magnitude)"
    rf"|(?<![\w-])(?P<fold>(?:{_ONE_WORD}))(?=-?fold\b)"
    rf"|(?<![\w-])(?P<share>(?:half|(?:an?|one) (?:third|quarter|fifth|tenth)))(?![\w-])"
    rf"|(?<![\w-])(?<!per )(?P<words>(?:{_ONE_WORD})(?:[ -](?:{_ONE_WORD}))*)(?![\w-]|fold)",
    re.IGNORECASE,
)
_TIMES = re.compile(r"^\s?(?:times|fold|-fold|x (?![\d]))|^ orders? of magnitude")
_ONE_IN = re.compile(r"\bone (?:in|out of) (?P<of>[a-z]+|\d+)\b", re.IGNORECASE)
_ERRORS = re.compile(
    r"\s?(?:[±](?P<both> ?\d[\d.]*(?:e-?\d+)?)"
    r"|\^?[({]*\+ ?(?P<plus>\d[\d.]*)[)}]*\s?[_/,;]?\s?[({]*- ?(?P<minus>\d[\d.]*)[)}]*"
    r"|\^?[({]*- ?(?P<minus_first>\d[\d.]*)[)}]*\s?[_/,;]?\s?[({]*\+ ?(?P<plus_second>\d[\d.]*)[)}]*)"
)
_HEDGE = re.compile(
    r"(?:about|some|roughly|around|approximately|nearly|almost|close to|just|over|under|circa|typically|of order|~|order of)\s?(?:an? )?$"
)
_BOUND = re.compile(
    r"(?:(?P<upper>less than|lower than|smaller than|fewer than|below|shorter than|younger than|lighter than|fainter than"
    r"|under|at most|up to|no more than|not more than|not exceed\w*|upper limits? (?:of|on [\w ]{1,30} of)|maximum of|<~?|≲|≤)"
    r"|(?P<lower>more than|greater than|larger than|higher than|above|exceed\w*|longer than|older than|heavier than|brighter than"
    r"|beyond|over|at least|no less than|not less than|lower limits? (?:of|on [\w ]{1,30} of)|minimum of|>~?|≳|≥))"
    r"\s?(?:an? |the |about |some |z ?[=~]? ?)*$",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|no|rule[sd]? out|exclud\w+|reject\w*|without|never)\b", re.IGNORECASE
)
_SPACED = re.compile(r"(?<![\d.,^])\d{1,3}(?: \d{3})+(?![\d.])")
_HALF_OF_RANGE = re.compile(r"^ ?(?:-|–|to|and) ?\d[\d.]* ?x ?10\^? ?\(?(?P<power>-?\d+)")
_POWER_AFTER_ERRORS = re.compile(r"^[)}\s]*x ?10\^? ?\(?(?P<power>-?\d+)")


@dataclass(frozen=True)
class Quantity:
    """One number of a text, as read."""

    values: tuple[float, ...]  # the first as written, others with a power of ten that it may share
    written: str
    unit: Unit
    in_words: bool = False
    share: bool = False  # "half", "a third"
    times: bool = False  # "four times", "tenfold", "a factor of 4"
    hedged: bool = False  # or an error, which is rounded as its value is
    bound: int = 0  # -1 where it is an upper limit, 1 a lower one
    errors: tuple[float, ...] = ()
    before: frozenset[str] = frozenset()  # the stems of the words around it, up to the next number
    after: frozenset[str] = frozenset()


def quantity_problems(text: str, quotes: Sequence[str]) -> Iterator[str]:
    """What the numbers of `text` (bibliographic years taken out) have against the quotations."""
    said = quantities(text)
    told = [quantity for quote in quotes for quantity in quantities(quote)]
    for quantity in said:
        same = [other for other in told if _agree(quantity, other)]
        if not same:
            yield from _missing(quantity, told)
            continue
        of_its_kind = [o for o in told if o.unit.dimensions == quantity.unit.dimensions]
        same = [o for o in same if o in of_its_kind] or same
        if quantity.unit.dimensions and of_its_kind and not any(o.unit.dimensions for o in same):
            yield from _missing(quantity, told)  # 4 per cent is not the 4 of "z = 4"
            continue
        yield from _with_another_unit(quantity, same)
        yield from _with_another_error(quantity, same)
        if quantity.bound and all(other.bound == -quantity.bound for other in same):
            kind = {-1: "upper", 1: "lower"}
            yield f"{quantity.written} is {_a(kind[quantity.bound])} limit, in the evidence {_a(kind[-quantity.bound])} one"
    if not any(
        _bare(text) in _bare(quote) for quote in quotes
    ):  # word for word nothing is exchanged
        yield from _exchanged(said, [quantities(quote) for quote in quotes])


def _bare(text: str) -> str:
    return re.sub(r"\W", "", folded(prepared(text)))


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _missing(quantity: Quantity, told: Sequence[Quantity]) -> Iterator[str]:
    """A number that no quotation has; of words only where the evidence counts the same otherwise."""
    if not quantity.in_words:
        yield f"the number {quantity.written} is not in the quoted evidence"
        return
    for other in told:
        counted = not other.unit.dimensions and quantity.after & other.after
        alike = (quantity.times and other.times) or (quantity.share and other.share)
        if alike or (counted and not quantity.times | other.times):
            yield f"the evidence has {other.written}, not {quantity.written}"
            return


def _with_another_unit(quantity: Quantity, same: Sequence[Quantity]) -> Iterator[str]:
    if not quantity.unit.dimensions:
        return
    for other in same:
        if not other.unit.dimensions or _agree_with_units(quantity, other):
            return
    units = " and ".join(sorted({other.unit.written for other in same}))
    yield f"the evidence has {quantity.written} in {units}, not in {quantity.unit.written}"


def _with_another_error(quantity: Quantity, same: Sequence[Quantity]) -> Iterator[str]:
    given = [other for other in same if other.errors]
    if not quantity.errors or not given:
        return
    for other in given:
        pairs = list(zip(quantity.errors, other.errors, strict=False))
        if all(
            _rounds_to(mine, theirs, least_digits=1) or mine == theirs for mine, theirs in pairs
        ):
            return
        if quantity.unit.dimensions and quantity.unit != other.unit:
            return  # converted: the value says enough
    yield f"the evidence gives {quantity.written} another error"


def _exchanged(said: Sequence[Quantity], told: Sequence[Sequence[Quantity]]) -> Iterator[str]:
    """Two numbers that have changed places: each stands in the words that the evidence has round the other."""
    for quoted in told:
        places = [(q, o) for q in _once(said) for o in _once(quoted) if _agree(q, o)]
        for i, (first, its) in enumerate(places):
            for second, others in places[i + 1 :]:
                if first.values[0] == second.values[0] or its.values[0] == others.values[0]:
                    continue
                if its.unit.dimensions != others.unit.dimensions:
                    continue
                for side in ("before", "after"):
                    mine, yours = _distinct(getattr(first, side), getattr(second, side))
                    here, there = _distinct(getattr(its, side), getattr(others, side))
                    crossed = len(mine & there) + len(yours & here)
                    if crossed >= 2 and not mine & here and not yours & there:
                        yield f"{first.written} and {second.written} have changed places"
                        return


def _once(found: Sequence[Quantity]) -> list[Quantity]:
    """The numbers that a text has once: which of two equal ones stands where cannot be told."""
    times = Counter(quantity.values[0] for quantity in found)
    return [quantity for quantity in found if times[quantity.values[0]] == 1]


def _distinct(
    first: frozenset[str], second: frozenset[str]
) -> tuple[frozenset[str], frozenset[str]]:
    return first - second, second - first


def _agree(quantity: Quantity, other: Quantity) -> bool:
    """Whether a sentence's number is a quoted one, units aside, or the same in another unit."""
    if any(_same(quantity, mine, theirs) for mine in quantity.values for theirs in other.values):
        return True
    return bool(quantity.unit.dimensions) and _agree_with_units(quantity, other)


def _agree_with_units(quantity: Quantity, other: Quantity) -> bool:
    if quantity.unit.dimensions != other.unit.dimensions:
        return False
    factor = other.unit.factor / quantity.unit.factor
    return any(
        _same(quantity, mine, theirs * factor, converted=factor != 1.0)
        for mine in quantity.values
        for theirs in other.values
    )


def _same(quantity: Quantity, mine: float, theirs: float, *, converted: bool = False) -> bool:
    if math.isclose(mine, theirs, rel_tol=1e-6):
        return True
    least = 1 if quantity.hedged else 2
    return _rounds_to(mine, theirs, least_digits=least, converted=converted)


def _rounds_to(mine: float, theirs: float, *, least_digits: int, converted: bool = False) -> bool:
    """Whether `theirs`, which has more digits, is `mine` when it is rounded."""
    if mine == 0 or theirs == 0 or (mine < 0) != (theirs < 0):
        return False
    digits, last = _digits(mine)
    if digits < least_digits or not (converted or _digits(theirs)[0] > digits):
        return False
    return abs(mine - theirs) <= 0.5000001 * 10.0**last


@lru_cache(maxsize=4096)
def _digits(value: float) -> tuple[int, int]:
    """Significant digits of a number, and the power of ten of the last one."""
    mantissa, exponent = f"{abs(value):.8e}".split("e")
    digits = mantissa.replace(".", "").rstrip("0") or "0"
    return len(digits), int(exponent) - len(digits) + 1


@lru_cache(maxsize=1024)
def quantities(text: str) -> tuple[Quantity, ...]:
    """The numbers of a text; digits of designations and powers of units are none."""
    rest = DESIGNATION.sub(lambda m: " " * len(m.group()), prepared(text))
    rest = _SPACED.sub(lambda m: m.group().replace(" ", ","), spread(rest))
    whole = UNIT_POWER.sub(lambda m: re.sub(r"[\d^-]", " ", m.group()), rest)
    found = [(match.start(), match.end(), value, False) for match, value in reading(whole)]
    taken = [(start, end) for start, end, _, _ in found]
    for match in _IN_WORDS.finditer(whole):
        if match.group().lower() == "one":
            continue  # "a hot one and a cool one" counts nothing
        if not any(start < match.end() and match.start() < end for start, end in taken):
            found += [(match.start(), match.end(), value, True) for value in _from_words(match)[:1]]
    found += [(m.start(), m.end() - 1, 1.0, True) for m in ONE_OF.finditer(whole)]
    found.sort()
    return tuple(
        _quantity(
            rest,
            found[i - 1][1] if i else 0,
            item,
            found[i + 1][0] if i + 1 < len(found) else len(rest),
        )
        for i, item in enumerate(found)
    )


def _quantity(text: str, begins: int, item: tuple[int, int, float, bool], ends: int) -> Quantity:
    start, end, value, in_words = item
    before, after = text[begins:start], text[end:ends]
    head, tail = text[max(0, start - 40) : start], text[end : end + 60]
    written = text[start:end].strip()
    bound = _BOUND.search(head)
    direction = (1 if bound["lower"] else -1) if bound and not _DENIED.search(head) else 0
    is_error = head.rstrip().endswith(("/", "±", "+", "_", "/-", "+-"))
    share = in_words and written.lower().split()[-1] in _SHARES
    return Quantity(
        values=(value,)
        if share
        else (
            value,
            *_scaled(value, written, tail, error=is_error),
        ),
        written=written,
        unit=SHARE if share else unit_at(text, end),
        in_words=in_words,
        share=share,
        times=bool(_TIMES.match(tail) or re.search(r"factors? of (?:about |~ ?)?$", head))
        or written.lower() in ("twice", "thrice", "double", "triple"),
        hedged=is_error or bool(_HEDGE.search(head)),
        bound=direction,
        errors=_errors(tail),
        before=frozenset(
            tokens(" ".join(re.split(r"[.;:] ", before)[-1].split()[-CONTEXT_WORDS:]))
        ),
        after=frozenset(tokens(" ".join(re.split(r"[.;:,] ", after)[0].split()[:CONTEXT_WORDS]))),
    )


def _scaled(value: float, written: str, tail: str, *, error: bool) -> Iterator[float]:
    """The value with the power of ten after a range or errors that it may share."""
    if shared := re.search(r" x 10\^? ?\(?(-?\d+)\)?$", written) if error else None:
        yield value / 10.0 ** int(shared[1])
    match = _HALF_OF_RANGE.match(tail)
    errors = _ERRORS.match(tail)
    if match is None and errors is not None:
        match = _POWER_AFTER_ERRORS.match(tail[errors.end() :])
    if match is None:
        match = re.match(r"^[\d.,/ )(+-]{1,12}x ?10\^? ?\(?(?P<power>-?\d+)", tail)
    if match and abs(int(match["power"])) < 300:
        yield value * 10.0 ** int(match["power"])


def _errors(tail: str) -> tuple[float, ...]:
    found: list[float] = []
    while match := _ERRORS.match(tail):
        written = (
            [match["both"]]
            if match["both"]
            else [match["plus"] or match["plus_second"], match["minus"] or match["minus_first"]]
        )
        try:
            found += [float(error.strip(" .")) for error in written]
        except ValueError:
            return ()
        tail = re.sub(r"^ ?\([a-z]+\.?\)", "", tail[match.end() :])
    return tuple(found)


def _from_words(match: re.Match[str]) -> list[float]:
    if match["orders"]:
        first = match["orders"].split()[0].lower()
        n = 1.0 if first == "an" else _WORDS.get(first) or float(first) if first != "zero" else 0.0
        return [10.0 ** min(n, 300.0)]
    if match["share"]:
        return [_SHARES[match["share"].split()[-1].lower()]]
    total = group = 0.0
    for word in re.split(r"[ -]", (match["fold"] or match["words"]).lower()):
        value = _WORDS[word]
        if value >= 1e3:
            total, group = total + (group or 1.0) * value, 0.0
        elif value == 1e2:
            group = (group or 1.0) * value
        else:
            group += value
    return [total + group]
