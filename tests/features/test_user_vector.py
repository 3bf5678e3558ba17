from __future__ import annotations

import numpy as np
import pytest

from recommender.features.user_vector import factor_vector, mean_direction, regularised_gram

FACTORS = np.random.default_rng(2).normal(size=(40, 5)).astype(np.float32)
NONE = np.empty(0, np.int32), np.empty(0, np.float32)


def test_the_factor_vector_solves_the_user_s_half_of_als() -> None:
    gram = regularised_gram(FACTORS.T @ FACTORS, 0.5)
    rows, weights = np.array([3, 17, 8], np.int32), np.array([1.0, 0.25, 4.0], np.float32)
    sure = np.zeros(40)
    sure[rows] = 10.0 * np.log1p(weights)
    preference = np.isin(np.arange(40), rows)
    # The definition over all items: (V'CV + reg I) x = V'Cp, with C = 1 + alpha log(1 + w).
    left = FACTORS.T @ ((1.0 + sure)[:, None] * FACTORS) + 0.5 * np.eye(5)
    wanted = np.linalg.solve(left, FACTORS.T @ ((1.0 + sure) * preference))
    np.testing.assert_allclose(factor_vector(gram, FACTORS, 10.0, rows, weights), wanted, atol=1e-4)


def test_regularisation_lies_on_the_diagonal_alone() -> None:
    gram = regularised_gram(np.ones((2, 2), np.float32), 0.1)
    assert gram.dtype == np.float32
    assert gram.ravel().tolist() == pytest.approx([1.1, 1.0, 1.0, 1.1])


def test_the_mean_direction_is_a_unit_vector_that_leans_to_the_heavier_items() -> None:
    vectors = np.eye(3, dtype=np.float32)
    direction = mean_direction(vectors, np.array([0, 2], np.int32), np.array([3.0, 4.0], np.float32))
    assert direction.dtype == np.float32
    assert direction.tolist() == pytest.approx([0.6, 0.0, 0.8])


def test_where_nothing_is_known_vectors_are_zeros() -> None:
    gram = regularised_gram(FACTORS.T @ FACTORS, 0.5)
    assert not factor_vector(gram, FACTORS, 10.0, *NONE).any()
    assert not mean_direction(FACTORS, *NONE).any()
    opposite = np.array([[1, 0], [-1, 0]], np.float32)
    assert not mean_direction(opposite, np.array([0, 1], np.int32), np.ones(2, np.float32)).any()
