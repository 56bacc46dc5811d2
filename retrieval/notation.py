"""Numbers, signs and designations of a text in one notation, so that two texts can be compared.

Quotations, numbers and units of a sentence are compared with those of its evidence in this notation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

from indexer.clean import plain_text

_SUPERSCRIPT = re.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_PLUS_MINUS = re.compile(r"\+/-|\+-")
_DASHES = re.compile(r"--+|[‐‑‒–—−]")
_SIGNS = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'", "∼": "~", "≈": "~", "≃": "~", "⊙": "sun", "×": " x "}
    | dict(zip("αβγδεζηθλμνξπρσςτφχψω", (
        "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "lambda", "mu", "nu", "xi", "pi",
        "rho", "sigma", "sigma", "tau", "phi", "chi", "psi", "omega"), strict=True))
)  # fmt: skip
# A dash is a sign only where nothing stands before it: 2.5-7.7 is a range, 10^-3 and =-3 are not.
SIGN = r"(?<![\w)\]%.])-"
_NUMBER = re.compile(
    rf"(?P<sign>{SIGN})?(?<![\w.^])"
    r"(?:10\^ ?\(?(?P<power>[+-]?\d+)"
    r"|(?P<digits>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)"
    r"(?:e(?P<exponent>[+-]?\d+)(?!\w)| ?x ?10(?=[\^+-])\^? ?\(?(?P<times>[+-]?\d+))?"
    r"(?: (?P<scale>thousand|million|billion|trillion)\b)?)",
    re.IGNORECASE,
)
_COMMON_POWER = re.compile(
    r"\((?P<numbers>\d+(?:\.\d+)?(?: ?(?:±|-|to) ?\d+(?:\.\d+)?)+)\) ?x ?10\^? ?\(?(?P<power>[+-]?\d+)\)?"
)
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
NUMBER_WORDS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
]  # fmt: skip
UNIT_POWER = re.compile(
    r"\b(?:[kMG]?pc|[kcmnµ]?m|[kMG]?yr|erg|arcsec|arcmin|deg|sr|[kMG]?Hz|[kMG]?eV|[mµ]?Jy|dex|mag|[sghdKWJ])\s?\^?-[1-6]\b"
)
# Digits that name something: M31, GW170817, K2-18b, HD 189733, SN 2023ixf, 3C 273, Abell 370.
DESIGNATION = re.compile(
    r"\b(?:(?:[A-Z][A-Za-z]*-?|[a-z]{1,2})\d[\w.+-]*|[A-Z]{2,}[ -][A-Z]?\d[\w.+-]*"
    r"|(?:Abell|Arp|Mrk|Gliese|Kepler|M) \d[\w.+-]*|[A-Z][a-z]+ (?:[A-Z]{1,2})-?\d[\w.+-]*|\dC ?\d+(?:\.\d+)?)"
    r"(?:(?<=\d) [b-h](?![\w.=]))?"
)


def numbers_in(text: str) -> set[str]:
    """The numbers of a text, in one notation; digits that belong to designations are not numbers."""
    return {value for value, _ in numbers(DESIGNATION.sub(" ", prepared(text)))}


@lru_cache(maxsize=1024)
def folded(text: str) -> str:
    """Text in the form that quotations are compared in: LaTeX, case, dashes and white space folded."""
    return " ".join(prepared(text).casefold().translate(_SIGNS).split())


@lru_cache(maxsize=1024)
def prepared(text: str) -> str:
    """Plain text with one notation for signs, dashes and powers; case is kept."""
    plain = _SUPERSCRIPT.sub(lambda m: "^" + m.group(), plain_text(text))
    plain = unicodedata.normalize("NFKC", plain.translate(_SIGNS))
    return " ".join(_PLUS_MINUS.sub(" ± ", _DASHES.sub("-", plain)).split())


def numbers(prepared: str) -> list[tuple[str, str]]:
    """Each number of a prepared text: its value in one notation, and as it is written."""
    return [
        (_value(m), m.group().strip())
        for m in _NUMBER.finditer(spread(UNIT_POWER.sub(" ", prepared)))
    ]


def reading(text: str) -> Iterator[tuple[re.Match[str], float]]:
    """Each number of a prepared text without designations: where it stands, and its value."""
    for match in _NUMBER.finditer(text):
        yield match, float(_value(match))


def spread(prepared: str) -> str:
    """`(3.8 ± 0.2) x 10^7` with the power of ten at each of its numbers."""
    return _COMMON_POWER.sub(
        lambda m: re.sub(r"\d+(?:\.\d+)?", rf"\g<0> x 10^{m['power']}", m["numbers"]), prepared
    )


def _value(match: re.Match[str]) -> str:
    if match["power"] is not None:
        value = Decimal(1).scaleb(_bounded(match["power"]))
    else:
        power = _bounded(match["exponent"] or match["times"] or "0")
        power += _SCALES.get((match["scale"] or "").lower(), 0)
        value = Decimal(match["digits"].replace(",", "")).scaleb(power)
    value = value.normalize()
    if match["sign"]:
        value = -value
    return f"{value:f}" if -9 < value.adjusted() < 16 else str(value)


def _bounded(exponent: str) -> int:
    """An exponent that Decimal can hold, whatever a model writes."""
    return max(-9999, min(9999, int(exponent[:8])))


def measured(text: str) -> list[tuple[str, str, str]]:
    """Each number of a text with its unit: value, unit (empty where none follows), as written.

    The unit is the first of a compound one, `km` of `km/s/Mpc`; a range's or an error's unit is that
    after its last number.
    """
    rest = spread(DESIGNATION.sub(lambda m: " " * len(m.group()), prepared(text)))
    found = []
    for match in _NUMBER.finditer(rest):
        after = _UNIT_AFTER.match(rest, match.end())
        unit = _UNIT_NAMES.get(after["unit"].lower(), after["unit"]) if after else ""
        found.append((_value(match), unit, match.group().strip()))
    return found


def is_unit(word: str) -> bool:
    """Whether a word is a unit and so no name: Msun, Mpc."""
    return word.lower() in _UNIT_NAMES or bool(re.fullmatch(_UNIT_SIGNS, word))


def _named_units() -> dict[str, str]:
    return {
        name: unit
        for unit, names in (
            ("pc", "parsec parsecs"),
            ("kpc", "kiloparsec kiloparsecs"),
            ("Mpc", "megaparsec megaparsecs"),
            ("AU", "au|astronomical unit|astronomical units"),
            ("km", "kilometre kilometres kilometer kilometers"),
            ("m", "metre metres meter meters"),
            ("micron", "microns mum um μm"),
            ("yr", "yrs year years"),
            ("day", "d days"),
            ("hour", "h hr hrs hours"),
            ("min", "mins minute minutes"),
            ("s", "sec second seconds"),
            ("%", "percent|per cent"),
            ("sigma", "σ|standard deviations"),
            ("deg", "degree degrees °"),
            ("Msun", "m_sun|msun|m_⊙|solar mass|solar masses"),
            ("Rsun", "r_sun|rsun|solar radius|solar radii"),
            ("Lsun", "l_sun|lsun|solar luminosity|solar luminosities"),
            ("Mearth", "m_earth|m_⊕|earth mass|earth masses"),
            ("Rearth", "r_earth|r_⊕|earth radius|earth radii"),
            ("Mjup", "m_jup|m_j|jupiter mass|jupiter masses"),
            ("Rjup", "r_jup|r_j|jupiter radius|jupiter radii"),
            ("mag", "magnitude magnitudes"),
        )
        for name in (names.split("|") if "|" in names else names.split())
    }


_UNIT_NAMES = _named_units()
_UNIT_WORDS = sorted(_UNIT_NAMES, key=len, reverse=True)
_UNIT_SIGNS = (
    "[kMGT]?pc|AU|[kcmn]m|[kMG]yr|[mn]s|[kMGT]?Hz|[kMGTPE]?eV|mK|[mµμ]?Jy|mas|arcsec|arcmin|dex|erg|[mµμn]?G|nT"
    "|Msun|Rsun|Lsun|Mearth|Rearth|Mjup|Rjup|micron|sigma|yr|day|min|hour|mag|deg|[%KWJms]"
)
_UNIT_AFTER = re.compile(
    r"(?:\^?\(?\+\d[\d.]*\)?\s?[_/,]?\s?\(?-\d[\d.]*\)?)?(?:\s?(?:±|-|to|and|or|,)\s?[-+]?\d[\d.,]*)*\)?(?: ?x ?10\^ ?-?\d+)?[\s-]?"
    rf"(?P<unit>(?:{_UNIT_SIGNS})(?![\w])|%|(?i:{'|'.join(map(re.escape, _UNIT_WORDS))})(?!\w))"
)
