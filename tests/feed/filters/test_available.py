from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recommender.feed.catalogue import Catalogue
from recommender.feed.filters.available import AvailableFilter
from recommender.types import FeedQuery, Item, Kind
from tests.feed.filters.contract import FilterContract
from tests.worlds import NOW_MS, write_tiny_bundle


class TestAvailableFilter(FilterContract):
    @pytest.fixture
    def component(self, catalogue: Catalogue) -> AvailableFilter:
        return AvailableFilter(catalogue)

    def test_sold_out_expired_and_ended_items_are_dropped(self, tmp_path: Path) -> None:
        items = [
            Item("plain"),
            Item("sold out", available=False),
            Item("expired", expires_ms=NOW_MS),
            Item("about to expire", expires_ms=NOW_MS + 1),
            Item("ended", kind=Kind.LIVESTREAM, expires_ms=NOW_MS - 1),
        ]
        kept = AvailableFilter(Catalogue(write_tiny_bundle(tmp_path / "v", items, {})))
        rows = np.arange(len(items), dtype=np.int32)
        assert kept.keep(FeedQuery(NOW_MS), rows).tolist() == [True, False, False, True, False]
        assert kept.keep(FeedQuery(NOW_MS + 1), rows).tolist() == [True, False, False, False, False]
