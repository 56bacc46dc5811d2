"""Slack's text and blocks: nothing is lost, nothing is markup, limits hold. Run: pytest tests/app/test_slack_blocks.py"""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.slack_blocks import button, fixed, link, messages, quote, section, words
from app.slack_render import SIMILAR
from app.slack_state import SlackState
from app.slack_text import Wish, asks, escaped, plain, wish
from app.slack_turns import Turns
from indexer.errors import QueryError, StorageError
from tests.slack_server import block_error, shown

_TEXTS = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=9_000)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("<@UBOT> is Sgr A* &lt; 4e6 &amp; dark?", "is Sgr A* < 4e6 & dark?"),
        ("<https://arxiv.org/abs/1906.11238|this paper>", "https://arxiv.org/abs/1906.11238"),
        ("<http://arxiv.org|arxiv.org> in <#C1|general> <!here> <!subteam^S1|@team>", "arxiv.org in general"),
        ("&amp;lt;script&amp;gt;", "&lt;script&gt;"),
        ("a\x00b\x1b[31m", "ab[31m"),
        ("z < 3 and > 1", "z < 3 and > 1"),
    ],
)  # fmt: skip
def test_what_people_wrote_is_read_as_plain_words(written: str, read: str) -> None:
    assert plain(written).split() == read.split()


@given(_TEXTS)
def test_escaped_text_holds_no_markup_and_comes_back_whole(text: str) -> None:
    safe = escaped(text)
    assert not re.search(r"[<>]|&(?!(?:amp|lt|gt);)", safe)
    assert plain(safe) == re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text).strip()


@pytest.mark.parametrize(
    ("said", "wished"),
    [
        ("similar 1906.11238", Wish("similar", "1906.11238")),
        ("Similar to: https://arxiv.org/abs/1906.11238", Wish("similar", "https://arxiv.org/abs/1906.11238")),
        ("similar", Wish("similar", "")),
        ("similar galaxies to the Milky Way?", Wish("ask", "similar galaxies to the Milky Way?")),
        ("subscribe to fast radio bursts", Wish("subscribe", "fast radio bursts")),
        ("subscribe", Wish("subscriptions", "")),
        ("unsubscribe 1", Wish("unsubscribe", "1")),
        ("help", Wish("help", "")),
        ("", Wish("help", "")),
        ("help me understand quenching", Wish("ask", "help me understand quenching")),
        ("helpers of stars", Wish("ask", "helpers of stars")),
    ],
)  # fmt: skip
def test_a_wish_is_a_question_unless_it_is_plainly_not(said: str, wished: Wish) -> None:
    assert wish(said) == wished


@pytest.mark.parametrize(
    ("said", "is_one"),
    [("And at high redshift?", True), ("why", True), ("thanks", False), ("<@U2> why?", False), ("Whyever not", False)],
)  # fmt: skip
def test_a_question_in_a_thread_is_told_from_talk(said: str, is_one: bool) -> None:
    assert asks(said) is is_one


@settings(max_examples=25, deadline=None)
@given(st.lists(_TEXTS, min_size=1, max_size=8), st.sampled_from([section, quote]))
def test_all_words_arrive_in_order_in_messages_that_slack_takes(
    texts: list[str], kind: object
) -> None:
    last = [button("More papers", "a", "v")]
    packed = messages([kind(words(text)) for text in texts], fallback=texts[0], buttons=last)  # type: ignore[operator]
    assert [block_error({"blocks": m.blocks, "text": m.text}) for m in packed] == [""] * len(packed)
    arrived = "".join(shown({"blocks": message.blocks}) for message in packed)
    assert arrived.replace("\n", "") == "".join(texts).replace("\n", "")
    assert packed[-1].blocks[-1]["elements"] == last


def test_a_thousand_sources_and_an_endless_link_fit() -> None:
    parts = [
        section(words(f"[{n}] "), link(f"https://x.org/{n}", "title " * 30)) for n in range(400)
    ]
    parts += [
        section(link("https://x.org/" + "y" * 5_000, "z" * 4_000)),
        section(link(None, "no address")),
        fixed("é" * 10_000),
    ]
    packed = messages(parts, fallback="f")
    assert not any(block_error({"blocks": m.blocks}) for m in packed)
    text = "\n".join(shown({"blocks": m.blocks}) for m in packed)
    assert (
        all(f"[{n}] " in text for n in range(400))
        and "no address" in text
        and text.count("é") == 10_000
    )


def test_a_thread_has_one_turn_at_a_time_the_earliest_first() -> None:
    turns, held, done = Turns(workers=2, most_waiting=3), threading.Event(), []
    begun = threading.Event()

    def first() -> None:
        begun.set()
        held.wait(60)

    assert turns.submit("t", 1.0, first)
    begun.wait(60)
    assert turns.submit("t", 9.0, lambda: done.append(9))
    assert turns.submit("t", 5.0, lambda: done.append(5))
    other = threading.Event()
    assert turns.submit("other", 7.0, other.set)
    assert other.wait(60)  # while the first thread waits
    assert turns.submit("t", 7.0, lambda: done.append(7)) and not turns.submit(
        "t", 8.0, lambda: done.append(8)
    )
    held.set()
    turns.close()
    assert done == [5, 7, 9] and not turns.submit("t", 1.0, lambda: None)


def test_the_bots_file_is_its_owners_and_names_what_is_wrong_with_it(tmp_path) -> None:  # type: ignore[no-untyped-def]
    state = SlackState(tmp_path / "a" / "s.sqlite", keep_days=1)
    assert state.claim("x") and not state.claim("x")
    assert state.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(QueryError, match="20 subscriptions"):
        for n in range(21):
            state.subscribe("C1", f"q{n}", as_of="2026-01-01", known=())
    assert state.unsubscribe("C1", "99") is None and state.unsubscribe("C1", "0") is None
    ended = state.unsubscribe("C1", "2")
    assert ended is not None and ended.query == "q1"
    broken = tmp_path / "broken"
    broken.write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="WAYFINDER_SLACK_STATE"):
        SlackState(broken, keep_days=1).claim("x")
    assert broken.read_bytes() == b"no database at all" * 100


def test_the_manifest_of_the_readme_asks_for_what_the_bot_listens_to() -> None:
    import yaml

    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    manifest = yaml.safe_load(readme.split("```yaml\n")[1].split("```")[0])
    features, settings_ = manifest["features"], manifest["settings"]
    assert [command["command"] for command in features["slash_commands"]] == ["/wayfinder"]
    assert [shortcut["callback_id"] for shortcut in features["shortcuts"]] == [SIMILAR]
    events = settings_["event_subscriptions"]["bot_events"]
    assert {name.split(".")[0] for name in events} == {"app_mention", "link_shared", "message"}
    assert settings_["interactivity"]["is_enabled"] and settings_["socket_mode_enabled"]
    scopes = set(manifest["oauth_config"]["scopes"]["bot"])
    assert {"chat:write", "commands", "links:write", "app_mentions:read", "im:history"} <= scopes
