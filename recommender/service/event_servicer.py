"""EventService: calls and streams of events, each call's events stored in one append."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import grpc

from recommender.api.v1 import events_pb2
from recommender.errors import RequestError
from recommender.service.field_limits import MAX_ID_BYTES
from recommender.service.intake import EventIntake, Intake, Rejection
from recommender.service.meter import Meter
from recommender.service.wire import event_from, parse

MAX_EVENTS: Final = 1_000
MAX_CALL_BYTES: Final = 1 << 20
#: Rejections that the summary of a stream lists; it counts all.
MAX_LISTED: Final = 1_000


class EventServicer:
    """Answers RecordEvents and StreamEvents.

    Args:
        intake: Checks and stores.
        meter: Counts what became of them.
    """

    def __init__(self, intake: EventIntake, meter: Meter) -> None:
        self._intake = intake
        self._meter = meter

    def record_events(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """Store a call's events: RecordEventsRequest to RecordEventsResponse."""
        _check_size(len(data))
        message = parse(events_pb2.RecordEventsRequest, data)
        _check_count(len(message.events))
        intake = self._record(message.events)
        reply = events_pb2.RecordEventsResponse(
            accepted_count=intake.accepted,
            duplicate_count=intake.duplicates,
            rejections=_rejection_messages(intake.rejections, 0),
        )
        return reply.SerializeToString()

    def stream_events(self, stream: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """Store each message's events before the next is read, and sum up at the end.

        The limits of a call hold for every message. What was stored before a refused message stays; sent again, it
        counts as duplicate.
        """
        summary = events_pb2.StreamEventsResponse()
        first = 0
        for data in stream:
            _check_size(len(data))
            message = parse(events_pb2.StreamEventsRequest, data)
            _check_count(len(message.events))
            intake = self._record(message.events)
            summary.accepted_count += intake.accepted
            summary.duplicate_count += intake.duplicates
            summary.rejected_count += len(intake.rejections)
            room = MAX_LISTED - len(summary.rejections)
            summary.rejections.extend(_rejection_messages(intake.rejections[:room], first))
            first += len(message.events)
        return summary.SerializeToString()

    def _record(self, events: Iterable[events_pb2.Event]) -> Intake:
        intake = self._intake.record([event_from(event) for event in events])
        self._meter.intake(intake)
        return intake


def _check_size(size: int) -> None:
    if size > MAX_CALL_BYTES:
        said = f"the call has {size:,} bytes, at most {MAX_CALL_BYTES:,} are taken; send fewer events in each"
        raise RequestError("INVALID_ARGUMENT", "CALL_TOO_LARGE", said)


def _check_count(count: int) -> None:
    if count > MAX_EVENTS:
        said = f"the call has {count:,} events, at most {MAX_EVENTS:,} are taken; send fewer in each"
        raise RequestError("INVALID_ARGUMENT", "TOO_MANY_EVENTS", said, [("events", said)])


def _rejection_messages(rejections: Iterable[Rejection], first: int) -> list[events_pb2.EventRejection]:
    return [
        events_pb2.EventRejection(
            index=first + rejection.index,
            # An id may be rejected for its length: what is said of it has no reason to be as long.
            event_id=rejection.event_id[:MAX_ID_BYTES],
            reason=rejection.problem.reason,
            message=rejection.problem.message,
        )
        for rejection in rejections
    ]
