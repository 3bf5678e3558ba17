from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.types import Rows
from training.evaluation.pairs import Codes
from training.evaluation.top_k import top_k_of_scores

NOTHING = np.empty(0, np.int32)


def nothing_hidden(n: int) -> tuple[Codes, Rows]:
    return np.zeros(n + 1, np.int64), NOTHING


def every(n_items: int) -> Rows:
    return np.arange(n_items, dtype=np.int32)


def users(n: int) -> Rows:
    return np.arange(n, dtype=np.int32)


@given(st.data())
def test_the_best_candidates_come_first_and_hidden_ones_never(data: st.DataObject) -> None:
    n, n_items, k = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 15)), data.draw(st.integers(1, 20))
    values = st.sampled_from([0.0, 1.0, -2.5, float("nan"), float("-inf"), 3.0])
    lines = data.draw(st.lists(st.lists(values, min_size=n_items, max_size=n_items), min_size=n, max_size=n))
    scores = np.array(lines, data.draw(st.sampled_from(["float32", "float64"])))
    candidates = sorted(data.draw(st.sets(st.integers(0, n_items - 1))))
    hidden = [sorted(data.draw(st.sets(st.integers(0, n_items - 1)))) for _ in range(n)]
    ragged = np.cumsum([0, *map(len, hidden)]), np.array([i for own in hidden for i in own], np.int32)
    found = top_k_of_scores(scores, users(n), ragged, np.array(candidates, np.int32), k, seed=7)
    for row, own, line in zip(found.tolist(), hidden, scores, strict=True):
        shown = [item for item in row if item >= 0]
        allowed = [item for item in candidates if item not in own and line[item] > -np.inf]
        assert row == shown + [-1] * (k - len(shown))
        assert len(set(shown)) == len(shown)
        assert set(shown) <= set(allowed)
        assert [line[item] for item in shown] == sorted((line[item] for item in allowed), reverse=True)[:k]


def test_ties_share_every_position_fairly_among_users() -> None:
    n, n_items = 20_000, 10
    lists = top_k_of_scores(np.zeros((1, n_items)), users(n), nothing_hidden(n), every(n_items), n_items, seed=3)
    for position in range(n_items):
        shares = np.bincount(lists[:, position], minlength=n_items) / n
        # Six standard deviations of a share of one in ten.
        assert np.abs(shares - 0.1).max() < 6 * np.sqrt(0.09 / n)


def test_a_tie_at_the_last_position_is_not_decided_by_the_items_number() -> None:
    n, scores = 2_000, np.array([[2.0, 1.0, 1.0, 1.0]])
    lists = top_k_of_scores(scores, users(n), nothing_hidden(n), every(4), 2, seed=0)
    assert set(lists[:, 0].tolist()) == {0}
    assert np.bincount(lists[:, 1], minlength=4)[1:].min() > n / 4


def test_the_order_of_candidates_and_the_batch_change_nothing_but_the_seed_does() -> None:
    scores = np.random.default_rng(1).integers(0, 4, (6, 50)).astype(np.float32)
    hidden = np.arange(7, dtype=np.int64) * 2, np.tile(np.array([3, 9], np.int32), 6)
    whole = top_k_of_scores(scores, users(6), hidden, every(50), 12, seed=5)
    backwards = top_k_of_scores(scores, users(6), hidden, every(50)[::-1], 12, seed=5)
    half = top_k_of_scores(scores[3:], users(6)[3:], (hidden[0][:4], hidden[1][:6]), every(50), 12, seed=5)
    np.testing.assert_array_equal(backwards, whole)
    np.testing.assert_array_equal(half, whole[3:])
    assert (top_k_of_scores(scores, users(6), hidden, every(50), 12, seed=6) != whole).any()


def test_scores_of_one_row_serve_every_user() -> None:
    scores = np.array([[0.1, 0.3, 0.2]])
    lists = top_k_of_scores(scores, users(3), nothing_hidden(3), every(3), 2, seed=0)
    assert lists.tolist() == [[1, 2]] * 3


def test_scores_of_other_users_are_refused() -> None:
    with pytest.raises(ValueError, match="3 users"):
        top_k_of_scores(np.zeros((2, 4)), users(3), nothing_hidden(3), every(4), 1, seed=0)
