"""Links to searches at NASA ADS, for the literature that this index does not hold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from indexer.records import Paper
from indexer.tokens import tokens

MOST_WORDS = 12
MOST_OF_A_LINK = 50  # papers: some 2,000 characters, which every browser and server takes
_NOT_IN_QUOTES = re.compile(r'["\\\s]')
_URL = "https://ui.adsabs.harvard.edu/search/q="


def ads_search_url(
    words: str, *, since: int | None = None, until: int | None = None, sort: str = ""
) -> str:
    """Return the link of a search of ADS's abstracts for `words`, in its query language.

    `sort` is ADS's, such as "citation_count desc". Words are quoted one by one, so that nothing in
    them is an operator.
    """
    kept = [word for word in re.findall(r"[^\W_][\w+.*-]*", words) if tokens(word)][:MOST_WORDS]
    query = " ".join(f'abs:"{word.strip(".-")}"' for word in kept)
    if since is not None or until is not None:
        query += f" year:{since or 1800}-{until or 2100}"
    ordered = f"&sort={quote(sort, safe='')}" if sort else ""
    return _URL + quote(query.strip(), safe="") + ordered


def ads_papers_urls(papers: Iterable[Paper]) -> list[str]:
    """Links of searches at ADS that find exactly these papers, MOST_OF_A_LINK in each, by bibcode or arXiv id.

    Papers that have neither are left out.
    """
    known = [p.bibcode or (f"arXiv:{p.arxiv_id}" if p.arxiv_id else "") for p in papers]
    names = [f'"{_NOT_IN_QUOTES.sub("", name)}"' for name in dict.fromkeys(filter(None, known))]
    parts = (names[i : i + MOST_OF_A_LINK] for i in range(0, len(names), MOST_OF_A_LINK))
    return [_URL + quote(f"identifier:({' OR '.join(part)})", safe="") for part in parts]
