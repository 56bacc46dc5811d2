"""Other names of an object from CDS's SIMBAD, through astroquery; off unless WAYFINDER_SIMBAD is set.

What was answered is kept in the cache directory for a month; a service that fails costs a note.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
from typing import Any

from indexer import config
from indexer.errors import RemoteError
from retrieval.clock import in_time

SECONDS = 5
KEPT_SECONDS = 30 * 86_400
MOST_NAMES = 12
# Catalogues whose names papers write; SIMBAD knows many more that only tables do.
_WRITTEN = re.compile(
    r"^(?:M|NGC|IC|UGC|HD|HR|HIP|GJ|Gliese|TOI|TIC|KIC|KOI|Kepler|WASP|HAT-P|PSR|SN|AT|GRB|FRB|Mrk|Arp|PKS|3C|4C|ACO|SDSS|MAXI|GRO|GRS|XTE|IGR|LHS|BD|CD|WISE|2MASS|GX|Cyg|PG)[ +J-]"
)


def other_names(name: str) -> tuple[str, ...]:
    """Return the other names of an object that papers may write, none if SIMBAD does not know it.

    Raises:
        RemoteError: SIMBAD cannot be asked.
    """
    kept = config.cache_dir() / "simbad" / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.json"
    with contextlib.suppress(OSError, ValueError):
        if time.time() - kept.stat().st_mtime < KEPT_SECONDS:
            return tuple(json.loads(kept.read_text(encoding="utf-8")))
    names = _asked(name)
    with contextlib.suppress(OSError):  # nothing depends on the cache
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(names), encoding="utf-8")
    return names


def client() -> Any:
    """astroquery's client of SIMBAD.

    Raises:
        RemoteError: astroquery is not installed.
    """
    try:
        from astroquery.simbad import SimbadClass
    except ImportError:
        raise RemoteError(
            "SIMBAD was not asked: install astroquery (`pip install wayfinder[simbad]`)."
        ) from None
    return SimbadClass()


def _asked(name: str) -> tuple[str, ...]:
    simbad = client()
    try:
        table = in_time(lambda: simbad.query_objectids(name), SECONDS)
    except Exception as error:
        # astroquery passes on what requests, pyvo and astropy's parsers raise; none share a base.
        raise RemoteError(f"SIMBAD was not asked for {name}: {type(error).__name__}.") from error
    rows = [] if table is None else [" ".join(str(row).split()) for row in table["id"]]
    spoken = [row.removeprefix("NAME ") for row in rows if row.startswith("NAME ")]
    written = [row for row in rows if _WRITTEN.match(row)]
    return tuple(dict.fromkeys(spoken + written))[:MOST_NAMES]
