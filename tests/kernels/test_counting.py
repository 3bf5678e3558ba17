from __future__ import annotations

import sys
import threading

import numpy as np

from recommender.kernels.counting import add_amounts


def test_amounts_are_added_at_their_places_repeats_too() -> None:
    counters = np.zeros(4)
    add_amounts(counters, np.array([1, 3, 1], np.int64), np.array([1.0, 0.5, 2.0]))
    add_amounts(counters, np.empty(0, np.int64), np.empty(0))
    assert counters.tolist() == [0.0, 3.0, 0.0, 0.5]


def test_no_addition_is_lost_between_threads() -> None:
    counters, places, amounts = np.zeros(64), np.arange(64, dtype=np.int64), np.ones(64)
    add_amounts(counters, places, amounts)

    def add() -> None:
        for _ in range(2_000):
            add_amounts(counters, places, amounts)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert set(counters.tolist()) == {8_001.0}
