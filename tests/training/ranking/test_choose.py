"""Choices made on folds."""

from __future__ import annotations

import numpy as np

from training.ranking.choose import first_as_good


def test_the_first_of_those_that_users_cannot_tell_apart_is_taken() -> None:
    rng = np.random.default_rng(1)
    general, noise = rng.random(400), rng.normal(0.0, 0.1, 400)
    near, far = general - 0.002 + noise - noise.mean(), general - 0.1 + noise
    assert first_as_good({"particular": near, "general": general}, margin=1.0) == "particular"
    assert first_as_good({"particular": near, "general": general}, margin=0.0) == "general"
    assert first_as_good({"particular": far, "general": general}, margin=1.0) == "general"
    assert first_as_good({"general": general, "particular": near}, margin=1.0) == "general"


def test_of_equals_and_of_nothing_the_first_is_taken() -> None:
    same = np.ones(5)
    assert first_as_good({"one": same, "two": same}, margin=0.0) == "one"
    assert first_as_good({"only": np.empty(0), "other": np.empty(0)}, margin=1.0) == "only"
