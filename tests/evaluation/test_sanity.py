from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.types import Rows
from tests.evaluation.cases import make_cases, training_part
from training.evaluation.metrics import category_levels, check_lists
from training.evaluation.protocol import Cases
from training.evaluation.sanity import (
    item_popularity,
    popularity_in_category_top,
    popularity_top,
    random_top,
)

TRAIN = training_part((0, 0), (0, 0), (1, 0), (-1, 1), (1, 1), (2, 2), (0, 3, 0.0))
PATHS = ["food > fruit", "food > fruit", "toys", "toys", "food > fruit", "toys", ""]


def cases_of(hidden: list[list[int]], candidates: list[int] | None = None) -> Cases:
    mask = None if candidates is None else np.isin(np.arange(len(PATHS)), candidates)
    return make_cases([[4]] * len(hidden), len(PATHS), hidden, mask)


def every_row(cases: Cases, k: int, seed: int) -> dict[str, Rows]:
    popularity = item_popularity(TRAIN, cases.n_items)
    return {
        "random": random_top(cases, k, seed),
        "popularity": popularity_top(cases, popularity, k, seed),
        "in_category": popularity_in_category_top(cases, TRAIN, popularity, category_levels(PATHS), k, seed),
    }


@given(
    hidden=st.lists(st.sets(st.integers(0, 6)), min_size=1, max_size=4),
    candidates=st.none() | st.sets(st.integers(0, 6), min_size=1),
    k=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_every_row_fills_its_lists_from_candidates_that_are_not_hidden(
    hidden: list[set[int]], candidates: set[int] | None, k: int, seed: int
) -> None:
    cases = cases_of([sorted(own) for own in hidden], None if candidates is None else sorted(candidates))
    allowed = [len((candidates if candidates is not None else set(range(7))) - own) for own in hidden]
    for name, lists in every_row(cases, k, seed).items():
        check_lists(lists, cases)
        assert (lists >= 0).sum(axis=1).tolist() == [min(k, count) for count in allowed], name


def test_popularity_counts_events_of_positive_weight_of_everybody() -> None:
    popularity = item_popularity(TRAIN, 5)
    assert popularity.tolist() == [3, 2, 1, 0, 0]
    lists = popularity_top(cases_of([[], [0]]), item_popularity(TRAIN, 7), 3, seed=1)
    assert lists[0].tolist() == [0, 1, 2]
    assert lists[1, :2].tolist() == [1, 2]


def test_random_draws_every_candidate_alike_and_other_lists_for_others() -> None:
    lists = random_top(cases_of([[]] * 7_000), 1, seed=2)
    assert np.abs(np.bincount(lists[:, 0], minlength=7) / 7_000 - 1 / 7).max() < 0.03


def test_new_items_come_from_the_users_own_categories_then_from_popular_ones() -> None:
    # Items 3 to 6 are new. Users 0 and 1 had fruit, user 2 a toy; fruit is the more popular.
    popularity = item_popularity(TRAIN, 7)
    cases = cases_of([[], [], [], []], candidates=[3, 4, 5, 6])
    lists = popularity_in_category_top(cases, TRAIN, popularity, category_levels(PATHS), 4, seed=4)
    assert lists[0, 0] == 4
    assert lists[1, 0] == 4
    assert set(lists[2, :2].tolist()) == {3, 5}
    assert lists[2, 2] == 4
    assert lists[3, 0] == 4
    assert set(lists[3, 1:3].tolist()) == {3, 5}
    assert lists[:, 3].tolist() == [6] * 4


@pytest.mark.parametrize("batch_bytes", [1, 200])
def test_batches_of_users_change_nothing(monkeypatch: pytest.MonkeyPatch, batch_bytes: int) -> None:
    cases = cases_of([[], [4], [], []], candidates=[3, 4, 5, 6])
    whole = every_row(cases, 4, seed=9)["in_category"]
    monkeypatch.setattr("training.evaluation.sanity._BATCH_BYTES", batch_bytes)
    np.testing.assert_array_equal(every_row(cases, 4, seed=9)["in_category"], whole)
