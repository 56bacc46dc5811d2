"""uvicorn's HTTP/1.1 that waits for nobody: a client which opens connections and says nothing holds none of them for long."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0  # in which the head of a request must have come
BODY_SECONDS = 60.0  # in which its body must, and
LEAST_BYTES_A_SECOND = 50_000  # of it beyond that


class ImpatientHTTP(H11Protocol):
    """Closes a connection whose request takes too long to come."""

    _deadline: asyncio.TimerHandle | None = None
    _waits_for: object = None
    _upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there: its first request must come in time."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """A piece of a request came."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """From here on another protocol has the connection, and this one's clock must not end it."""
        self._upgraded = True
        super().handle_websocket_upgrade(event)

    def _watch(self) -> None:
        """Have the clock run while something of the client is missing; each part has its own time."""
        if self._upgraded:
            self._stop()
            return
        waits_for = self.conn.their_state
        if waits_for is self._waits_for and self._deadline is not None:
            return
        self._stop()
        self._waits_for = waits_for
        if waits_for is h11.IDLE:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._close)
        elif waits_for is h11.SEND_BODY:
            self._deadline = self.loop.call_later(BODY_SECONDS + self._n_bytes() / LEAST_BYTES_A_SECOND, self._close)  # fmt: skip

    def _n_bytes(self) -> int:
        told = dict(self.headers).get(b"content-length", b"0")
        return int(told) if len(told) < 12 else 0

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()
