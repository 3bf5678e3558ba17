from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.bootstrap import bootstrap

RNG = np.random.default_rng(11)


def test_means_are_those_of_the_users_and_intervals_lie_around_them() -> None:
    values = RNG.random(300)
    interval = bootstrap({"a": {"x": values}}, 500, seed=1).interval("a", "x")
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low < interval.mean < interval.high


def test_the_interval_is_as_wide_as_theory_says() -> None:
    values = RNG.normal(3.0, 2.0, 2_000)
    interval = bootstrap({"a": {"x": values}}, 4_000, seed=2).interval("a", "x")
    wanted = 1.96 * values.std() / np.sqrt(len(values))
    assert (interval.high - interval.low) / 2 == pytest.approx(wanted, rel=0.06)


def test_a_resample_draws_as_many_users_as_there_are() -> None:
    samples = bootstrap({"a": {"one": np.ones(50), "first": np.eye(50)[0]}}, 2_000, seed=3).samples
    np.testing.assert_allclose(samples[:, 0], 1.0)
    drawn = np.round(samples[:, 1] * 50)
    np.testing.assert_allclose(drawn, samples[:, 1] * 50, atol=1e-9)
    # How often one user is drawn is binomial (50, 1 / 50): never in 36.4 % of resamples.
    assert (drawn == 0).mean() == pytest.approx(0.98**50, abs=0.05)


def test_all_models_share_their_resamples_so_a_constant_gap_has_no_spread() -> None:
    values = RNG.random(200)
    resampled = bootstrap({"a": {"x": values + 0.25}, "b": {"x": values}}, 300, seed=4)
    difference = resampled.compare("a", "b", "x").difference
    assert (difference.low, difference.mean, difference.high) == pytest.approx((0.25, 0.25, 0.25))


def test_a_relative_difference_is_over_the_mean_of_the_other() -> None:
    values = RNG.random(200)
    comparison = bootstrap({"a": {"x": 1.1 * values}, "b": {"x": values}}, 300, seed=5).compare("a", "b", "x")
    assert comparison.relative == pytest.approx(0.1)
    assert comparison.relative_interval == pytest.approx((0.1, 0.1))


def test_the_other_way_round_the_difference_has_the_other_sign() -> None:
    resampled = bootstrap({"a": {"x": RNG.random(99)}, "b": {"x": RNG.random(99)}}, 300, seed=6)
    there, back = resampled.compare("a", "b", "x").difference, resampled.compare("b", "a", "x").difference
    assert (there.low, there.mean, there.high) == pytest.approx((-back.high, -back.mean, -back.low))


def test_nothing_is_said_relative_to_a_model_without_hits() -> None:
    rare = np.eye(40)[0]
    resampled = bootstrap({"a": {"x": np.ones(40)}, "none": {"x": np.zeros(40)}, "rare": {"x": rare}}, 300, seed=7)
    nothing = resampled.compare("a", "none", "x")
    assert nothing.relative is None
    assert nothing.relative_interval is None
    rarely = resampled.compare("a", "rare", "x")
    assert rarely.relative == pytest.approx(39.0)
    assert rarely.relative_interval is None


def test_all_cases_of_a_user_come_with_each_draw_so_their_dependence_widens_the_interval() -> None:
    values, owners = RNG.normal(0.5, 0.1, 200), np.arange(200)
    repeated, whose = np.repeat(values, 5), np.repeat(owners, 5)
    apart = bootstrap({"a": {"x": repeated}}, 1_000, seed=1).interval("a", "x")
    together = bootstrap({"a": {"x": repeated}}, 1_000, seed=1, owners=whose).interval("a", "x")
    once = bootstrap({"a": {"x": values}}, 1_000, seed=1).interval("a", "x")
    assert (together.low, together.high) == pytest.approx((once.low, once.high))
    assert together.high - together.low > 1.8 * (apart.high - apart.low)


def test_a_user_of_many_cases_weighs_as_many() -> None:
    values, owners = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0, 1, 1, 1])
    resampled = bootstrap({"a": {"x": values}}, 500, seed=2, owners=owners)
    assert resampled.interval("a", "x").mean == 0.25
    # Two draws of two users: both the first, one of each, both the second.
    assert {round(sample, 6) for sample in resampled.samples[:, 0].tolist()} == {1.0, 0.25, 0.0}


def test_the_seed_decides_and_the_memory_limit_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"a": {"x": RNG.random(60), "y": RNG.random(60)}}
    whole = bootstrap(columns, 100, seed=8).samples
    assert (bootstrap(columns, 100, seed=9).samples != whole).any()
    monkeypatch.setattr("training.evaluation.bootstrap._CHUNK_BYTES", 8 * 60 * 7)
    np.testing.assert_allclose(bootstrap(columns, 100, seed=8).samples, whole, rtol=1e-12)


def test_one_user_has_an_interval_without_width() -> None:
    interval = bootstrap({"a": {"x": np.array([0.5])}}, 100, seed=10).interval("a", "x")
    assert (interval.low, interval.mean, interval.high) == (0.5, 0.5, 0.5)
