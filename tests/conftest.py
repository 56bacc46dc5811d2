"""Fixtures that several test folders share. Run everything with `make test`."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.default_index import default_index_dir

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def starter_index() -> Path:
    """The index of the starter corpus, built at the first run and kept in the cache."""
    return default_index_dir(None, lambda stage, done, total: None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development data beside the checkout; a test that asks for it is skipped without."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"{SHARED / 'data'} is not here: this test needs the development data")
    return SHARED / "data"
