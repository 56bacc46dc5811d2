"""The records that cross boundaries on the way in: papers, and what a build did with them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from urllib.parse import quote

from indexer.clean import plain_text

_ARXIV_PREFIX = re.compile(r"^(?:https?://arxiv\.org/(?:abs|pdf)/|arxiv:)", re.IGNORECASE)
_ARXIV_VERSION = re.compile(r"(?:\.pdf)?(?:v\d+)?(?:\.pdf)?$", re.IGNORECASE)
_DOI_PREFIX = re.compile(r"^(?:https?://(?:dx\.)?doi\.org/|doi:)", re.IGNORECASE)


def normalise_arxiv_id(value: str) -> str:
    """Return an arXiv id without URL, `arXiv:` prefix or version; `2401.01234v2` -> `2401.01234`."""
    return _ARXIV_VERSION.sub("", _ARXIV_PREFIX.sub("", value.strip()))


def normalise_doi(value: str) -> str:
    """Return a DOI in lower case without its resolver."""
    return _DOI_PREFIX.sub("", value.strip()).lower()


@dataclass(frozen=True)
class Paper:
    """One paper, as its source gave it; `text()` is the one string embedded, indexed and judged.

    `citation_count` is None where unknown, which is not 0. `date` is ISO 8601, possibly only a
    year and a month. Title and abstract are kept as given: `plain_title` and `plain_abstract`
    are readable.
    """

    title: str
    abstract: str
    bibcode: str | None = None
    arxiv_id: str | None = None
    doi: str | None = None
    authors: tuple[str, ...] = ()
    year: int | None = None
    date: str | None = None
    journal: str | None = None
    doctype: str | None = None
    keywords: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    citation_count: int | None = None
    references: tuple[str, ...] = ()
    facilities: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()  # further bibcodes, arXiv ids and DOIs of the same paper
    bibgroups: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    concepts: tuple[str, ...] = ()  # assigned by others, kept apart from the paper's own keywords

    @cached_property
    def plain_title(self) -> str:
        """The title with HTML and LaTeX made readable."""
        return plain_text(self.title)

    @cached_property
    def plain_abstract(self) -> str:
        """The abstract with HTML and LaTeX made readable."""
        return plain_text(self.abstract)

    def text(self) -> str:
        """The string that is embedded and indexed: title, full stop, abstract."""
        return f"{self.plain_title}. {self.plain_abstract}"

    @property
    def identifiers(self) -> tuple[str, ...]:
        """All identifiers that find this paper: bibcode, arXiv id, DOI (if known), then the aliases."""
        return (*(i for i in (self.bibcode, self.arxiv_id, self.doi) if i), *self.aliases)

    @property
    def id(self) -> str:
        """The identifier to show: bibcode, else arXiv id, else DOI, else a hash of the title."""
        if self.identifiers:
            return self.identifiers[0]
        return "title:" + hashlib.sha256(title_key(self).encode()).hexdigest()[:16]

    @property
    def decimal_year(self) -> float | None:
        """Publication date as a decimal year: mid-month when only the month is known."""
        if self.date:
            numbers = [int(part) for part in re.findall(r"\d+", self.date)[:3]]
            if numbers and len(str(numbers[0])) == 4:
                month = numbers[1] if len(numbers) > 1 and 1 <= numbers[1] <= 12 else None
                if month is None:
                    return numbers[0] + 0.5
                day = numbers[2] if len(numbers) > 2 and 1 <= numbers[2] <= 31 else 15
                return numbers[0] + (month - 1) / 12 + (day - 1) / 365
        return self.year + 0.5 if self.year is not None else None

    @property
    def author_label(self) -> str:
        """`Riess et al.`, `Narayan & Yi`, `Greene`, or `Unknown author`."""
        last = [family_name(name) for name in self.authors]
        if not last:
            return "Unknown author"
        if len(last) == 1:
            return last[0]
        return f"{last[0]} & {last[1]}" if len(last) == 2 else f"{last[0]} et al."

    @cached_property
    def families(self) -> frozenset[str]:
        """The authors' family names without case."""
        return frozenset(family_name(name).casefold() for name in self.authors)

    @property
    def ads_url(self) -> str | None:
        """The paper's page at ADS, by bibcode, arXiv id or DOI."""
        if self.bibcode:
            return f"https://ui.adsabs.harvard.edu/abs/{quote(self.bibcode, safe='')}/abstract"
        if self.arxiv_id:
            return (
                f"https://ui.adsabs.harvard.edu/abs/arXiv:{quote(self.arxiv_id, safe='/')}/abstract"
            )
        return None

    @property
    def arxiv_url(self) -> str | None:
        """The paper's page at arXiv."""
        return f"https://arxiv.org/abs/{quote(self.arxiv_id, safe='/')}" if self.arxiv_id else None


