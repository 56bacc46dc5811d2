"""The Slack bot with real bolt over Socket Mode, against a Slack on loopback. Run: pytest tests/app/test_slack_bot.py"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.served_index import ServedIndex
from app.slack_blocks import Message
from app.slack_bot import MOST_EARLY_OF_THREAD, Bot, bot_user
from app.slack_post import RetryAfter, web_client
from app.slack_render import BIBTEX, EVIDENCE, GOOD, MORE, SIMILAR
from app.slack_state import SlackState
from indexer.config import Secret
from indexer.errors import MissingCredential
from indexer.sources_bibtex import bibtex_records
from tests.llm_server import LLMServer, Reply, sentence
from tests.slack_bots import in_socket_mode, make_bot, slack_config
from tests.slack_server import BOT_TOKEN, Fault, Json, SlackServer, buttons, event, shown

QUESTION = "Do jets suppress star formation in massive galaxies?"
FRB = "What explains a repeating fast radio burst?"


@pytest.fixture(scope="module")
def served(small_index_dir: Path) -> ServedIndex:
    return ServedIndex(small_index_dir)


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server


@pytest.fixture(scope="module")
def bot(
    slack: SlackServer, served: ServedIndex, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bot]:
    state = tmp_path_factory.mktemp("slack") / "state.sqlite"
    with in_socket_mode(make_bot(slack_config(slack, state), served), slack) as running:
        yield running


@pytest.fixture
def channel(request: pytest.FixtureRequest) -> str:
    """A channel of the test's own."""
    return f"C{request.node.name}"


def mention(channel: str, text: str, ts: str, **more: Any) -> Json:
    return event("app_mention", channel=channel, text=f"<@UBOT> {text}", ts=ts, **more)


def message(channel: str, text: str, ts: str, **more: Any) -> Json:
    return event("message", channel=channel, text=text, ts=ts, channel_type="channel", **more)


def ask(slack: SlackServer, channel: str, text: str = QUESTION) -> tuple[str, Json]:
    """Mention the bot with a question; the thread and the finished answer."""
    ts = slack.new_ts()
    slack.send("events_api", mention(channel, text, ts))
    return ts, slack.wait(lambda: slack.answers(channel, ts))[0]


def press(
    slack: SlackServer,
    channel: str,
    posted: Json,
    label: str,
    *,
    user: str = "U1",
    value: str | None = None,
) -> None:
    element = buttons(posted)[label]
    slack.send("interactive", action(channel, posted, element["action_id"], value or element["value"], user))  # fmt: skip


def action(channel: str, posted: Json, name: str, value: str, user: str = "U1") -> Json:
    return {
        "type": "block_actions", "user": {"id": user, "team_id": "T1"}, "team": {"id": "T1"}, "api_app_id": "A1", "token": "x",
        "container": {"type": "message", "message_ts": posted["ts"], "channel_id": channel, "thread_ts": posted.get("thread_ts")},
        "channel": {"id": channel}, "message": {"ts": posted["ts"], "thread_ts": posted.get("thread_ts")},
        "trigger_id": f"t{time.monotonic_ns()}",
        "actions": [{"type": "button", "action_id": name, "value": value, "block_id": "b", "action_ts": "1.1"}],
    }  # fmt: skip


def command(slack: SlackServer, channel: str, text: str, **more: Any) -> Json:
    return {
        "command": "/wayfinder", "text": text, "channel_id": channel, "user_id": "U1", "team_id": "T1", "api_app_id": "A1",
        "token": "x", "trigger_id": f"t{time.monotonic_ns()}", "response_url": slack.response_url(), **more,
    }  # fmt: skip


def shortcut(slack: SlackServer, channel: str, ts: str, text: str) -> Json:
    return {
        "type": "message_action", "callback_id": SIMILAR, "trigger_id": f"t{time.monotonic_ns()}", "response_url": slack.response_url(),
        "team": {"id": "T1"}, "user": {"id": "U1"}, "channel": {"id": channel}, "message": {"type": "message", "ts": ts, "text": text},
    }  # fmt: skip


