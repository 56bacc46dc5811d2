"""A research run in a thread of its own, so that a page can show it, cancel it and come back to it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.logs import outline
from app.problems import told_visitor
from app.research_files import VisitFolder
from indexer.errors import WayfinderError
from retrieval.research_records import Report
from retrieval.research_trace import OnRecord, Record

_log = logging.getLogger("wayfinder.research")

Start = Callable[[threading.Event, OnRecord], Report]


@dataclass
class Strand:
    """What one sub-question has come to, for people."""

    question: str
    n_read: int = 0
    state: str = "waiting"


@dataclass
class ResearchJob:
    """A run, its records so far, and what came of it; `start` begins it."""

    trace: Path
    parts: tuple[str, ...]  # of the plan, as far as it is known before the run says so
    max_steps: int
    folder: VisitFolder | None = None  # of the trace; deleted with the last job that has it
    cancel: threading.Event = field(default_factory=threading.Event)
    records: list[Record] = field(default_factory=list)
    report: Report | None = None
    error: str = ""
    _thread: threading.Thread | None = None

    def start(self, run: Start) -> None:
        """Begin `run` in a thread."""
        self._thread = threading.Thread(target=self._run, args=(run,), daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the run goes on."""
        return self._thread is not None and self._thread.is_alive()

    def wait(self, seconds: float) -> None:
        """Wait for the end of the run, no longer than this."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, run: Start) -> None:
        try:
            self.report = run(self.cancel, self.records.append)
        except WayfinderError as error:
            self.error = told_visitor(error)
        except Exception as error:  # noqa: BLE001 - the thread ends here, whatever it was
            self.error = f"The research broke off ({type(error).__name__}); its trace is kept."
            _log.error("A research run broke off: %s", outline(error))

    @property
    def n_steps(self) -> int:
        """Rounds begun."""
        return sum(record.kind == "step" for record in self.records)

    @property
    def n_read(self) -> int:
        """Different papers read."""
        reads = [record.data["papers"] for record in self.records if record.kind == "read"]
        return len({paper["id"] for papers in reads for paper in papers})

    @property
    def cost(self) -> str:
        """Tokens and money so far, in words; empty without a model."""
        calls = [record.data for record in self.records if record.kind == "call"]
        if not calls:
            return ""
        usd = [data["usd"] for data in calls if data["usd"] is not None]
        money = f" · ${sum(usd):.4f}" if usd else ""
        return f"{sum(data['tokens'] for data in calls):,} tokens{money}"

    @property
    def strands(self) -> list[Strand]:
        """The sub-questions as they stand."""
        found = [Strand(part) for part in self.parts]
        for record in list(self.records):
            data = record.data
            if record.kind == "plan":
                found = [Strand(part) for part in data["parts"]]
            elif record.kind == "step":
                found[data["part"] - 1].state = f"searching and reading, round {data['round']}"
            elif record.kind == "read":
                strand = found[data["part"] - 1]
                strand.n_read += len(data["papers"])
                strand.state = data["ended"] or f"round {data['round']} read"
            elif record.kind == "writing":
                found[data["part"] - 1].state = "writing, and checking each sentence"
            elif record.kind == "section":
                found[data["part"] - 1].state = "written"
        return found
