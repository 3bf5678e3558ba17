"""The places of workers, as the supervisor keeps them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final

from recommender.service.control import Readiness, Reply, Swap, WorkerStatus
from recommender.service.worker_plan import WorkerPlan

#: How long a worker that could not swap keeps what it has before it is told again.
SWAP_PAUSE_SECONDS: Final = 10.0


@dataclass(slots=True, eq=False)
class Seat:
    """The place of one worker, which successive processes take.

    Args:
        plan: What its next process does.
        process: The one that sits there, None between two.
        link: Its pipe.
        ready: Whether it answers.
        since: When it began to answer, monotonic seconds.
        failures: Deaths in a row.
        due: When the next process may start, monotonic seconds.
        version: The model that it answers with; empty before it answers.
        ordered: The model that it was told to take and has not confirmed; empty where there is none.
        problem: Why it could not take the latest one.
        swap_due: When it may be told again after that, monotonic seconds.
    """

    plan: WorkerPlan
    process: ForkServerProcess | None = None
    link: Connection | None = None
    ready: bool = False
    since: float = 0.0
    failures: int = 0
    due: float = field(default_factory=time.monotonic)
    version: str = ""
    ordered: str = ""
    problem: str = ""
    swap_due: float = 0.0

    def take(self, process: ForkServerProcess, link: Connection) -> None:
        """A process sits down."""
        self.process, self.link = process, link

    def free(self, pause_seconds: float) -> None:
        """Its process is gone; another may come after a pause."""
        self.process, self.link, self.ready = None, None, False
        self.version, self.ordered, self.problem = "", "", ""
        self.due = time.monotonic() + pause_seconds

    def answers(self, version: str) -> None:
        """Its process answers requests."""
        self.ready, self.since, self.version = True, time.monotonic(), version

    def order(self, bundle: Path) -> None:
        """Tell its process to take a model."""
        self.ordered, self.problem, self.swap_due = bundle.name, "", 0.0
        self.send(Swap(bundle))

    def swapped(self, version: str) -> None:
        """Its process answers with another model."""
        self.version = version
        if self.ordered == version:
            self.ordered = ""

    def refused(self, version: str, reason: str) -> None:
        """Its process could not take a model and keeps what it has."""
        if self.ordered == version:
            self.ordered, self.problem, self.swap_due = "", reason, time.monotonic() + SWAP_PAUSE_SECONDS

    def follow(self, bundle: Path) -> None:
        """Another model is live: the next process starts with it, and this one may be told to take it at once."""
        self.plan, self.swap_due = replace(self.plan, bundle=bundle), 0.0

    def send(self, message: Swap | Reply) -> None:
        """Say something to its process; one that died meanwhile is noticed elsewhere."""
        if self.link is not None:
            try:
                self.link.send(message)
            except OSError:
                return

    @property
    def status(self) -> WorkerStatus:
        """How it is."""
        if self.process is None:
            readiness = Readiness.ABSENT
        elif not self.ready:
            readiness = Readiness.STARTING
        else:
            readiness = Readiness.SWAPPING if self.ordered else Readiness.READY
        pid = (self.process.pid if self.process is not None else None) or 0
        return WorkerStatus(self.plan.number, pid, self.version, readiness, self.problem)
