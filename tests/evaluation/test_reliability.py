from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from training.evaluation.chances_view import plot_chances, print_chances
from training.evaluation.reliability import Chances, reliability


def drawn(seed: int, shift: float = 1.0, n_users: int = 400, each: int = 50) -> Chances:
    """Candidates that come with the chances foretold, or with so many times those."""
    rng = np.random.default_rng(seed)
    predicted = rng.beta(0.5, 20, n_users * each).astype(np.float32)
    observed = rng.random(len(predicted)) < np.minimum(shift * predicted, 1)
    return Chances(np.repeat(np.arange(n_users), each), n_users, predicted, observed)


def test_chances_that_are_what_they_say_lie_within_their_intervals() -> None:
    found = reliability(drawn(3), resamples=300, seed=1)
    assert len(found["deciles"]) == 10
    within = [low <= tenth["predicted"] <= high for tenth in found["deciles"] for low, high in [tenth["ci95"]]]
    assert sum(within) >= 8
    low, high = found["observed_over_predicted"]["ci95"]
    assert low < 1 < high


def test_chances_that_promise_double_are_found_out() -> None:
    found = reliability(drawn(3, shift=0.5), resamples=300, seed=1)
    assert found["observed_over_predicted"]["mean"] == pytest.approx(0.5, abs=0.05)
    assert found["observed_over_predicted"]["ci95"][1] < 0.7
    assert found["deciles"][-1]["ci95"][1] < found["deciles"][-1]["predicted"]


def test_a_tenth_is_counted_by_hand() -> None:
    chances = Chances(
        np.array([0, 0, 1, 1]), 2, np.array([0.25, 0.25, 0.5, 0.5], np.float32), np.array([False, True, True, True])
    )
    deciles = reliability(chances, resamples=100, seed=1)["deciles"]
    assert [(one["candidates"], one["predicted"], one["observed"]) for one in deciles] == [(2, 0.25, 0.5), (2, 0.5, 1)]


def test_of_nothing_nothing_is_said() -> None:
    empty = Chances(np.empty(0, np.int64), 3, np.empty(0, np.float32), np.empty(0, np.bool_))
    assert reliability(empty, resamples=100, seed=1) == {"deciles": []}


def test_a_person_sees_a_table_and_a_picture(tmp_path: Path) -> None:
    found = reliability(drawn(3), resamples=100, seed=1)
    told = {"horizon_days": 14.0, "observed_days": 13.2, "users": 400, "candidates": found, "first_20": found}
    console = Console(width=120, record=True, file=io.StringIO())
    print_chances(told, "purchase", console)
    assert "probability of purchase within 14.0 days, 400 visitors, seen for 13.2 days" in console.export_text()
    plot_chances(told, "purchase", tmp_path / "chances.png")
    assert (tmp_path / "chances.png").stat().st_size > 10_000
