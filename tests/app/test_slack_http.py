"""The Slack bot over HTTP: signatures, replays, what is no request of Slack's. Run: pytest tests/app/test_slack_http.py"""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.served_index import ServedIndex
from app.slack_bot import bolt_app
from app.slack_http import MOST_BYTES, server
from tests.slack_bots import make_bot, slack_config
from tests.slack_server import SIGNING_SECRET, SlackServer, buttons, event, post, shown, signed

QUESTION = "Do jets suppress star formation in massive galaxies?"


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackServer]:
    with SlackServer() as running:
        yield running


@pytest.fixture(scope="module")
def url(
    slack: SlackServer, small_index_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The bot, served by uvicorn until the module's end."""
    settings = slack_config(slack, tmp_path_factory.mktemp("slack") / "state.sqlite")
    bot = make_bot(settings, ServedIndex(small_index_dir), offline=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serving = server(bolt_app(bot), host="127.0.0.1", port=port)
    thread = threading.Thread(target=serving.run, daemon=True)
    thread.start()
    slack.wait(lambda: serving.started, "the bot's server")
    yield f"http://127.0.0.1:{port}"
    serving.should_exit = True
    thread.join()
    bot.close()


def test_a_signed_event_is_acknowledged_and_answered_once(slack: SlackServer, url: str) -> None:
    ts = slack.new_ts()
    asked = event("app_mention", channel="C1", text=f"<@UBOT> {QUESTION}", ts=ts)
    body = json.dumps(asked).encode()
    for retry in range(3):
        again = (
            {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"}
            if retry
            else {}
        )
        assert post(f"{url}/slack/events", body, {**signed(body.decode()), **again}) == (200, "")
    posted = slack.wait(lambda: slack.answers("C1", ts))
    other = slack.new_ts()
    post(
        f"{url}/slack/events",
        event("app_mention", channel="C1", text="<@UBOT> magnetars?", ts=other),
    )
    slack.wait(lambda: slack.answers("C1", other))
    assert len(slack.thread("C1", ts)) == 1 and "Almeida & Brandt" in shown(posted[0])


def test_a_command_and_a_button_come_as_forms(slack: SlackServer, url: str) -> None:
    said = {"command": "/wayfinder", "text": "similar 2504.00007", "channel_id": "C2", "user_id": "U1", "team_id": "T1", "trigger_id": "t1", "response_url": slack.response_url(), "api_app_id": "A1", "token": "x"}  # fmt: skip
    assert post(f"{url}/slack/events", said, form=True) == (200, "")
    root = slack.wait(
        lambda: [m for (c, _), m in slack.messages.items() if c == "C2" and not m.get("thread_ts")]
    )[0]
    posted = slack.wait(lambda: slack.answers("C2", root["ts"]))[0]
    element = buttons(posted)["BibTeX"]
    pressed = {
        "type": "block_actions", "user": {"id": "U1"}, "team": {"id": "T1"}, "channel": {"id": "C2"}, "trigger_id": "t2",
        "container": {"message_ts": posted["ts"], "channel_id": "C2"}, "message": {"ts": posted["ts"], "thread_ts": root["ts"]},
        "actions": [{"type": "button", "action_id": element["action_id"], "value": element["value"], "block_id": "b"}],
    }  # fmt: skip
    assert post(f"{url}/slack/events", {"payload": json.dumps(pressed)}, form=True) == (200, "")
    assert "@article{" in shown(slack.wait(lambda: slack.answers("C2", root["ts"])[1:])[0])


def test_slacks_question_whose_address_this_is_is_answered(url: str) -> None:
    status, body = post(
        f"{url}/slack/events", {"type": "url_verification", "challenge": "abc", "token": "x"}
    )
    assert (status, json.loads(body)) == (200, {"challenge": "abc"})


def test_a_wrong_signature_or_an_old_one_is_refused_and_logged_without_the_request(
    slack: SlackServer, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ts = slack.new_ts()
    body = json.dumps(event("app_mention", channel="C3", text="<@UBOT> PRIVATE jets?", ts=ts))
    good = signed(body)
    refused = [
        {},
        {**good, "X-Slack-Signature": "v0=" + "0" * 64},
        {**good, "X-Slack-Signature": ""},
        {**good, "X-Slack-Request-Timestamp": "soon"},
        {**good, "X-Slack-Request-Timestamp": "-1"},
        {**good, "X-Slack-Request-Timestamp": "²"},
        {**good, "X-Slack-Request-Timestamp": "9" * 400},
        {**good, "X-Slack-Request-Timestamp": "9" * 5_000},
        {**good, "X-Slack-Signature": "v0=é"},
        signed(body, secret="another"),
        signed(body, at=time.time() - 301),
        signed(body, at=time.time() + 900),
        {**signed(body, at=time.time() - 400), "X-Slack-Request-Timestamp": good["X-Slack-Request-Timestamp"]},
        signed(body + " "),
    ]  # fmt: skip
    for headers in refused:
        sent = {name: value.encode().decode("latin-1") for name, value in headers.items()}
        assert post(f"{url}/slack/events", body.encode(), sent)[0] == 401, headers
    assert not [m for (c, _), m in slack.messages.items() if c == "C3"]
    assert (
        "was refused" in caplog.text
        and "PRIVATE" not in caplog.text
        and SIGNING_SECRET not in caplog.text
    )
    assert post(f"{url}/slack/events", body.encode(), signed(body, at=time.time() - 250))[0] == 200
    slack.wait(lambda: slack.answers("C3", ts))


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"x" * (MOST_BYTES + 1), 413), (b"\xff\xfe", 400), (b"", 200), (b"{", 200), (b"[1]", 200), (b"null", 200), (b'{"event": 3}', 200), (b'{"type": "event_callback", "event": {"type": "message"}}', 200), (b"payload=%7B", 200)],
)  # fmt: skip
def test_what_is_no_request_of_slacks_harms_nothing(
    slack: SlackServer, url: str, body: bytes, status: int
) -> None:
    found, said = post(f"{url}/slack/events", body)
    assert found == status or (status == 200 and found in (400, 404, 500)), said
    assert "Traceback" not in said
    challenge = {"type": "url_verification", "challenge": "still here", "token": "x"}
    assert post(f"{url}/slack/events", challenge)[0] == 200


def test_other_addresses_are_not_found(url: str) -> None:
    assert post(f"{url}/", b"{}")[0] == 404 and post(f"{url}/slack", b"{}")[0] == 404
    import urllib.request

    with urllib.request.urlopen(f"{url}/healthz", timeout=60) as reply:
        assert (reply.status, reply.read()) == (200, b"ok")
