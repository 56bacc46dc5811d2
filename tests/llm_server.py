"""A real HTTP server on loopback that speaks OpenAI's chat completions and embeddings, and reranking, by script.

    with LLMServer([Reply(sentences("..."))]) as server:
        LLM(server.config())

Each request takes the next reply of the script; the last one is repeated.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from indexer.config import LLMConfig, Secret

KEY = "sk-test-secret-0123456789"


@dataclass(frozen=True)
class Reply:
    """One scripted reply. Faults: an error status, a hang, an early close."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    finish_reason: str = "stop"
    hang_before_seconds: float = 0.0
    hang_after_characters: int | None = None
    close_after_characters: int | None = None
    usage: bool = True
    refuses: tuple[str, ...] = ()  # fields of a request that this server answers with HTTP 400
    seconds_a_piece: float = 0.0
    error: str = ""  # what it says with an error status
    tool: str = ""  # the tool that it calls


def sentence(text: str, *quotes: tuple[int, str], citations: list[int] | None = None) -> str:
    """One JSON line as a good model writes it."""
    numbers = citations if citations is not None else [n for n, _ in quotes]
    return (
        json.dumps(
            {
                "text": text,
                "citations": numbers,
                "quotes": [{"n": n, "quote": q} for n, q in quotes],
            }
        )
        + "\n"
    )


class LLMServer:
    """Context manager around the server; `requests` holds the bodies that came."""

    def __init__(self, script: list[Reply], *, dimension: int = 8, embeds: bool = True) -> None:
        self.script = script
        self.requests: list[dict[str, Any]] = []
        self.dimension = dimension
        self.embeds = embeds  # whether it has the address /embeddings
        self.paths: list[str] = []
        self.lock = threading.Lock()
        self.at_once = self.most_at_once = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.stopped = threading.Event()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def config(self, *, timeout_seconds: float = 10.0) -> LLMConfig:
        return LLMConfig(
            base_url=self.base_url,
            model="toy-1",
            api_key=Secret(KEY),
            timeout_seconds=timeout_seconds,
        )

    def reply_to(self, body: dict[str, Any]) -> Reply:
        """The next reply of the script; the last one is repeated."""
        return self.script[min(len(self.requests), len(self.script)) - 1]

    def __enter__(self) -> LLMServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                return

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body)
                outer.paths.append(self.path)
                if self.path.endswith("/embeddings"):
                    if outer.embeds:
                        self._embeddings(body)
                    else:
                        self._whole(404, {"error": {"message": "no such address"}}, {})
                    return
                reply = outer.reply_to(body)
                with outer.lock:
                    outer.at_once += 1
                    outer.most_at_once = max(outer.most_at_once, outer.at_once)
                try:
                    self._reply(reply, body)
                finally:
                    with outer.lock:
                        outer.at_once -= 1

            def _reply(self, reply: Reply, body: dict[str, Any]) -> None:
                outer.stopped.wait(reply.hang_before_seconds)
                refused = [name for name in reply.refuses if name in body]
                if refused:
                    self._whole(400, {"error": {"message": f"no {refused}", "type": "x"}}, {})
                elif reply.status != 200:
                    self._whole(
                        reply.status,
                        {
                            "error": {
                                "message": reply.error or f"scripted {reply.status}",
                                "type": "x",
                            }
                        },
                        reply.headers,
                    )
                elif self.path.endswith("/rerank"):
                    self._raw(reply.text)
                elif not body.get("stream"):
                    self._message(reply)
                else:
                    self._stream(reply)

            def _message(self, reply: Reply) -> None:
                called = {
                    "id": "t1",
                    "type": "function",
                    "function": {"name": reply.tool, "arguments": '{"word": "star"}'},
                }
                message = {"role": "assistant", "content": reply.text}
                if reply.tool:
                    message["tool_calls"] = [called]
                counts = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
                choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
                content = {"id": "c1", "object": "chat.completion", "created": 1, "model": "toy-1"}
                self._whole(200, {**content, "choices": [choice], "usage": counts}, {})

            def _raw(self, text: str) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def _embeddings(self, body: dict[str, Any]) -> None:
                texts = body["input"]
                rows = [
                    {
                        "object": "embedding",
                        "index": i,
                        "embedding": [float(len(t))] + [1.0] * (outer.dimension - 1),
                    }
                    for i, t in enumerate(texts)
                ]
                self._whole(
                    200,
                    {
                        "object": "list",
                        "data": rows,
                        "model": body["model"],
                        "usage": {"prompt_tokens": 1, "total_tokens": 1},
                    },
                    {},
                )

            def _whole(self, status: int, content: dict[str, Any], headers: dict[str, str]) -> None:
                data = json.dumps(content).encode()
                self.send_response(status)
                for name, value in {
                    **headers,
                    "Content-Type": "application/json",
                    "Content-Length": str(len(data)),
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def _stream(self, reply: Reply) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                self.close_connection = True
                for start in range(0, len(reply.text), 7):
                    if (
                        reply.close_after_characters is not None
                        and start >= reply.close_after_characters
                    ):
                        return
                    if (
                        reply.hang_after_characters is not None
                        and start >= reply.hang_after_characters
                    ):
                        outer.stopped.wait(30)
                        return
                    outer.stopped.wait(reply.seconds_a_piece)
                    self._event(
                        {
                            "choices": [
                                {
                                    "index": 0,
                                    "delta": {"content": reply.text[start : start + 7]},
                                    "finish_reason": None,
                                }
                            ]
                        }
                    )
                self._event(
                    {"choices": [{"index": 0, "delta": {}, "finish_reason": reply.finish_reason}]}
                )
                if reply.usage:
                    self._event(
                        {
                            "choices": [],
                            "usage": {
                                "prompt_tokens": 100,
                                "completion_tokens": 20,
                                "total_tokens": 120,
                            },
                        }
                    )
                self.wfile.write(b"data: [DONE]\n\n")

            def _event(self, content: dict[str, Any]) -> None:
                event = {
                    "id": "c1",
                    "object": "chat.completion.chunk",
                    "created": int(time.time()),
                    "model": "toy-1",
                    **content,
                }
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
                self.wfile.flush()

        return Handler
