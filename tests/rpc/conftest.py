"""One server for all tests that only send requests, on a tiny world; each test writes events of its own users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from recommender.api.v1 import catalog_pb2_grpc, events_pb2, events_pb2_grpc, feed_pb2, feed_pb2_grpc
from tests.servers import RunningServer, running_server
from tests.worlds import write_tiny_models


@dataclass
class Client:
    """Stubs over one connection."""

    channel: grpc.Channel

    def __post_init__(self) -> None:
        self.feed = feed_pb2_grpc.FeedServiceStub(self.channel)
        self.events = events_pb2_grpc.EventServiceStub(self.channel)
        self.catalog = catalog_pb2_grpc.CatalogServiceStub(self.channel)

    def page(self, user_id: str = "", **fields: object) -> feed_pb2.GetFeedResponse:
        """One page."""
        return self.feed.GetFeed(feed_pb2.GetFeedRequest(user_id=user_id, **fields), timeout=30)  # type: ignore[arg-type]

    def whole(self, user_id: str, page_size: int, **fields: object) -> list[feed_pb2.Card]:
        """Every card up to the end."""
        cards: list[feed_pb2.Card] = []
        token = ""
        while True:
            page = self.page(user_id, page_size=page_size, page_token=token, **fields)
            cards += page.cards
            token = page.next_page_token
            if not token:
                return cards

    def record(self, *events: events_pb2.Event) -> events_pb2.RecordEventsResponse:
        """Send events in one call."""
        return self.events.RecordEvents(events_pb2.RecordEventsRequest(events=events), timeout=30)


@dataclass(frozen=True)
class Refusal:
    """What a client reads out of a refused call."""

    code: grpc.StatusCode
    reason: str
    domain: str
    fields: tuple[str, ...]


def refusal_of(error: grpc.RpcError) -> Refusal:
    """The status of a refused call with its details."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # a call's error is that call
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details if status is not None else ():
        detail.Unpack(info)
        detail.Unpack(request)
    fields = tuple(violation.field for violation in request.field_violations)
    return Refusal(error.code(), info.reason, info.domain, fields)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a live tiny bundle."""
    folder = tmp_path_factory.mktemp("tiny") / "models"
    write_tiny_models(folder)
    return folder


@pytest.fixture(scope="session")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One worker."""
    with running_server(models, tmp_path_factory.mktemp("server") / "state") as running:
        yield running


@pytest.fixture(scope="session")
def client(server: RunningServer) -> Iterator[Client]:
    """Connected to `server`."""
    with server.channel() as channel:
        yield Client(channel)
