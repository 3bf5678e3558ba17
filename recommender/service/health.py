"""grpc.health.v1: whether the server serves, told once or whenever it changes.

gRPC brings a servicer for it, but that one sends to its watchers while it holds a lock which gRPC's own thread needs
once a watcher is gone: two strangers who watched and left could stop a worker for good.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2

from recommender.errors import RequestError
from recommender.service.arrivals import Arrivals
from recommender.service.refusals import to_status
from recommender.service.wire import parse

M = TypeVar("M", bound=Message)
_Status = health_pb2.HealthCheckResponse
# How long a watcher may take to accept a status, of a few bytes.
_ACCEPT_SECONDS: Final = 2.0
# How long a drain waits for all of them.
_LAST_WORD_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Watch:
    """One watcher; whoever tells it something waits until it was sent, so nobody may hold another lock meanwhile."""

    send: Callable[[Any], None]
    service: str
    told: int | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)


class Health:
    """Answers Check and Watch.

    Args:
        arrivals: Ends calls whose client does not send its request, or does not accept the reply.
    """

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._statuses: dict[str, int] = {}
        # Each operation on it is one that no thread interrupts.
        self._watches: dict[grpc.ServicerContext, _Watch] = {}

    def serve(self, service: str) -> None:
        """Say of a service that it serves; before anybody asks."""
        self._statuses[service] = _Status.SERVING

    def drain(self) -> None:
        """Say NOT_SERVING from now on, and end every watch: it has no end of its own, and would hold up the drain."""
        self._statuses = dict.fromkeys(self._statuses, _Status.NOT_SERVING)
        last_word = threading.Thread(target=self._end_watches, name="health", daemon=True)
        last_word.start()
        last_word.join(_LAST_WORD_SECONDS)

    def check(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """The status of a service; NOT_FOUND where there is none of that name."""
        service = self._asked(messages, context)
        if service not in self._statuses:
            context.set_code(grpc.StatusCode.NOT_FOUND)
            context.set_details("there is no such service; ask for the whole server by an empty name")
        return bytes(_Status(status=self._statuses.get(service, 0)).SerializeToString())

    def watch(
        self, messages: Iterator[bytes], context: grpc.ServicerContext, send_response_callback: Callable[[Any], None]
    ) -> None:
        """The status of a service, now and whenever it changes; holds no thread in between."""
        watch = _Watch(send_response_callback, self._asked(messages, context))
        self._watches[context] = watch
        if context.add_callback(partial(self._forget, context)):
            self._tell(context, watch)
        else:
            self._forget(context)  # gone already

    # grpcio reads it off the function.
    watch.experimental_non_blocking = True  # type: ignore[attr-defined]

    def _forget(self, context: grpc.ServicerContext) -> None:
        # On gRPC's own thread, which must wait for nothing.
        self._watches.pop(context, None)

    def _asked(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> str:
        data = self._arrivals.first(messages, context)
        request: Any = parse_or_abort(health_pb2.HealthCheckRequest, data, context)
        return str(request.service)

    def _tell(self, context: grpc.ServicerContext, watch: _Watch) -> None:
        with watch.turn:
            status = self._statuses.get(watch.service, _Status.SERVICE_UNKNOWN)
            if status != watch.told:
                watch.told = status
                with self._arrivals.watched(context, _ACCEPT_SECONDS):
                    watch.send(_Status(status=status).SerializeToString())

    def _end_watches(self) -> None:
        for context, watch in list(self._watches.items()):
            self._tell(context, watch)
            watch.send(None)


def health_handler(answers: Health) -> grpc.GenericRpcHandler[Any, Any]:
    """Check and Watch; their single requests come as streams, whose waiting has an end."""
    methods = {
        "Check": grpc.stream_unary_rpc_method_handler(answers.check),
        "Watch": grpc.stream_stream_rpc_method_handler(answers.watch),
    }
    return grpc.method_handlers_generic_handler(health.SERVICE_NAME, methods)


def parse_or_abort(kind: type[M], data: bytes, context: grpc.ServicerContext) -> M:
    """The message, or the end of the call; a stranger's garbage is no bug to be logged."""
    try:
        return parse(kind, data)
    except RequestError as error:
        context.abort_with_status(to_status(error))
