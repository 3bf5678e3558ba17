from __future__ import annotations

import numpy as np
import pytest

from recommender.feed.filters.allowed import AllowedFilter
from recommender.types import FeedQuery
from tests.feed.filters.contract import FilterContract
from tests.worlds import NOW_MS

ROWS = np.array([0, 1, 2], np.int32)


class TestAllowedFilter(FilterContract):
    @pytest.fixture
    def component(self) -> AllowedFilter:
        return AllowedFilter()

    def test_only_allowed_rows_pass(self, component: AllowedFilter) -> None:
        query = FeedQuery(NOW_MS, allowed=np.array([True, False, True]))
        assert component.keep(query, ROWS).tolist() == [True, False, True]

    def test_without_a_mask_everything_passes(self, component: AllowedFilter) -> None:
        assert component.keep(FeedQuery(NOW_MS), ROWS).all()
