"""The public astro-ph knowledge graph: bibcodes, citations, references, keywords and concepts by arXiv id.

It has no titles, so it only enriches papers of another source (the arXiv snapshot). The large files
are read line by line; what has to be joined is held as compact columns by paper index
(408,590 papers: about 150 MB). Layout: https://github.com/tingyuansen/astro-ph_knowledge_graph
"""

from __future__ import annotations

import csv
import json
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from indexer.errors import SourceError
from indexer.records import NotAPaper
from indexer.sources_lfs import refuse_pointer

PAPERS = "papers_index_mapping.csv.gz"
YEARS = "papers_years.npy"
BIBCODES = "arxiv_to_bibcode_mapping.csv.gz"
CITATIONS = "citations_indexed.jsonl.gz"
OUTSIDE = "identifier_mapping_external.csv.gz"
VOCABULARY = "concepts_vocabulary.csv.gz"
CONCEPTS = "papers_concepts_mapping.csv.gz"
KEYWORDS = "ads_keywords_curated.csv.gz"
NEEDED = (PAPERS, BIBCODES, CITATIONS, OUTSIDE, VOCABULARY, CONCEPTS, KEYWORDS, YEARS)

LONGEST_FIELD = 10_000_000  # characters
_INDEX = re.compile(r"[0-9]{1,8}")

Lines = Callable[[Path], Iterator[Any]]
_OLD_ID = re.compile(r"^([a-z-]+(?:\.[A-Z]{2})?)-(\d{7})$")


def graph_records(folder: Path, lines: Lines) -> Iterator[Any]:
    """Yield an enriching record per paper of the data set in `folder`.

    `lines` reads a plain or gzip file and yields, for a cut file, what says so.

    Raises:
        SourceError: the folder lacks files of the data set, holds Git LFS pointers, or other columns.
    """
    check_graph(folder)
    notes: list[NotAPaper] = []
    graph = _Graph(folder, lines, notes)
    seen = np.zeros(len(graph.arxiv_ids), dtype=np.bool_)
    for cited in _citations(folder / CITATIONS, lines, len(seen), notes):
        if not seen[cited["paper_idx"]]:
            seen[cited["paper_idx"]] = True
            yield graph.record(cited["paper_idx"], cited)
    yield from (graph.record(int(i), {}) for i in np.flatnonzero(~seen) if graph.arxiv_ids[i])
    yield from notes


class _Graph:
    """What has to be joined, by paper index."""

    def __init__(self, folder: Path, lines: Lines, notes: list[NotAPaper]) -> None:
        def rows(name: str, *columns: str) -> Iterator[tuple[str, ...]]:
            return _rows(folder / name, lines, columns, notes)

        self.arxiv_ids = _by_index(rows(PAPERS, "paper_idx", "arxiv_id"))
        n = len(self.arxiv_ids)
        index_of = {arxiv_id: i for i, arxiv_id in enumerate(self.arxiv_ids) if arxiv_id}
        self._bibcodes: list[tuple[str, ...]] = [()] * n
        for a, primary, every in rows(BIBCODES, "arxiv_id", "primary_bibcode", "all_bibcodes"):
            if a in index_of:
                codes = dict.fromkeys(filter(None, (primary, *every.split(";"))))
                self._bibcodes[index_of[a]] = tuple(codes)
        self._outside = _by_index(rows(OUTSIDE, "identifier_idx", "identifier"), first=n)
        self._names = _by_index(rows(VOCABULARY, "label", "concept"))
        labels = rows(CONCEPTS, "arxiv_id", "label")
        self._concepts = _Lists.of(
            (
                (index_of[a], int(label))
                for a, label in labels
                if a in index_of and _INDEX.fullmatch(label)
            ),
            n,
        )
        words: dict[str, int] = {}
        keywords = rows(KEYWORDS, "arxiv_id", "keyword")
        self._keywords = _Lists.of(
            ((index_of[a], words.setdefault(w, len(words))) for a, w in keywords if a in index_of),
            n,
        )
        self._words = list(words)
        self._years = _years(folder / YEARS)

    def record(self, i: int, cited: dict[str, Any]) -> dict[str, Any]:
        """The enriching record of paper `i`, with its line of the citations file."""
        codes = dict.fromkeys((*self._bibcodes[i], *filter(None, cited.get("all_bibcodes") or ())))
        return {
            "enriches": True,
            "arxiv_id": _OLD_ID.sub(r"\1/\2", self.arxiv_ids[i]),
            "bibcode": cited.get("bibcode") or next(iter(codes), None),
            "aliases": list(codes),
            "citation_count": cited.get("num_citations"),
            "references": [name for r in cited.get("references") or () if (name := self._named(r))],
            "keywords": [self._words[w] for w in self._keywords[i]],
            "concepts": [self._names[c] for c in self._concepts[i] if c < len(self._names)],
            "year": int(self._years[i]) if i < len(self._years) and self._years[i] > 0 else None,
        }

    def _named(self, index: int) -> str:
        """The identifier of a cited paper: bibcode, else arXiv id; of one outside, its name."""
        outside = index - len(self.arxiv_ids)
        if outside >= 0:
            return self._outside[outside] if outside < len(self._outside) else ""
        return self._bibcodes[index][0] if self._bibcodes[index] else self.arxiv_ids[index]


