"""Links to searches at NASA ADS, for the literature that this index does not hold."""

from __future__ import annotations

import re
from urllib.parse import quote

from indexer.tokens import tokens

MOST_WORDS = 12
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
