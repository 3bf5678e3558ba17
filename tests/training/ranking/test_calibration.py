from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.ranking.calibration import fit_calibration


def scored(seed: int, n: int = 40_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, what came, and the chance that it had: a logistic curve that flattens at .3."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(-3, 1.5, n).astype(np.float32)
    chances = 0.3 / (1 + np.exp(-1.4 * scores.astype(np.float64)))
    return scores, rng.random(n) < chances, chances


def test_chances_are_learned_from_scores_of_another_scale() -> None:
    scores, labels, _ = scored(1)
    fitted = fit_calibration(scores, labels)
    assert fitted is not None
    others, _, chances = scored(2)
    found = np.interp(others, fitted.scores, fitted.probabilities)
    assert np.abs(found - chances).mean() < 0.004
    assert found.sum() == pytest.approx(chances.sum(), rel=0.08)


@given(st.integers(0, 10_000), st.sampled_from([1, 3, 200]))
def test_knots_rise_are_few_and_do_not_hang_on_the_order_of_rows(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    scores = (np.round(rng.normal(size=900) * levels) / levels).astype(np.float32)
    labels = rng.random(900) < 0.3
    fitted = fit_calibration(scores, labels)
    assert fitted is not None
    assert 1 <= len(fitted.scores) <= 200
    assert (np.diff(fitted.scores) > 0).all()
    assert (np.diff(fitted.probabilities) >= 0).all()
    assert ((fitted.probabilities >= 0) & (fitted.probabilities <= 1)).all()
    order = rng.permutation(900)
    again = fit_calibration(scores[order], labels[order])
    assert again is not None
    assert again.scores.tobytes() == fitted.scores.tobytes()
    assert again.probabilities.tobytes() == fitted.probabilities.tobytes()


def test_one_lucky_candidate_at_the_top_is_no_certainty() -> None:
    scores, labels, _ = scored(1)
    fitted = fit_calibration(np.append(scores, np.float32(30)), np.append(labels, True))
    assert fitted is not None
    assert fitted.probabilities[-1] < 0.6


def test_too_few_targets_tell_no_chance() -> None:
    assert fit_calibration(np.arange(500, dtype=np.float32), np.arange(500) >= 401) is None
