from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.feed.rerankers.score_order import ScoreOrder
from recommender.types import Candidates, FeedQuery
from tests.worlds import NOW_MS

POPULARITY = np.array([3, 0, 4, 1, 2], np.int32)


def candidates_of(rows: list[int]) -> Candidates:
    columns = np.zeros((len(rows), 1), np.float32)
    ranks = columns.astype(np.int32)
    return Candidates(np.array(rows, np.int32), columns, ranks, ranks, ("only",))


def ordered(rows: list[int], scores: list[float], k: int) -> list[int]:
    candidates = candidates_of(rows)
    order, propensities = ScoreOrder(POPULARITY).order(FeedQuery(NOW_MS), candidates, np.array(scores, np.float32), k)
    assert propensities.tolist() == [1.0] * len(order)
    found: list[int] = candidates.rows[order].tolist()
    return found


def test_the_best_score_comes_first() -> None:
    assert ordered([0, 1, 2], [0.1, 0.9, 0.5], 2) == [1, 2]


def test_equal_scores_go_by_popularity_and_never_by_row() -> None:
    assert ordered([0, 1, 2, 3, 4], [1.0] * 5, 9) == POPULARITY.tolist()


@given(
    st.permutations(range(5)),
    st.lists(st.sampled_from([0.0, 0.5, 1.0, -1.0]), min_size=5, max_size=5),
    st.integers(0, 7),
)
def test_the_order_of_the_candidates_does_not_matter(rows: list[int], scores: list[float], k: int) -> None:
    by_row = dict(zip(rows, scores, strict=True))
    found = ordered(rows, scores, k)
    assert found == ordered(sorted(rows), [by_row[row] for row in sorted(rows)], k)
    assert len(found) == len(set(found)) == min(k, 5)


def test_no_candidates_are_no_order() -> None:
    assert ordered([], [], 5) == []
