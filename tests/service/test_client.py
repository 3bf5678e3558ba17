from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from recommender.api.v1 import events_pb2, events_pb2_grpc
from recommender.errors import ConfigurationError, InputError, RequestError
from recommender.service.client import RETRY_PAUSES_SECONDS, EventSender, call_batches
from recommender.service.refusals import to_status
from recommender.types import Event

Code = grpc.StatusCode


class _Scripted(events_pb2_grpc.EventServiceServicer):
    """Accepts everything, but first gives the answers it was told."""

    def __init__(self, refusals: list[Code | RequestError]) -> None:
        self.refusals = refusals
        self.sizes: list[int] = []

    def RecordEvents(  # noqa: N802  # gRPC's name
        self, request: events_pb2.RecordEventsRequest, context: grpc.ServicerContext
    ) -> events_pb2.RecordEventsResponse:
        if self.sizes and self.refusals:
            refusal = self.refusals.pop(0)
            if isinstance(refusal, RequestError):
                context.abort_with_status(to_status(refusal))
            context.abort(refusal, "as told")
        self.sizes.append(len(request.events))
        return events_pb2.RecordEventsResponse(accepted_count=len(request.events))

    def StreamEvents(  # noqa: N802  # gRPC's name
        self, request_iterator: Iterator[events_pb2.StreamEventsRequest], context: grpc.ServicerContext
    ) -> events_pb2.StreamEventsResponse:
        raise NotImplementedError


@contextmanager
def scripted(
    *refusals: Code | RequestError,
) -> Iterator[tuple[_Scripted, Callable[[Callable[[float], None]], EventSender]]]:
    """A server that accepts the first call, then refuses as told, and what makes senders to it."""
    servicer = _Scripted(list(refusals))
    server = grpc.server(ThreadPoolExecutor(2))
    events_pb2_grpc.add_EventServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield servicer, lambda pause: EventSender(channel, "here", pause)
    server.stop(None).wait()


def events(count: int) -> Iterator[Event]:
    return (Event(f"e-{n}", "item", "view", user_id="u") for n in range(count))


def test_calls_stay_within_the_limits_and_keep_the_order() -> None:
    small = [events_pb2.Event(event_id=f"e-{n}") for n in range(2_500)]
    batches = list(call_batches(small))
    assert [len(batch) for batch in batches] == [1_000, 1_000, 500]
    assert [event for batch in batches for event in batch] == small
    large = [events_pb2.Event(event_id=str(n), receipt="x" * 300_000) for n in range(10)]
    for batch in call_batches(large):
        assert events_pb2.RecordEventsRequest(events=batch).ByteSize() <= 1 << 20
    assert list(call_batches([])) == []


def test_a_server_that_goes_away_is_waited_for() -> None:
    waited: list[float] = []
    counts: list[int] = []
    with scripted(Code.UNAVAILABLE, Code.UNAVAILABLE) as (servicer, sender):
        sent = sender(waited.append).send(events(2_100), counts.append)
    assert (sent.accepted, sent.rejected) == (2_100, 0)
    assert waited == list(RETRY_PAUSES_SECONDS[:2])
    assert counts == servicer.sizes == [1_000, 1_000, 100]


def test_a_server_that_is_busy_is_asked_again_and_one_that_finds_a_call_too_large_is_not() -> None:
    waited: list[float] = []
    busy = RequestError("RESOURCE_EXHAUSTED", "SERVER_BUSY", "come again")
    with scripted(busy, Code.RESOURCE_EXHAUSTED) as (_, sender), pytest.raises(InputError, match="RESOURCE_EXHAUSTED"):
        sender(waited.append).send(events(2_000), lambda _: None)
    assert waited == list(RETRY_PAUSES_SECONDS[:1])


def test_a_server_that_stays_away_is_given_up() -> None:
    waited: list[float] = []
    counts: list[int] = []
    with (
        scripted(*[Code.UNAVAILABLE] * 20) as (_, sender),
        pytest.raises(ConfigurationError, match="no server answers at here"),
    ):
        sender(waited.append).send(events(2_000), counts.append)
    assert (waited, counts) == (list(RETRY_PAUSES_SECONDS), [1_000])


def test_a_refusal_is_not_tried_again() -> None:
    waited: list[float] = []
    counts: list[int] = []
    with (
        scripted(Code.INVALID_ARGUMENT) as (_, sender),
        pytest.raises(InputError, match="here refused: INVALID_ARGUMENT: as told"),
    ):
        sender(waited.append).send(events(2_000), counts.append)
    assert (waited, counts) == ([], [1_000])
