"""A Slack on loopback: its Web API, Socket Mode over a real websocket, and signed requests as its Events API sends them.

    with SlackServer() as slack:
        client = WebClient(token=BOT_TOKEN, base_url=slack.url)

It refuses what Slack refuses: wrong tokens, unknown channels, blocks beyond the limits of Block Kit.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

BOT_TOKEN = "xoxb-test-0123456789-secret"
APP_TOKEN = "xapp-test-0123456789-secret"
SIGNING_SECRET = "test-signing-secret-0123456789"
BOT = "UBOT"
Json = dict[str, Any]
WAIT_SECONDS = 120.0  # the longest a test waits for what must come; never waited in full


@dataclass(frozen=True)
class Fault:
    """One scripted answer of a method: an HTTP status, or an error of Slack."""

    error: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""  # instead of JSON


@dataclass(frozen=True)
class Call:
    """One call of a method, its arguments, and whether Slack took it."""

    method: str
    args: Json
    ok: bool


class SlackServer:
    """The server; `calls` is what came, `messages` what stands in the channels now."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.messages: dict[tuple[str, str], Json] = {}  # (channel, ts)
        self.whispers: list[Json] = []  # ephemeral ones and those through a response_url
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.token_error = ""  # of every call from now on
        self.channels_without_bot: set[str] = set()
        self.acks: dict[str, Json] = {}  # by envelope
        self._changed = threading.Condition()
        self._sockets: list[ServerConnection] = []  # open ones
        self.n_connected = 0  # ever
        self._ts = time.time()
        self._envelopes = 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._websocket = serve(self._socket, "127.0.0.1", 0)
        self.port = self._http.server_address[1]

    def __enter__(self) -> SlackServer:
        for server in (self._http, self._websocket):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for socket in list(self._sockets):
            socket.close()
        self._websocket.shutdown()
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        """The address of the Web API."""
        return f"http://127.0.0.1:{self.port}/api/"

    def response_url(self, name: str = "r1") -> str:
        """An address that commands and shortcuts reply to."""
        return f"http://127.0.0.1:{self.port}/response/{name}"

    def new_ts(self) -> str:
        """The name of a new message, later than all before."""
        with self._changed:
            self._ts += 0.001
            return f"{self._ts:.6f}"

    def wait(self, found: Callable[[], Any], what: str = "what must come") -> Any:
        """Wait until `found` returns something true, and return it."""
        end = time.monotonic() + WAIT_SECONDS
        with self._changed:
            while not (result := found()):
                left = end - time.monotonic()
                assert left > 0, f"{what} did not come; calls: {[c.method for c in self.calls]}"
                self._changed.wait(min(left, 0.2))
            return result

    def thread(self, channel: str, thread: str) -> list[Json]:
        """The bot's messages in a thread, oldest first."""
        found = [
            m
            for (c, _), m in self.messages.items()
            if c == channel and m.get("thread_ts") == thread
        ]
        return sorted(found, key=lambda m: float(m["ts"]))

    def answers(self, channel: str, thread: str) -> list[Json]:
        """Those of them that are no longer in the making."""
        return [m for m in self.thread(channel, thread) if not shown(m).rstrip().endswith("…")]

    # Socket Mode

    def connected(self, n: int = 1) -> None:
        """Wait until a client is connected."""
        self.wait(lambda: self.n_connected >= n, "a connection")

    def send(self, kind: str, payload: Json, *, retry: int = 0, answered: bool = True) -> str:
        """Send an envelope (events_api, slash_commands, interactive) and wait for its acknowledgement."""
        with self._changed:
            self._envelopes += 1
            envelope = f"e{self._envelopes}"
        said = {
            "envelope_id": envelope,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            said |= {"retry_attempt": retry, "retry_reason": "timeout" if retry else ""}
        self._sockets[-1].send(json.dumps(said))
        if answered:
            self.wait(lambda: envelope in self.acks, f"the acknowledgement of {payload}")
        return envelope

    def drop(self) -> None:
        """Ask the client to connect anew, as Slack does every few hours."""
        self._sockets[-1].send(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))

    def _socket(self, socket: ServerConnection) -> None:
        socket.send(json.dumps({"type": "hello", "num_connections": 1}))
        with self._changed:
            self._sockets.append(socket)
            self.n_connected += 1
            self._changed.notify_all()
        try:
            for message in socket:
                said = json.loads(message)
                with self._changed:
                    self.acks[said["envelope_id"]] = said
                    self._changed.notify_all()
        except (ConnectionClosed, OSError):
            pass
        finally:
            self._sockets.remove(socket)

    # Web API

    def _answer(
        self, method: str, args: Json, token: str
    ) -> tuple[int, Json | str, dict[str, str]]:
        with self._changed:
            fault = self.faults[method].pop(0) if self.faults[method] else None
        if fault is not None:
            said = {"ok": False, "error": fault.error or "ratelimited"}
            return self._said(method, args, fault.status, fault.text or said, fault.headers)
        error = self.token_error or _wrong_token(method, token)
        if error:
            return self._said(method, args, 200, {"ok": False, "error": error}, {})
        known = getattr(self, "_" + method.replace(".", "_"), None)
        said = known(args) if known else {"ok": False, "error": "unknown_method"}
        return self._said(method, args, 200, said, {})

    def _said(
        self, method: str, args: Json, status: int, said: Json | str, headers: dict[str, str]
    ) -> tuple[int, Json | str, dict[str, str]]:
        with self._changed:
            self.calls.append(Call(method, args, isinstance(said, dict) and bool(said["ok"])))
            self._changed.notify_all()
        return status, said, headers

    def _auth_test(self, args: Json) -> Json:
        return {
            "ok": True,
            "user_id": BOT,
            "bot_id": "BBOT",
            "team_id": "T1",
            "team": "t",
            "user": "wayfinder",
            "url": "https://t.slack.com/",
        }

    def _apps_connections_open(self, args: Json) -> Json:
        port = self._websocket.socket.getsockname()[1]
        return {"ok": True, "url": f"ws://127.0.0.1:{port}/link/?ticket=t1"}

    def _chat_postMessage(self, args: Json) -> Json:
        error = block_error(args)
        if args["channel"] in self.channels_without_bot:
            error = "not_in_channel"
        if error:
            return {"ok": False, "error": error}
        ts = self.new_ts()
        self.messages[args["channel"], ts] = {**args, "ts": ts}
        return {"ok": True, "channel": args["channel"], "ts": ts, "message": {"ts": ts}}

    def _chat_update(self, args: Json) -> Json:
        kept = self.messages.get((args["channel"], args["ts"]))
        error = "message_not_found" if kept is None else block_error(args)
        if error:
            return {"ok": False, "error": error}
        kept |= args
        return {"ok": True, "channel": args["channel"], "ts": args["ts"]}

    def _chat_postEphemeral(self, args: Json) -> Json:
        self.whispers.append(args)
        return {"ok": True, "message_ts": self.new_ts()}

    def _chat_unfurl(self, args: Json) -> Json:
        unfurls = args["unfurls"]
        args["unfurls"] = json.loads(unfurls) if isinstance(unfurls, str) else unfurls
        errors = [e for card in args["unfurls"].values() if (e := block_error(card))]
        return {"ok": False, "error": errors[0]} if errors else {"ok": True}

    def _conversations_replies(self, args: Json) -> Json:
        found = self.messages.get((args["channel"], args["ts"]))
        return (
            {"ok": True, "messages": [found]}
            if found
            else {"ok": False, "error": "thread_not_found"}
        )

    def say(self, channel: str, text: str, **more: Any) -> str:
        """Put a person's message into a channel; return its ts."""
        ts = self.new_ts()
        self.messages[channel, ts] = {
            "channel": channel,
            "text": text,
            "ts": ts,
            "user": "U1",
            **more,
        }
        return ts

    def _whispered(self, args: Json) -> tuple[int, Json | str, dict[str, str]]:
        error = block_error(args)
        if not error:
            self.whispers.append(args)
        return self._said("response_url", args, 500 if error else 200, {"ok": not error}, {})

    def _handler(outer) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                self._serve(dict(parse_qsl(urlsplit(self.path).query)))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                is_json = "json" in (self.headers.get("Content-Type") or "")
                self._serve(json.loads(body or "{}") if is_json else dict(parse_qsl(body)))

            def _serve(self, args: Json) -> None:
                path = urlsplit(self.path).path
                token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
                if path.startswith("/response/"):
                    status, said, headers = outer._whispered(args)
                else:
                    method = path.removeprefix("/api/")
                    status, said, headers = outer._answer(method, args, token)
                data = (said if isinstance(said, str) else json.dumps(said)).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

        return Handler


