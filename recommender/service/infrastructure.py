"""Health and reflection: what gRPC brings, served so that a slow client holds up nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from recommender.errors import RequestError
from recommender.service.arrivals import Arrivals
from recommender.service.refusals import to_status
from recommender.service.wire import parse

M = TypeVar("M", bound=Message)


class Health(health.HealthServicer):
    """Health whose watches end at a drain: each would hold it up, since a watch has no end of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._watches: set[Callable[[Any], None]] = set()

    def Watch(  # noqa: N802  # gRPC's name
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.ServicerContext,
        send_response_callback: Callable[[Any], None] | None = None,
    ) -> Any:
        """Tell the status of a service, now and whenever it changes."""
        if send_response_callback is not None:
            self._watches.add(send_response_callback)
            context.add_callback(partial(self._watches.discard, send_response_callback))
        return super().Watch(request, context, send_response_callback)

    def end_watches(self) -> None:
        """End every watch; its client has been told the last status."""
        for send in list(self._watches):
            send(None)


def health_handler(servicer: Health, arrivals: Arrivals) -> grpc.GenericRpcHandler[Any, Any]:
    """Check and Watch; List is left to gRPC, which knows no such method here.

    Their single requests come as streams, whose waiting has an end.
    """

    def check(messages: Iterator[bytes], context: grpc.ServicerContext) -> Any:
        return servicer.Check(
            _parsed(health_pb2.HealthCheckRequest, arrivals.first(messages, context), context), context
        )

    def watch(messages: Iterator[bytes], context: grpc.ServicerContext, send_response_callback: Any) -> None:
        request = _parsed(health_pb2.HealthCheckRequest, arrivals.first(messages, context), context)
        servicer.Watch(request, context, send_response_callback)

    watch.experimental_non_blocking = True  # type: ignore[attr-defined]  # a watch then holds no thread
    serialise = health_pb2.HealthCheckResponse.SerializeToString
    methods = {
        "Check": grpc.stream_unary_rpc_method_handler(check, None, serialise),
        "Watch": grpc.stream_stream_rpc_method_handler(watch, None, serialise),
    }
    return grpc.method_handlers_generic_handler(health.SERVICE_NAME, methods)


def _parsed(kind: type[M], data: bytes, context: grpc.ServicerContext) -> M:
    """The message, or the end of the call; a stranger's garbage is no bug to be logged."""
    try:
        return parse(kind, data)
    except RequestError as error:
        context.abort_with_status(to_status(error))


def reflection_handler(names: Iterable[str], arrivals: Arrivals) -> grpc.GenericRpcHandler[Any, Any]:
    """Reflection of these services."""
    servicer = reflection.ReflectionServicer(names)

    def inform(messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Any]:
        arriving = arrivals.each(messages, context)
        requests = (_parsed(reflection_pb2.ServerReflectionRequest, data, context) for data in arriving)
        replies: Any = servicer.ServerReflectionInfo(requests, context)  # type: ignore[func-returns-value]
        yield from replies

    serialise = reflection_pb2.ServerReflectionResponse.SerializeToString
    methods = {"ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(inform, None, serialise)}
    return grpc.method_handlers_generic_handler(reflection.SERVICE_NAME, methods)
