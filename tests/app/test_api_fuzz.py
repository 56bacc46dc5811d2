"""Every address of a real `wayfinder api` against its own description, by schemathesis. Run: pytest tests/app/test_api_fuzz.py"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.servers import api_server

API_KEY = "key-of-the-fuzzing-test"
SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
# A value may be of its type and still not be usable: an unknown facility, years that hold nothing. And a body of
# wrong values may be refused for its length first.
CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", 404, 422]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 413, 422, 428]
"""
SECRETS = (API_KEY, "Traceback", "site-packages", "RuntimeError", ".py\\")
NO_LIMITS = {
    "WAYFINDER_API_CALLS_PER_MINUTE": "0",
    "WAYFINDER_API_ANSWERS_PER_MINUTE": "0",
}


def test_replies_to_anything_are_as_described_and_say_no_secret(
    small_index_dir: Path, tmp_path: Path
) -> None:
    config, seen = tmp_path / "schemathesis.toml", tmp_path / "seen.ndjson"
    config.write_text(CONFIG, encoding="utf-8")
    with api_server(small_index_dir, WAYFINDER_API_KEYS=API_KEY, **NO_LIMITS) as server:
        done = subprocess.run(
            [
                SCHEMATHESIS, "--config-file", str(config), "run", f"{server.url}/openapi.json", "--checks", "all",
                "--phases", "coverage,fuzzing", "--max-examples", "8", "--max-time", "120", "--seed", "1",
                "--suppress-health-check", "all", "-H", f"Authorization: Bearer {API_KEY}",
                "--report", "har", "--report-har-path", str(seen), "--output-sanitize", "false",
            ],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    entries = json.loads(seen.read_text(encoding="utf-8"))["log"]["entries"]
    assert len({entry["request"]["url"].split("/v1/")[1].split("/")[0] for entry in entries}) >= 6
    assert {200, 401, 404, 405, 422} <= {entry["response"]["status"] for entry in entries}
    for entry in entries:
        text = json.dumps(entry["response"])
        for secret in SECRETS:
            assert secret not in text, entry["request"]["url"]