def _wrong_token(method: str, token: str) -> str:
    wanted = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
    return "" if token == wanted else "invalid_auth"


def block_error(message: Json) -> str:
    """What Slack says of a message's blocks; nothing where it takes them."""
    blocks = message.get("blocks") or []
    blocks = json.loads(blocks) if isinstance(blocks, str) else blocks
    if len(blocks) > 50 or not all(map(_is_good, blocks)):
        return "invalid_blocks"
    if len(json.dumps(blocks, ensure_ascii=False)) > 13_000:
        return "msg_blocks_too_long"
    return "" if blocks or message.get("text") else "no_text"


def _is_good(block: Json) -> bool:
    kind = block["type"]
    if kind == "section":
        return 0 < len(block["text"]["text"]) <= 3_000 and _is_good_element(block.get("accessory"))
    if kind == "actions":
        elements = block["elements"]
        ids = [element["action_id"] for element in elements]
        return (
            0 < len(elements) <= 25
            and len(set(ids)) == len(ids)
            and all(map(_is_good_element, elements))
        )
    if kind == "rich_text":
        parts = block["elements"]
        leaves = [leaf for part in parts for leaf in part["elements"]]
        kinds = {"rich_text_section", "rich_text_quote", "rich_text_preformatted"}
        texts = [leaf.get("text", "x") for leaf in leaves]
        return (
            bool(parts)
            and {part["type"] for part in parts} <= kinds
            and all(texts)
            and sum(map(len, texts)) <= 3_000
            and all(
                leaf["type"] in ("text", "user")
                or (leaf["type"] == "link" and len(leaf["url"]) <= 3_000)
                for leaf in leaves
            )
        )
    return False


