from __future__ import annotations

import sys
import threading
from collections import defaultdict

import numpy as np
import pytest

from recommender.bundle import Bundle
from recommender.features.recency import Recency
from recommender.feed.sources.listed import CooccurrenceSource
from tests.feed.sources.contract import ROW, SourceContract, query_of, titles_of, told


class TestCooccurrenceSource(SourceContract):
    @pytest.fixture
    def source(self, bundle: Bundle) -> CooccurrenceSource:
        return CooccurrenceSource(bundle, Recency(half_life_days=30))

    def test_scores_are_the_lists_of_the_history_weighted_by_age(
        self, source: CooccurrenceSource, bundle: Bundle
    ) -> None:
        lists = bundle.array("cooccurrence/rows"), bundle.array("cooccurrence/scores")
        addends: dict[int, dict[int, float]] = defaultdict(dict)
        for item, weight in ((ROW["iron pan"], 0.25), (ROW["spade"], 1.0)):
            for row, score in zip(lists[0][item].tolist(), lists[1][item].tolist(), strict=True):
                if row >= 0:
                    addends[row][item] = weight * score
        result = source.retrieve(query_of([(ROW["iron pan"], "view", 60.0), (ROW["spade"], "purchase", 0.0)]), 50)
        assert set(result.rows.tolist()) == set(addends)
        for row, score, evidence in zip(*told(result), strict=True):
            assert score == pytest.approx(sum(addends[row].values()), rel=1e-5)
            assert addends[row][evidence] == max(addends[row].values())

    def test_what_follows_an_item_is_retrieved_best_first(self, source: CooccurrenceSource, bundle: Bundle) -> None:
        result = source.retrieve(query_of([(ROW["atlas"], "view", 0.0)]), 50)
        # fay alone touched the atlas: the herbal right after it, the cookbook one later.
        assert titles_of(result)[:2] == ["herbal", "cookbook"]
        assert set(result.evidence.tolist()) == {ROW["atlas"]}

    def test_equal_scores_go_by_popularity(self, source: CooccurrenceSource, bundle: Bundle) -> None:
        scores, rows = source._scores, source._rows
        source._scores = np.where(rows >= 0, 1.0, 0.0).astype(np.float32)
        result = source.retrieve(query_of([(ROW["iron pan"], "view", 0.0)]), 5)
        source._scores = scores
        listed = [row for row in bundle.array("popularity/order").tolist() if row in rows[ROW["iron pan"]].tolist()]
        assert result.rows.tolist() == listed[:5]

    def test_threads_do_not_share_scratch(self, source: CooccurrenceSource) -> None:
        queries = [query_of([(row, "view", 0.0), (row + 1, "view", 0.0)]) for row in range(20)]
        alone = [told(source.retrieve(query, 9)) for query in queries]
        wrong: list[int] = []

        def ask() -> None:
            for _ in range(20):
                wrong.extend(at for at, query in enumerate(queries) if told(source.retrieve(query, 9)) != alone[at])

        threads = [threading.Thread(target=ask) for _ in range(3)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
        assert not wrong
