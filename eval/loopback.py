"""A chat server on loopback that streams a given reply at a model's pace: what Wayfinder adds is timed against it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from indexer.config import LLMConfig, Secret

PIECE_CHARACTERS = 4  # about a token
SECONDS_A_PIECE = 0.02  # fifty tokens a second


@dataclass
class Served:
    """What the server sends next and how fast, and when the first and last pieces of the last reply went out."""

    text: str = ""
    config: LLMConfig = field(default_factory=LLMConfig)
    seconds_a_piece: float = SECONDS_A_PIECE
    first_piece_at: float = 0.0
    last_piece_at: float = 0.0


@contextmanager
def streaming_server() -> Iterator[Served]:
    """Serve chat completions, each a stream of `served.text`, until the block ends."""
    served = Served()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(served))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    served.config = LLMConfig(base_url=url, model="loopback", api_key=Secret("none"))
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()


def _handler(served: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            return

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            served.first_piece_at = time.perf_counter()
            for start in range(0, len(served.text), PIECE_CHARACTERS):
                self._send({"content": served.text[start : start + PIECE_CHARACTERS]}, None)
                served.last_piece_at = time.perf_counter()
                time.sleep(served.seconds_a_piece)
            self._send({}, "stop")
            self.wfile.write(b"data: [DONE]\n\n")

        def _send(self, delta: dict[str, str], finish: str | None) -> None:
            event = {
                "id": "1",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": "loopback",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            }
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()

    return Handler
