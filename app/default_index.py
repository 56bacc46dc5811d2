"""Which index to use when none is named: WAYFINDER_INDEX, else the starter corpus, indexed once."""

from __future__ import annotations

from pathlib import Path

from indexer import config
from indexer.build import BuildOptions, Progress, build_index, starter_index_dir
from indexer.encoder import load_encoder
from indexer.store import MANIFEST


def default_index_dir(named: Path | None, progress: Progress) -> Path:
    """Return the index directory to open, building the starter index if it is needed and missing.

    Raises:
        WayfinderError: the starter index cannot be built.
    """
    if chosen := named or config.index_dir():
        return chosen
    name = config.encoder_name()
    directory = starter_index_dir(name)
    if not (directory / MANIFEST).is_file():
        build_index(
            ["starter"],
            directory,
            encoder=load_encoder(name),
            options=BuildOptions(with_map=True),
            progress=progress,
        )
    return directory
