"""How a method's exceptions become a google.rpc.Status: the one place where errors meet gRPC."""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from recommender.errors import RequestError, StateError, StateFullError
from recommender.service.field_limits import MAX_VIOLATIONS
from recommender.service.meter import Meter
from recommender.service.request_lines import RequestLines

DOMAIN: Final = "windowshop"
# Details travel in a trailer in base64, and clients refuse trailers of more than 8 KiB: 20 violations have to fit.
_MESSAGE_BYTES: Final = 256
_PATH_BYTES: Final = 48
_DESCRIPTION_BYTES: Final = 120
_HIDDEN_FIELDS: Final = frozenset({"user_id", "session_id", "page_token", "receipt"})

Unary = Callable[[bytes, grpc.ServicerContext], bytes]
ClientStream = Callable[[Iterator[bytes], grpc.ServicerContext], bytes]
_logger = logging.getLogger(__name__)


def to_status(error: RequestError, request_id: str = "") -> grpc.Status:
    """The status of a refused request: ErrorInfo; BadRequest, RetryInfo and RequestInfo where they apply."""
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)]
    if error.violations:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=_short(path, _PATH_BYTES), description=_short(said, _DESCRIPTION_BYTES)
                    )
                    for path, said in error.violations[:MAX_VIOLATIONS]
                ]
            )
        )
    if error.retry_seconds:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMicroseconds(int(error.retry_seconds * 1_000_000))
        details.append(retry)
    if request_id:
        details.append(error_details_pb2.RequestInfo(request_id=request_id))
    status = status_pb2.Status(
        code=code_pb2.Code.Value(error.code),
        message=_short(error.message, _MESSAGE_BYTES),
        details=[_packed(detail) for detail in details],
    )
    return rpc_status.to_status(status)


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def _short(text: str, limit: int) -> str:
    """The text, cut to a number of bytes of UTF-8."""
    data = text.encode()
    return text if len(data) <= limit else data[: limit - 3].decode(errors="ignore") + "..."


class Refusals:
    """Wraps methods so that whatever they raise reaches the client as a status and nothing leaks.

    Args:
        lines: Told of every request.
        meter: Counts answers and refusals.
    """

    def __init__(self, lines: RequestLines, meter: Meter) -> None:
        self.lines = lines
        self._meter = meter

    def unary(self, method: str, request_type: type[Message], answer: Unary) -> Unary:
        """A method with one request, guarded.

        Args:
            method: Its name in log lines.
            request_type: What the request's bytes hold, to find whom and what a log line must not name.
            answer: From the request's bytes to the reply's.
        """

        def guarded(data: bytes, context: grpc.ServicerContext) -> bytes:
            started = self._meter.seconds()
            self.lines.begin(lambda: named_in(request_type, data))
            try:
                check_in_time(context.time_remaining())
                reply = answer(data, context)
            except Exception as error:  # noqa: BLE001  # the outermost frame of a request: nothing may leak past it
                self._refuse(method, error, context, started)
            self._end(method, "OK", started)
            return reply

        return guarded

    def stream(self, method: str, request_type: type[Message], answer: ClientStream) -> ClientStream:
        """A method with a stream of requests, guarded likewise."""

        def guarded(stream: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            latest, started = b"", self._meter.seconds()

            def remembering() -> Iterator[bytes]:
                nonlocal latest
                for data in stream:
                    latest = data
                    yield data

            self.lines.begin(lambda: named_in(request_type, latest))
            try:
                reply = answer(remembering(), context)
            except grpc.RpcError:
                self._end(method, "CANCELLED", started)
                raise  # the client went away; gRPC knows
            except Exception as error:  # noqa: BLE001  # as above
                self._refuse(method, error, context, started)
            self._end(method, "OK", started)
            return reply

        return guarded

    def _end(self, method: str, code: str, started: float) -> None:
        seconds = self._meter.seconds() - started
        self._meter.answered(method, code, seconds)
        # What a stream took is up to its client.
        self.lines.end(method, code, seconds if method != "StreamEvents" else 0.0)

    def _refuse(self, method: str, error: Exception, context: grpc.ServicerContext, started: float) -> NoReturn:
        refusal, request_id = _refusal_of(method, error), ""
        if refusal is None:
            request_id = secrets.token_hex(8)
            text = self.lines.hide("".join(traceback.format_exception(error)))
            extra = {"method": method, "request_id": request_id, "traceback": text}
            _logger.error("a request failed", extra=extra)
            said = f"internal error in {method}; report request id {request_id}"
            refusal = RequestError("INTERNAL", "INTERNAL", said)
        self._end(method, refusal.code, started)
        context.abort_with_status(to_status(refusal, request_id))


def check_in_time(seconds_left: float) -> None:
    """Refuse a request whose deadline passed before anybody could look at it.

    Raises:
        RequestError: DEADLINE_PASSED.
    """
    if seconds_left <= 0:
        said = "the deadline passed while the request waited; send it again after a pause, with more time"
        raise RequestError("DEADLINE_EXCEEDED", "DEADLINE_PASSED", said)


def _refusal_of(method: str, error: Exception) -> RequestError | None:
    """What a client is told of an error on purpose; None for a bug."""
    if isinstance(error, RequestError):
        return error
    if not isinstance(error, StateError):
        return None
    full = isinstance(error, StateFullError)
    if not full:
        _logger.error("the state cannot be used", extra={"method": method, "reason": str(error)})
    said = "the disk under the state is full" if full else "the state cannot be used at the moment"
    reason = "STATE_FULL" if full else "STATE_UNAVAILABLE"
    return RequestError("UNAVAILABLE", reason, f"{said}; send it again later")


def named_in(request_type: type[Message], data: bytes) -> set[str]:
    """Persons and secrets anywhere in a request; empty where its bytes cannot be read."""
    try:
        return set(_named(request_type.FromString(data)))
    except DecodeError:
        return set()


def _named(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.name in _HIDDEN_FIELDS:
            yield value
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            children: Any = value if field.is_repeated else [value]
            for child in children:
                yield from _named(child)
