from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recommender.types import NO_TIME
from training.evaluation.leaks import KNOWN_LEAKS, LoggedPairs, leaks_of


def events(*pairs: tuple[int, int]) -> LoggedPairs:
    """Users and times; every event is a purchase of an item of its own."""
    users, times = np.array([user for user, _ in pairs]), np.array([time for _, time in pairs], np.int64)
    return LoggedPairs(users, np.arange(len(pairs)) % 5, times, np.ones(len(pairs), np.bool_))


def pairs_of(rows: list[tuple[int, int, bool]], time_ms: int = NO_TIME) -> LoggedPairs:
    """Users, items, and whether the event is a purchase."""
    users, items, bought = (np.array(column) for column in zip(*rows, strict=True))
    return LoggedPairs(users, items, np.full(len(rows), time_ms, np.int64), bought)


def names_of(train: LoggedPairs, targets: LoggedPairs, **terms: Any) -> tuple[str, ...]:
    plain: dict[str, Any] = {
        "cut_by_time": False,
        "novel_only": False,
        "undated_items": 0,
        "undated_edges": 0,
        "item_ids": list("abcdefgh"),
    }
    return leaks_of(train, targets, **(plain | terms))


@pytest.mark.parametrize(
    ("train", "targets", "names"),
    [
        (events((0, 1), (1, 5)), events((0, 6), (1, 7)), ()),
        (events((0, 1), (1, 5)), events((0, 6), (1, 5)), ("own_moment",)),
        (events((0, 1), (1, 5)), events((0, 4), (1, 6)), ("other_users_future",)),
        (events((0, 1), (-1, 5)), events((0, 4), (1, 6)), ("other_users_future",)),
        (events((0, 7), (1, 5)), events((0, 4), (1, 6)), ("other_users_future", "own_future")),
        # A made-up calendar that puts everybody's last item on one day.
        (events((0, 1), (1, 5)), events((0, 9), (1, 9)), ("other_users_future",)),
        (events((0, 1), (1, 5)), events((0, 9), (0, 9)), ()),
        (events((0, 1), (1, 5)), events((0, NO_TIME), (1, 6)), ("other_users_future",)),
        (events((0, NO_TIME), (1, 5)), events((0, 6), (1, 7)), ("no_times",)),
        (events((0, NO_TIME)), events((0, NO_TIME)), ("no_times",)),
    ],
)
def test_the_leaks_of_a_test_file_are_told_by_its_times(
    train: LoggedPairs, targets: LoggedPairs, names: tuple[str, ...]
) -> None:
    assert names_of(train, targets) == names
    assert set(names) <= set(KNOWN_LEAKS)


def test_a_cut_by_time_leaks_nothing_but_what_the_catalogue_knows() -> None:
    train, targets = events((0, 1), (1, 2)), events((0, 9), (1, 9))
    assert names_of(train, targets, cut_by_time=True) == ()
    assert names_of(train, targets, cut_by_time=True, undated_items=3) == ("undated_catalogue",)
    assert names_of(train, targets, cut_by_time=True, undated_edges=1) == ("undated_edges",)


def test_a_split_that_took_its_targets_out_of_views_too_is_told_unless_touched_items_are_hidden() -> None:
    # Everybody views what they buy; what they buy in the test part was viewed by nobody.
    rows = [(user, 2 * user + place, bought) for user in range(50) for place in (0, 1) for bought in (False, True)]
    train, ids = pairs_of(rows), [f"item {chr(97 + n)}" for n in range(26)] * 10
    removed = pairs_of([(user, 150 + user, True) for user in range(50)])
    assert names_of(train, removed, item_ids=ids) == ("no_times", "touched_pairs_removed")
    assert names_of(train, removed, item_ids=ids, novel_only=True) == ("no_times",)
    one_touched = pairs_of([(0, 0, True), *((user, 150 + user, True) for user in range(1, 50))])
    assert names_of(train, one_touched, item_ids=ids) == ("no_times",)


def test_where_nobody_views_before_buying_nothing_is_missing() -> None:
    train = pairs_of([(user, user, True) for user in range(50)])
    targets = pairs_of([(user, 100 + user, True) for user in range(50)])
    assert names_of(train, targets, item_ids=["x"] * 200) == ("no_times",)


@pytest.mark.parametrize(("dealt_anew", "told"), [(False, True), (True, False)])
def test_ids_that_were_dealt_by_first_appearance_are_told(dealt_anew: bool, told: bool) -> None:
    numbers = np.random.default_rng(3).permutation(600) if dealt_anew else np.arange(600)
    rows = [(user, 3 * user + place, True) for user in range(200) for place in (0, 1)]
    targets = pairs_of([(user, 3 * user + 2, True) for user in range(200)])
    names = names_of(pairs_of(rows), targets, item_ids=[f"i{number}" for number in numbers])
    assert ("ids_near_targets" in names) == told
