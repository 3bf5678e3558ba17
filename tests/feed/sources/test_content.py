from __future__ import annotations

import faiss
import numpy as np
import pytest

from recommender.bundle import Bundle
from recommender.features.recency import Recency
from recommender.feed.sources.content import ContentSource
from recommender.retrieval.vectors import VectorIndex
from tests.feed.sources.contract import N_ITEMS, ROW, SourceContract, query_of


class TestContentSource(SourceContract):
    @pytest.fixture
    def source(self, bundle: Bundle) -> ContentSource:
        return ContentSource(bundle, Recency(half_life_days=30))

    def test_scores_are_cosines_with_the_weighted_mean(self, source: ContentSource, bundle: Bundle) -> None:
        vectors = bundle.array("content/vectors")
        mean = 0.25 * vectors[ROW["atlas"]] + vectors[ROW["spade"]]
        cosines = vectors @ (mean / np.linalg.norm(mean))
        result = source.retrieve(query_of([(ROW["atlas"], "view", 60.0), (ROW["spade"], "view", 0.0)]), 50)
        assert set(result.rows.tolist()) == set(np.flatnonzero(cosines > 1e-6).tolist())
        np.testing.assert_allclose(result.scores, cosines[result.rows], atol=1e-5)

    def test_items_that_read_the_same_come_by_popularity(self, bundle: Bundle) -> None:
        source = ContentSource(bundle, Recency())
        nearest = source.nearest
        same = np.tile(bundle.array("content/vectors")[:1], (N_ITEMS, 1))
        index = faiss.IndexFlatIP(same.shape[1])
        index.add(same)
        source._vectors, nearest._vectors, nearest._index = same, same, VectorIndex(index)
        result = source.retrieve(query_of([(ROW["spade"], "view", 0.0)]), N_ITEMS)
        assert result.rows.tolist() == bundle.array("popularity/order").tolist()
        assert result.evidence.tolist() == [ROW["spade"]] * N_ITEMS

    def test_a_history_without_content_finds_nothing(self, bundle: Bundle) -> None:
        source = ContentSource(bundle, Recency())
        source._vectors = np.zeros_like(bundle.array("content/vectors"))
        assert not len(source.retrieve(query_of([(0, "view", 0.0)]), 9).rows)
