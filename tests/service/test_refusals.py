from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from recommender.api.v1 import events_pb2, feed_pb2
from recommender.errors import RequestError, StateError, StateFullError
from recommender.service.log_lines import JsonFormatter, PersonTag
from recommender.service.meter import Meter
from recommender.service.refusals import Refusals
from recommender.service.request_lines import RequestLines

TAG = PersonTag(b"k" * 32)
Call = Callable[[Exception, Message], grpc.RpcError]


@pytest.fixture(scope="module")
def call() -> Iterator[Call]:
    """Sends a request to a server whose methods raise what they are told, and returns what the client got."""
    raised: list[Exception] = []

    def answer(data: bytes, context: grpc.ServicerContext) -> bytes:
        raise raised[0]

    def answer_stream(stream: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        next(stream)
        raise raised[0]

    refusals = Refusals(RequestLines(TAG, 60.0, 0), Meter.alone())
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(refusals.unary("Unary", feed_pb2.GetFeedRequest, answer)),
        "Stream": grpc.stream_unary_rpc_method_handler(
            refusals.stream("Stream", events_pb2.StreamEventsRequest, answer_stream)
        ),
    }
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def calling(error: Exception, request: Message) -> grpc.RpcError:
        raised[:] = [error]
        data = request.SerializeToString()
        if isinstance(request, events_pb2.StreamEventsRequest):
            future = channel.stream_unary("/test.Service/Stream", None, None).future(iter([data]), timeout=10)
        else:
            future = channel.unary_unary("/test.Service/Unary", None, None).future(data, timeout=10)
        refused = future.exception()
        assert isinstance(refused, grpc.RpcError)
        return refused

    yield calling
    channel.close()
    server.stop(None).wait()


def detail(error: grpc.RpcError, kind: type[Message]) -> Message | None:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # a call's error is that call
    assert status is not None
    assert status.code == error.code().value[0]
    found = kind()
    return next((found for any_detail in status.details if any_detail.Unpack(found)), None)


def test_a_refused_request_carries_code_reason_domain_and_violations(call: Call) -> None:
    raised = RequestError("NOT_FOUND", "ITEM_NOT_FOUND", "no such item", [("item_id", "is unknown")])
    error = call(raised, feed_pb2.GetFeedRequest())
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "no such item")
    assert detail(error, error_details_pb2.ErrorInfo) == error_details_pb2.ErrorInfo(
        reason="ITEM_NOT_FOUND", domain="windowshop"
    )
    violation = error_details_pb2.BadRequest.FieldViolation(field="item_id", description="is unknown")
    assert detail(error, error_details_pb2.BadRequest) == error_details_pb2.BadRequest(field_violations=[violation])


def test_the_largest_refusal_still_reaches_a_client(call: Call) -> None:
    long = "é" * 10_000
    error = call(RequestError("INVALID_ARGUMENT", "ID_TOO_LONG", long, [(long, long)] * 50), feed_pb2.GetFeedRequest())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = detail(error, error_details_pb2.BadRequest)
    assert isinstance(found, error_details_pb2.BadRequest)
    assert len(found.field_violations) == 20


@pytest.mark.parametrize(
    ("raised", "reason"),
    [(StateFullError("the disk is full"), "STATE_FULL"), (StateError("the file is gone"), "STATE_UNAVAILABLE")],
)
def test_state_that_cannot_be_written_is_unavailable(raised: Exception, reason: str, call: Call) -> None:
    error = call(raised, feed_pb2.GetFeedRequest())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    found = detail(error, error_details_pb2.ErrorInfo)
    assert isinstance(found, error_details_pb2.ErrorInfo)
    assert found.reason == reason


@pytest.mark.parametrize(
    "request_of",
    [
        lambda user: feed_pb2.GetFeedRequest(user_id=user),
        lambda user: events_pb2.StreamEventsRequest(events=[events_pb2.Event(session_id=user)]),
    ],
    ids=["unary", "stream"],
)
def test_a_bug_is_internal_leaks_nothing_and_is_logged_under_its_request_id(
    request_of: Callable[[str], Message], call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    error = call(KeyError("secret of user-ada-1815"), request_of("user-ada-1815"))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in (error.details() or "")
    info = detail(error, error_details_pb2.RequestInfo)
    assert isinstance(info, error_details_pb2.RequestInfo)
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    line = json.loads(JsonFormatter().format(record))
    assert line["request_id"] == info.request_id
    assert f"KeyError: 'secret of {TAG.of('user-ada-1815')}'" in line["traceback"]
    assert "user-ada-1815" not in json.dumps(line)
