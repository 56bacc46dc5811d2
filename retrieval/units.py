"""Units as astronomers write them: what each measures, and how many of its base unit it is.

Only units of one dimension are compared; factors are those of IAU 2015 Resolutions B2 and B3 and of the
Julian year, to the digits that prose needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_PREFIXES = {
    "": 1.0,
    "E": 1e18,
    "P": 1e15,
    "T": 1e12,
    "G": 1e9,
    "M": 1e6,
    "k": 1e3,
    "c": 1e-2,
    "m": 1e-3,
    "µ": 1e-6,
    "μ": 1e-6,
    "u": 1e-6,
    "n": 1e-9,
}
_PARSEC, _YEAR = 3.0857e16, 3.15576e7
# unit -> dimension, in base units, the prefixes that it is written with
_PREFIXED: dict[str, tuple[str, float, str]] = {
    "pc": ("length", _PARSEC, "kMG"),
    "m": ("length", 1.0, "kcmµμun"),
    "yr": ("time", _YEAR, "kMG"),
    "s": ("time", 1.0, "mµμn"),
    "Hz": ("frequency", 1.0, "kMGT"),
    "eV": ("energy", 1.602e-19, "kMGTPE"),
    "erg": ("energy", 1e-7, ""),
    "J": ("energy", 1.0, ""),
    "W": ("power", 1.0, ""),
    "Jy": ("flux density", 1.0, "kMmµμun"),
    "K": ("temperature", 1.0, "kMm"),
    "G": ("field", 1e-4, "kmµμun"),
    "T": ("field", 1.0, "n"),
    "g": ("mass", 1e-3, "k"),
}
_NAMED: dict[str, tuple[str, float]] = {
    "parsecs? kiloparsecs? megaparsecs? gigaparsecs?": ("length", _PARSEC),
    "au AU astronomical.units?": ("length", 1.495979e11),
    "light.years?": ("length", 9.4607e15),
    "microns? micrometres? micrometers?": ("length", 1e-6),
    "nanometres? nanometers?": ("length", 1e-9),
    "(?:kilo)?met(?:re|er)s?": ("length", 1.0),
    "R_?sun R_⊙ R⊙ solar.radi(?:i|us)": ("length", 6.957e8),
    "R_?jup R_J Jupiter.radi(?:i|us)": ("length", 7.1492e7),
    "R_?earth R_⊕ R⊕ Earth.radi(?:i|us)": ("length", 6.3781e6),
    "years? yrs?": ("time", _YEAR),
    "months?": ("time", _YEAR / 12),
    "weeks?": ("time", 7 * 86400.0),
    "days? d": ("time", 86400.0),
    "hours? hrs? h": ("time", 3600.0),
    "minutes? mins?": ("time", 60.0),
    "seconds? sec": ("time", 1.0),
    "milliseconds?": ("time", 1e-3),
    "M_?sun M_⊙ M⊙ m_?sun solar.mass(?:es)?": ("mass", 1.98841e30),
    "M_?jup M_J Jupiter.mass(?:es)? Jovian.mass(?:es)?": ("mass", 1.89812e27),
    "M_?earth M_⊕ M⊕ Earth.mass(?:es)?": ("mass", 5.9722e24),
    "L_?sun L_⊙ L⊙ solar.luminosit(?:y|ies)": ("power", 3.828e26),
    "% per.cent percent": ("share", 1e-2),
    "ppm parts.per.million": ("share", 1e-6),
    "ppb parts.per.billion": ("share", 1e-9),
    "deg degrees? °": ("angle", 3600.0),
    "arcmin arcminutes?": ("angle", 60.0),
    "arcsec arcseconds?": ("angle", 1.0),
    "mas milliarcsec(?:ond)?s?": ("angle", 1e-3),
    "sigma": ("significance", 1.0),
    "mag magnitudes? magnitude": ("magnitude", 1.0),
    "mmag": ("magnitude", 1e-3),
    "dex": ("dex", 1.0),
}
_SPELT = {"kilo": 1e3, "mega": 1e6, "giga": 1e9}


@dataclass(frozen=True)
class Unit:
    """What a number is of: dimensions with their powers (none where no unit follows), in base units."""

    dimensions: tuple[tuple[str, int], ...]
    factor: float
    written: str


NO_UNIT = Unit((), 1.0, "")
SHARE = Unit((("share", 1),), 1.0, "parts of one")

_PREFIX_PATTERN = "|".join(
    f"[{prefixes}]?{unit}" if prefixes else unit for unit, (_, _, prefixes) in _PREFIXED.items()
)
_NAME_PATTERN = "|".join(
    name.replace(".", "[ -]")
    for names in _NAMED
    for name in sorted(names.split(), key=len, reverse=True)
)
# Longest first is not needed: each must end at the end of a word.
_ONE = rf"(?:{_NAME_PATTERN}|{_PREFIX_PATTERN})(?:(?<=%)|(?<=°)|(?![\w]))"
_UNIT = re.compile(
    rf"(?P<first>{_ONE})(?P<power>\^?-?[1-6](?!\w|\.\d))?(?P<rest>(?:\s?/\s?{_ONE}(?:\^?[1-6](?!\w|\.\d))?|[ .·]{_ONE}\s?\^?-[1-6](?!\w|\.\d)){{0,3}})"
)
_MORE = re.compile(rf"(?P<slash>/)?\s?(?P<unit>{_ONE})\s?\^?(?P<power>-?[1-6])?(?!\w|\.\d)")
_PER = re.compile(
    rf"(?: of [a-z]+)? (?:per|a|each) (?P<unit>{_ONE})"
)  # "740 solar masses of stars per year"
ONE_OF = re.compile(rf"(?<![\w-])(?:an?|one) (?=(?:{_NAME_PATTERN})(?!\w))")  # "a metre", not "a m"
_UP_TO_UNIT = re.compile(
    r"(?:\s?\^?[({]*\+ ?\d[\d.]*[)}]*\s?[_/,;]?\s?[({]*- ?\d[\d.]*[)}]*)?"
    r"(?:\s?(?:±|-|to|and|or|,)\s?[-+]?\d[\d.,]*(?: ?\([a-z]+\.?\))?)*\)?(?: ?x ?10\^? ?\(?-?\d+\)?)?[\s-]?"
)
_SPECTRAL_TYPE = re.compile(r"[KGT][\s-](?:dwarf|giant|subgiant|supergiant|star|type)")


def unit_at(text: str, end: int) -> Unit:
    """The unit of a number that ends at `end` of a prepared text; a range's stands after its last number."""
    at = _UP_TO_UNIT.match(text, end)
    begins = at.end() if at else end
    match = _UNIT.match(text, begins)
    if match is None or _SPECTRAL_TYPE.match(text, begins):
        return NO_UNIT
    per = _PER.match(text, match.end())
    rest = match["rest"] + (f"/{per['unit']}" if per else "")
    return _unit(match["first"], int((match["power"] or "1").lstrip("^")), rest)


@lru_cache(maxsize=1024)
def _unit(first: str, power: int, rest: str) -> Unit:
    dimension, factor = _known(first)
    powers = {dimension: power}
    factor **= power
    for match in _MORE.finditer(rest):
        dimension, more = _known(match["unit"])
        n = int(match["power"] or 1) * (-1 if match["slash"] else 1)
        powers[dimension] = powers.get(dimension, 0) + n
        factor *= more**n
    return Unit(tuple(sorted(powers.items())), factor, f"{first}{rest}".strip())


@lru_cache(maxsize=256)
def _known(unit: str) -> tuple[str, float]:
    """The dimension and the size of a single unit, as `_ONE` matches it."""
    for base, (dimension, size, prefixes) in _PREFIXED.items():
        prefix = unit.removesuffix(base)
        if unit.endswith(base) and (prefix == "" or prefix in prefixes):
            return dimension, size * _PREFIXES[prefix]
    for names, (dimension, size) in _NAMED.items():
        for name in names.split():
            if re.fullmatch(name.replace(".", "[ -]"), unit):
                return dimension, size * _SPELT.get(unit[:4].lower(), 1.0)
    raise KeyError(unit)
