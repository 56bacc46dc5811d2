"""A visitor of the web app without a browser: Streamlit's own messages over its own WebSocket.

What a browser would show is kept as the texts of the elements on the page, so that it can be looked through.
"""

from __future__ import annotations

import asyncio
import html
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from indexer.errors import RemoteError

ANSWER_SECONDS = 600.0
BOX = "Your question"
_SCRIPT = re.compile(r'</?su[bp]>|<span class="wf-sign">(.)</span>')
_TAG = re.compile(r"<[^>]*>")
_SENTENCE = re.compile(r'<span class="wf-s">(.*?)(?:<button|</span>)', re.DOTALL)


@dataclass
class Page:
    """The elements of a page by their place, and what went wrong while it was drawn."""

    elements: dict[tuple[int, ...], Any] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All words on the page."""
        return " ".join(plain(text) for e in self.elements.values() for text in strings(e))

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentences of its answer, in their order."""
        bodies = [e.html.body for e in self.elements.values() if e.WhichOneof("type") == "html"]
        return tuple(
            plain(text) for body in bodies for text in _SENTENCE.findall(_whole_words(body))
        )


class Visitor:
    """One visit: a session of its own at `url`, asked one question after the other."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.page = Page()
        self._received: list[Any] = []  # every element that was ever sent to this visitor
        self.offered = ""  # all that the page said before anything was asked
        self._socket: Any = None
        self._script = ""

    @property
    def seen(self) -> str:
        """Every text that was ever sent to this visitor. Read it when the clock has stopped: it takes a while."""
        return "\n".join(plain(text) for element in self._received for text in strings(element))

    async def open(self, path: str = "") -> float:
        """Open the page at `path`; return the seconds until it is whole.

        Raises:
            RemoteError: the server refuses, breaks off or takes longer than ANSWER_SECONDS.
        """
        from websockets.asyncio.client import connect
        from websockets.typing import Subprotocol

        began = time.perf_counter()
        where = f"{self.url.replace('http', 'ws', 1).rstrip('/')}/_stcore/stream"
        try:
            self._socket = await connect(
                where, subprotocols=[Subprotocol("streamlit")], max_size=None, open_timeout=ANSWER_SECONDS, ping_interval=None, proxy=None
            )  # fmt: skip
        except (OSError, TimeoutError, _web_socket_error()) as error:
            raise RemoteError(f"No visit at {where}: {error}") from error
        await self._run({}, page_name=path)
        took = time.perf_counter() - began
        self.offered = self.seen
        return took

    async def ask(self, question: str) -> float:
        """Type a question into the box and press its button; return the seconds until the page is whole."""
        began = time.perf_counter()
        box = self._find("text_input", label=BOX)
        button = self._find("button", form_id=box.form_id)
        await self._run({
            box.id: {"string_value": question},
            button.id: {"trigger_value": True},
        })  # fmt: skip
        return time.perf_counter() - began

    async def close(self) -> None:
        """End the visit."""
        if self._socket is not None:
            await self._socket.close()

    def _find(self, kind: str, **wanted: str) -> Any:
        for element in self.page.elements.values():
            if element.WhichOneof("type") == kind:
                found = getattr(element, kind)
                if all(getattr(found, name) == value for name, value in wanted.items()):
                    return found
        raise RemoteError(f"The page at {self.url} has no {kind} with {wanted}.")

    async def _run(self, widgets: Mapping[str, Mapping[str, Any]], *, page_name: str = "") -> None:
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.WidgetStates_pb2 import WidgetState

        message = BackMsg()
        message.rerun_script.page_script_hash = self._script
        message.rerun_script.page_name = page_name
        message.rerun_script.widget_states.widgets.extend(
            WidgetState(id=name, **value) for name, value in widgets.items()
        )
        try:
            await self._socket.send(message.SerializeToString())
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._read()
        except TimeoutError:
            raise RemoteError(f"No whole page within {ANSWER_SECONDS:.0f} s.") from None
        except _web_socket_error() as error:
            raise RemoteError(f"The server broke off: {error}") from error

    async def _read(self) -> None:
        """Read messages until the page is drawn; a run that gives way to another is not the end."""
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        while True:
            message = ForwardMsg.FromString(await self._socket.recv())
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.page = Page()
                self._script = message.new_session.page_script_hash or self._script
            elif kind == "delta":
                self._draw(tuple(message.metadata.delta_path), message.delta)
            elif kind == "script_finished":
                if message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    continue
                if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                    self.page.errors.append("the page cannot be compiled")
                return

    def _draw(self, path: tuple[int, ...], delta: Any) -> None:
        for below in [p for p in self.page.elements if p[: len(path)] == path]:
            del self.page.elements[below]
        if delta.WhichOneof("type") == "new_element":
            element = delta.new_element
            self.page.elements[path] = element
            self._received.append(element)
            if element.WhichOneof("type") == "exception":
                self.page.errors.append(element.exception.message)
            elif element.WhichOneof("type") == "alert" and element.alert.format == element.alert.ERROR:  # fmt: skip
                self.page.errors.append(element.alert.body)


def strings(message: Any) -> Iterator[str]:
    """All texts in a message of Streamlit's, at any depth."""
    for _, value in message.ListFields():
        for item in [value] if isinstance(value, str | bytes) or not hasattr(value, "__iter__") else value:  # fmt: skip
            if isinstance(item, str):
                yield item
            elif hasattr(item, "ListFields"):
                yield from strings(item)


def plain(markup: str) -> str:
    """The text of a page's markup, in single spaces."""
    return " ".join(html.unescape(_TAG.sub(" ", _whole_words(markup))).split())


def _whole_words(markup: str) -> str:
    """The markup without that of powers and indices, which stands within words."""
    return _SCRIPT.sub(r"\1", markup)


def on_page(text: str) -> str:
    """What `plain` reads where a page shows `text`: a sign like that of `z < 5` is no markup there."""
    return plain(html.escape(text))


def _web_socket_error() -> type[Exception]:
    from websockets.exceptions import WebSocketException

    return WebSocketException
