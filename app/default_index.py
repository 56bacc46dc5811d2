"""Which index to use when none is named: WAYFINDER_INDEX, else the starter corpus, indexed once."""

from __future__ import annotations

import time
from pathlib import Path

from indexer import config
from indexer.build import BuildOptions, Progress, build_index, starter_index_dir
from indexer.encoder import load_encoder
from indexer.errors import BuildRunning
from indexer.store import MANIFEST

SECONDS_BETWEEN_LOOKS = 1.0


def default_index_dir(named: Path | None, progress: Progress) -> Path:
    """Return the index directory to open, building the starter index if it is needed and missing.

    Where another process builds it (the app, the bot and the API may begin together), that one is waited for.

    Raises:
        WayfinderError: the starter index cannot be built.
    """
    if chosen := named or config.index_dir():
        return chosen
    name = config.encoder_name()
    directory = starter_index_dir(name)
    if (directory / MANIFEST).is_file():
        return directory
    encoder = load_encoder(name)
    while not (directory / MANIFEST).is_file():
        try:
            build_index(
                ["starter"],
                directory,
                encoder=encoder,
                options=BuildOptions(with_map=True),
                progress=progress,
            )
        except BuildRunning:
            progress("waiting for the process that builds the starter index", 0, None)
            time.sleep(SECONDS_BETWEEN_LOOKS)
    return directory
