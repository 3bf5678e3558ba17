from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from recommender.api.v1 import feed_pb2
from recommender.cards import card_bytes
from recommender.types import Item, Kind

items = st.builds(
    Item,
    item_id=st.text(min_size=1, max_size=30),
    kind=st.sampled_from(Kind),
    title=st.text(max_size=30),
    description=st.text(max_size=30),
    seller_id=st.text(max_size=30),
    price=st.none() | st.floats(allow_nan=False),
    currency=st.sampled_from(["", "EUR"]),
    image_url=st.text(max_size=30),
    available=st.booleans(),
)


@given(items)
def test_a_card_says_what_the_item_shows(item: Item) -> None:
    card = feed_pb2.Card.FromString(card_bytes(item))
    assert (card.item_id, card.title, card.image_url) == (item.item_id, item.title, item.image_url)
    assert int(card.kind) == int(item.kind)
    assert (card.currency, card.seller_id) == (item.currency, item.seller_id)
    assert (card.price if card.HasField("price") else None) == item.price


@given(items)
def test_the_static_bytes_before_those_of_a_reply_are_the_whole_cards_bytes(item: Item) -> None:
    of_a_reply = feed_pb2.Card(position=3, score=0.5, sources=["als", "tail"], receipt="r")
    whole = feed_pb2.Card.FromString(card_bytes(item))
    whole.MergeFrom(of_a_reply)
    joined = card_bytes(item) + of_a_reply.SerializeToString(deterministic=True)
    assert joined == whole.SerializeToString(deterministic=True)


def test_only_the_fields_of_a_card_enter_it() -> None:
    shown = Item("pan", title="Pan", price=1.0)
    behind = Item("pan", title="Pan", price=1.0, description="d", category="c", brand="b", available=False)
    assert card_bytes(shown) == card_bytes(behind)


def test_a_price_of_zero_is_not_a_missing_price() -> None:
    free, unknown = (feed_pb2.Card.FromString(card_bytes(Item("pan", price=price))) for price in (0.0, None))
    assert free.HasField("price")
    assert math.isclose(free.price, 0.0)
    assert not unknown.HasField("price")
