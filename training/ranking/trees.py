"""Fitting the learned ranker: CatBoost's symmetric trees, exported as plain arrays."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from catboost import CatBoostClassifier, Pool

from recommender.features.ranker_inputs import SOURCE_INPUTS, input_names
from recommender.features.user_item_inputs import USER_ITEM_INPUTS
from recommender.feed.rankers.trees import TreeRanker
from recommender.types import Scores
from training.ranking.examples import Examples

_MIN_POSITIVES: Final = 300
_OTHERS: Final = 100
_DEPTH: Final = 6
_RATE: Final = 0.06
_PATIENCE: Final = 50


@dataclass(frozen=True)
class FittedTrees:
    """Symmetric trees as `recommender.kernels.trees` reads them.

    Args:
        features: int32 [n_trees, depth].
        borders: float32 [n_trees, depth].
        leaves: float64 [n_trees, 2 ** depth].
        bias: Added to every score.
        inputs: Names of the inputs, in order.
        importance: Of each input, in per cent of the change of the score.
    """

    features: npt.NDArray[np.int32]
    borders: Scores
    leaves: npt.NDArray[np.float64]
    bias: float
    inputs: tuple[str, ...]
    importance: dict[str, float]
    sources: tuple[str, ...]
    seed: int
    threads: int
    name: str = TreeRanker.name

    def again(self, examples: Examples) -> FittedTrees:
        """As many trees on other examples."""
        return grow_trees(examples, self.sources, len(self.features), self.seed, self.threads)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays by their name in the bundle."""
        return {"features": self.features, "borders": self.borders, "leaves": self.leaves}

    def parameters(self) -> dict[str, Any]:
        """What the manifest keeps: the bias, the inputs, and how much each source's own inputs say."""
        voices = {
            source: round(0.01 + sum(self.importance[f"{source}.{name}"] for name in SOURCE_INPUTS), 4)
            for source in self.sources
        }
        return {"name": self.name, "bias": self.bias, "inputs": list(self.inputs), "voices": voices}


def fit_trees(
    examples: Examples, newest: Examples, sources: tuple[str, ...], seed: int, threads: int, most_trees: int = 500
) -> FittedTrees | None:
    """As many trees as do best on the newest examples.

    Returns:
        None where there are fewer than 300 targets to learn from.

    Source: Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features", 2018.
    """
    if int(examples.labels.sum()) < _MIN_POSITIVES or not newest.labels.any():
        return None
    names = input_names(sources) + USER_ITEM_INPUTS
    model = _model(most_trees, seed, threads)
    model.fit(_pool(examples, names, seed), eval_set=_pool(newest, names, seed), early_stopping_rounds=_PATIENCE)
    return exported(model, names, sources, (seed, threads))


def grow_trees(examples: Examples, sources: tuple[str, ...], n_trees: int, seed: int, threads: int) -> FittedTrees:
    """So many trees, whatever newer examples would say."""
    names = input_names(sources) + USER_ITEM_INPUTS
    model = _model(n_trees, seed, threads)
    model.fit(_pool(examples, names, seed))
    return exported(model, names, sources, (seed, threads))


def _model(trees: int, seed: int, threads: int) -> Any:
    return CatBoostClassifier(
        iterations=trees,
        learning_rate=_RATE,
        depth=_DEPTH,
        l2_leaf_reg=5.0,
        random_seed=seed,
        thread_count=threads,
        boosting_type="Plain",
        bootstrap_type="Bernoulli",
        subsample=0.8,
        rsm=0.4,
        border_count=128,
        nan_mode="Min",
        allow_writing_files=False,
        verbose=False,
    )


def _pool(examples: Examples, names: tuple[str, ...], seed: int) -> Any:
    chosen = sampled(examples, np.random.default_rng(seed))
    return Pool(examples.inputs[chosen], examples.labels[chosen].astype(np.int8), feature_names=list(names))


def exported(model: Any, names: tuple[str, ...], sources: tuple[str, ...], run: tuple[int, int]) -> FittedTrees:
    """The trees of a fitted CatBoost model."""
    with tempfile.TemporaryDirectory(prefix="windowshop-trees-") as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        told = json.loads(path.read_text(encoding="utf-8"))
    trees = told["oblivious_trees"]
    place = [feature["flat_feature_index"] for feature in told["features_info"]["float_features"]]
    features = np.zeros((len(trees), _DEPTH), np.int32)
    borders = np.full((len(trees), _DEPTH), np.inf, np.float32)
    leaves = np.zeros((len(trees), 2**_DEPTH), np.float64)
    for at, tree in enumerate(trees):
        for level, split in enumerate(tree["splits"] or []):
            features[at, level] = place[split["float_feature_index"]]
            borders[at, level] = np.float32(split["border"])
        leaves[at, : len(tree["leaf_values"])] = tree["leaf_values"]
    scale, bias = told["scale_and_bias"]
    importance = dict(zip(names, np.round(model.get_feature_importance(), 4).tolist(), strict=True))
    return FittedTrees(features, borders, leaves * scale, float(np.ravel(bias)[0]), names, importance, sources, *run)


def sampled(examples: Examples, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Places of the rows that trees learn from: all targets, and at most `_OTHERS` others per user."""
    kept = []
    for start, stop in zip(examples.offsets[:-1], examples.offsets[1:], strict=True):
        labels = examples.labels[start:stop]
        others = rng.permutation(np.flatnonzero(~labels))[:_OTHERS]
        kept.append(start + np.sort(np.concatenate([np.flatnonzero(labels), others])))
    return np.concatenate(kept)
