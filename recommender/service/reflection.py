"""Server reflection: what gRPC brings, served so that a slow client holds up nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from recommender.service.arrivals import Arrivals
from recommender.service.health import parse_or_abort

# How long a client may take to accept a description, of some kB.
_ACCEPT_SECONDS: Final = 10.0


def reflection_handler(names: Iterable[str], arrivals: Arrivals) -> grpc.GenericRpcHandler[Any, Any]:
    """Reflection of these services."""
    servicer = reflection.ReflectionServicer(names)

    def inform(messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Any]:
        arriving = arrivals.each(messages, context)
        requests = (parse_or_abort(reflection_pb2.ServerReflectionRequest, data, context) for data in arriving)
        replies: Any = servicer.ServerReflectionInfo(requests, context)  # type: ignore[func-returns-value]
        for reply in replies:
            with arrivals.watched(context, _ACCEPT_SECONDS):
                yield reply

    serialise = reflection_pb2.ServerReflectionResponse.SerializeToString
    methods = {"ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(inform, None, serialise)}
    return grpc.method_handlers_generic_handler(reflection.SERVICE_NAME, methods)
