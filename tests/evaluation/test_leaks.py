from __future__ import annotations

import numpy as np
import pytest

from recommender.types import NO_TIME
from training.evaluation.leaks import KNOWN_LEAKS, TimedEvents, leaks_of


def events(*pairs: tuple[int, int]) -> TimedEvents:
    return TimedEvents(np.array([user for user, _ in pairs]), np.array([time for _, time in pairs], np.int64))


@pytest.mark.parametrize(
    ("train", "targets", "names"),
    [
        (events((0, 1), (1, 5)), events((0, 5), (1, 6)), ()),
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
    train: TimedEvents, targets: TimedEvents, names: tuple[str, ...]
) -> None:
    assert leaks_of(train, targets, cut_by_time=False, undated_items=0) == names
    assert set(names) <= set(KNOWN_LEAKS)


def test_a_cut_by_time_leaks_nothing_but_what_the_catalogue_knows() -> None:
    train, targets = events((0, 1), (1, 2)), events((0, 9), (1, 9))
    assert leaks_of(train, targets, cut_by_time=True, undated_items=0) == ()
    assert leaks_of(train, targets, cut_by_time=True, undated_items=3) == ("undated_catalogue",)
