"""Symmetric trees: each candidate gets the bias and one leaf of every tree."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recommender.kernels.trees import score_trees
from recommender.types import Scores

N_INPUTS, DEPTH = 5, 3
inputs = arrays(np.float32, st.tuples(st.just(N_INPUTS), st.integers(0, 9)), elements=st.floats(width=32))


def plain_scores(
    columns: Scores, features: npt.NDArray[np.int32], borders: Scores, leaves: npt.NDArray[np.float64], bias: float
) -> list[float]:
    scores = []
    for place in range(columns.shape[1]):
        score = bias
        for tree in range(len(features)):
            bits = [bool(columns[features[tree, d], place] > borders[tree, d]) for d in range(DEPTH)]
            score += leaves[tree, sum(1 << d for d, bit in enumerate(bits) if bit)]
        scores.append(score)
    return scores


@given(inputs, st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_scores_are_those_of_the_plain_walk_down_each_tree(columns: Scores, n_trees: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.integers(0, N_INPUTS, (n_trees, DEPTH)).astype(np.int32)
    # Some borders are inputs themselves: the comparison has to be a strict one.
    borders = rng.normal(size=(n_trees, DEPTH)).astype(np.float32)
    if columns.size and n_trees:
        borders[0, 0] = np.nan_to_num(columns[features[0, 0], 0])
    leaves = rng.normal(size=(n_trees, 2**DEPTH))
    found = score_trees(np.ascontiguousarray(columns), features, borders, leaves, 0.5)
    np.testing.assert_array_equal(found, plain_scores(columns, features, borders, leaves, 0.5))


def test_a_missing_input_is_larger_than_nothing_and_an_infinite_border_ends_a_shallow_tree() -> None:
    columns = np.array([[np.nan, -9.0, 9.0, np.inf]], np.float32)
    features = np.zeros((1, 2), np.int32)
    borders = np.array([[-1e30, np.inf]], np.float32)
    leaves = np.array([[1.0, 2.0, 3.0, 4.0]])
    assert score_trees(columns, features, borders, leaves, 0.0).tolist() == [1.0, 2.0, 2.0, 2.0]
