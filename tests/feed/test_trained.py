"""What was trained on the bundle's rows meets items that came after it."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.bundle import Bundle
from recommender.feed.rankers.trees import TreeRanker
from recommender.feed.sources.listed import CooccurrenceSource
from recommender.feed.trained import TrainedRanker, TrainedSource
from recommender.types import Candidates, FeedQuery, History
from tests.feed.rankers.test_trees import some_candidates, with_trees
from tests.worlds import NOW_MS, write_tiny_bundle


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return with_trees(write_tiny_bundle(tmp_path_factory.mktemp("trained") / "tiny"))


def query_on(rows: list[int]) -> FeedQuery:
    n = len(rows)
    times = np.arange(NOW_MS - n, NOW_MS)
    return FeedQuery(NOW_MS, "x", history=History(np.array(rows, np.int32), np.zeros(n, np.uint8), times))


def at_rows(candidates: Candidates, rows: list[int]) -> Candidates:
    return Candidates(
        np.array(rows, np.int32),
        candidates.source_scores,
        candidates.source_ranks,
        candidates.evidence,
        candidates.sources,
    )


def test_to_trees_a_new_item_is_like_the_least_popular_one_and_what_was_done_on_it_is_unknown(grown: Bundle) -> None:
    n_items, least = grown.n_items, int(grown.array("popularity/order")[-1])
    trees = TreeRanker(grown)
    ranker = TrainedRanker(trees, n_items, least)
    candidates = at_rows(some_candidates(3), [0, n_items, n_items + 7])
    known, new = query_on([1, 2]), query_on([1, n_items + 7, 2, n_items])
    # Times differ by milliseconds between the two: none of them is a day apart from another.
    expected = trees.score(known, at_rows(candidates, [0, least, least]))
    np.testing.assert_allclose(ranker.score(new, candidates), expected, rtol=1e-5)
    names, values = ranker.inputs(new, candidates)
    assert values[:, names.index("history_items")].tolist() == pytest.approx([np.log1p(2)] * 3)
    assert ranker.contributions(new, candidates).shape == candidates.source_ranks.shape


def test_a_source_sees_no_event_on_a_new_item(grown: Bundle) -> None:
    source = CooccurrenceSource(grown)
    over = TrainedSource(source, grown.n_items)
    found = over.retrieve(query_on([grown.n_items, 0, grown.n_items + 3]), 10)
    alone = source.retrieve(query_on([0]), 10)
    assert found.rows.tolist() == alone.rows.tolist() != []
    assert set(found.evidence.tolist()) == {0}
