"""What the command line does as a client: reading feeds, sending events, and saying in a sentence what went wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from recommender.api.v1 import catalog_pb2, catalog_pb2_grpc, events_pb2, events_pb2_grpc, feed_pb2, feed_pb2_grpc
from recommender.errors import ConfigurationError, InputError, WindowshopError
from recommender.service.event_servicer import MAX_CALL_BYTES, MAX_EVENTS
from recommender.service.wire import event_to
from recommender.types import Event

T = TypeVar("T")
RETRY_PAUSES_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0)
_CALL_SECONDS: Final = 60.0
#: Rejections that are kept to be shown.
_SHOWN: Final = 10


def explain(error: grpc.RpcError, target: str) -> WindowshopError:
    """The error that a person reads in place of gRPC's."""
    code, details = error.code(), error.details() or ""
    reason = reason_of(error)
    if code is grpc.StatusCode.UNAVAILABLE and not reason:
        return ConfigurationError(_no_connection(details, target))
    said = f"{target} refused: {reason or code.name}: {details}"
    if code is grpc.StatusCode.UNAUTHENTICATED:
        said += "; give it with --token-file or in WINDOWSHOP_TOKEN"
    return WindowshopError(said) if code in _SERVERS_FAULT else InputError(said)


def _no_connection(details: str, target: str) -> str:
    """Why there is no connection, out of what gRPC tells of its last try."""
    if "WRONG_VERSION_NUMBER" in details:
        return f"{target} speaks plain text; leave out the options of TLS"
    if "handshake failed" in details:
        return f"{target} shows no certificate for that name of a trusted authority; name its authority with --tls-ca"
    if "failed to connect" in details and "Socket closed" in details:
        return f"{target} hung up; if it speaks TLS, give --tls-ca, and --tls-certificate and --tls-key where it asks"
    return (
        f"no server answers at {target}; start one with: windowshop serve --models DIR --state DIR, "
        "or name another with --target"
    )


_SERVERS_FAULT: Final = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE)


def reason_of(error: grpc.RpcError) -> str:
    """The ErrorInfo reason of a refused call, empty where it has none."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # every error of a call is also that call
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status is not None else ():
        if detail.Unpack(info):
            return str(info.reason)
    return ""


class FeedReader:
    """Reads feeds and what is needed to show them to a person.

    Args:
        channel: To the server.
        target: Its name in messages.
    """

    def __init__(self, channel: grpc.Channel, target: str) -> None:
        self._feed = feed_pb2_grpc.FeedServiceStub(channel)
        self._catalog = catalog_pb2_grpc.CatalogServiceStub(channel)
        self._target = target
        self._items: dict[str, catalog_pb2.Item] = {}

    def pages(self, request: feed_pb2.GetFeedRequest, count: int) -> Iterator[feed_pb2.GetFeedResponse]:
        """The first pages of a feed, fewer where it ends before.

        Raises:
            WindowshopError: The server cannot be reached or refuses.
        """
        for _ in range(count):
            try:
                page = self._feed.GetFeed(request, timeout=_CALL_SECONDS)
            except grpc.RpcError as error:
                raise explain(error, self._target) from error
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def explanation(self, request: feed_pb2.ExplainItemRequest) -> feed_pb2.ExplainItemResponse:
        """What becomes of one item in a feed.

        Raises:
            WindowshopError: The server cannot be reached or refuses.
        """
        try:
            return self._feed.ExplainItem(request, timeout=_CALL_SECONDS)
        except grpc.RpcError as error:
            raise explain(error, self._target) from error

    def item(self, item_id: str) -> catalog_pb2.Item:
        """The item, or one with nothing but its id where the server does not know it."""
        found = self._items.get(item_id)
        if found is None:
            try:
                reply = self._catalog.GetItem(catalog_pb2.GetItemRequest(item_id=item_id), timeout=_CALL_SECONDS)
                found = reply.item
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise explain(error, self._target) from error
                found = catalog_pb2.Item(item_id=item_id)
            self._items[item_id] = found
        return found


@dataclass(slots=True)
class Sent:
    """What became of the events that were sent; `examples` are the first rejections."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    examples: list[events_pb2.EventRejection] = field(default_factory=list)


def _may_pass(error: grpc.RpcError) -> bool:
    """Whether the server is away or has too much to do; without a reason, RESOURCE_EXHAUSTED means a call too large."""
    code = error.code()
    return code is grpc.StatusCode.UNAVAILABLE or (
        code is grpc.StatusCode.RESOURCE_EXHAUSTED and bool(reason_of(error))
    )


class EventSender:
    """Sends events in calls as large as allowed, each again while the server is away or busy.

    Args:
        channel: To the server.
        target: Its name in messages.
        pause: Waits for so many seconds.
    """

    def __init__(self, channel: grpc.Channel, target: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._stub = events_pb2_grpc.EventServiceStub(channel)
        self._target = target
        self._pause = pause

    def send(self, events: Iterable[Event], progress: Callable[[int], None]) -> Sent:
        """Send all events.

        Args:
            events: With ids that stay the same when they are sent again.
            progress: Gets the number of events in each call that was answered.

        Raises:
            WindowshopError: The server stays away or refuses; what was sent before is stored.
        """
        sent = Sent()
        # A server that is not there at all is said at once; one that goes away is waited for.
        pauses: Sequence[float] = ()
        for batch in call_batches(map(event_to, events)):
            reply = self._call(events_pb2.RecordEventsRequest(events=batch), pauses)
            pauses = RETRY_PAUSES_SECONDS
            sent.accepted += reply.accepted_count
            sent.duplicates += reply.duplicate_count
            sent.rejected += len(reply.rejections)
            sent.examples += reply.rejections[: _SHOWN - len(sent.examples)]
            progress(len(batch))
        return sent

    def _call(
        self, request: events_pb2.RecordEventsRequest, pauses: Sequence[float]
    ) -> events_pb2.RecordEventsResponse:
        for pause in pauses:
            try:
                return self._stub.RecordEvents(request, timeout=_CALL_SECONDS)
            except grpc.RpcError as error:
                if not _may_pass(error):
                    raise explain(error, self._target) from error
            self._pause(pause)
        try:
            return self._stub.RecordEvents(request, timeout=_CALL_SECONDS)
        except grpc.RpcError as error:
            raise explain(error, self._target) from error


def call_batches(messages: Iterable[events_pb2.Event]) -> Iterator[Sequence[events_pb2.Event]]:
    """Events in groups that one call may carry: at most 1,000, and within 1 MiB."""
    batch: list[events_pb2.Event] = []
    size = 0
    for message in messages:
        own = message.ByteSize() + 8  # its tag and length
        if batch and (len(batch) == MAX_EVENTS or size + own > MAX_CALL_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += own
    if batch:
        yield batch
