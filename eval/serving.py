"""A door of Wayfinder started in a process of its own, to be measured from outside."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psutil

from indexer.errors import RemoteError

START_SECONDS = 120.0
# A server of one's own quotes, and knows no limits of visitors: all of them come from one address.
UNLIMITED = {
    "OPENAI_API_KEY": "",
    "WAYFINDER_LLM_API_KEY": "",
    "WAYFINDER_LLM_BASE_URL": "",
    "WAYFINDER_VISITOR_QUESTIONS": "0",
    "WAYFINDER_VISITOR_CONNECTIONS": "0",
    "WAYFINDER_PASSWORD": "",
    "WAYFINDER_LOGIN_HEADER": "",
    "WAYFINDER_BASE_PATH": "",
}


@contextmanager
def served(
    arguments: Sequence[str], health: str, environment: Mapping[str, str]
) -> Iterator[tuple[str, psutil.Process]]:
    """Run `wayfinder` with these arguments on a free port until the block ends; yield its address and process.

    It ends too where this process is killed and the block cannot end (eval/tether.py).

    Raises:
        RemoteError: the address `health` does not answer within START_SECONDS.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = str(Path(sys.executable).with_name("wayfinder"))
    tether = [sys.executable, "-I", str(Path(__file__).with_name("tether.py")), str(os.getpid())]
    started = subprocess.Popen(  # noqa: S603 - our own command
        [*tether, command, *arguments, "--port", str(port), "--host", "127.0.0.1"],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _await(f"{url}{health}", started, arguments[0])
        yield url, psutil.Process(started.pid)
    finally:
        _end(started)


@contextmanager
def web_app(
    index: Path, url: str | None = None, ports: Sequence[int] = ()
) -> Iterator[tuple[str, list[psutil.Process]]]:
    """The web app at `url`, on this machine, or one started on the index until the block ends; its address and processes.

    `ports` are those of its processes where a proxy listens at `url`.

    Raises:
        RemoteError: it does not answer, or nothing here listens at `url` or a port.
    """
    if url is not None:
        yield url, [listening_on(port) for port in ports or [urlsplit(url).port or 80]]
        return
    with served(["serve", "--index", str(index)], "/_stcore/health", UNLIMITED) as (own, process):
        yield own, [process]


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """Processor time of processes and their children, so far."""
    times = [one.cpu_times() for one in _families(processes)]
    return float(sum(time.user + time.system for time in times))


def resident_bytes(processes: Sequence[psutil.Process]) -> int:
    """Resident memory of processes and their children now; files that they map together count for each."""
    return sum(one.memory_info().rss for one in _families(processes))


def private_bytes(processes: Sequence[psutil.Process]) -> int:
    """Memory of processes and their children that is no file's: what grows where something is kept."""
    return sum(one.memory_full_info().uss for one in _families(processes))


def listening_on(port: int) -> psutil.Process:
    """The process of this machine that listens on a port.

    Raises:
        RemoteError: there is none, or it is someone else's.
    """
    for connection in psutil.net_connections("tcp"):
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        if listens and connection.pid is not None:
            return psutil.Process(connection.pid)
    raise RemoteError(f"No process of this machine that may be looked at listens on port {port}.")


def _families(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    return [one for process in processes for one in (process, *process.children(recursive=True))]


def _end(started: subprocess.Popen[bytes]) -> None:
    """End what was started and what it started itself, and wait for it."""
    if started.poll() is None:
        family = _families([psutil.Process(started.pid)])
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        started.wait(timeout=30)
        psutil.wait_procs(family[1:], timeout=30)


def _await(health: str, started: subprocess.Popen[bytes], name: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and started.poll() is None:
        try:
            if httpx2.get(health, timeout=5).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise RemoteError(
        f"`wayfinder {name}` does not answer at {health}: start it by hand to see why."
    )
