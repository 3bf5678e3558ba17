"""A server with too much to do or too little time: who is refused and how, what is left out, what is counted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from recommender.api.v1 import feed_pb2
from recommender.bundle import Bundle
from recommender.config import ServerSettings
from recommender.feed.pipeline import Pipeline
from recommender.feed.receipts import ReceiptSigner
from recommender.feed.stages import Source
from recommender.feed.taking import SnapshotTaker
from recommender.service.access import Gate
from recommender.service.counter_board import EventMarks, Words
from recommender.service.feed_servicer import Live
from recommender.service.intake import EventIntake
from recommender.service.item_intake import ItemIntake
from recommender.service.log_lines import PersonTag
from recommender.service.measures import PLACES, ROW_WORDS
from recommender.service.meter import Meter
from recommender.service.model_servicer import ModelServicer
from recommender.service.ports import hold_port
from recommender.service.privacy_servicer import PrivacyServicer
from recommender.service.refusals import Refusals
from recommender.service.request_lines import RequestLines
from recommender.service.server import Intakes, Operations, WorkerServer
from recommender.service.supervisor_link import SupervisorLink
from recommender.types import FeedQuery, SourceResult
from tests.feed.shops import Shop
from tests.rpc.conftest import Client, refusal_of
from tests.servers import eventually
from tests.worlds import write_tiny_bundle

SOURCES = ("cooccurrence", "als", "own_frequency", "content", "popularity_recent", "popularity_category")


@dataclass
class HeldSource:
    """A source that waits until it is let go."""

    source: Source
    go: threading.Event = field(default_factory=threading.Event)
    runs: int = 0

    def __post_init__(self) -> None:
        self.name, self.evidence_kind = self.source.name, self.source.evidence_kind

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        self.runs += 1
        self.go.wait(60)
        return self.source.retrieve(query, limit)


@dataclass
class Served:
    """A real server on a shop, in this process."""

    shop: Shop
    held: HeldSource
    server: WorkerServer
    client: Client
    counted: Words

    def requests(self, method: str, code: str) -> float:
        return float(self.counted[PLACES["requests", method, code]])

    def under_way(self) -> int:
        return self.server._pools.feeds.pool._under_way

    def send(self, timeout: float | None = 60.0) -> Any:
        """A request that is not waited for."""
        return self.client.feed.GetFeed.future(feed_pb2.GetFeedRequest(user_id="ada", page_size=5), timeout=timeout)

    def hold(self, waiting: int, timeout: float | None = 60.0) -> list[Any]:
        """Fill the only thread, and the queue behind it."""
        sent = [self.send(60.0)]
        eventually(lambda: self.held.runs == 1)
        sent += [self.send(timeout) for _ in range(waiting)]
        eventually(lambda: self.under_way() == 1 + waiting)
        return sent


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_tiny_bundle(tmp_path_factory.mktemp("overload") / "v1")


@contextmanager
def serving(bundle: Bundle, folder: Path, **feed: Any) -> Iterator[Served]:
    """One thread, and three requests at most."""
    shop = Shop.open(bundle, folder / "state", **feed)
    taker, order = shop.pages.taker, bundle.array("popularity/order")
    old = taker.pipeline
    held = HeldSource(old._sources[0])
    pipeline = Pipeline([held, *old._sources[1:]], old._filters, old._ranker, old.reranker, order)
    names = ("catalogue", "numbering", "model_version", "mode", "limit")
    slow = SnapshotTaker(pipeline, **{name: getattr(taker, f"_{name}") for name in names})
    shop.feed._pages = replace(shop.pages, taker=slow, costs=pipeline.costs)
    counted = np.zeros(ROW_WORDS)
    meter = Meter(counted, EventMarks(np.zeros(64, np.int64)), shop.clock)
    settings = ServerSettings(threads=1, max_concurrent_requests=3)
    events = EventIntake(shop.state.events, ReceiptSigner([b"k" * 32], 1_000), shop.clock)
    intakes = Intakes(events, ItemIntake(shop.state.live_items, shop.state.numbers, shop.clock))
    refusals, port = Refusals(RequestLines(PersonTag(b"k" * 32), 60.0, 0), meter), hold_port("127.0.0.1:0")
    live = Live(shop.feed)
    models = ModelServicer(bundle.folder.parent, SupervisorLink(Pipe()[0]))
    operations = Operations(models, PrivacyServicer(live, shop.state, shop.clock))
    server = WorkerServer(live, intakes, operations, refusals, Gate(None, meter), settings, meter)
    server.start(port.address, None)
    with grpc.insecure_channel(port.address) as channel:
        yield Served(shop, held, server, Client(channel), counted)
    held.go.set()
    assert server.drain(30.0)
    port.socket.close()
    shop.state.close()


@pytest.fixture
def served(bundle: Bundle, tmp_path: Path) -> Iterator[Served]:
    with serving(bundle, tmp_path, deadline_ms=60_000) as made:
        yield made


def retry_seconds(error: grpc.RpcError) -> float:
    """How long a refusal asks to wait."""
    status, retry = rpc_status.from_call(error), error_details_pb2.RetryInfo()  # type: ignore[arg-type]  # as a call
    assert status is not None
    assert any(detail.Unpack(retry) for detail in status.details)
    return float(retry.retry_delay.ToTimedelta().total_seconds())


def test_a_full_queue_refuses_at_once_and_says_when_to_come_again(served: Served) -> None:
    taken = served.hold(waiting=2)
    for number in range(5):
        refused = served.send().exception(timeout=60)
        assert isinstance(refused, grpc.RpcError)
        refusal = refusal_of(refused)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_BUSY")
        assert retry_seconds(refused) == 0.25
        assert served.requests("GetFeed", "RESOURCE_EXHAUSTED") == number + 1
    # Events have threads and a queue of their own.
    assert served.client.record().accepted_count == 0
    served.held.go.set()
    for each in taken:
        page = each.result(timeout=60)
        assert len(page.cards) == 5
        assert list(page.degradations) == [feed_pb2.DEGRADATION_FULL]
    assert served.requests("GetFeed", "OK") == 3
    assert len(served.send().result(timeout=60).cards) == 5


def test_a_request_that_is_late_before_it_begins_costs_no_work(served: Served) -> None:
    _, late = served.hold(waiting=1, timeout=0.2)
    assert late.exception(timeout=60).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    served.held.go.set()
    eventually(lambda: served.under_way() == 0)
    assert served.held.runs == 1
    assert served.counted[PLACES["requests_abandoned",]] + served.requests("GetFeed", "DEADLINE_EXCEEDED") == 1


def test_without_a_deadline_of_its_own_a_request_is_late_after_the_assumed_one(bundle: Bundle, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, deadline_ms=50) as served:
        _, late = served.hold(waiting=1, timeout=None)
        threading.Event().wait(0.1)
        served.held.go.set()
        error = late.exception(timeout=60)
        assert (refusal_of(error).code, refusal_of(error).reason) == (
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "DEADLINE_PASSED",
        )
        assert served.held.runs == 1
        assert served.requests("GetFeed", "DEADLINE_EXCEEDED") == 1


@pytest.mark.parametrize(
    ("timeout", "degradations"),
    [
        (2_000.0, ["FULL"]),
        (350.0, ["NO_RANKER"]),
        (200.0, ["NO_RANKER", "FEWER_SOURCES"]),
        (20.0, ["FALLBACK"]),
    ],
)
def test_over_grpc_too_what_does_not_fit_the_client_s_deadline_is_left_out(
    served: Served, timeout: float, degradations: list[str]
) -> None:
    served.held.go.set()
    costs = served.shop.pages.costs
    seconds = {"als": 100.0, "content": 200.0, "single_source": 340.0}
    if timeout < 100.0:
        seconds = dict.fromkeys(SOURCES, 100.0)
    for _ in range(30):
        for name, each in seconds.items():
            costs.note(name, each)
    page = served.send(timeout).result(timeout=60)
    assert [feed_pb2.Degradation.Name(each).removeprefix("DEGRADATION_") for each in page.degradations] == degradations
    assert len(page.cards) == 5
    for name in ("FULL", "NO_RANKER", "FEWER_SOURCES", "FALLBACK"):
        assert served.counted[PLACES["feed_pages", name]] == (name in degradations)
    shed = {name for name in SOURCES if served.counted[PLACES["component_shed", "source", name]]}
    assert shed == ({"content"} if timeout == 200.0 else set(SOURCES) if timeout == 20.0 else set())
    assert served.counted[PLACES["component_shed", "rank", "single_source"]] == ("NO_RANKER" in degradations)


def test_the_guard_refuses_what_arrives_too_late_without_asking_the_method() -> None:
    class Late:
        """A call whose time is up."""

        code: grpc.StatusCode | None = None

        def time_remaining(self) -> float:
            return 0.0

        def abort_with_status(self, status: grpc.Status) -> None:
            self.code = status.code
            raise RuntimeError

    def never(data: bytes, context: grpc.ServicerContext) -> bytes:
        raise AssertionError

    counted, late = np.zeros(ROW_WORDS), Late()
    refusals = Refusals(RequestLines(PersonTag(b"k" * 32), 60.0, 0), Meter(counted, EventMarks(np.zeros(1, np.int64))))
    with pytest.raises(RuntimeError):
        refusals.unary("GetItem", feed_pb2.GetFeedRequest, never)(b"", late)  # type: ignore[arg-type]  # enough of one
    assert late.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert counted[PLACES["requests", "GetItem", "DEADLINE_EXCEEDED"]] == 1
