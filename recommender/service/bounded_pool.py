"""Threads behind a queue that has an end: what would wait too long is not taken in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

#: Weight of one request in the moving averages.
_WEIGHT: Final = 0.02
#: Share of a deadline that may go by in the queue.
_PATIENCE: Final = 0.5


class BoundedPool(ThreadPoolExecutor):
    """A pool that knows how long its queue is, in requests and in time.

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
        self._lock = threading.Lock()
        self._turn = threading.local()

    @property
    def full(self) -> bool:
        """Whether another request would find no place, or wait for more than half of what clients give.

        As many as there are threads may always wait, so that none of these stands idle between two requests.
        """
        waiting = self._under_way - self._threads_wanted
        if self._under_way >= self._most or waiting < self._threads_wanted:
            return self._under_way >= self._most
        return (waiting + 1) * self._service / self._threads_wanted > _PATIENCE * self._deadline

    def expect(self, deadline: float) -> None:
        """Learn what a client gave for a request, seconds from its arrival."""
        self._deadline += (deadline - self._deadline) * _WEIGHT

    def waited(self) -> float:
        """Seconds that the request of the present thread waited for it."""
        seconds: float = getattr(self._turn, "waited", 0.0)
        return seconds

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function on one of the threads; it is taken in even where the pool is full."""
        with self._lock:
            self._under_way += 1
        return super().submit(self._take, self._seconds(), fn, args, kwargs)

    def _take(self, arrived: float, fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        began = self._seconds()
        self._turn.waited = began - arrived
        try:
            return fn(*args, **kwargs)
        finally:
            took = self._seconds() - began
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
