"""A feed as a table that a person can judge: what is shown, where it came from and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

from rich.markup import escape
from rich.table import Table

from recommender.api.v1 import catalog_pb2, feed_pb2

Lookup = Callable[[str], catalog_pb2.Item]

_OF_AN_ITEM: Final = {
    feed_pb2.REASON_TYPE_BECAUSE_YOU_VIEWED: "you looked at {}",
    feed_pb2.REASON_TYPE_BECAUSE_YOU_BOUGHT: "you bought {}",
    feed_pb2.REASON_TYPE_BECAUSE_YOU_LIKED: "you liked {}",
    feed_pb2.REASON_TYPE_SIMILAR_TO: "similar to {}",
}
_PLAIN: Final = {
    feed_pb2.REASON_TYPE_BUY_AGAIN: "buy again",
    feed_pb2.REASON_TYPE_POPULAR_NOW: "popular now",
    feed_pb2.REASON_TYPE_POPULAR_NEAR_YOU: "popular near you",
    feed_pb2.REASON_TYPE_NEW_FOR_YOU: "new for you",
    feed_pb2.REASON_TYPE_PICKED_FOR_YOU: "picked for you",
}


def reason_in_words(reason: feed_pb2.Reason, lookup: Lookup) -> str:
    """What a shop could write below the card.

    Args:
        reason: Of the card.
        lookup: From an item id to the item.
    """
    if reason.type in _OF_AN_ITEM:
        return _OF_AN_ITEM[reason.type].format(_name(lookup(reason.item_id)))
    if reason.type in _PLAIN:
        return _PLAIN[reason.type]
    match reason.type:
        case feed_pb2.REASON_TYPE_FRIENDS_SHARED:
            return f"shared by {', '.join(reason.user_ids)}"
        case feed_pb2.REASON_TYPE_FOLLOWED_SELLER:
            return f"you follow {reason.seller_id}"
        case feed_pb2.REASON_TYPE_POPULAR_IN_CATEGORY:
            return f"popular in {reason.category}"
        case feed_pb2.REASON_TYPE_GROUP_NEEDS_N_MORE:
            return f"the group needs {reason.missing} more"
    return ""


def feed_table(title: str, pages: Sequence[feed_pb2.GetFeedResponse], lookup: Lookup) -> Table:
    """One table of all pages, a line between them.

    Args:
        title: Above it.
        pages: In order.
        lookup: From an item id to the item, for categories and the titles in reasons.
    """
    table = Table(title=_shown(title), title_justify="left")
    table.add_column("#", justify="right")
    for name, width in (("title", 36), ("category", 36), ("price", 14), ("score", 9), ("sources", 30), ("why", 44)):
        justify: Literal["right", "left"] = "right" if name in {"price", "score"} else "left"
        table.add_column(name, justify=justify, max_width=width, no_wrap=True)
    for page in pages:
        for card in page.cards:
            row = (_name(card), _category(card, lookup), _price(card), f"{card.score:.3f}", _sources(card))
            table.add_row(str(card.position), *map(_shown, (*row, reason_in_words(card.reason, lookup))))
        table.add_section()
    return table


def _name(shown: feed_pb2.Card | catalog_pb2.Item) -> str:
    return shown.title or shown.item_id


def _shown(text: str) -> str:
    """Text from outside as text: neither markup nor codes that a terminal obeys."""
    return escape("".join(letter for letter in text if letter.isprintable()))


def _sources(card: feed_pb2.Card) -> str:
    """The first two, and how many more."""
    more = f" +{len(card.sources) - 2}" if len(card.sources) > 2 else ""
    return ", ".join(card.sources[:2]) + more


def _category(card: feed_pb2.Card, lookup: Lookup) -> str:
    category = lookup(card.item_id).category
    if card.kind == feed_pb2.KIND_PRODUCT:
        return category
    kind = feed_pb2.Kind.Name(card.kind).removeprefix("KIND_").lower().replace("_", " ")
    return f"{kind}: {category}" if category else kind


def _price(card: feed_pb2.Card) -> str:
    return f"{card.price:,.2f} {card.currency}".strip() if card.HasField("price") else ""