def test_a_mention_is_answered_in_its_thread_with_numbered_sources(
    slack: SlackServer, bot: Bot, channel: str
) -> None:
    ts, posted = ask(slack, channel)
    text = shown(posted)
    assert (
        "Sources" in text
        and "[1]" in text
        and "Almeida & Brandt · 2024 · ApJ · 40 citations" in text
    )
    assert "Quoted from the papers" in text and "out of 12 in this index" in text
    urls = [leaf["url"] for block in posted["blocks"] if block["type"] == "rich_text" for part in block["elements"] for leaf in part["elements"] if leaf["type"] == "link"]  # fmt: skip
    assert "https://ui.adsabs.harvard.edu/abs/2024ApJ...900....1A/abstract" in urls
    assert list(buttons(posted)) == ["More papers", "Evidence", "BibTeX"]
    made = [call for call in slack.calls if call.args.get("channel") == channel]
    assert [call.method for call in made][:1] == ["chat.postMessage"] and made[0].args[
        "thread_ts"
    ] == ts
    assert "Searching 12 papers" in json.dumps(made[0].args, ensure_ascii=False)
    assert any(
        "Reading the" in json.dumps(call.args) for call in made if call.method == "chat.update"
    )
    assert made[-1].args["unfurl_links" if made[-1].method == "chat.postMessage" else "ts"] in (
        False,
        posted["ts"],
    )