_GROUP = re.compile(r"collaboration|consortium|team|group|project|survey", re.IGNORECASE)
_PARTICLES = frozenset(
    [
        "van",
        "von",
        "der",
        "den",
        "de",
        "del",
        "della",
        "di",
        "da",
        "dos",
        "du",
        "la",
        "le",
        "ter",
        "ten",
        "zu",
        "zur",
        "af",
        "al",
        "bin",
        "ibn",
        "st",
        "st.",
    ]
)


def family_name(author: str) -> str:
    """`Riess, Adam G.`, `Adam G. Riess` and `Riess A. G.` -> `Riess`; groups keep their whole name."""
    name = author.strip()
    if "," in name:
        return name.split(",")[0].strip() or name
    words = name.split()
    if len(words) < 2 or _GROUP.search(name):
        return name
    while len(words) > 1 and len(words[-1].strip(".")) <= 1:  # initials after the name
        words.pop()
    start = len(words) - 1
    while start > 1 and words[start - 1].lower() in _PARTICLES:
        start -= 1
    return " ".join(words[start:])


def title_key(paper: Paper) -> str:
    """Title, first author and year folded to letters and digits: equal for one paper seen twice."""
    return f"{title_letters(paper)}|{paper.year or ''}"


def title_letters(paper: Paper) -> str:
    """Title and first author folded to letters and digits."""
    first = family_name(paper.authors[0]) if paper.authors else ""
    return re.sub(r"[\W_]+", "", f"{paper.plain_title}|{first}".casefold())


class NotAPaper(Exception):
    """A record that cannot become a paper; the message is the reason that is counted."""


@dataclass
class Harvest:
    """What one source gave at one time: kept in the manifest, shown by `index status`.

    `found` is how many papers the source promised (None where it does not say), `digest` the sha256
    of the records: the same records of the same source count once, however often they are given.
    """

    source: str
    harvested: str  # ISO date: as of when the source was read
    read: int = 0
    found: int | None = None
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    digest: str = ""

    def skip(self, reason: str, example: str) -> None:
        """Count a record kept out; the first example of each reason is kept."""
        self.skipped[reason] += 1
        self.examples.setdefault(reason, example[:200])

    @property
    def kept(self) -> int:
        """How many of its records went into papers."""
        return self.read - sum(self.skipped.values())


@dataclass
class IngestReport:
    """What became of every record read: read = indexed + merged + skipped.

    An update counts what it read itself; `indexed` are then the papers it added.
    """

    harvests: list[Harvest] = field(default_factory=list)
    indexed: int = 0
    merged: int = 0
    tell: Callable[[str], None] = lambda text: None  # remarks for people while a source is read

    def begin(self, source: str, harvested: date | None = None) -> Harvest:
        """Open the account of a source; what is read from here on belongs to it."""
        self.harvests.append(Harvest(source, (harvested or date.today()).isoformat()))
        return self.harvests[-1]

    @property
    def read(self) -> int:
        """Records read from all sources."""
        return sum(harvest.read for harvest in self.harvests)

    @property
    def skipped(self) -> Counter[str]:
        """Records kept out, by reason."""
        return sum((harvest.skipped for harvest in self.harvests), Counter())

    @property
    def examples(self) -> dict[str, str]:
        """The first example of each reason."""
        return {r: e for h in reversed(self.harvests) for r, e in h.examples.items()}

    @property
    def balanced(self) -> bool:
        """Whether every record read is accounted for."""
        return self.read == self.indexed + self.merged + sum(self.skipped.values())
