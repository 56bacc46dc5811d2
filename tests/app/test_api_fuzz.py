"""Every address of the HTTP API against its own description, by schemathesis. Run: pytest tests/app/test_api_fuzz.py"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from app.api import create_app
from app.api_service import Service
from app.served_index import ServedIndex
from indexer.config import ApiConfig, Secret

API_KEY = "key-of-the-fuzzing-test"
SECRETS = (API_KEY, "Traceback", "/site-packages/", "/tmp/", "RuntimeError", "0x7f")
# A value may be of its type and still not be usable: an unknown facility, years that hold nothing.
CONFIG: dict[str, Any] = {
    "generation": {"mode": "all"},
    "checks": {
        "positive_data_acceptance": {"expected-statuses": ["2xx", 404, 422]},
        # an index without facilities, which this one is not, or a queue that is full
        "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx"]},
    },
}


@pytest.fixture(scope="module")
def described(small_index_dir: Path) -> Any:
    keyed = ApiConfig(keys=(Secret(API_KEY),), calls_per_minute=None, answers_per_minute=None)
    app = create_app(Service(ServedIndex(small_index_dir)), keyed)
    return schemathesis.openapi.from_asgi(
        "/openapi.json", app, config=SchemathesisConfig.from_dict(CONFIG)
    )


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(
    max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
def test_replies_are_as_described(case: Any) -> None:
    reply = case.call_and_validate(headers={"Authorization": f"Bearer {API_KEY}"})
    for secret in SECRETS:
        assert secret not in reply.text, secret
