"""LightGBM's trees, to be compared with the symmetric ones that serve; nothing of them leaves training."""

from __future__ import annotations

import importlib
from typing import Any, Final, Literal

import numpy as np

from recommender.config import TrainSettings
from recommender.feed.rankers.reciprocal_rank import ReciprocalRankRanker
from recommender.feed.rankers.trees import TreeInputs
from recommender.types import Candidates, FeedQuery, Scores
from training.ranking.examples import Examples, parted
from training.ranking.trees import sampled

#: What trees can lower the loss of: the order of each user's candidates, or each candidate's label.
Objective = Literal["lambdarank", "binary"]
_PATIENCE: Final = 50
_K: Final = 20


class BoostedRanker(ReciprocalRankRanker):
    """Scores by a fitted booster; leads and chances it tells like any ranker that has none of its own.

    Args:
        booster: Of the library.
        inputs: Of the bundle whose candidates it ranks.
    """

    name = "lightgbm"

    def __init__(self, booster: Any, inputs: TreeInputs) -> None:
        self._booster = booster
        self._inputs = inputs

    def score(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n], what the booster gives."""
        scores: Scores = self._booster.predict(self._inputs.of(query, candidates), num_threads=1).astype(np.float32)
        return scores


def why_not_boosted() -> str:
    """Why LightGBM cannot be used here; empty where it can."""
    try:
        importlib.import_module("lightgbm")
    except (ImportError, OSError) as error:
        return f"LightGBM is not installed ({error}); install windowshop[ablation]"
    return ""


def fit_boosted(examples: Examples, n_users: int, objective: Objective, train: TrainSettings) -> Any:
    """Leaf-wise trees of 64 leaves, as many as the symmetric ones of depth 6 have, sampled and shrunk like them.

    As many trees as do best on the newest examples when fitted without them; then as many on all.

    Source: Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", 2017; Burges, "From RankNet to
    LambdaRank to LambdaMART", 2010.

    Args:
        examples: Of all folds, the newest last.
        n_users: Those of the first so many users are to learn from, those of the others to stop by.
        objective: What is lowered.
        train: Seed and size.

    Returns:
        The library's booster.
    """
    library = importlib.import_module("lightgbm")
    parameters = {
        "objective": objective,
        "metric": "ndcg" if objective == "lambdarank" else "binary_logloss",
        "eval_at": [_K],
        "learning_rate": 0.06,
        "num_leaves": 64,
        "min_data_in_leaf": 50,
        "lambda_l2": 5.0,
        "feature_fraction_bynode": 0.4,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "seed": train.seed,
        "num_threads": 1,  # two wait for each other most of the time where anything else runs
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    older, newest = (_rows(library, part, train.seed) for part in parted(examples, n_users))
    stop = library.early_stopping(_PATIENCE, verbose=False)
    first = library.train(parameters, older, train.most_trees, valid_sets=[newest], callbacks=[stop])
    return library.train(parameters, _rows(library, examples, train.seed), max(first.best_iteration, 1))


def _rows(library: Any, examples: Examples, seed: int) -> Any:
    """The rows that the symmetric trees would learn from, those of one user as one group."""
    chosen = sampled(examples, np.random.default_rng(seed))
    groups = np.diff(np.searchsorted(chosen, examples.offsets))
    labels = examples.labels[chosen].astype(np.int8)
    return library.Dataset(examples.inputs[chosen], labels, group=groups, free_raw_data=True)
