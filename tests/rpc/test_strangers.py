"""Whoever comes to the port with something else than an honest request: each is refused, and honest clients go on."""

from __future__ import annotations

import itertools
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from recommender.api.v1 import events_pb2, feed_pb2
from recommender.service.channels import open_channel
from tests.rpc.conftest import Client, refusal_of
from tests.servers import RunningServer, eventually, running_server

FRONTEND, CATALOG = "f" * 32, "c" * 32
CALL_PLACES = 64
GET_FEED = "/recommender.api.v1.FeedService/GetFeed"
RECORD_EVENTS = "/recommender.api.v1.EventService/RecordEvents"
STREAM_EVENTS = "/recommender.api.v1.EventService/StreamEvents"
HEALTH = "/grpc.health.v1.Health/Check"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = struct.pack(">I", 0)[1:] + bytes([4, 0]) + bytes(4)


@pytest.fixture(scope="module")
def guarded(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One worker, so that whom a stranger holds up would be everybody."""
    settings = {
        "WINDOWSHOP_SERVER__TOKENS": f"frontend {FRONTEND}, catalog {CATALOG}",
        "WINDOWSHOP_SERVER__MAX_CONCURRENT_REQUESTS": str(CALL_PLACES),
        "WINDOWSHOP_SERVER__REQUEST_TIMEOUT": "2s",
        "WINDOWSHOP_SERVER__STREAM_PAUSE": "1s",
    }
    with running_server(models, tmp_path_factory.mktemp("strangers") / "state", **settings) as running:
        yield running


@pytest.fixture(scope="module")
def foreign(models: Path, tmp_path_factory: pytest.TempPathFactory) -> feed_pb2.GetFeedResponse:
    """A page of another server, with another key."""
    with running_server(models, tmp_path_factory.mktemp("elsewhere") / "state") as other, other.channel() as channel:
        return Client(channel).page("ada", page_size=2)


@pytest.fixture
def honest(guarded: RunningServer) -> Iterator[Client]:
    """A client that is served before a stranger comes, and after."""
    with open_channel(guarded.address, FRONTEND, None) as channel:
        client = Client(channel)
        check_served(client)
        yield client
        check_served(client)
        assert not [line for line in guarded.lines() if line["level"] == "error"]
        assert len(guarded.workers()) == 1


def check_served(client: Client) -> None:
    """A feed and an event, within a deadline that a stalled server would miss."""
    assert client.feed.GetFeed(feed_pb2.GetFeedRequest(user_id="ada", page_size=2), timeout=5).cards
    event = events_pb2.Event(event_id="same", user_id="honest", item_id="item-spade", event_type="view")
    reply = client.events.RecordEvents(events_pb2.RecordEventsRequest(events=[event]), timeout=5)
    assert reply.accepted_count + reply.duplicate_count == 1


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    refusal = refusal_of(caught.value)
    return refusal.code, refusal.reason


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


@pytest.mark.usefixtures("honest")
@pytest.mark.parametrize(
    ("metadata", "code", "reason"),
    [
        ((), "UNAUTHENTICATED", "TOKEN_MISSING"),
        (bearer("g" * 32), "UNAUTHENTICATED", "TOKEN_UNKNOWN"),
        (bearer("g" * 6_000), "UNAUTHENTICATED", "TOKEN_UNKNOWN"),
        (bearer(CATALOG), "PERMISSION_DENIED", "ROLE_MISSING"),
        (bearer("g" * 40_000), "RESOURCE_EXHAUSTED", ""),
    ],
    ids=["no token", "unknown token", "long token", "wrong role", "metadata above gRPC's limit"],
)
@pytest.mark.parametrize("method", [GET_FEED, RECORD_EVENTS])
def test_who_has_no_right_to_call_is_refused(
    guarded: RunningServer, method: str, metadata: tuple[tuple[str, str], ...], code: str, reason: str
) -> None:
    with guarded.channel() as channel:
        call = channel.unary_unary(method, None, None)
        assert refused(lambda: call(b"", timeout=30, metadata=metadata)) == (grpc.StatusCode[code], reason)


def test_page_tokens_of_others_are_refused(honest: Client, foreign: feed_pb2.GetFeedResponse) -> None:
    own = honest.page("ada", page_size=2).next_page_token
    for token, user_id, reason in (
        (foreign.next_page_token, "ada", "PAGE_TOKEN_INVALID"),
        (own[:-2] + "AA", "ada", "PAGE_TOKEN_INVALID"),
        ("forged", "ada", "PAGE_TOKEN_INVALID"),
        ("A" * 1_000_000, "ada", "PAGE_TOKEN_INVALID"),
        (own, "bob", "PAGE_TOKEN_MISMATCH"),
    ):
        assert refused(lambda: honest.page(user_id, page_token=token))[1] == reason  # noqa: B023  # called at once


def test_receipts_of_others_attribute_nothing_and_are_counted(
    honest: Client, guarded: RunningServer, foreign: feed_pb2.GetFeedResponse
) -> None:
    own = honest.page("ada", page_size=2).cards

    def counted() -> int:
        return sum(line.get("receipts_bad", 0) for line in guarded.lines())

    before, bad = counted(), [foreign.cards[0].receipt, "forged", own[0].receipt[:-2] + "AA", "A" * 100_000]
    for number, receipt in enumerate(bad):
        event = events_pb2.Event(
            event_id=f"receipt-{number}", user_id="ada", item_id=own[0].item_id, event_type="view", receipt=receipt
        )
        assert honest.record(event).accepted_count == 1
    eventually(lambda: counted() == before + len(bad))
    event = events_pb2.Event(
        event_id="receipt-other", user_id="ada", item_id=own[1].item_id, event_type="view", receipt=own[0].receipt
    )
    assert [rejection.reason for rejection in honest.record(event).rejections] == ["RECEIPT_OTHER_ITEM"]


def test_oversized_requests_are_refused(honest: Client) -> None:
    exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused(lambda: honest.page("u" * 2_000_000)) == (exhausted, "")
    events = [events_pb2.Event(event_id=str(number)) for number in range(1_001)]
    assert refused(lambda: honest.record(*events))[1] == "TOO_MANY_EVENTS"
    assert refused(lambda: honest.record(events_pb2.Event(event_id="e" * 1_200_000)))[1] == "CALL_TOO_LARGE"
    requests = (events_pb2.StreamEventsRequest(events=[events_pb2.Event(event_id="e" * 2_000_000)]) for _ in range(3))
    assert refused(lambda: honest.events.StreamEvents(requests, timeout=30)) == (exhausted, "")


@pytest.mark.usefixtures("honest")
@pytest.mark.parametrize(
    "method",
    ["/x/y", "/recommender.api.v1.FeedService/Nope", "/recommender.api.v1.FeedService/", "/grpc.health.v1.Health/Nope",
     "/recommender.api.v1.AdminService/EraseUser", "/" + "x" * 4_000],
    ids=lambda method: method[:50],
)  # fmt: skip
def test_methods_that_there_are_not_are_unimplemented(guarded: RunningServer, method: str) -> None:
    with guarded.channel() as channel:
        for metadata in ((), bearer(FRONTEND)):
            call = channel.unary_unary(method, None, None)
            code, _ = refused(lambda: call(b"", timeout=30, metadata=metadata))  # noqa: B023  # called at once
            assert code is grpc.StatusCode.UNIMPLEMENTED


def test_calls_without_a_request_hold_up_nobody_and_are_ended(guarded: RunningServer, honest: Client) -> None:
    with guarded.channel() as channel, silence() as nothing:
        calls = [
            _begin(channel, method, nothing())
            for method in (GET_FEED, RECORD_EVENTS, STREAM_EVENTS, HEALTH, REFLECTION)
            for _ in range(CALL_PLACES // 10)
        ]
        check_served(honest)
        assert {_end(call) for call in calls} == {grpc.StatusCode.CANCELLED}


@pytest.mark.parametrize("method", [GET_FEED, HEALTH])
def test_of_more_calls_without_a_request_than_there_are_places_the_longest_waiting_make_room(
    guarded: RunningServer, honest: Client, method: str
) -> None:
    with guarded.channel() as channel, silence() as nothing:
        calls = [_begin(channel, method, nothing()) for _ in range(2 * CALL_PLACES)]
        eventually(lambda: _is_served(honest))
        assert {_end(call) for call in calls} <= {grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED}


@contextmanager
def silence() -> Iterator[Callable[[], Iterator[bytes]]]:
    """Streams without a message, which end with the block."""
    go_on = threading.Event()

    def nothing() -> Iterator[bytes]:
        go_on.wait(60)
        yield from ()

    yield nothing
    go_on.set()


def _begin(channel: grpc.Channel, method: str, messages: Iterator[bytes]) -> grpc.Future[bytes]:
    metadata = () if method == HEALTH else bearer(FRONTEND)
    if method == REFLECTION:
        stream = channel.stream_stream(method, None, None)(messages, timeout=30, metadata=metadata)
        return cast("grpc.Future[bytes]", stream)
    return channel.stream_unary(method, None, None).future(messages, timeout=30, metadata=metadata)


def _end(call: grpc.Future[bytes]) -> grpc.StatusCode:
    error = call.exception()
    assert isinstance(error, grpc.RpcError)
    return error.code()


def _is_served(client: Client) -> bool:
    try:
        check_served(client)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return False
        raise
    return True


def test_a_stream_that_falls_silent_is_ended_and_keeps_what_it_sent(guarded: RunningServer, honest: Client) -> None:
    event = events_pb2.Event(event_id="silent", user_id="silent", item_id="item-spade", event_type="view")
    with guarded.channel() as channel, silence() as nothing:
        messages = itertools.chain([events_pb2.StreamEventsRequest(events=[event]).SerializeToString()], nothing())
        assert _end(_begin(channel, STREAM_EVENTS, messages)) is grpc.StatusCode.CANCELLED
    assert honest.record(event).duplicate_count == 1


def test_strangers_who_watch_health_by_the_hundred_hold_up_nobody(guarded: RunningServer, honest: Client) -> None:
    with guarded.channel() as channel:
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch", None, None)
        watches: list[Any] = [watch(b"", timeout=60) for _ in range(5 * CALL_PLACES)]
        assert next(watches[0]) == b"\x08\x01"
        eventually(lambda: _is_served(honest))
        check_served(honest)
        for each in watches:
            each.cancel()


def test_a_flood_of_reflection_holds_up_nobody(guarded: RunningServer, honest: Client) -> None:
    def requests() -> Iterator[reflection_pb2.ServerReflectionRequest]:
        for number in range(300):
            yield reflection_pb2.ServerReflectionRequest(list_services="")
            yield reflection_pb2.ServerReflectionRequest(file_containing_symbol=f"no.such.Symbol{number}")
            yield reflection_pb2.ServerReflectionRequest(file_by_filename="../../etc/passwd")

    with guarded.channel() as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        floods = [stub.ServerReflectionInfo(requests(), timeout=60, metadata=bearer(CATALOG)) for _ in range(4)]
        check_served(honest)
        replies = list(floods[0])
        assert len(replies) == 900
        assert all(reply.HasField("error_response") for reply in replies[1::3] + replies[2::3])
        for each in floods[1:]:
            each.cancel()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


GARBAGE = {
    "HTTP/1.1": b"GET /metrics HTTP/1.1\r\nHost: shop\r\n\r\n",
    "a TLS hello": bytes.fromhex("16030100a5010000a10303") + bytes(range(160)),
    "zeros": bytes(10_000),
    "random bytes": random.Random(7).randbytes(10_000),
    "a preface and random bytes": PREFACE + random.Random(8).randbytes(10_000),
    "a preface twice": PREFACE + SETTINGS + PREFACE,
    "a frame of 16 MB": PREFACE + SETTINGS + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(10_000),
    "headers that are no HPACK": PREFACE + SETTINGS + _frame(1, 4, 1, b"\xff" * 200),
    "data on a stream that was never opened": PREFACE + SETTINGS + _frame(0, 1, 9, b"hello"),
    "a stream number of the server's": PREFACE + SETTINGS + _frame(1, 4, 2, b"\x82"),
    "a window that overflows": PREFACE + SETTINGS + _frame(8, 0, 0, b"\x7f\xff\xff\xff") * 2,
    "a thousand pings": PREFACE + SETTINGS + _frame(6, 0, 0, bytes(8)) * 1_000,
    "a thousand settings": PREFACE + SETTINGS * 1_000,
    "a thousand resets": PREFACE + SETTINGS + _frame(3, 0, 1, bytes(4)) * 1_000,
}


@pytest.mark.usefixtures("honest")
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_on_the_port_disturbs_nobody(guarded: RunningServer, garbage: bytes) -> None:
    host, _, port = guarded.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        try:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
        except OSError:
            pass  # hung up on, which is right


def test_connections_that_say_nothing_or_little_hold_up_nobody(guarded: RunningServer, honest: Client) -> None:
    host, _, port = guarded.address.rpartition(":")
    with ExitStack() as stack:
        for number in range(200):
            connection = stack.enter_context(socket.create_connection((host, int(port)), timeout=30))
            connection.sendall((PREFACE + SETTINGS)[: number % 34])
        check_served(honest)
        with guarded.channel() as channel:
            grpc.channel_ready_future(channel).result(timeout=30)


def _opening(path: str, authorization: bytes = b"") -> bytes:
    """The headers of a call on stream 1, written out."""
    headers = {
        b":method": b"POST", b":scheme": b"http", b":path": path.encode(), b":authority": b"shop", b"te": b"trailers",
        b"content-type": b"application/grpc",
    }  # fmt: skip
    if authorization:
        headers[b"authorization"] = authorization
    return b"".join(b"\x00" + bytes([len(k)]) + k + bytes([len(v)]) + v for k, v in headers.items())


def test_a_header_that_is_not_utf_8_is_refused_and_never_logged(guarded: RunningServer, honest: Client) -> None:
    block = _opening(GET_FEED, b"Bearer " + FRONTEND[:-1].encode() + b"\xba")
    host, _, port = guarded.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(PREFACE + SETTINGS + _frame(1, 5, 1, block))
        answer = b""
        while b"grpc-status" not in answer:
            answer += connection.recv(65_536)
    check_served(honest)
    assert FRONTEND[:-1] not in guarded.log.read_text(encoding="utf-8")


def test_strangers_who_watch_health_and_leave_at_once_stop_nobody(guarded: RunningServer, honest: Client) -> None:
    def watch_and_leave() -> None:
        with guarded.channel() as channel:
            watch = channel.unary_stream(HEALTH.replace("Check", "Watch"), None, None)
            for _ in range(100):
                watches: list[Any] = [watch(b"", timeout=30) for _ in range(4)]
                next(watches[0])
                for each in watches:
                    each.cancel()

    strangers = [threading.Thread(target=watch_and_leave) for _ in range(4)]
    for stranger in strangers:
        stranger.start()
    for stranger in strangers:
        stranger.join(60)
    assert not any(stranger.is_alive() for stranger in strangers)
    check_served(honest)


def test_strangers_who_watch_health_and_accept_no_answer_hold_up_nobody(guarded: RunningServer, honest: Client) -> None:
    no_window = _frame(4, 0, 0, struct.pack(">HI", 4, 0))
    block = _opening(HEALTH.replace("Check", "Watch"))
    host, _, port = guarded.address.rpartition(":")
    calls = b"".join(_frame(1, 4, n, block) + _frame(0, 1, n, bytes(5)) for n in range(1, 2 * CALL_PLACES, 2))
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(PREFACE + no_window + calls)
        eventually(lambda: _is_served(honest))
        # Each is ended, by a frame RST_STREAM.
        seen = b""
        while seen.count(b"\x00\x00\x04\x03\x00\x00\x00\x00") < CALL_PLACES // 2:
            seen += connection.recv(65_536)
    check_served(honest)
