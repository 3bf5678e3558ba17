"""Fitted trees leave CatBoost as arrays, and score as the library does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from catboost import CatBoostClassifier

from recommender.features.ranker_inputs import input_names
from recommender.features.user_item_inputs import USER_ITEM_INPUTS
from recommender.kernels.trees import score_trees
from recommender.types import Scores
from training.ranking.examples import Examples, joined, shortest_history
from training.ranking.trees import FittedTrees, exported, fit_trees

SOURCES = ("als", "cooccurrence")
NAMES = input_names(SOURCES) + USER_ITEM_INPUTS


def examples(n_users: int = 150, seed: int = 0) -> Examples:
    """Users with 20 candidates each, of which those of the smallest `cooccurrence.rank` are likely targets."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(20 * n_users, len(NAMES))).astype(np.float32)
    inputs[rng.random(inputs.shape) < 0.2] = np.nan
    inputs[:, NAMES.index("history_items")] = np.repeat(np.log1p(np.arange(n_users)), 20)
    signal = np.nan_to_num(inputs[:, NAMES.index("cooccurrence.rank")], nan=-1.0)
    labels = rng.random(len(signal)) < 1 / (1 + np.exp(3 - 2 * signal))
    return Examples(inputs, labels, np.arange(0, len(labels) + 1, 20), 0.5)


def scores_of(trees: FittedTrees, inputs: Scores) -> npt.NDArray[np.float64]:
    columns = np.ascontiguousarray(inputs.T)
    return score_trees(columns, trees.features, trees.borders, trees.leaves, trees.bias)


def with_borders(inputs: Scores, trees: FittedTrees) -> Scores:
    """The rows, and for each border a row that stands on it, below it and above it by one float each."""
    rows = [inputs]
    # What lies at the end of the floats splits missing inputs from all others.
    usual = np.abs(trees.borders) < 1e30
    for feature, border in zip(trees.features[usual], trees.borders[usual], strict=True):
        for value in (border, np.nextafter(border, np.float32(-np.inf)), np.nextafter(border, np.float32(np.inf))):
            row = inputs[feature : feature + 1].copy()
            row[0, feature] = value
            rows.append(row)
    return np.concatenate(rows)


def test_the_kernel_scores_as_the_library_to_a_millionth_also_on_the_borders() -> None:
    data = examples()
    model = CatBoostClassifier(
        iterations=60, depth=6, nan_mode="Min", verbose=False, allow_writing_files=False, thread_count=1
    )
    model.fit(data.inputs, data.labels.astype(int))
    trees = exported(model, NAMES, SOURCES, (0, 1))
    inputs = with_borders(data.inputs, trees)
    wanted = model.predict(inputs, prediction_type="RawFormulaVal")
    np.testing.assert_allclose(scores_of(trees, inputs), wanted, atol=1e-6, rtol=0)


def test_fitted_trees_find_what_makes_a_target_and_stop_by_the_newest() -> None:
    trees = fit_trees(examples(seed=1), examples(seed=2), SOURCES, 42, 1)
    assert trees is not None
    assert max(trees.importance, key=lambda name: trees.importance[name]) == "cooccurrence.rank"
    assert trees.parameters()["voices"]["cooccurrence"] > trees.parameters()["voices"]["als"]
    assert 5 < len(trees.features) < 500
    unseen = examples(seed=3)
    scores = scores_of(trees, unseen.inputs)
    assert scores[unseen.labels].mean() > scores[~unseen.labels].mean() + 0.5


def test_the_same_examples_give_the_same_arrays_and_again_keeps_the_size() -> None:
    one, two = (fit_trees(examples(seed=1), examples(seed=2), SOURCES, 42, 1) for _ in range(2))
    assert one is not None
    assert two is not None
    for name, values in one.arrays().items():
        np.testing.assert_array_equal(values, two.arrays()[name])
    more = one.again(joined([examples(seed=1), examples(seed=2)]))
    assert more.features.shape == one.features.shape
    assert not np.array_equal(more.leaves, one.leaves)


@pytest.mark.parametrize("n_users", [1, 20])
def test_too_few_targets_teach_no_trees(n_users: int) -> None:
    assert fit_trees(examples(n_users), examples(n_users), SOURCES, 42, 1) is None


def test_the_shortest_history_leaves_out_one_user_in_twenty() -> None:
    assert shortest_history(examples(100), SOURCES) == 4
