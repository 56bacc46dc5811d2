"""`wayfinder slack digest`: new papers of saved queries, once. Run: pytest tests/app/test_slack_digest.py"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import commands
from app.slack_digest import due, known_papers, post_digest, run_digests
from app.slack_post import web_client
from app.slack_state import DAY, SlackState
from indexer.build import build_index
from indexer.errors import WayfinderError
from indexer.store import Index, open_index
from tests.encoders import HashEncoder
from tests.papers import AS_OF, PAPERS, write_jsonl
from tests.slack_bots import slack_config
from tests.slack_server import BOT_TOKEN, Fault, SlackServer, buttons, shown

QUERY = "fast radio burst"
NEW: dict[str, Any] = {
    "arxiv_id": "2606.00101", "title": "<!channel> A fast radio burst *every* hour", "abstract": "A fast radio burst source repeats hourly.",
    "authors": ["Tanaka, Y."], "date": "2026-06-20",
}  # fmt: skip
LATE: dict[str, Any] = {
    **NEW,
    "arxiv_id": "0706.00102",
    "title": "An old fast radio burst",
    "date": "2007-06-20",
}


def _index(folder: Path, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Index:
    folder.mkdir()
    source = write_jsonl(folder / "papers.jsonl", rows)
    build_index([str(source)], folder / "index", encoder=HashEncoder(), as_of=AS_OF)
    monkeypatch.setattr("indexer.store.load_encoder_of", lambda name: HashEncoder())
    return open_index(folder / "index")


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server


@pytest.fixture
def state(tmp_path: Path) -> SlackState:
    return SlackState(tmp_path / "state.sqlite", keep_days=7)


def test_new_papers_are_posted_once_and_old_ones_never(
    slack: SlackServer, state: SlackState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _index(tmp_path / "before", PAPERS, monkeypatch)
    known = known_papers(before, QUERY, offline=True)
    assert "2021Natur.590...50J" in known and "10.1000/six" in known
    assert state.subscribe("C1", QUERY, as_of="2026-06-13", known=known)
    assert not state.subscribe("C1", QUERY, as_of="2026-06-13", known=known)
    after = _index(tmp_path / "after", [*PAPERS, NEW, LATE], monkeypatch)
    client = web_client(slack_config(slack, state.path))
    told: list[str] = []

    def run(everything: bool = True) -> int:
        return run_digests(client, after, state, offline=True, all_of_them=everything, tell=lambda d: told.append(d.text))  # fmt: skip

    assert due(state) == [] and run(everything=False) == 0 and not slack.messages
    assert due(state, now=state.subscriptions()[0].last + 7 * DAY) == state.subscriptions()
    assert run() == 0
    (posted,) = slack.messages.values()
    assert f"1 new paper on “{QUERY}”" in shown(
        posted
    ) and "[1] <!channel> A fast radio burst *every* hour" in shown(posted)
    assert (
        "An old fast" not in shown(posted)
        and "<" not in posted["text"]
        and list(buttons(posted)) == ["BibTeX"]
    )
    assert run() == 0 and len(slack.messages) == 1
    assert told == [f"C1: 1 new on “{QUERY}”", f"C1: 0 new on “{QUERY}”"]
    assert state.knows("C1", posted["ts"]) and state.context("C1", posted["ts"]).papers == (
        "2606.00101",
    )  # type: ignore[union-attr]


def test_a_digest_that_slack_refuses_is_tried_again_and_others_go_on(
    slack: SlackServer, state: SlackState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = _index(tmp_path / "i", [*PAPERS, NEW], monkeypatch)
    for channel in ("CGONE", "C2"):
        state.subscribe(channel, QUERY, as_of="2026-06-13", known=())
    client = web_client(slack_config(slack, state.path))
    slack.faults["chat.postMessage"] = [Fault(error="is_archived")]
    failed: list[str] = []
    n_failed = run_digests(
        client, index, state, offline=True, all_of_them=True, tell=lambda d: failed.append(d.error)
    )
    assert n_failed == 1 and "is_archived" in failed[0] and failed[1] == ""
    assert [channel for channel, _ in slack.messages] == ["C2"]
    again = state.subscriptions("CGONE")[0]
    assert post_digest(client, index, state, again, offline=True).papers  # type: ignore[union-attr]
    assert (
        post_digest(client, index, state, again, offline=True) is None
    )  # another process had its turn
    assert sorted(channel for channel, _ in slack.messages) == ["C2", "CGONE"]


def test_the_command_posts_and_says_what_it_did(
    slack: SlackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = _index(tmp_path / "i", [*PAPERS, NEW], monkeypatch)
    state = SlackState(tmp_path / "s.sqlite", keep_days=7)
    state.subscribe(
        "C1",
        QUERY,
        as_of="2026-06-13",
        known=known_papers(index, "magnetar birth", offline=True)[:1],
    )
    monkeypatch.setenv("SLACK_BOT_TOKEN", BOT_TOKEN)
    monkeypatch.setenv("WAYFINDER_SLACK_URL", slack.url)
    monkeypatch.setenv("WAYFINDER_SLACK_STATE", str(state.path))
    asked = ["slack", "digest", "--index", str(index.path), "--offline", "--json"]
    nothing = CliRunner().invoke(commands(), asked)
    assert (nothing.exit_code, nothing.stdout, slack.messages) == (0, "", {})
    done = CliRunner().invoke(commands(), [*asked, "--all"])
    row = json.loads(done.stdout)
    assert (row["channel"], row["query"], row["error"]) == ("C1", QUERY, "")
    assert "2606.00101" in [paper["id"] for paper in row["papers"]] and len(slack.messages) == 1


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "set SLACK_BOT_TOKEN"),
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "SLACK_APP_TOKEN .* or SLACK_SIGNING_SECRET"),
        ({"SLACK_BOT_TOKEN": "xoxp-secret"}, "SLACK_BOT_TOKEN does not begin with xoxb-"),
        ({"SLACK_BOT_TOKEN": "xoxb-ä"}, "characters that no token has"),
        ({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_CLIENT_ID": "1", "SLACK_CLIENT_SECRET": "s3"}, "unset them"),
        ({"SLACK_BOT_TOKEN": "xoxb-1", "WAYFINDER_SLACK_USER_PER_MINUTE": "0"}, "whole number above 0"),
        ({"SLACK_BOT_TOKEN": "xoxb-1", "WAYFINDER_SLACK_URL": "slack.com"}, "http"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_named_without_its_value(
    environment: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(commands(), ["slack"])
    assert isinstance(result.exception, WayfinderError) and result.exception.exit_status == 2
    assert re.search(said, str(result.exception)), result.exception
    assert "xoxp-secret" not in str(result.exception)
