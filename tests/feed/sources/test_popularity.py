from __future__ import annotations

import numpy as np
import pytest

from recommender.bundle import Bundle
from recommender.features.recency import Recency
from recommender.feed.sources.popularity import CategoryPopularitySource, RecentPopularitySource
from tests.feed.sources.contract import N_ITEMS, ROW, TITLES, SourceContract, query_of, titles_of, told
from tests.worlds import tiny_items

CATEGORIES = [item.category for item in tiny_items()]


class TestRecentPopularitySource(SourceContract):
    @pytest.fixture
    def source(self, bundle: Bundle) -> RecentPopularitySource:
        return RecentPopularitySource(bundle)

    def test_everybody_gets_the_most_popular_rows_in_their_order(
        self, source: RecentPopularitySource, bundle: Bundle
    ) -> None:
        result = source.retrieve(query_of([(3, "purchase", 1.0)]), 7)
        assert result.rows.tolist() == bundle.array("popularity/order")[:7].tolist()
        assert result.scores.tolist() == bundle.array("popularity/recent")[result.rows].tolist()
        assert result.scores[0] == 1.0


class TestCategoryPopularitySource(SourceContract):
    @pytest.fixture
    def source(self, bundle: Bundle) -> CategoryPopularitySource:
        return CategoryPopularitySource(bundle, Recency(half_life_days=30))

    def test_rows_score_their_category_s_share_of_the_history_times_their_own_popularity(
        self, source: CategoryPopularitySource, bundle: Bundle
    ) -> None:
        recent = bundle.array("popularity/recent")
        # 1 of a pan now, 2 of seeds a half-life ago: each category is half of the history.
        deeds = [(ROW["poppy seeds"], "view", 30.0), (ROW["basil seeds"], "view", 30.0), (ROW["iron pan"], "view", 0.0)]
        result = source.retrieve(query_of(deeds), N_ITEMS)
        wanted = {row for row in range(N_ITEMS) if CATEGORIES[row] in {"Kitchen > Pans", "Garden > Seeds"}}
        assert set(result.rows.tolist()) == wanted
        categories = list(bundle.strings("tables/categories"))
        for row, score, evidence in zip(*told(result), strict=True):
            assert score == pytest.approx(0.5 * recent[row], rel=1e-5)
            assert categories[evidence] == CATEGORIES[row]

    def test_an_item_without_a_category_says_nothing(self, source: CategoryPopularitySource) -> None:
        assert not len(source.retrieve(query_of([(ROW["mystery box"], "view", 1.0)]), 9).rows)

    def test_a_row_that_two_of_the_categories_hold_comes_once_with_its_larger_score(self, bundle: Bundle) -> None:
        source = CategoryPopularitySource(bundle, Recency())
        categories = list(bundle.strings("tables/categories"))
        own = bundle.array("items/category").copy()
        own[ROW["mystery box"]] = categories.index("Kitchen")
        source._category_of = own
        result = source.retrieve(
            query_of([(ROW["mystery box"], "view", 0.0)] * 3 + [(ROW["iron pan"], "view", 0.0)]), 50
        )
        recent = bundle.array("popularity/recent")
        assert sorted(titles_of(result)) == sorted(t for t in TITLES if CATEGORIES[ROW[t]].startswith("Kitchen"))
        assert set(result.evidence.tolist()) == {categories.index("Kitchen")}
        np.testing.assert_allclose(result.scores, 0.75 * recent[result.rows], rtol=1e-5)
