"""What holds for every filter."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.bundle import Bundle
from recommender.feed.stages import Filter
from recommender.types import DAY_MS, EVENT_TYPE_CODE, FeedFilter, FeedQuery, History
from tests.worlds import NOW_MS


def history_of(*events: tuple[int, str, int]) -> History:
    """A history of (row, event type, age in days), oldest first."""
    return History(
        np.array([row for row, _, _ in events], np.int32),
        np.array([EVENT_TYPE_CODE[kind] for _, kind, _ in events], np.uint8),
        np.array([NOW_MS - age * DAY_MS for _, _, age in events], np.int64),
    )


BUSY_QUERY = FeedQuery(
    NOW_MS,
    "ada",
    filter=FeedFilter(categories=("Kitchen", "Books"), max_price=40.0, exclude_item_ids=("item-cleaver",)),
    history=history_of((1, "purchase", 3), (2, "hide", 2), (7, "view", 1)),
    hidden_rows=np.array([4, 9], np.int32),
    allowed=np.arange(24) % 5 != 0,
)
#: What sets this user apart from anybody: bought twice, hidden, seen on another page.
OWN_QUERY = FeedQuery(
    NOW_MS,
    "ada",
    filter=FeedFilter(exclude_item_ids=("item-cleaver",)),
    history=history_of((1, "purchase", 5), (1, "purchase", 3), (2, "hide", 2), (7, "view", 1)),
    hidden_rows=np.array([4, 9], np.int32),
)


class FilterContract:
    """Inherited by the tests of each filter, which give it as a fixture."""

    @pytest.fixture
    def component(self, bundle: Bundle) -> Filter:
        raise NotImplementedError

    @pytest.mark.parametrize("query", [FeedQuery(NOW_MS), BUSY_QUERY], ids=["plain", "busy"])
    def test_a_row_gets_the_same_answer_in_any_company(
        self, component: Filter, query: FeedQuery, bundle: Bundle
    ) -> None:
        rows = np.arange(bundle.n_items, dtype=np.int32)
        together = component.keep(query, rows)
        assert together.dtype == np.bool_
        assert together.shape == rows.shape
        np.testing.assert_array_equal(component.keep(query, rows[::-1]), together[::-1])
        np.testing.assert_array_equal(np.concatenate([component.keep(query, rows[[row]]) for row in rows]), together)

    @pytest.mark.parametrize("query", [FeedQuery(NOW_MS), BUSY_QUERY], ids=["plain", "busy"])
    def test_what_it_kept_it_keeps(self, component: Filter, query: FeedQuery, bundle: Bundle) -> None:
        rows = np.arange(bundle.n_items, dtype=np.int32)
        kept = rows[component.keep(query, rows)]
        assert component.keep(query, kept).all()

    def test_its_room_is_what_it_refuses_because_of_who_asks(self, component: Filter, bundle: Bundle) -> None:
        rows = np.arange(bundle.n_items, dtype=np.int32)
        anybody, own = (np.count_nonzero(~component.keep(query, rows)) for query in (FeedQuery(NOW_MS), OWN_QUERY))
        assert component.room(FeedQuery(NOW_MS)) == 0
        assert component.room(OWN_QUERY) == own - anybody

    def test_no_rows_are_no_answers(self, component: Filter) -> None:
        assert component.keep(BUSY_QUERY, np.empty(0, np.int32)).shape == (0,)
