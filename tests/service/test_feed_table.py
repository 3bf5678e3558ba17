from __future__ import annotations

import pytest
from rich.console import Console

from recommender.api.v1 import catalog_pb2, feed_pb2
from recommender.service.feed_table import feed_table, reason_in_words
from recommender.types import ReasonType

ITEMS = {"i-1": catalog_pb2.Item(item_id="i-1", title="iron pan", category="Kitchen > Pans")}


def lookup(item_id: str) -> catalog_pb2.Item:
    return ITEMS.get(item_id, catalog_pb2.Item(item_id=item_id))


@pytest.mark.parametrize("kind", list(ReasonType))
def test_every_reason_has_words(kind: ReasonType) -> None:
    reason = feed_pb2.Reason(
        type=feed_pb2.ReasonType.ValueType(kind),
        item_id="i-1",
        user_ids=["ann"],
        seller_id="s",
        category="Pans",
        missing=2,
    )
    assert reason_in_words(reason, lookup)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (feed_pb2.Reason(type=feed_pb2.REASON_TYPE_BECAUSE_YOU_VIEWED, item_id="i-1"), "you looked at iron pan"),
        (feed_pb2.Reason(type=feed_pb2.REASON_TYPE_SIMILAR_TO, item_id="gone"), "similar to gone"),
        (feed_pb2.Reason(type=feed_pb2.REASON_TYPE_POPULAR_IN_CATEGORY, category="Pans"), "popular in Pans"),
        (feed_pb2.Reason(type=feed_pb2.REASON_TYPE_FRIENDS_SHARED, user_ids=["ann", "ben"]), "shared by ann, ben"),
        (feed_pb2.Reason(), ""),
    ],
)
def test_a_reason_names_its_evidence(reason: feed_pb2.Reason, words: str) -> None:
    assert reason_in_words(reason, lookup) == words


def test_text_from_outside_is_not_markup() -> None:
    card = feed_pb2.Card(
        item_id="i-2", title="[red]sale[/red]\x1b[2J", kind=feed_pb2.KIND_POST, sources=["a", "b", "c"]
    )
    console = Console(width=200)
    with console.capture() as captured:
        console.print(feed_table("feed of [bold]x[/bold]", [feed_pb2.GetFeedResponse(cards=[card])], lookup))
    shown = captured.get()
    assert "\x1b" not in shown
    for text in ("[red]sale[/red][2J", "feed of [bold]x[/bold]", "post", "a, b +1"):
        assert text in shown
