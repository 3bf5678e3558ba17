from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from recommender.api.v1 import catalog_pb2, events_pb2, feed_pb2
from recommender.errors import RequestError
from recommender.feed.views import FeedRequest
from recommender.service import wire
from recommender.types import Event, FeedContext, FeedFilter, Item, Kind, Relaxation

_texts = st.text(max_size=20)
_numbers = st.none() | st.floats(allow_nan=False)
_times = st.none() | st.integers(-(10**12), 253_402_300_799_999)
_attributes = st.dictionaries(_texts, _texts, max_size=3)


@given(
    st.builds(
        Event,
        event_id=_texts,
        item_id=_texts,
        event_type=_texts,
        user_id=_texts,
        session_id=_texts,
        time_ms=_times,
        receipt=_texts,
        value=_numbers,
        price=_numbers,
        currency=_texts,
        quantity=_numbers,
        attributes=_attributes,
    )
)
def test_an_event_comes_back_from_the_wire_as_it_was(event: Event) -> None:
    assert wire.event_from(events_pb2.Event.FromString(wire.event_to(event).SerializeToString())) == event


@given(
    st.builds(
        Item,
        item_id=_texts,
        kind=st.sampled_from(Kind),
        title=_texts,
        description=_texts,
        category=_texts,
        brand=_texts,
        seller_id=_texts,
        price=_numbers,
        currency=_texts,
        image_url=_texts,
        created_ms=_times,
        expires_ms=_times,
        available=st.booleans(),
        attributes=_attributes,
    )
)
def test_an_item_is_told_whole(item: Item) -> None:
    message = catalog_pb2.Item.FromString(wire.item_to(item).SerializeToString())
    for name in ("item_id", "kind", "title", "description", "category", "brand", "seller_id", "currency", "image_url"):
        assert getattr(message, name) == getattr(item, name)
    assert (message.price if message.HasField("price") else None) == item.price
    assert message.available is item.available
    assert dict(message.attributes) == item.attributes
    assert (message.create_time.ToMilliseconds() if message.HasField("create_time") else None) == item.created_ms
    assert (message.expire_time.ToMilliseconds() if message.HasField("expire_time") else None) == item.expires_ms


def test_a_time_beyond_every_calendar_is_still_a_number() -> None:
    message = events_pb2.Event(event_time=Timestamp(seconds=2**62, nanos=5))
    assert wire.event_from(message).time_ms == 2**62 * 1_000


def test_a_feed_request_carries_every_field() -> None:
    message = feed_pb2.GetFeedRequest(
        user_id="u",
        session_id="s",
        page_size=7,
        page_token="t",
        context=feed_pb2.Context(
            locale="en", country="SG", city="Singapore", gender="f", age_band="25-34", device="phone", surface="home"
        ),
        filter=feed_pb2.Filter(
            kinds=[feed_pb2.KIND_POST],
            categories=["a > b"],
            seller_ids=["x"],
            min_price=0.0,
            max_price=2.5,
            currency="USD",
            exclude_item_ids=["i"],
            relax=[feed_pb2.RELAXATION_PRICE, feed_pb2.RELAXATION_SELLERS, feed_pb2.RELAXATION_PRICE],
        ),
    )
    assert wire.feed_request(message.SerializeToString(), 250) == FeedRequest(
        user_id="u",
        session_id="s",
        page_size=7,
        page_token="t",
        context=FeedContext("en", "SG", "Singapore", "f", "25-34", "phone", "home"),
        filter=FeedFilter(
            kinds=(Kind.POST,),
            categories=("a > b",),
            seller_ids=("x",),
            min_price=0.0,
            max_price=2.5,
            currency="USD",
            exclude_item_ids=("i",),
            relax=(Relaxation.PRICE, Relaxation.SELLERS),
        ),
        deadline_ms=250,
    )


def test_an_empty_feed_request_is_the_default_one() -> None:
    assert wire.feed_request(b"", None) == FeedRequest()


