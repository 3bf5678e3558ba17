"""Threads behind a queue that has an end: what would wait too long is not taken in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final

#: Weight of one request in the moving averages.
_WEIGHT: Final = 0.02
#: Share of a deadline that may go by in the queue.
_PATIENCE: Final = 0.3


@dataclass(frozen=True, slots=True)
class _Job:
    """A function to run, and since when it waits."""

    future: Future[Any]
    arrived: float
    run: Callable[[], Any]


class BoundedPool(ThreadPoolExecutor):
    """A pool that knows how long its queue is, in requests and in time, and replaces threads that are stuck.

    It has threads of its own; an executor it is only because grpcio takes nothing else.

    Args:
        threads: Of the pool.
        name: Of its threads.
        most: Requests that may be under way or wait.
        deadline: Seconds that a client gives, until `expect` has learnt better; infinite where waiting is no harm.
        perf_counter: Seconds.
    """

    def __init__(
        self,
        threads: int,
        name: str,
        most: int,
        deadline: float = float("inf"),
        perf_counter: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(threads, name)
        self._threads_wanted = threads
        self._most = most
        self._deadline = deadline
        self._seconds = perf_counter
        self._under_way = 0
        self._service = 0.0
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads_alive = 0
        self._stuck = 0
        self._lock = threading.Lock()
        self._turn = threading.local()

    @property
    def full(self) -> bool:
        """Whether another request would find no place, or wait for more than three tenths of what clients give.

        As many as there are threads may always wait, so that none of these stands idle between two requests.
        """
        under_way = self._under_way - self._stuck
        waiting = under_way - self._threads_wanted
        if under_way >= self._most or waiting < self._threads_wanted:
            return under_way >= self._most
        return (waiting + 1) * self._service / self._threads_wanted > _PATIENCE * self._deadline

    def expect(self, deadline: float) -> None:
        """Learn what a client gave for a request, seconds from its arrival."""
        self._deadline += (deadline - self._deadline) * _WEIGHT

    def waited(self) -> float:
        """Seconds that the request of the present thread waited for it."""
        seconds: float = getattr(self._turn, "waited", 0.0)
        return seconds

    def stuck(self, count: int) -> None:
        """Learn how many threads wait for a client, and have others beside them.

        As many again are added, since who stands in the queue may be no better; they go once nobody is stuck.
        """
        with self._lock:
            self._stuck = count
            self._staff()

    def idled(self, seconds: float) -> None:
        """Leave time that the present thread waited for a client out of what a request takes."""
        self._turn.idle = getattr(self._turn, "idle", 0.0) + seconds

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function on one of the threads; it is taken in even where the pool is full."""
        job = _Job(Future(), self._seconds(), lambda: fn(*args, **kwargs))
        with self._lock:
            self._under_way += 1
            self._staff()
        self._jobs.put(job)
        return job.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads go once they did what was submitted."""
        with self._lock:
            alive = self._threads_alive
        for _ in range(alive):
            self._jobs.put(None)
        while wait and self._threads_alive:
            time.sleep(0.001)

    def _staff(self) -> None:
        """Start the threads that are missing, none before there is something for it to do."""
        wanted = min(self._threads_wanted + 2 * self._stuck, self._under_way)
        while self._threads_alive < wanted:
            self._threads_alive += 1
            threading.Thread(target=self._work, name=self._thread_name_prefix, daemon=True).start()

    def _work(self) -> None:
        staying = True
        while staying and (job := self._jobs.get()) is not None:
            self._do(job)
            del job  # and all that it holds, before the next one comes
            with self._lock:
                staying = self._threads_alive <= self._threads_wanted + 2 * self._stuck
        with self._lock:
            self._threads_alive -= 1

    def _do(self, job: _Job) -> None:
        began = self._seconds()
        self._turn.waited, self._turn.idle = began - job.arrived, 0.0
        try:
            result = job.run()
        except BaseException as error:  # noqa: BLE001  # it reaches who asked
            self._done(began)
            job.future.set_exception(error)
        else:
            self._done(began)
            job.future.set_result(result)

    def _done(self, began: float) -> None:
        took = self._seconds() - began - self._turn.idle
        self._service += (took - self._service) * _WEIGHT
        with self._lock:
            self._under_way -= 1


class OnTheSpot(ThreadPoolExecutor):
    """Runs what it is given on the thread that gives it: for refusals, which wait for nothing."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function now."""
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done
