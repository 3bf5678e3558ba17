"""RecordEvents and StreamEvents as a client meets them: durable, idempotent, and seen by the next feed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from recommender.api.v1 import events_pb2, feed_pb2
from tests.rpc.conftest import Client, refusal_of

INVALID = grpc.StatusCode.INVALID_ARGUMENT
_numbers = iter(range(10**9))


def event(**fields: Any) -> events_pb2.Event:
    """A good event of a new id, but for what is given."""
    good = {"event_id": f"e-{next(_numbers)}", "user_id": "hostile", "item_id": "item-spade", "event_type": "view"}
    return events_pb2.Event(**good | fields)


def seconds_from_now(seconds: float) -> Timestamp:
    time_ms = int((time.time() + seconds) * 1_000)
    return Timestamp(seconds=time_ms // 1_000, nanos=time_ms % 1_000 * 1_000_000)


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "event id missing": ({"event_id": ""}, "EVENT_ID_REQUIRED"),
    "item id missing": ({"item_id": ""}, "ITEM_ID_REQUIRED"),
    "event type missing": ({"event_type": ""}, "EVENT_TYPE_REQUIRED"),
    "nobody": ({"user_id": ""}, "USER_OR_SESSION_REQUIRED"),
    "event id of 10 kB": ({"event_id": "x" * 10_000}, "ID_TOO_LONG"),
    "item id of 10 kB": ({"item_id": "x" * 10_000}, "ID_TOO_LONG"),
    "user id of 257 bytes": ({"user_id": "x" * 257}, "ID_TOO_LONG"),
    "user id of 258 bytes in 129 characters": ({"user_id": "é" * 129}, "ID_TOO_LONG"),
    "session id with a null": ({"session_id": "a\x00b"}, "ID_CONTROL_CHARACTER"),
    "item id with an escape": ({"item_id": "\x1b[2J"}, "ID_CONTROL_CHARACTER"),
    "type with a newline": ({"event_type": "view\n"}, "ID_CONTROL_CHARACTER"),
    "price NaN": ({"price": float("nan")}, "NUMBER_NOT_FINITE"),
    "value infinite": ({"value": float("inf")}, "NUMBER_NOT_FINITE"),
    "quantity infinite": ({"quantity": float("-inf")}, "NUMBER_NOT_FINITE"),
    "time at 2^62": ({"event_time": Timestamp(seconds=2**62)}, "TIME_IN_FUTURE"),
    "time at -2^62": ({"event_time": Timestamp(seconds=-(2**62))}, "TIME_BEFORE_1970"),
    "time in 1969": ({"event_time": Timestamp(seconds=-1)}, "TIME_BEFORE_1970"),
    # A day, not minutes: it is written down when tests are collected, and they take a while.
    "time tomorrow": ({"event_time": seconds_from_now(86_400)}, "TIME_IN_FUTURE"),
}

ODD: dict[str, dict[str, Any]] = {
    "session only": {"user_id": "", "session_id": "s-odd"},
    "unknown item": {"item_id": "item-that-nobody-ever-listed"},
    "unknown event type": {"event_type": "moonwalk"},
    "ids of 256 bytes": {"item_id": "i" * 256, "event_type": "t" * 256},
    "text in many scripts": {"item_id": "商品🛒", "user_id": "Ünï-çødé"},
    "the epoch itself": {"event_time": Timestamp(seconds=0)},
    "four minutes ahead": {"event_time": seconds_from_now(240)},
    "garbage receipt": {"receipt": "\u202e" * 500},
    "nanoseconds beyond their range": {"event_time": Timestamp(seconds=1_700_000_000, nanos=2**31 - 1)},
    "negative price": {"price": -5.0},
    "many attributes": {"attributes": {f"key-{n}": "v" * 50 for n in range(200)}},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_field_rejects_its_event_alone(client: Client, name: str) -> None:
    fields, reason = HOSTILE[name]
    bad = event(**fields)
    reply = client.record(event(), bad, event())
    assert (reply.accepted_count, reply.duplicate_count) == (2, 0)
    (rejection,) = reply.rejections
    assert (rejection.index, rejection.reason) == (1, reason)
    assert rejection.event_id == bad.event_id[:256]
    assert rejection.message


@pytest.mark.parametrize("name", ODD)
def test_an_odd_event_within_the_contract_is_kept(client: Client, name: str) -> None:
    odd = event(**ODD[name])
    assert client.record(odd).accepted_count == 1
    assert client.record(odd).duplicate_count == 1
    assert client.page(odd.user_id, session_id=odd.session_id).cards


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([event() for _ in range(1_001)], "TOO_MANY_EVENTS"),
        ([event(attributes={"a": "x" * 2_000}) for _ in range(550)], "CALL_TOO_LARGE"),
    ],
    ids=["1,001 events", "more than 1 MiB"],
)
def test_a_call_beyond_the_limits_is_refused_as_a_whole(
    client: Client, events: list[events_pb2.Event], reason: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        client.record(*events)
    refusal = refusal_of(caught.value)
    assert (refusal.code, refusal.reason, refusal.domain) == (INVALID, reason, "windowshop")
    assert client.record(events[0]).accepted_count == 1


def test_a_call_that_is_far_too_large_is_refused_before_it_is_read(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        client.record(event(attributes={"a": "x" * 3_000_000}))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert client.record(event()).accepted_count == 1


def test_a_thousand_events_and_no_event_are_both_fine(client: Client) -> None:
    events = [event() for _ in range(1_000)]
    assert client.record(*events).accepted_count == 1_000
    assert client.record(*events).duplicate_count == 1_000
    assert client.record() == events_pb2.RecordEventsResponse()


def test_an_id_used_twice_in_a_call_counts_once(client: Client) -> None:
    twice = event()
    reply = client.record(twice, twice)
    assert (reply.accepted_count, reply.duplicate_count) == (1, 1)


@pytest.mark.parametrize("change", [{"item_id": "item-rake"}, {"event_type": "purchase"}, {"price": 2.0}])
def test_an_id_with_other_content_is_rejected(client: Client, change: dict[str, Any]) -> None:
    first = event(price=1.0)
    changed = events_pb2.Event()
    changed.CopyFrom(first)
    changed.MergeFrom(events_pb2.Event(**change))
    client.record(first)
    reply = client.record(changed)
    assert [(each.index, each.reason) for each in reply.rejections] == [(0, "EVENT_ID_REUSED")]


def test_the_same_id_of_another_user_is_another_event(client: Client) -> None:
    first = event()
    other = event(event_id=first.event_id, user_id="somebody-else")
    assert client.record(first, other).accepted_count == 2


def test_the_next_feed_reflects_an_event(client: Client) -> None:
    before = client.page("newcomer", page_size=24)
    assert feed_pb2.REASON_TYPE_BECAUSE_YOU_VIEWED not in [card.reason.type for card in before.cards]
    client.record(event(user_id="newcomer", item_id="item-spade", event_type="view"))
    after = client.page("newcomer", page_size=24)
    because = [card.reason for card in after.cards if card.reason.type == feed_pb2.REASON_TYPE_BECAUSE_YOU_VIEWED]
    assert because
    assert {reason.item_id for reason in because} == {"item-spade"}
    assert [card.item_id for card in after.cards] != [card.item_id for card in before.cards]


def test_what_was_hidden_or_bought_is_gone_from_the_next_feed_and_from_pages_to_come(client: Client) -> None:
    first = client.page("shopper", page_size=2)
    rest = client.whole("shopper", 24)[2:]
    bought, hidden = rest[0].item_id, rest[1].item_id
    client.record(
        event(user_id="shopper", item_id=bought, event_type="purchase"),
        event(user_id="shopper", item_id=hidden, event_type="hide"),
    )
    fresh = {card.item_id for card in client.whole("shopper", 24)}
    assert not fresh & {bought, hidden}
    old = client.page("shopper", page_size=24, page_token=first.next_page_token)
    assert hidden not in [card.item_id for card in old.cards]


def test_an_anonymous_session_follows_its_person(client: Client) -> None:
    client.record(event(user_id="", session_id="s-tied", item_id="item-spade"))
    because = [card.reason.item_id for card in client.page(session_id="s-tied").cards]
    assert "item-spade" in because
    client.record(event(user_id="tied-user", session_id="s-tied", item_id="item-atlas"))
    because = [card.reason.item_id for card in client.page("tied-user").cards]
    assert "item-spade" in because


def test_a_receipt_attributes_and_one_of_another_item_rejects(client: Client) -> None:
    first, second = client.page("clicker", page_size=2).cards
    good = event(user_id="clicker", item_id=first.item_id, event_type="click", receipt=first.receipt)
    stolen = event(user_id="clicker", item_id=first.item_id, event_type="click", receipt=second.receipt)
    reply = client.record(good, stolen)
    assert reply.accepted_count == 1
    assert [(each.index, each.reason) for each in reply.rejections] == [(1, "RECEIPT_OTHER_ITEM")]


def test_a_stream_sums_up_all_its_messages(client: Client) -> None:
    known = event()
    client.record(known)

    def messages() -> Iterator[events_pb2.StreamEventsRequest]:
        yield events_pb2.StreamEventsRequest(events=[event(), known])
        yield events_pb2.StreamEventsRequest()
        yield events_pb2.StreamEventsRequest(events=[event(), event(price=float("nan")), event()])

    reply = client.events.StreamEvents(messages(), timeout=30)
    assert (reply.accepted_count, reply.duplicate_count, reply.rejected_count) == (3, 1, 1)
    assert [(each.index, each.reason) for each in reply.rejections] == [(3, "NUMBER_NOT_FINITE")]


def test_a_stream_lists_a_thousand_rejections_and_counts_all(client: Client) -> None:
    message = events_pb2.StreamEventsRequest(events=[event(event_id="")] * 600)
    reply = client.events.StreamEvents(iter([message, message]), timeout=30)
    assert (len(reply.rejections), reply.rejected_count) == (1_000, 1_200)
    assert reply.rejections[-1].index == 999


def test_what_a_broken_stream_sent_is_kept_and_known_when_sent_again(client: Client) -> None:
    good = [event(user_id="streamer") for _ in range(3)]
    too_many = [event() for _ in range(1_001)]
    messages = [events_pb2.StreamEventsRequest(events=good), events_pb2.StreamEventsRequest(events=too_many)]
    with pytest.raises(grpc.RpcError) as caught:
        client.events.StreamEvents(iter(messages), timeout=30)
    assert refusal_of(caught.value).reason == "TOO_MANY_EVENTS"
    again = client.events.StreamEvents(iter(messages[:1]), timeout=30)
    assert (again.accepted_count, again.duplicate_count) == (0, 3)


def test_streams_that_stall_hold_up_neither_feeds_nor_events(client: Client) -> None:
    released = threading.Event()

    def stalling() -> Iterator[events_pb2.StreamEventsRequest]:
        yield events_pb2.StreamEventsRequest(events=[event()])
        released.wait(60)

    stalled = [client.events.StreamEvents.future(stalling(), timeout=60) for _ in range(8)]
    assert client.page("ada").cards
    assert client.record(event()).accepted_count == 1
    released.set()
    assert [call.result().accepted_count for call in stalled] == [1] * 8