@pytest.mark.parametrize(
    ("fields", "path", "reason"),
    [
        ({"user_id": "x" * 257}, "user_id", "ID_TOO_LONG"),
        ({"user_id": "é" * 129}, "user_id", "ID_TOO_LONG"),
        ({"session_id": "a\nb"}, "session_id", "ID_CONTROL_CHARACTER"),
        ({"user_id": "a\x85"}, "user_id", "ID_CONTROL_CHARACTER"),
        ({"page_size": -1}, "page_size", "PAGE_SIZE_NEGATIVE"),
        ({"page_token": "t" * 4_097}, "page_token", "PAGE_TOKEN_INVALID"),
        ({"context": feed_pb2.Context(city="c" * 300)}, "context.city", "ID_TOO_LONG"),
        ({"filter": feed_pb2.Filter(min_price=float("nan"))}, "filter.min_price", "NUMBER_NOT_FINITE"),
        ({"filter": feed_pb2.Filter(max_price=float("inf"))}, "filter.max_price", "NUMBER_NOT_FINITE"),
        ({"filter": feed_pb2.Filter(min_price=2, max_price=1)}, "filter.min_price", "PRICE_RANGE_EMPTY"),
        ({"filter": feed_pb2.Filter(exclude_item_ids=["i"] * 1_001)}, "filter.exclude_item_ids", "TOO_MANY_VALUES"),
        ({"filter": feed_pb2.Filter(categories=["c"] * 101)}, "filter.categories", "TOO_MANY_VALUES"),
        ({"filter": feed_pb2.Filter(seller_ids=["s", "\x00"])}, "filter.seller_ids[1]", "ID_CONTROL_CHARACTER"),
        ({"filter": feed_pb2.Filter(kinds=[feed_pb2.KIND_PRODUCT] * 101)}, "filter.kinds", "TOO_MANY_VALUES"),
    ],
)
def test_a_wrong_field_of_a_feed_request_is_named(fields: dict[str, object], path: str, reason: str) -> None:
    message = feed_pb2.GetFeedRequest(**fields)  # type: ignore[arg-type]  # one field or another
    with pytest.raises(RequestError) as caught:
        wire.feed_request(message.SerializeToString(), None)
    assert caught.value.code == "INVALID_ARGUMENT"
    assert caught.value.reason == reason
    assert [where for where, _ in caught.value.violations] == [path]


@pytest.mark.parametrize(
    ("tail", "path"),
    [(b"\x0a\x01\x00", "filter.kinds[0]"), (b"\x0a\x01\x63", "filter.kinds[0]"), (b"\x42\x01\x63", "filter.relax[0]")],
    ids=["kind zero", "kind 99", "relaxation 99"],
)
def test_an_unknown_enum_number_is_refused(tail: bytes, path: str) -> None:
    with pytest.raises(RequestError) as caught:
        wire.feed_request(b"\x32" + bytes([len(tail)]) + tail, None)
    assert caught.value.reason == "ENUM_UNKNOWN"
    assert caught.value.violations[0][0] == path


def test_all_that_is_wrong_is_said_at_once_and_at_most_20_times() -> None:
    message = feed_pb2.GetFeedRequest(
        user_id="\n", page_size=-3, filter=feed_pb2.Filter(seller_ids=["\t"] * 50, min_price=5, max_price=1)
    )
    with pytest.raises(RequestError) as caught:
        wire.feed_request(message.SerializeToString(), None)
    assert len(caught.value.violations) == 20
    assert {"user_id", "page_size"} < {path for path, _ in caught.value.violations}


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\x02\xff\xfe", b"\x0a\x7f"])
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        wire.feed_request(data, None)
    assert (caught.value.code, caught.value.reason) == ("INVALID_ARGUMENT", "REQUEST_MALFORMED")


def test_similar_items_default_to_behaviour() -> None:
    data = feed_pb2.ListSimilarItemsRequest(item_id="i", page_size=3, page_token="t").SerializeToString()
    assert wire.similar_request(data) == ("i", "behavior", 3, "t")


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (feed_pb2.ListSimilarItemsRequest(), "item_id"),
        (feed_pb2.ListSimilarItemsRequest(item_id="i", page_size=-1), "page_size"),
        (feed_pb2.ListSimilarItemsRequest(item_id="i\x07"), "item_id"),
        (feed_pb2.ListSimilarItemsRequest.FromString(b"\x0a\x01i\x10\x09"), "mode"),
    ],
)
def test_a_wrong_request_for_similar_items_names_its_field(
    message: feed_pb2.ListSimilarItemsRequest, path: str
) -> None:
    with pytest.raises(RequestError) as caught:
        wire.similar_request(message.SerializeToString())
    assert [where for where, _ in caught.value.violations] == [path]


def test_an_item_is_asked_for_by_its_id() -> None:
    assert wire.item_request(catalog_pb2.GetItemRequest(item_id="i").SerializeToString()) == ("i", False)
    with pytest.raises(RequestError, match="ITEM_ID_REQUIRED"):
        wire.item_request(b"")
