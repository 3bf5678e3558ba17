"""Waiting for what a client sends, so that one who sends slowly or never holds up nobody else.

gRPC waits for a message in the thread that will answer it, and without end: two calls that sent none would stop every
feed of a worker.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import grpc

from recommender.errors import RequestError
from recommender.service.bounded_pool import BoundedPool
from recommender.service.meter import Meter
from recommender.service.refusals import to_status

#: How often calls are looked at, and what a request may take to arrive before its thread counts as stuck.
SWEEP_SECONDS: Final = 0.05
#: A call that waits no longer than this goes on, however many there are: its request may be under way.
SOON_SECONDS: Final = 1.0


class Arrivals:
    """The calls of one pool that wait for a message: their threads are replaced, and their waiting has an end.

    Args:
        pool: Whose threads wait.
        places: How many calls may wait at once for longer than a second; the longest waiting make room.
        request_seconds: How long the first message of a call may take.
        pause_seconds: How long a further one of a stream may take.
        meter: Counts the calls that ended before their request was there.
    """

    def __init__(
        self, pool: BoundedPool, places: int, request_seconds: float, pause_seconds: float, meter: Meter
    ) -> None:
        self.pool = pool
        self._places = places
        self._request_seconds = request_seconds
        self._pause_seconds = pause_seconds
        self._meter = meter
        # In the order of their waiting; each operation on it is one that no thread interrupts.
        self._waiting: dict[grpc.ServicerContext, tuple[float, float]] = {}

    def first(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """The one request of a call.

        Raises:
            grpc.RpcError: The client, or this object, ended the call.
        """
        try:
            data = self._next(messages, context, self._request_seconds)
        except grpc.RpcError:
            self._meter.abandoned()
            raise
        if data is None:
            said = "the call ended without a request; send one message"
            context.abort_with_status(to_status(RequestError("INVALID_ARGUMENT", "REQUEST_MALFORMED", said)))
        return data

    def each(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """The messages of a stream."""
        data = self._next(messages, context, self._request_seconds)
        while data is not None:
            yield data
            data = self._next(messages, context, self._pause_seconds)

    @contextmanager
    def watched(self, context: grpc.ServicerContext, seconds: float) -> Iterator[None]:
        """End the call if the block, in which the thread waits for the client, takes longer."""
        since = time.monotonic()
        self._waiting[context] = (since, since + seconds)
        try:
            yield
        finally:
            del self._waiting[context]
            self.pool.idled(time.monotonic() - since)

    def sweep(self, now: float) -> None:
        """Have threads beside those that wait, and end what waits too long, by the monotonic time in seconds."""
        waiting = list(self._waiting.items())
        self.pool.stuck(sum(now - since > SWEEP_SECONDS for _, (since, _) in waiting))
        crowd = len(waiting) - self._places
        for number, (context, (since, due)) in enumerate(waiting):
            if due <= now or (number < crowd and now - since > SOON_SECONDS):
                context.cancel()  # type: ignore[no-untyped-call]  # the stubs leave it out

    def _next(self, messages: Iterator[bytes], context: grpc.ServicerContext, seconds: float) -> bytes | None:
        with self.watched(context, seconds):
            return next(messages, None)


class Sweeper:
    """Looks at all calls that wait, again and again.

    Args:
        arrivals: Of each pool.
    """

    def __init__(self, arrivals: Iterable[Arrivals]) -> None:
        self._arrivals = tuple(arrivals)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sweep_on, name="arrivals", daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def _sweep_on(self) -> None:
        while not self._ended.wait(SWEEP_SECONDS):
            for each in self._arrivals:
                each.sweep(time.monotonic())
