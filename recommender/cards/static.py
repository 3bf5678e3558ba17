"""The part of a card that is the same in every reply, as the bytes that a reply is joined from."""

from __future__ import annotations

from recommender.api.v1 import feed_pb2
from recommender.types import Item


def card_bytes(item: Item) -> bytes:
    """Fields 1 to 7 of `recommender.api.v1.Card`, as canonical protobuf bytes.

    They have the lowest numbers of the message, so these bytes followed by those of a card's other fields are the
    bytes of the whole card.

    Args:
        item: What the card shows; unset fields are left out, a price of 0 is kept.

    Example:
        >>> card_bytes(Item("a", price=0.0)).hex(" ")
        '0a 01 61 10 01 29 00 00 00 00 00 00 00 00'
    """
    card = feed_pb2.Card(
        item_id=item.item_id,
        kind=feed_pb2.Kind.ValueType(item.kind),
        title=item.title,
        image_url=item.image_url,
        price=item.price,
        currency=item.currency,
        seller_id=item.seller_id,
    )
    return card.SerializeToString(deterministic=True)
