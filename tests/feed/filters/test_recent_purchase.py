from __future__ import annotations

import numpy as np
import pytest

from recommender.feed.filters.recent_purchase import RecentPurchaseFilter
from recommender.types import NO_TIME, FeedQuery, History
from tests.feed.filters.contract import FilterContract, history_of
from tests.worlds import NOW_MS

ROWS = np.array([0, 1, 2], np.int32)


class TestRecentPurchaseFilter(FilterContract):
    @pytest.fixture
    def component(self) -> RecentPurchaseFilter:
        return RecentPurchaseFilter(90)

    def test_a_bought_item_is_dropped_within_the_window(self, component: RecentPurchaseFilter) -> None:
        query = FeedQuery(NOW_MS, history=history_of((0, "purchase", 90), (1, "purchase", 89), (2, "view", 1)))
        assert component.keep(query, ROWS).tolist() == [True, False, True]

    def test_an_item_bought_again_counts_from_the_last_time(self, component: RecentPurchaseFilter) -> None:
        query = FeedQuery(NOW_MS, history=history_of((0, "purchase", 200), (0, "purchase", 10)))
        assert not component.keep(query, ROWS)[0]

    def test_without_times_everything_bought_is_dropped(self, component: RecentPurchaseFilter) -> None:
        timed = history_of((0, "purchase", 0), (1, "view", 0))
        history = History(timed.item_rows, timed.event_types, np.full(2, NO_TIME))
        assert component.keep(FeedQuery(NOW_MS, history=history), ROWS).tolist() == [False, True, True]

    def test_a_window_of_no_days_drops_nothing(self) -> None:
        query = FeedQuery(NOW_MS, history=history_of((0, "purchase", 0), (1, "purchase", -1)))
        assert RecentPurchaseFilter(0).keep(query, ROWS).all()