def _is_good_element(element: Json | None) -> bool:
    if element is None:
        return True
    label, value = element["text"]["text"], element.get("value", "")
    return (
        element["type"] == "button"
        and 0 < len(label) <= 75
        and len(value) <= 2_000
        and len(element["action_id"]) <= 255
    )


def shown(message: Json) -> str:
    """The words of a message's blocks as people read them; a paragraph a line."""
    lines = []
    blocks = message.get("blocks") or []
    for block in json.loads(blocks) if isinstance(blocks, str) else blocks:
        if block["type"] == "rich_text":
            lines += [
                "".join(leaf.get("text", "@") for leaf in part["elements"])
                for part in block["elements"]
            ]
    return "\n".join(lines)


def buttons(message: Json) -> dict[str, Json]:
    """The buttons of a message by their labels."""
    return {
        element["text"]["text"]: element
        for block in message["blocks"] if block["type"] == "actions"
        for element in block["elements"]
    }  # fmt: skip


def event(kind: str, **fields: Any) -> Json:
    """An event as the Events API sends it."""
    inner = {"type": kind, "user": "U1", "event_ts": fields.get("ts", "1.0"), **fields}
    return {
        "token": "x", "team_id": "T1", "api_app_id": "A1", "type": "event_callback", "event_id": f"Ev{time.monotonic_ns()}",
        "event_time": int(time.time()), "event": inner,
        "authorizations": [{"enterprise_id": None, "team_id": "T1", "user_id": BOT, "is_bot": True}],
    }  # fmt: skip


def signed(body: str, *, at: float | None = None, secret: str = SIGNING_SECRET) -> dict[str, str]:
    """The headers with which Slack signs a request."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}


def post(
    url: str, payload: Json | bytes, headers: dict[str, str] | None = None, *, form: bool = False
) -> tuple[int, str]:
    """Post to the bot as Slack does: JSON, or a form for commands and buttons; status and body."""
    body = (
        payload
        if isinstance(payload, bytes)
        else (urlencode(payload) if form else json.dumps(payload)).encode()
    )
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    given = signed(body.decode("utf-8", "replace")) if headers is None else headers
    request = urllib.request.Request(url, body, {"Content-Type": kind, **given})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
