from __future__ import annotations

import numpy as np
import pytest

from recommender.feed.filters.hidden import HiddenFilter
from recommender.types import FeedQuery
from tests.feed.filters.contract import FilterContract, history_of
from tests.worlds import NOW_MS

ROWS = np.array([0, 1, 2, 3], np.int32)


class TestHiddenFilter(FilterContract):
    @pytest.fixture
    def component(self) -> HiddenFilter:
        return HiddenFilter()

    def test_what_the_user_hid_is_dropped_however_long_ago(self, component: HiddenFilter) -> None:
        query = FeedQuery(NOW_MS, history=history_of((1, "hide", 900), (2, "view", 1), (1, "purchase", 0)))
        assert component.keep(query, ROWS).tolist() == [True, False, True, True]

    def test_hidden_rows_of_the_query_are_dropped(self, component: HiddenFilter) -> None:
        query = FeedQuery(NOW_MS, hidden_rows=np.array([3, 0], np.int32))
        assert component.keep(query, ROWS).tolist() == [False, True, True, False]
