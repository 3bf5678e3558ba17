from __future__ import annotations

import numpy as np
import pytest

from recommender.bundle import Bundle
from recommender.features.recency import Recency
from recommender.feed.sources.als import AlsSource
from recommender.types import FeedQuery
from tests.feed.sources.contract import ROW, SourceContract, query_of
from tests.plain_models import ALPHA, DIM, REGULARIZATION


class TestAlsSource(SourceContract):
    @pytest.fixture
    def source(self, bundle: Bundle) -> AlsSource:
        return AlsSource(bundle, Recency(half_life_days=30))

    @pytest.fixture
    def query(self) -> FeedQuery:
        return query_of([(ROW["spade"], "view", 30.0), (ROW["iron pan"], "view", 1.0), (ROW["iron pan"], "like", 0.0)])

    def test_scores_are_products_with_the_exact_solution(
        self, source: AlsSource, bundle: Bundle, query: FeedQuery
    ) -> None:
        factors = bundle.array("als/factors").astype(np.float64)
        weights = np.zeros(len(factors))
        weights[ROW["spade"]], weights[ROW["iron pan"]] = 0.5, 1.0 + 0.5 ** (1 / 30)
        sure = 1.0 + ALPHA * np.log1p(weights)
        left = factors.T @ (sure[:, None] * factors) + REGULARIZATION * np.eye(DIM)
        vector = np.linalg.solve(left, factors.T @ (sure * (weights > 0)))
        dense = factors @ vector
        result = source.retrieve(query, 50)
        assert set(result.rows.tolist()) == set(np.flatnonzero(dense > 1e-5).tolist())
        np.testing.assert_allclose(result.scores, dense[result.rows], rtol=1e-3, atol=1e-4)

    def test_evidence_is_the_recent_item_whose_factors_point_most_alike(
        self, source: AlsSource, bundle: Bundle, query: FeedQuery
    ) -> None:
        factors = bundle.array("als/factors")
        units = factors / np.maximum(np.linalg.norm(factors, axis=1, keepdims=True), 1e-12)
        result = source.retrieve(query, 50)
        for row, evidence in zip(result.rows.tolist(), result.evidence.tolist(), strict=True):
            cosines = {own: float(units[row] @ units[own]) for own in (ROW["spade"], ROW["iron pan"])}
            best = max(cosines, key=lambda own: cosines[own])
            assert evidence == (best if cosines[best] > 0 else -1)

    def test_only_the_ten_newest_items_are_named(self, source: AlsSource) -> None:
        deeds = [(row, "view", float(20 - row)) for row in range(20)]
        assert set(source.retrieve(query_of(deeds), 50).evidence.tolist()) <= {-1, *range(10, 20)}

    def test_the_user_vector_names_what_made_it_the_newest_first(self, source: AlsSource, query: FeedQuery) -> None:
        vector, items = source.user_vector(query)
        assert vector.shape == (DIM,)
        assert items.tolist() == [ROW["iron pan"], ROW["spade"]]
