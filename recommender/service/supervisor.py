"""The process behind `windowshop serve`: checks, holds the port, starts workers, replaces the dead, drains.

Workers are forked by multiprocessing's fork server, which has preloaded what they share and stays clean. Each binds
the held port once it is warm. A pipe joins each to the supervisor: over it models are swapped (see `control`), and its
end tells a worker that the supervisor is gone.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, Final

from recommender.errors import WindowshopError
from recommender.service.activations import Activations
from recommender.service.control import Answers, Ask, CannotStart, CannotSwap, Reply, Swapped, TellStatus
from recommender.service.counter_board import CounterBoard
from recommender.service.fork_environment import fork_environment
from recommender.service.metrics_page import Standing
from recommender.service.seats import Seat
from recommender.service.signals import StopSignals
from recommender.service.worker_plan import WorkerPlan

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 10.0
#: A worker that answered for so long did not die of its start: the next pause is the first again.
SETTLED_SECONDS: Final = 30.0
#: What a worker gets beyond the drain before it is killed.
_GRACE_SECONDS: Final = 3.0
#: Within this time a further signal is the same wish, told to the group and to the process.
SAME_SIGNAL_SECONDS: Final = 1.0
_logger = logging.getLogger(__name__)


class Supervisor:
    """Keeps one process per plan answering until a signal asks it to end.

    Args:
        models: Folder of the versions, which is watched for newly published ones.
        plans: One per worker, all of the same bundle.
        preload: Modules that the fork server imports beside `recommender.service.preload`.
        announce: Called once, when all of them answer.

    Attributes:
        board: Where the workers count.
        deaths: Of workers, each of which was replaced.
    """

    def __init__(
        self, models: Path, plans: Iterable[WorkerPlan], preload: Iterable[str], announce: Callable[[], None]
    ) -> None:
        self._seats = [Seat(plan) for plan in plans]
        self._activations = Activations(models, self._seats[0].plan.bundle.name, self._seats)
        self._announce = announce
        self._announced = False
        self._context = _context(preload, self._seats[0].plan.bundle)
        self.board = CounterBoard(self._context, len(self._seats))
        self.deaths = 0

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain; a second signal kills.

        Raises:
            WindowshopError: A worker could not start the first time.
        """
        with StopSignals(signal.SIGTERM, signal.SIGINT) as stop:
            try:
                while not self._step(stop):
                    pass
            except BaseException:
                self._kill()
                raise
            self._drain(stop)

    def standings(self) -> list[Standing]:
        """How every worker stands; may be asked from any thread."""
        processes = [(seat, seat.process) for seat in self._seats]
        return [
            Standing(seat.plan.number, None if process is None else process.pid, seat.ready, seat.version)
            for seat, process in processes
        ]

    def _step(self, stop: StopSignals) -> bool:
        """Start what is due, wait for something to happen, take note of it; True where a signal came."""
        self._start_due()
        happened = wait(self._awaited(stop), self._pause())
        if stop.arrival in happened:
            return True
        for seat in self._seats:
            if seat.link in happened:
                self._hear(seat)
            elif seat.process is not None and seat.process.sentinel in happened:
                self._bury(seat)
        if not self._announced and all(seat.ready for seat in self._seats):
            self._announced = True
            self._announce()
        if self._announced:
            self._activations.advance()
        return False

    def _awaited(self, stop: StopSignals) -> list[Any]:
        awaited: list[Any] = [stop.arrival, *self._activations.awaited()]
        for seat in self._seats:
            if seat.process is not None:
                awaited.append(seat.process.sentinel)
            if seat.link is not None:
                awaited.append(seat.link)
        return awaited

    def _pause(self) -> float | None:
        """Seconds until something is due, None where nothing is."""
        dues = [seat.due - time.monotonic() for seat in self._seats if seat.process is None]
        if self._announced:
            dues.append(self._activations.pause())
        return max(0.0, min(dues)) if dues else None

    def _start_due(self) -> None:
        for seat in self._seats:
            if seat.process is None and seat.due <= time.monotonic():
                link, theirs = self._context.Pipe()
                process = self._context.Process(
                    target=_work, args=(seat.plan, theirs, self.board), name=f"windowshop-{seat.plan.number}"
                )
                seat.take(process, link)
                process.start()
                theirs.close()

    def _hear(self, seat: Seat) -> None:
        """Take in what a worker says; its silence is its end."""
        try:
            message = seat.link.recv() if seat.link is not None else None
        except (EOFError, OSError):
            self._bury(seat)
            return
        match message:
            case Answers(version):
                seat.answers(version)
            case CannotStart(error):
                if not self._announced:
                    raise error
                # Its process ends by itself.
                _logger.error("worker cannot start", extra={"worker": seat.plan.number, "reason": str(error)})
            case Swapped(version):
                seat.swapped(version)
            case CannotSwap(version, reason):
                seat.refused(version, reason)
            case Ask():
                self._consider(seat, message)

    def _consider(self, seat: Seat, ask: Ask) -> None:
        """Answer a worker's wish, at once or when it came true."""
        link = seat.link

        def answer(content: Any) -> None:
            with contextlib.suppress(OSError):  # whoever asked died meanwhile
                if link is not None:
                    link.send(Reply(ask.number, content))

        if isinstance(ask.wish, TellStatus):
            answer(self._activations.status())
        else:
            self._activations.ask(ask.wish, seat, answer)

    def _bury(self, seat: Seat) -> None:
        """Free the seat of a dead worker, and say when the next one starts."""
        process = seat.process
        if process is None or seat.link is None:
            return
        seat.link.close()
        process.join(_GRACE_SECONDS)
        process.kill()
        if not self._announced:
            raise WindowshopError(
                f"worker {seat.plan.number} died while it started, with exit code {process.exitcode}; "
                "its own lines above say why"
            )
        self.deaths += 1
        settled = seat.ready and time.monotonic() - seat.since > SETTLED_SECONDS
        seat.failures = 1 if settled else seat.failures + 1
        pause = min(FIRST_PAUSE_SECONDS * 2 ** (seat.failures - 1), LONGEST_PAUSE_SECONDS)
        seat.free(pause)
        extra = {"worker": seat.plan.number, "exit_code": process.exitcode, "pause_seconds": pause}
        _logger.warning("worker died, another one starts", extra=extra)

    def _drain(self, stop: StopSignals) -> None:
        stop.clear()
        living = [seat.process for seat in self._seats if seat.process is not None]
        for process in living:
            process.terminate()
        seconds = max((seat.plan.settings.server.drain for seat in self._seats), default=0.0) + _GRACE_SECONDS
        started = time.monotonic()
        while living and (left := started + seconds - time.monotonic()) > 0:
            happened = wait([stop.arrival, *(process.sentinel for process in living)], left)
            if stop.arrival in happened:
                stop.clear()
                if time.monotonic() - started > SAME_SIGNAL_SECONDS:
                    break
            living = [process for process in living if process.is_alive()]
        if living:
            _logger.warning("workers did not drain and are killed", extra={"workers": len(living)})
        self._kill()

    def _kill(self) -> None:
        for seat in self._seats:
            if seat.process is not None:
                seat.process.kill()
                seat.process.join()


def _work(plan: WorkerPlan, link: Connection, board: CounterBoard) -> None:
    from recommender.service.worker import run_worker  # noqa: PLC0415  # gRPC is loaded after the fork, and only there

    run_worker(plan, link, board)


def _context(preload: Iterable[str], bundle: Path) -> ForkServerContext:
    """Processes by fork from a clean server."""
    os.environ.update(fork_environment(bundle))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*preload, "recommender.service.preload"])
    return context
