from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.kernels.top import best_of_each, best_rows, take_touched

N_ITEMS = 40
#: Few values, so that ties are the rule.
scores_of = st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.0, float("inf"), float("-inf"), 1e-40])
scored = st.dictionaries(st.integers(0, N_ITEMS - 1), scores_of, max_size=N_ITEMS)


@given(scored, st.permutations(range(N_ITEMS)), st.integers(-1, N_ITEMS + 2))
def test_the_best_are_those_of_a_plain_sort_and_ties_go_by_rank(
    found: dict[int, float], ranks: list[int], k: int
) -> None:
    rows, scores = np.array(list(found), np.int32), np.array(list(found.values()), np.float32)
    best = best_rows(rows, scores, np.array(ranks, np.int32), k)
    wanted = sorted(range(len(rows)), key=lambda place: (-scores[place], ranks[rows[place]]))
    assert best.tolist() == wanted[: max(k, 0)]


def test_where_all_scores_are_equal_ranks_alone_decide() -> None:
    rows = np.arange(6, dtype=np.int32)
    ranks = np.array([5, 0, 4, 1, 3, 2], np.int32)
    assert rows[best_rows(rows, np.ones(6, np.float32), ranks, 3)].tolist() == [1, 3, 5]


@given(st.lists(st.tuples(st.integers(0, 5) | st.sampled_from([2**31 - 1, 2**30, 65_536]), scores_of), max_size=40))
def test_of_each_row_the_first_of_its_largest_scores_stays(found: list[tuple[int, float]]) -> None:
    rows, scores = np.array([row for row, _ in found], np.int32), np.array([value for _, value in found], np.float32)
    wanted = {
        row: max((at for at in range(len(rows)) if rows[at] == row), key=lambda at: (scores[at], -at))
        for row in dict.fromkeys(rows.tolist())
    }
    assert best_of_each(rows, scores).tolist() == list(wanted.values())


def test_a_thousand_rows_are_told_apart_wherever_their_hashes_fall() -> None:
    rng = np.random.default_rng(6)
    for _ in range(20):
        rows = rng.choice(2**31, 1_024, replace=False).astype(np.int32)
        assert best_of_each(rows, np.ones(1_024, np.float32)).tolist() == list(range(1_024))


@given(st.lists(st.integers(0, N_ITEMS - 1), unique=True))
def test_taking_what_was_touched_leaves_zeros_behind(found: list[int]) -> None:
    touched, sums = np.full(N_ITEMS, -7, np.int32), np.zeros(N_ITEMS, np.float32)
    touched[: len(found)] = found
    sums[found] = np.arange(1, len(found) + 1)
    rows, scores = take_touched(touched, len(found), sums)
    assert rows.tolist() == found
    assert scores.tolist() == list(range(1, len(found) + 1))
    assert not sums.any()
    touched[:] = -1
    assert rows.tolist() == found
