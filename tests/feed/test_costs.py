from __future__ import annotations

import random

import pytest

from recommender.feed.costs import Costs


def learned(*seconds: float) -> Costs:
    costs = Costs()
    for each in seconds:
        costs.note("part", each)
    return costs


def test_what_never_ran_takes_nothing_and_always_fits() -> None:
    costs = Costs()
    assert costs.of("part", "other") == 0.0
    assert costs.fits("part", 0.0, among=["other"], reserve="rest")


def test_an_estimate_settles_where_one_run_in_twenty_is_slower() -> None:
    rng = random.Random(7)
    costs, slower = learned(*(rng.expovariate(100) for _ in range(2_000))), 0
    for _ in range(4_000):
        seconds = rng.expovariate(100)
        slower += seconds > costs.of("part")
        costs.note("part", seconds)
    assert slower / 4_000 == pytest.approx(0.05, abs=0.01)


def test_one_outlier_moves_it_little_and_a_dozen_slow_runs_move_it_all_the_way() -> None:
    usual = [0.01] * 50
    assert learned(*usual, 2.0).of("part") < 0.02
    assert learned(*usual, *[0.3] * 12).of("part") == 0.3
    assert learned(*[0.3] * 20, *[0.01] * 250).of("part") == 0.01


def test_what_is_left_out_is_tried_again_after_a_while() -> None:
    costs, left_out = learned(*[0.3] * 20), 0
    while not costs.fits("part", 0.1):
        costs.shrink("part")
        left_out += 1
    assert 30 < left_out < 100


def test_the_slower_part_gives_way_to_the_faster_ones_that_wait() -> None:
    costs = Costs()
    for _ in range(20):
        for name, seconds in {"slow": 0.1, "fast": 0.01, "rest": 0.02}.items():
            costs.note(name, seconds)
    assert costs.fits("slow", 0.1301, among=["fast"], reserve="rest")
    assert not costs.fits("slow", 0.1299, among=["fast"], reserve="rest")
    assert costs.fits("fast", 0.0301, among=["slow"], reserve="rest")
    assert not costs.fits("fast", 0.0299, reserve="rest")
