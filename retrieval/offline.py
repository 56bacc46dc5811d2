"""Nothing leaves the machine in offline mode: what would need the network is left out, and held to it.

`settings_offline` switches off what asks servers; `forbid_network` makes any connection of this process
an error, whoever tries it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from indexer import config
from indexer.errors import WayfinderError
from retrieval.records import SearchSettings


class OfflineError(WayfinderError):
    """Something tried to reach the network in offline mode."""


def settings_offline(settings: SearchSettings) -> tuple[SearchSettings, list[str]]:
    """The settings without what asks a server, and notes on what was asked for and is left out."""
    notes = []
    named = config.reranker_config().name
    remote = named is not None and (named == "llm" or "://" in named)
    if settings.hyde:
        notes.append("HyDE was not done: it needs a language model, and this is offline.")
    if remote and settings.rerank:
        notes.append("Reranking was not done: its reranker is a server, and this is offline.")
    rerank = False if remote else settings.rerank
    return replace(settings, hyde=False, rerank=rerank, offline=True), notes


def forbid_network() -> None:
    """From here on every connection of this process raises OfflineError; it cannot be taken back."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo":
        raise OfflineError(f"Offline, but a connection to {arguments[0]!r} was tried.")
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[-1]
        if isinstance(address, tuple):  # not a Unix socket
            raise OfflineError(f"Offline, but a connection to {address[0]!r} was tried.")