class _Lists:
    """A list of numbers per paper, as two flat columns."""

    def __init__(self, values: np.ndarray[Any, Any], starts: np.ndarray[Any, Any]) -> None:
        self._values, self._starts = values, starts

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]], n: int) -> _Lists:
        """From (paper, number) pairs in any order; a paper's numbers keep theirs."""
        papers, values = array("i"), array("i")
        for paper, value in pairs:
            papers.append(paper)
            values.append(value)
        owner = np.frombuffer(papers, dtype=np.int32) if papers else np.zeros(0, dtype=np.int32)
        number = np.frombuffer(values, dtype=np.int32) if values else np.zeros(0, dtype=np.int32)
        order = np.argsort(owner, kind="stable")
        return cls(number[order], np.searchsorted(owner[order], np.arange(n + 1)))

    def __getitem__(self, paper: int) -> list[int]:
        return self._values[self._starts[paper] : self._starts[paper + 1]].tolist()


def _years(path: Path) -> np.ndarray[Any, Any]:
    """The year of each paper, `(n_papers,)`; unknown ones are not above 0."""
    try:
        years = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise SourceError(f"{path} is no array of years: fetch it again.") from error
    if years.ndim != 1 or years.dtype.kind not in "iuf":
        raise SourceError(
            f"{path} holds {years.dtype} of shape {years.shape}: expected a year a paper."
        )
    return years


def check_graph(folder: Path) -> None:
    """Look whether the folder holds the data set.

    Raises:
        SourceError: it lacks files, or holds Git LFS pointers.
    """
    if not folder.is_dir():
        raise SourceError(
            f"{folder} is no directory: `astro-ph-kg:` takes the folder of the data set."
        )
    if missing := [name for name in NEEDED if not (folder / name).is_file()]:
        raise SourceError(
            f"{folder} lacks {len(missing)} of the {len(NEEDED)} files that are read: {', '.join(missing)}. Get them with "
            "`git lfs install && git clone https://github.com/tingyuansen/astro-ph_knowledge_graph.git`."
        )
    for name in NEEDED:
        refuse_pointer(folder / name)


def _rows(
    path: Path, lines: Lines, columns: tuple[str, ...], notes: list[NotAPaper]
) -> Iterator[tuple[str, ...]]:
    """The named columns of a gzipped CSV file with a header; broken rows are noted."""

    def text() -> Iterator[str]:
        for line in lines(path):
            if isinstance(line, bytes):
                yield line.decode("utf-8", "replace")
            else:
                notes.append(NotAPaper(f"{path.name}: {line}"))

    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(text())
    header = next(reader, [])
    if missing := [name for name in columns if name not in header]:
        raise SourceError(
            f"{path} has no column {', '.join(missing)}; found: {', '.join(header[:12])}."
        )
    places = [header.index(name) for name in columns]
    for row in reader:
        if len(row) == len(header):
            yield tuple(row[place].strip() for place in places)
        elif row:
            notes.append(NotAPaper(f"{path.name}: a row has another number of fields"))


def _by_index(rows: Iterable[tuple[str, ...]], *, first: int = 0) -> list[str]:
    """Names by their number from `first` on, whatever the order of the rows."""
    names: list[str] = []
    for number, name in rows:
        place = int(number) - first if _INDEX.fullmatch(number) else -1
        if place >= 0:
            if place >= len(names):
                names.extend([""] * (place - len(names) + 1))
            names[place] = name
    return names


def _citations(
    path: Path, lines: Lines, n_papers: int, notes: list[NotAPaper]
) -> Iterator[dict[str, Any]]:
    for line in lines(path):
        if not isinstance(line, bytes):
            notes.append(NotAPaper(f"{path.name}: {line}"))
            continue
        try:
            row = json.loads(line)
            if type(row["paper_idx"]) is not int:
                raise TypeError("an index is a whole number")
            references = row.get("references")
            row["references"] = [
                r
                for r in (references if isinstance(references, list) else [])
                if type(r) is int and r >= 0
            ]
            if 0 <= row["paper_idx"] < n_papers:
                yield row
        except (ValueError, KeyError, TypeError):
            notes.append(NotAPaper(f"{path.name}: a line is not as documented"))
