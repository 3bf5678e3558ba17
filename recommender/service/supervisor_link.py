"""A worker's end of the pipe to its supervisor: what it says, what it asks, and what it is told."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from recommender.errors import RequestError, WindowshopError
from recommender.service.control import (
    ActivationOutcome,
    Answers,
    Ask,
    CannotStart,
    CannotSwap,
    Reply,
    ServingStatus,
    Swap,
    Swapped,
    Wish,
)


class SupervisorLink:
    """Shared by the threads of a worker; one of them listens.

    Args:
        pipe: Its end means that the supervisor is gone.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._asked: dict[int, Future[ActivationOutcome | ServingStatus]] = {}
        self._closed = False

    def say(self, message: Answers | CannotStart | Swapped | CannotSwap | Ask) -> None:
        """Tell the supervisor; one that is gone is noticed by whoever listens."""
        with self._lock:
            try:
                self._pipe.send(message)
            except OSError:
                return

    def ask(self, wish: Wish, timeout_seconds: float) -> ActivationOutcome | ServingStatus:
        """The supervisor's answer to a wish.

        Raises:
            WindowshopError: What it answered, or that it did not.
        """
        number, answer = next(self._numbers), Future[ActivationOutcome | ServingStatus]()
        self._asked[number] = answer
        if self._closed:
            self._give_up()
        self.say(Ask(number, wish))
        try:
            return answer.result(timeout_seconds)
        except FutureTimeoutError:
            said = "the supervisor has not answered in time; GetServingStatus tells how far it came"
            raise RequestError("UNAVAILABLE", "SUPERVISOR_SILENT", said) from None
        finally:
            self._asked.pop(number, None)

    def listen(self, arrival: Any, swap: Callable[[Path], None]) -> None:
        """Take in what the supervisor says until it is gone or `arrival` becomes readable.

        Args:
            arrival: Of the signal to end.
            swap: Gets the bundle of every order; must not take long.
        """
        while True:
            if arrival in wait([arrival, self._pipe]):
                return
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                return
            if isinstance(message, Swap):
                swap(message.bundle)
            elif isinstance(message, Reply):
                self._take(message)

    def close(self) -> None:
        """Answer everybody who waits: no more will come."""
        self._closed = True
        self._give_up()

    def _take(self, reply: Reply) -> None:
        answer = self._asked.pop(reply.number, None)
        if answer is None:
            return
        if isinstance(reply.content, WindowshopError):
            answer.set_exception(reply.content)
        else:
            answer.set_result(reply.content)

    def _give_up(self) -> None:
        said = "this worker is ending; ask again on a new connection"
        for number in list(self._asked):
            self._take(Reply(number, RequestError("UNAVAILABLE", "WORKER_ENDING", said)))
