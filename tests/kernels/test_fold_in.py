from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from recommender.kernels.fold_in import fold_in
from recommender.types import Scores

DIM = 6
ITEMS = np.random.default_rng(3).normal(size=(50, DIM)).astype(np.float32)


def gram_of(factors: Scores, regularization: float) -> Scores:
    return (factors.T @ factors + regularization * np.eye(factors.shape[1])).astype(np.float32)


def exact(gram: Scores, factors: Scores, confidences: Scores) -> Scores:
    """The normal equations, solved in float64."""
    own, sure = factors.astype(np.float64), confidences.astype(np.float64)
    solved: Scores = np.linalg.solve(gram + (own.T * (sure - 1.0)) @ own, own.T @ sure)
    return solved


histories = st.lists(st.tuples(st.integers(0, 49), st.floats(1, 40, width=32)), max_size=20)


@given(histories, st.sampled_from([0.01, 1.0, 30.0]))
def test_a_fold_in_solves_the_normal_equations(history: list[tuple[int, float]], regularization: float) -> None:
    gram = gram_of(ITEMS, regularization)
    factors = ITEMS[[row for row, _ in history]]
    confidences = np.array([sure for _, sure in history], np.float32)
    vector = fold_in(gram, factors, confidences, 4 * DIM)
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, exact(gram, factors, confidences), atol=2e-4)


def test_no_history_and_no_step_give_zeros() -> None:
    gram = gram_of(ITEMS, 1.0)
    assert not fold_in(gram, np.empty((0, DIM), np.float32), np.empty(0, np.float32), 8).any()
    assert not fold_in(gram, ITEMS[:3], np.ones(3, np.float32), 0).any()


@pytest.mark.parametrize("size", [0.0, 1e-18, 1e-22, 1e-30])
def test_factors_next_to_nothing_are_no_error(size: float) -> None:
    factors = np.full((2, DIM), size, np.float32)
    vector = fold_in(gram_of(factors, 1e-3), factors, np.full(2, 8.0, np.float32), 8)
    assert np.isfinite(vector).all()
    assert np.abs(vector).max() < 1e-10


@pytest.fixture(scope="module")
def log() -> sp.csr_matrix:
    """Users by items: confidences of a few hundred users with tastes."""
    rng = np.random.default_rng(11)
    likes = rng.random((300, 4)) @ rng.random((4, 200))
    chosen = sp.csr_matrix(likes > np.quantile(likes, 0.9, axis=1, keepdims=True), dtype=np.float32)
    chosen.data = (1.0 + 9.0 * rng.random(chosen.nnz)).astype(np.float32)
    return chosen


@pytest.fixture(scope="module")
def model(log: sp.csr_matrix) -> Iterator[AlternatingLeastSquares]:
    with threadpool_limits(1, "blas"):
        trained = AlternatingLeastSquares(
            factors=16, regularization=1.0, alpha=1.0, iterations=8, random_state=7, num_threads=1
        )
        trained.fit(log, show_progress=False)
        yield trained


def test_a_fold_in_is_the_half_step_of_implicit(log: sp.csr_matrix, model: AlternatingLeastSquares) -> None:
    theirs = np.array([model.recalculate_user(user, log[user]) for user in range(50)])
    gram = gram_of(model.item_factors, 1.0)
    own = (log[user] for user in range(50))
    ours = np.array([fold_in(gram, model.item_factors[row.indices], row.data, 32) for row in own])
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_eight_steps_find_what_the_exact_solution_finds(log: sp.csr_matrix, model: AlternatingLeastSquares) -> None:
    factors = model.item_factors
    gram = gram_of(factors, 1.0)
    shared = []
    for user in range(50):
        history, confidences = log[user].indices, log[user].data
        near, true = fold_in(gram, factors[history], confidences, 8), exact(gram, factors[history], confidences)
        top = [set(np.argsort(-(factors @ vector))[:50].tolist()) for vector in (near, true)]
        shared.append(len(top[0] & top[1]) / 50)
    assert np.mean(shared) > 0.98
