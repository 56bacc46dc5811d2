"""The measurement of the HTTP API against a real server. Run: pytest tests/eval/test_api_load.py"""

from __future__ import annotations

from pathlib import Path

from eval.api_load import loads, table


def test_searches_of_a_real_server_are_counted(small_index_dir: Path) -> None:
    asked = ["jets and star formation", "fast radio bursts", "water on a warm Neptune"]
    alone, api = loads(small_index_dir, asked, workers=[1], connections=2, seconds=1.0)
    for row in (alone, api):
        assert row.n > 0 and row.failed == 0
        assert 0 < row.median_ms <= row.p95_ms
        assert row.per_second > 0 and row.cpu_ms > 0
    assert (alone.asking_cpu_ms, api.asking_cpu_ms > 0) == (0.0, True)
    assert "API, 1 process, 2 connections" in table([alone, api])
