"""Fixtures that several test folders share. Run everything with `make test`."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.default_index import default_index_dir
from indexer.store import Index, open_index
from tests.papers import build_small_index

SHARED = Path(__file__).resolve().parents[2] / "shared"
CONFIGURATION = (
    "WAYFINDER_INDEX", "WAYFINDER_ENCODER", "WAYFINDER_OBJECTS", "WAYFINDER_SIMBAD", "WAYFINDER_RERANKER", "WAYFINDER_RERANKER_MODEL",
    "WAYFINDER_RERANKER_API_KEY", "WAYFINDER_RERANK_SECONDS", "WAYFINDER_LLM_BASE_URL", "WAYFINDER_LLM_MODEL",
    "WAYFINDER_LLM_API_KEY", "WAYFINDER_LLM_TIMEOUT_SECONDS", "WAYFINDER_EMBEDDING_BASE_URL",
    "OPENAI_API_KEY", "ADS_API_TOKEN", "ADS_DEV_KEY", "WAYFINDER_ADS_URL", "WAYFINDER_ARXIV_URL", "WAYFINDER_MAX_WAIT_SECONDS", "WAYFINDER_KEEP_SNAPSHOTS",
    "WAYFINDER_LLM_API_VERSION", "WAYFINDER_LLM_CONCURRENCY", "WAYFINDER_LLM_USD_PER_MILLION",
    "WAYFINDER_FEEDBACK", "WAYFINDER_LIBRARY", "WAYFINDER_SLACK_BOT_TOKEN", "WAYFINDER_SLACK_APP_TOKEN", "WAYFINDER_SLACK_SIGNING_SECRET",
    "WAYFINDER_SLACK_URL", "WAYFINDER_SLACK_STATE", "WAYFINDER_SLACK_KEEP_DAYS", "WAYFINDER_SLACK_USER_PER_MINUTE",
    "WAYFINDER_SLACK_CHANNEL_PER_MINUTE", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET",
    "WAYFINDER_LLM_SESSION_TOKENS", "WAYFINDER_LLM_DAY_TOKENS", "WAYFINDER_LLM_DAY_USD",
    "WAYFINDER_BASE_PATH", "WAYFINDER_PASSWORD", "WAYFINDER_LOGIN_HEADER", "WAYFINDER_TRUSTED_PROXIES", "WAYFINDER_VISITOR_QUESTIONS",
    "WAYFINDER_VISITOR_DAY_TOKENS", "WAYFINDER_VISITOR_CONNECTIONS", "WAYFINDER_QUESTIONS_AT_ONCE", "WAYFINDER_METRICS_KEY",
    "WAYFINDER_LOG", "WAYFINDER_LOG_QUESTIONS",
    "WAYFINDER_API_KEYS", "WAYFINDER_API_CALLS_PER_MINUTE", "WAYFINDER_API_ANSWERS_PER_MINUTE", "WAYFINDER_API_HOSTS",
)  # fmt: skip


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the keys and settings of whoever runs it."""
    for name in CONFIGURATION:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WAYFINDER_LLM_CACHE", "0")


@pytest.fixture(scope="session")
def starter_index() -> Path:
    """The index of the starter corpus, built at the first run and kept in the cache."""
    return default_index_dir(None, lambda stage, done, total: None)


@pytest.fixture(scope="session")
def small_index_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of twelve invented papers."""
    return build_small_index(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def small_index(small_index_dir: Path) -> Index:
    """That index, opened."""
    return open_index(small_index_dir)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development data beside the checkout; a test that asks for it is skipped without."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"{SHARED / 'data'} is not here: this test needs the development data")
    return SHARED / "data"
