from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.features.standings import standings
from recommender.feed.rerankers.personal_slots import PersonalSlots
from recommender.feed.rerankers.score_order import ScoreOrder
from recommender.kernels.slate import take_turns
from recommender.types import Candidates, FeedQuery, Scores

N_ITEMS = 40
QUERY = FeedQuery(0)
ORDER = ScoreOrder(np.arange(N_ITEMS, dtype=np.int32))


def candidates_of(rows: list[int]) -> Candidates:
    ranks = np.zeros((len(rows), 1), np.int32)
    return Candidates(np.array(rows, np.int32), ranks.astype(np.float32), ranks, ranks - 1, ("any",))


@given(st.permutations(range(N_ITEMS)), st.integers(1, 50), st.integers(0, 60))
def test_turns_are_taken_in_order_and_nothing_comes_twice(others: list[int], every: int, k: int) -> None:
    order = take_turns(np.array(others, np.intp), every, k).tolist()
    assert len(order) == len(set(order)) == min(k, N_ITEMS)
    for slot, place in enumerate(order):
        left = set(range(N_ITEMS)) - set(order[:slot])
        wanted = min(left) if (slot + 1) % every else next(other for other in others if other in left)
        assert place == wanted


@given(st.lists(st.integers(0, N_ITEMS + 5), unique=True, max_size=N_ITEMS), st.integers(1, 12), st.data())
def test_every_candidate_stands_once_also_new_items(rows: list[int], every: int, data: st.DataObject) -> None:
    scores = np.array([data.draw(st.floats(-9, 9, width=32)) for _ in rows], np.float32)
    usual = np.linspace(-1, 1, N_ITEMS).astype(np.float32)
    order, propensities = PersonalSlots(ORDER, usual, every).order(QUERY, candidates_of(rows), scores, len(rows))
    assert sorted(order.tolist()) == list(range(len(rows)))
    assert (propensities == 1).all()


def test_the_slot_goes_to_what_stands_higher_than_it_usually_does() -> None:
    scores = np.array([9, 8, 7, 6, 5, 4], np.float32)
    usual = np.zeros(N_ITEMS, np.float32)
    usual[:6] = standings(scores)
    usual[4] -= 1.0  # everybody else has it far below
    order, _ = PersonalSlots(ORDER, usual, 3).order(QUERY, candidates_of([0, 1, 2, 3, 4, 5]), scores, 6)
    assert order.tolist()[:3] == [0, 1, 4]
    assert order.tolist()[3:5] == [2, 3]


@given(st.lists(st.floats(-9, 9, width=32), min_size=2, max_size=20), st.floats(0.5, 4), st.floats(-5, 5))
def test_a_standing_does_not_hang_on_the_scale_of_scores(scores: list[float], factor: float, shift: float) -> None:
    raw: Scores = np.array(scores, np.float32)
    if raw.std() > 0.1:
        moved = (raw * factor + shift).astype(np.float32)
        np.testing.assert_allclose(standings(moved), standings(raw), atol=1e-3)
        assert abs(float(standings(raw).mean())) < 1e-3


def test_equal_scores_and_none_at_all_stand_in_the_middle() -> None:
    assert standings(np.full(3, 2.0, np.float32)).tolist() == [0, 0, 0]
    assert len(standings(np.empty(0, np.float32))) == 0