def test_slack_is_acknowledged_before_the_answer_is_made(
    slack: SlackServer, bot: Bot, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LLMServer([Reply(hang_before_seconds=3_600)]) as server:
        _use(server, monkeypatch)
        ts = slack.new_ts()
        slack.send("events_api", mention(channel, QUESTION, ts))  # waits for the acknowledgement
        slack.send("slash_commands", command(slack, channel, FRB))
        assert slack.answers(channel, ts) == []
        server.stopped.set()  # lets the hanging replies end
        slack.wait(lambda: slack.answers(channel, ts))


def test_what_slack_sends_twice_is_answered_once(
    slack: SlackServer, bot: Bot, channel: str
) -> None:
    ts = slack.new_ts()
    first = mention(channel, QUESTION, ts)
    slack.send("events_api", first)
    slack.send("events_api", first, retry=1)
    slack.send(
        "events_api", message(channel, f"<@UBOT> {QUESTION}", ts)
    )  # the same message as another event
    _, _ = ask(slack, channel, FRB)
    slack.send("events_api", first, retry=2)
    other, _ = ask(slack, channel, "Water in the atmosphere of GQ 77 b?")
    assert len(slack.thread(channel, ts)) == 1 and len(slack.thread(channel, other)) == 1
    said = command(slack, channel, "help")
    before = len(slack.whispers)
    slack.send("slash_commands", said)
    slack.send("slash_commands", said)
    ask(slack, channel, "Spin of Sgr A*?")
    assert len(slack.whispers) == before + 1


def test_a_follow_up_in_the_thread_keeps_its_context(
    slack: SlackServer, bot: Bot, channel: str
) -> None:
    ts, _ = ask(slack, channel, "Was water found on GQ 77 b?")
    slack.send(
        "events_api",
        message(channel, "What is its carbon to oxygen ratio?", slack.new_ts(), thread_ts=ts),
    )
    _, second = slack.wait(
        lambda: len(slack.answers(channel, ts)) == 2 and slack.answers(channel, ts)
    )
    assert "Read as: Was water found on GQ 77 b: What is its carbon to oxygen ratio?" in shown(
        second
    )
    assert "0.55 +/- 0.08" in shown(second)


def test_people_who_talk_among_themselves_are_left_alone(
    slack: SlackServer, bot: Bot, channel: str
) -> None:
    ts, _ = ask(slack, channel)
    for text in ("Thanks!", "<@U2> what do you think?", "I read that one."):
        slack.send("events_api", message(channel, text, slack.new_ts(), thread_ts=ts))
    slack.send("events_api", message(channel, "Why do jets quench?", slack.new_ts()))  # to nobody
    slack.send("events_api", message(channel, "hello", slack.new_ts(), bot_id="B9", thread_ts=ts))
    slack.send("events_api", event("message", subtype="message_changed", channel=channel, ts=slack.new_ts(), message={"text": "x?"}))  # fmt: skip
    slack.send("events_api", event("reaction_added", item={}, reaction="x"))  # nobody listens to it
    ask(slack, channel, FRB)
    assert len(slack.thread(channel, ts)) == 1


def test_a_reply_that_comes_before_its_question_waits_for_it(
    slack: SlackServer, bot: Bot, channel: str
) -> None:
    root, reply, last = slack.new_ts(), slack.new_ts(), slack.new_ts()
    slack.send("events_api", message(channel, "And what about their clouds?", last, thread_ts=root))
    slack.send(
        "events_api", message(channel, "What is its carbon to oxygen ratio?", reply, thread_ts=root)
    )
    slack.send("events_api", mention(channel, "Was water found on GQ 77 b?", root))
    first, second, third = slack.wait(
        lambda: len(slack.answers(channel, root)) == 3 and slack.answers(channel, root)
    )
    assert "Read as" not in shown(first)
    assert "Read as: Was water found on GQ 77 b: What is its carbon to oxygen ratio?" in shown(
        second
    )
    assert "clouds" in shown(third).splitlines()[0]


def test_questions_that_people_ask_each_other_do_not_fill_the_memory(
    bot: Bot, channel: str
) -> None:
    for n in range(50):
        body = message(channel, f"Do you come to lunch at {n}?", f"17000000{n:02d}.0", thread_ts="1600000000.0")  # fmt: skip
        bot.on_message(body["event"])
    (kept,) = (held for name, held in bot._early.items() if name.startswith(f"{channel}:"))
    assert len(kept) == MOST_EARLY_OF_THREAD


def test_a_number_that_is_no_subscription_ends_none(tmp_path: Path) -> None:
    state = SlackState(tmp_path / "state.sqlite", keep_days=1)
    state.subscribe("C1", "tidal disruption", as_of="2026-01-01", known=())
    for number in ("0", "2", "²", "9" * 5_000):
        assert state.unsubscribe("C1", number) is None
    ended = state.unsubscribe("C1", "1")
    assert ended is not None and ended.query == "tidal disruption"


def test_a_direct_message_needs_no_mention(slack: SlackServer, bot: Bot) -> None:
    ts = slack.new_ts()
    slack.send("events_api", event("message", channel="D1", channel_type="im", text=FRB, ts=ts))
    assert "to a dwarf galaxy" in shown(slack.wait(lambda: slack.answers("D1", ts))[0])


def test_nothing_asked_is_answered_with_help(slack: SlackServer, bot: Bot, channel: str) -> None:
    _, posted = ask(slack, channel, "")
    assert "similar 1906.11238" in shown(posted) and "unsubscribe" in shown(posted)


def test_a_command_is_answered_under_what_was_asked(
    slack: SlackServer, bot: Bot, channel: str
) -> None:
    slack.send("slash_commands", command(slack, channel, FRB))
    root = slack.wait(
        lambda: [
            m for (c, _), m in slack.messages.items() if c == channel and not m.get("thread_ts")
        ]
    )[0]
    assert FRB in shown(root)
    assert "to a dwarf galaxy" in shown(slack.wait(lambda: slack.answers(channel, root["ts"]))[0])


def test_where_the_bot_is_no_member_a_command_is_answered_to_its_asker(
    slack: SlackServer, bot: Bot, channel: str
) -> None:
    slack.channels_without_bot.add(channel)
    before = len(slack.whispers)
    slack.send("slash_commands", command(slack, channel, FRB))
    said = slack.wait(lambda: [w for w in slack.whispers[before:] if "dwarf galaxy" in shown(w)])[0]
    assert said["response_type"] == "ephemeral" and not [
        b for b in said["blocks"] if b["type"] == "actions"
    ]


def test_similar_takes_a_link_an_id_or_the_link_above(
    slack: SlackServer, bot: Bot, channel: str
) -> None:
    _, posted = ask(slack, channel, "similar <https://arxiv.org/abs/2504.00007>")
    assert "Papers like “Magnetar birth rates" in shown(
        posted
    ) and "[1] A repeating fast radio burst" in shown(posted)
    link = "look: <https://ui.adsabs.harvard.edu/abs/2021Natur.590...50J/abstract|this>"
    root = slack.say(channel, link)
    slack.send("events_api", mention(channel, "similar", slack.new_ts(), thread_ts=root))
    assert "[1] Magnetar birth rates" in shown(slack.wait(lambda: slack.answers(channel, root))[0])
    _, posted = ask(slack, channel, "similar 2001.99999")
    assert "2001.99999 is not among the 12 papers" in shown(posted)
    _, posted = ask(slack, channel, "similar")
    assert "There is no arXiv id" in shown(posted)


def test_a_shared_link_gets_a_card_whose_button_finds_similar_papers(
    slack: SlackServer, bot: Bot, channel: str
) -> None:
    url, other = "https://arxiv.org/abs/2504.00007v2", "https://arxiv.org/abs/2001.99999"
    root = slack.say(channel, url)
    links = [{"domain": "arxiv.org", "url": u} for u in (url, other)]
    slack.send("events_api", event("link_shared", channel=channel, message_ts=root, links=links))
    unfurled = slack.wait(
        lambda: [
            c for c in slack.calls if c.method == "chat.unfurl" and c.args["channel"] == channel
        ]
    )
    assert len(unfurled) == 1 and unfurled[0].ok and list(unfurled[0].args["unfurls"]) == [url]
    card = unfurled[0].args["unfurls"][url]["blocks"][0]
    assert card["text"]["type"] == "plain_text" and "Kim & Jones · 2025" in card["text"]["text"]
    pressed = action(
        channel, {"ts": root}, card["accessory"]["action_id"], card["accessory"]["value"]
    )
    slack.send("interactive", pressed)
    assert "[1] A repeating fast radio burst" in shown(
        slack.wait(lambda: slack.answers(channel, root))[0]
    )


def test_the_menu_of_a_message_finds_similar_papers(
    slack: SlackServer, bot: Bot, channel: str
) -> None:
    root = slack.say(channel, "x")
    slack.send(
        "interactive", shortcut(slack, channel, root, "see <https://arxiv.org/abs/2504.00007>")
    )
    assert "A repeating fast radio burst" in shown(
        slack.wait(lambda: slack.answers(channel, root))[0]
    )
    before = len(slack.whispers)
    slack.send("interactive", shortcut(slack, channel, root, "lunch?"))
    assert "There is no arXiv id" in shown(slack.wait(lambda: slack.whispers[before:])[0])


def test_the_buttons_bring_more_papers_evidence_and_bibtex(
    slack: SlackServer, bot: Bot, channel: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wayfinder.questions")
    ts, posted = ask(slack, channel)
    press(slack, channel, posted, "Evidence")
    evidence = slack.wait(lambda: slack.answers(channel, ts)[1:])[0]
    assert "✓" in shown(evidence) and "(abstract)" in shown(evidence)
    press(slack, channel, posted, "BibTeX")
    entries = shown(slack.wait(lambda: slack.answers(channel, ts)[2:])[0])
    records = list(bibtex_records(entries))
    assert "2024ApJ...900....1A" in [r["bibcode"] for r in records if isinstance(r, dict)]
    press(slack, channel, posted, "More papers")
    more = slack.wait(lambda: slack.answers(channel, ts)[3:])[0]
    first = {line for line in shown(posted).splitlines() if line.startswith("[")}
    further = [line for line in shown(more).splitlines() if line.startswith("[")]
    assert further and not {line.split("] ")[1] for line in first} & {
        line.split("] ")[1] for line in further
    }
    press(slack, channel, more, "More papers")
    assert "no more papers" in shown(slack.wait(lambda: slack.answers(channel, ts)[4:])[0])
    logged = [record.facts for record in caplog.records if record.name == "wayfinder.questions"]  # type: ignore[attr-defined]
    assert [(row["door"], row["what"], row["outcome"]) for row in logged] == [
        ("slack", "ask", "extractive"), ("slack", "search", "found"), ("slack", "search", "found"),
    ]  # fmt: skip
    before = len(slack.whispers)
    press(slack, channel, posted, "Evidence", user="U2")
    assert "in this thread already" in slack.wait(lambda: slack.whispers[before:])[0]["text"]
    assert len(slack.answers(channel, ts)) == 5


def test_a_button_of_an_answer_that_is_forgotten_says_so(
    slack: SlackServer, bot: Bot, channel: str
) -> None:
    ts, posted = ask(slack, channel)
    press(slack, channel, posted, "Evidence", value="0123456789abcdef")
    assert "no longer kept: ask again" in shown(
        slack.wait(lambda: slack.answers(channel, ts)[1:])[0]
    )
    press(slack, channel, posted, "More papers", value="x:y:z")
    assert "no longer kept" in shown(slack.wait(lambda: slack.answers(channel, ts)[2:])[0])


def test_votes_are_offered_and_kept_only_where_the_host_names_a_file(
    slack: SlackServer, bot: Bot, channel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, posted = ask(slack, channel)
    assert ":thumbsup:" not in buttons(posted)
    path = tmp_path / "feedback.jsonl"
    monkeypatch.setenv("WAYFINDER_FEEDBACK", str(path))
    _, posted = ask(slack, channel, FRB)
    for label in (":thumbsup:", ":thumbsdown:"):
        before = len(slack.whispers)
        press(slack, channel, posted, label)
        assert "kept" in slack.wait(lambda n=before: slack.whispers[n:])[0]["text"]
    up, down = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert (up["good"], down["good"], up["vote"] == down["vote"]) == (True, False, True)
    assert up["question"] == FRB and up["door"] == "slack" and "2021Natur.590...50J" in up["papers"]
    assert "U1" not in path.read_text(encoding="utf-8")


def test_a_model_writes_and_a_failing_one_is_replaced_by_quotations(
    slack: SlackServer, bot: Bot, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quoted = "A young magnetar explains the bursts."
    good = sentence("A young magnetar explains the bursts.", (1, quoted))
    false = sentence("The bursts come from 17 pulsars.", (1, quoted))
    with LLMServer([Reply(f"{good}\n{false}\n")]) as server:
        _use(server, monkeypatch)
        _, posted = ask(slack, channel, FRB)
        assert "Written by toy-1" in shown(posted) and "⚠ not supported" in shown(posted)
    with LLMServer([Reply(status=500)]) as server:
        _use(server, monkeypatch)
        _, posted = ask(slack, channel, FRB)
    assert (
        "Quoted from the papers" in shown(posted)
        and "⚠" in shown(posted)
        and "Magnetars are" in shown(posted)
    )


def _use(server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = server.config()
    monkeypatch.setenv("WAYFINDER_LLM_BASE_URL", str(settings.base_url))
    monkeypatch.setenv("WAYFINDER_LLM_MODEL", settings.model)
    monkeypatch.setenv("WAYFINDER_LLM_API_KEY", str(settings.api_key))
    monkeypatch.setenv("WAYFINDER_LLM_TIMEOUT_SECONDS", "600")


def test_a_question_that_no_paper_answers_is_refused_with_the_nearest(
    slack: SlackServer, bot: Bot, channel: str
) -> None:
    _, posted = ask(slack, channel, "Which recipe makes the best sourdough bread?")
    assert "Nearest papers" in shown(posted) and "Evidence" not in buttons(posted)


def test_nothing_of_papers_or_people_is_markup(slack: SlackServer, bot: Bot, channel: str) -> None:
    ts, posted = ask(
        slack, channel, "z ~ 10 galaxies &lt;!channel&gt; *de-blending* &amp; <!here> counts?"
    )
    for said in slack.thread(channel, ts):
        everything = json.dumps([said["text"], said["blocks"]])
        assert "mrkdwn" not in everything and '"broadcast"' not in everything
        assert "<" not in said["text"] and ">" not in said["text"]
    assert "Our de-blending recovers fluxes" in shown(posted)


def test_a_long_answer_is_split_within_slacks_limits(
    slack: SlackServer, bot: Bot, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quoted = "A young magnetar explains the bursts."
    many = "\n".join(
        sentence(f"{'A young magnetar explains the bursts, ' * 24}case {n}.", (1, quoted))
        for n in range(18)
    )
    with LLMServer([Reply(many)]) as server:
        _use(server, monkeypatch)
        ts, _ = ask(slack, channel, FRB)
    posted = slack.wait(
        lambda: [m for m in slack.answers(channel, ts) if buttons(m)] and slack.answers(channel, ts)
    )
    assert len(posted) >= 2 and not any(buttons(m) for m in posted[:-1])
    text = " ".join(shown(m) for m in posted)
    assert [n for n in range(18) if f"case {n}." not in text] == []
    assert all(call.ok for call in slack.calls if call.args.get("channel") == channel)


def test_people_and_channels_have_limits(
    slack: SlackServer, served: ServedIndex, tmp_path: Path
) -> None:
    settings = slack_config(slack, tmp_path / "s.sqlite", user_per_minute=2, channel_per_minute=3)

    def said() -> list[Json]:
        return [w for w in slack.whispers if w.get("channel") == "CLIMIT"]

    def posted() -> list[Json]:
        return [m for (c, _), m in slack.messages.items() if c == "CLIMIT"]

    with in_socket_mode(make_bot(settings, served, offline=True), slack):
        for n, user in enumerate(("U1", "U1", "U1", "U2", "U3"), 1):
            slack.send("events_api", mention("CLIMIT", QUESTION, slack.new_ts(), user=user))
            slack.wait(lambda n=n: len(said()) + len(posted()) == n)
    assert {
        (w["user"], "questions of yours" in w["text"], "of this channel" in w["text"])
        for w in said()
    } == {
        ("U1", True, False),
        ("U3", False, True),
    }
    assert len(posted()) == 3


def test_a_429_is_waited_for_as_long_as_it_says(slack: SlackServer, bot: Bot, channel: str) -> None:
    slack.faults["chat.postMessage"] = [Fault(status=429, headers={"Retry-After": "0"})] * 2
    _, posted = ask(slack, channel)
    assert "Sources" in shown(posted)
    waited: list[float] = []
    client = web_client(bot.config)
    client.retry_handlers[-1] = RetryAfter(sleep=waited.append)
    slack.faults["auth.test"] = [
        Fault(status=429, headers={"Retry-After": "7"}),
        Fault(status=429),
        Fault(status=429, headers={"Retry-After": "x"}),
    ]
    assert bot_user(client) == "UBOT" and waited == [7, 1, 1]
    slack.faults["auth.test"] = [Fault(status=429, headers={"Retry-After": "3600"})]
    with pytest.raises(Exception, match="ratelimited.*too often"):
        bot_user(client)
    assert waited == [7, 1, 1]


def test_progress_that_slack_refuses_costs_no_answer(
    slack: SlackServer, bot: Bot, channel: str
) -> None:
    slack.faults["chat.update"] = [Fault(status=429, headers={"Retry-After": "3000"})]
    _, posted = ask(slack, channel)
    assert "Sources" in shown(posted)
    slack.faults["chat.update"] = []


def test_an_answer_that_slack_does_not_take_is_said(
    slack: SlackServer,
    bot: Bot,
    channel: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endless = [Message([{"type": "divider"}], "x")]
    monkeypatch.setattr("app.slack_desk.answer_messages", lambda *_, **__: endless)
    _, posted = ask(slack, channel)
    assert "cannot be shown. Slack says invalid_blocks" in slack.wait(
        lambda: "cannot" in shown(posted) and shown(posted)
    )
    slack.wait(lambda: "invalid_blocks" in caplog.text)


def test_an_expired_token_stops_the_bot_and_is_named_but_never_shown(
    slack: SlackServer, served: ServedIndex, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with in_socket_mode(
        make_bot(slack_config(slack, tmp_path / "s.sqlite"), served), slack
    ) as running:
        slack.token_error = "token_expired"
        try:
            slack.send(
                "events_api", mention("CEXPIRED", "MY PRIVATE QUESTION about jets?", slack.new_ts())
            )
            slack.wait(running.stopped.is_set, "the end of the bot")
            with pytest.raises(MissingCredential, match="token_expired.*set SLACK_BOT_TOKEN"):
                bot_user(running.client)
        finally:
            slack.token_error = ""
    assert "token_expired" in running.reason and "SLACK_BOT_TOKEN" in running.reason
    said = "\n".join(
        r.getMessage()
        for r in caplog.records
        if r.name.startswith("wayfinder") and r.levelno >= logging.WARNING
    )
    assert "token_expired" in said and "PRIVATE" not in said
    assert BOT_TOKEN not in caplog.text and "xapp-" not in caplog.text
    assert BOT_TOKEN not in repr(running.config) and repr(running.config.bot_token) == "'***'"


def test_what_breaks_is_told_by_number_and_logged_without_the_question(
    slack: SlackServer,
    bot: Bot,
    channel: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = "Do PRIVATE jets quench?"

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(asked)

    monkeypatch.setattr("app.slack_desk.kept_answer", broken)
    _, posted = ask(slack, channel, asked)
    assert "Something broke here" in shown(posted)
    number = shown(posted).split("under ")[1].rstrip(".\n")
    assert number in caplog.text and "RuntimeError" in caplog.text and "PRIVATE" not in caplog.text


def test_a_new_connection_is_made_when_slack_asks_for_it(
    slack: SlackServer, bot: Bot, channel: str
) -> None:
    n = slack.n_connected
    slack.drop()
    slack.connected(n + 1)
    ask(slack, channel)


def test_a_restart_keeps_threads_and_says_what_was_cut_off(
    slack: SlackServer, served: ServedIndex, tmp_path: Path
) -> None:
    settings = slack_config(slack, tmp_path / "s.sqlite")
    with in_socket_mode(make_bot(settings, served), slack) as first:
        ts, posted = ask(slack, "CRESTART", "Was water found on GQ 77 b?")
        cut = slack.say("CRESTART", "Searching …")
        first.state.begin("CRESTART", cut)  # as a kill leaves it
    again = make_bot(settings, served)
    again.clean_up()
    assert "restarted before this was answered" in shown(slack.messages["CRESTART", cut])
    assert again.state.cut_off() == []
    with in_socket_mode(again, slack):
        slack.send("events_api", mention("CRESTART", "Was water found on GQ 77 b?", ts), retry=3)
        slack.send(
            "events_api",
            message(
                "CRESTART", "What is its carbon to oxygen ratio?", slack.new_ts(), thread_ts=ts
            ),
        )
        second = slack.wait(lambda: slack.answers("CRESTART", ts)[1:])[0]
        assert "Read as: Was water found on GQ 77 b: What is its" in shown(second)
        press(slack, "CRESTART", posted, "Evidence")
        assert "✓" in shown(slack.wait(lambda: slack.answers("CRESTART", ts)[2:])[0])
    assert len(slack.answers("CRESTART", ts)) == 3


def test_who_waits_at_the_end_is_told_to_ask_again(
    slack: SlackServer, served: ServedIndex, tmp_path: Path
) -> None:
    running = make_bot(slack_config(slack, tmp_path / "s.sqlite"), served, offline=True)
    held, begun = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        held.wait(60)

    ts = slack.new_ts()
    running.turns.submit(f"CEND:{ts}", 0.0, hold)
    begun.wait(60)
    running.on_message(
        {"type": "app_mention", "channel": "CEND", "ts": ts, "text": "<@UBOT> jets?", "user": "U1"}
    )
    running._closing = True
    held.set()
    running.close()
    assert [shown(m) for m in slack.answers("CEND", ts)] == [
        "I am being restarted: ask again in a minute."
    ]


def test_the_bot_needs_a_token_that_slack_knows(slack: SlackServer, tmp_path: Path) -> None:
    wrong = slack_config(slack, tmp_path / "s.sqlite", bot_token=Secret("xoxb-wrong"))
    with pytest.raises(MissingCredential, match="does not take the bot's token.*invalid_auth"):
        bot_user(web_client(wrong))
    slack.faults["auth.test"] = [Fault(status=502, text="<html>no gateway</html>")]
    with pytest.raises(Exception, match="Slack says"):
        bot_user(web_client(slack_config(slack, tmp_path / "s.sqlite")))


def test_names_of_buttons_differ() -> None:
    assert len({MORE, EVIDENCE, BIBTEX, GOOD, SIMILAR}) == 5
