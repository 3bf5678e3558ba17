"""Who is let in to wait: a full queue refuses at once, at a fraction of the cost of a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import grpc

from recommender.errors import RequestError
from recommender.service.bounded_pool import BoundedPool, OnTheSpot
from recommender.service.meter import Meter
from recommender.service.refusals import to_status

_KINDS: Final = ("unary_unary", "stream_unary", "unary_stream", "stream_stream")
_Details = grpc.HandlerCallDetails
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_ON_THE_SPOT: Final = OnTheSpot(1)


class Admission(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stubs alone
    """Refuses RESOURCE_EXHAUSTED what would wait too long for a thread, on the thread that serves all calls.

    Args:
        common: The pool of methods that name none.
        meter: Counts what is refused.
    """

    def __init__(self, common: BoundedPool, meter: Meter) -> None:
        self._common = common
        self._meter = meter
        said = "the server has more requests than it can answer in time; send this one again after a growing pause"
        self._busy = refusing(RequestError("RESOURCE_EXHAUSTED", "SERVER_BUSY", said, retry_seconds=0.25))

    def intercept_service(
        self, continuation: Callable[[_Details], _Handler | None], handler_call_details: _Details
    ) -> _Handler | None:
        """The method's handler, or one that refuses; None for a method that there is not."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        pool = _pool_of(handler) or self._common
        if not isinstance(pool, BoundedPool) or not pool.full:
            return handler
        self._meter.refused(handler_call_details.method.rpartition("/")[2], "RESOURCE_EXHAUSTED")
        return self._busy


def refusing(refusal: RequestError) -> _Handler:
    """A handler that refuses every call, whatever its method is, without a thread of its own."""
    status = to_status(refusal)

    def refuse(_: object, context: grpc.ServicerContext) -> bytes:
        context.abort_with_status(status)

    refuse.experimental_thread_pool = _ON_THE_SPOT  # type: ignore[attr-defined]  # grpcio reads it off the function
    # As a stream, whatever the method is: for a single request gRPC would wait until the stranger sent it.
    return grpc.stream_unary_rpc_method_handler(refuse)


def _pool_of(handler: _Handler) -> object:
    behaviors = (getattr(handler, kind, None) for kind in _KINDS)
    return next((getattr(each, "experimental_thread_pool", None) for each in behaviors if each is not None), None)
