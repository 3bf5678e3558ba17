from __future__ import annotations

import pytest

from recommender.bundle import Bundle
from recommender.features.recency import Recency
from recommender.feed.sources.own_frequency import OwnFrequencySource
from tests.feed.sources.contract import ROW, SourceContract, query_of, titles_of


class TestOwnFrequencySource(SourceContract):
    @pytest.fixture
    def source(self, bundle: Bundle) -> OwnFrequencySource:
        return OwnFrequencySource(bundle, Recency(half_life_days=30))

    def test_items_score_the_decayed_count_of_their_events(self, source: OwnFrequencySource) -> None:
        deeds = [(ROW["spade"], "view", 60.0), (ROW["hoe"], "view", 30.0), (ROW["spade"], "purchase", 30.0)]
        result = source.retrieve(query_of(deeds), 9)
        assert titles_of(result) == ["spade", "hoe"]
        assert result.scores.tolist() == pytest.approx([0.75, 0.5])
        assert result.evidence.tolist() == result.rows.tolist()

    def test_equal_counts_go_by_popularity(self, source: OwnFrequencySource, bundle: Bundle) -> None:
        result = source.retrieve(query_of([(row, "view", 1.0) for row in range(10)]), 10)
        assert result.rows.tolist() == [row for row in bundle.array("popularity/order").tolist() if row < 10]
