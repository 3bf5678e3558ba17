from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recommender.api.v1.feed_pb2 import Card
from training.demo.showing import turn_of

feeds = st.lists(st.text("abcdefgh", min_size=1, max_size=1), unique=True).map(
    lambda ids: [Card(item_id=item_id) for item_id in ids]
)


def test_a_turn_names_what_came_what_moved_and_what_left() -> None:
    before, after = [Card(item_id=item_id) for item_id in "abcd"], [Card(item_id=item_id) for item_id in "xbda"]
    turn = turn_of(before, after)
    assert turn.marks == {"x": "new", "d": "+1", "a": "-3"}
    assert [card.item_id for card in turn.left] == ["c"]


@given(feeds, feeds)
def test_no_card_is_lost_between_two_feeds(before: list[Card], after: list[Card]) -> None:
    turn = turn_of(before, after)
    new = {item_id for item_id, mark in turn.marks.items() if mark == "new"}
    left = {card.item_id for card in turn.left}
    assert {card.item_id for card in before} - left | new == {card.item_id for card in after}
    for place, card in enumerate(after):
        if card.item_id not in new:
            assert before[place + int(turn.marks.get(card.item_id, "0"))].item_id == card.item_id


@given(feeds)
def test_a_feed_that_stayed_has_no_marks(feed: list[Card]) -> None:
    turn = turn_of(feed, feed)
    assert not turn.marks
    assert not turn.left
