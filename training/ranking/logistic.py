"""Fitting the small ranker: a logistic regression that learns which of two candidates a user turned to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from recommender.features.ranker_inputs import input_names
from recommender.feed.rankers.logistic import LogisticRanker
from recommender.types import Scores
from training.ranking.examples import Examples

_MIN_POSITIVES = 50
_ROUNDS = 3
_OTHERS = 60


@dataclass(frozen=True)
class LogisticWeights:
    """The fitted ranker: float32 [n_inputs] arrays and the intercept, which shifts all scores alike."""

    means: Scores
    scales: Scores
    coefficients: Scores
    intercept: float
    sources: tuple[str, ...]
    seed: int
    name: str = LogisticRanker.name

    def again(self, examples: Examples) -> LogisticWeights:
        """The same fit on other examples."""
        return fit_logistic(examples, self.sources, self.seed) or self

    @property
    def importance(self) -> dict[str, float]:
        """The coefficients say it themselves."""
        return {}

    def parameters(self) -> dict[str, Any]:
        """What the manifest keeps."""
        return {"name": self.name, "intercept": self.intercept}

    def arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """Arrays by their name in the bundle."""
        return {"means": self.means, "scales": self.scales, "coefficients": self.coefficients}


def fit_logistic(examples: Examples, sources: tuple[str, ...], seed: int) -> LogisticWeights | None:
    """Fit on differences of standardised inputs: a user's target against other candidates of the same user.

    A pair weighs what exchanging its two would change in the user's NDCG, under the order of the round before; the
    first order is that of summed reciprocal ranks. So the head of the list decides, and what sets users apart but not
    their candidates, such as how long their histories are, drops out. A missing input stands at its mean, and
    `present` says that it was missing.

    Returns:
        None where there are fewer than 50 targets to learn from.

    Source: Burges, "From RankNet to LambdaRank to LambdaMART", 2010 (the weights), with a linear score.
    """
    if int(examples.labels.sum()) < _MIN_POSITIVES:
        return None
    # The sources' evidence stands in front; the rest of the inputs only trees can read.
    examples = replace(examples, inputs=examples.inputs[:, : len(input_names(sources))])
    means, scales = _moments(examples.inputs)
    inputs = np.nan_to_num((examples.inputs - means) / scales, copy=False, nan=0.0)
    # The columns `rank` hold -log(1 + rank): this sums 1 / (1 + rank) over the sources that found the row.
    order_by = np.nansum(np.exp(examples.inputs[:, 2::4]), axis=1)
    coefficients = np.zeros(inputs.shape[1], np.float32)
    # With another number of BLAS threads sums round otherwise, and the same log must give the same bytes.
    with threadpool_limits(1, "blas"):
        for _ in range(_ROUNDS):
            differences, weights = _pairs(inputs, examples, order_by, np.random.default_rng(seed))
            signs = np.where(np.arange(len(weights)) % 2, 1.0, -1.0).astype(np.float32)
            model = LogisticRegression(C=1.0, max_iter=500, fit_intercept=False)
            model.fit(differences * signs[:, None], signs > 0, sample_weight=weights / weights.mean())
            coefficients = model.coef_[0].astype(np.float32)
            order_by = inputs @ coefficients
    return LogisticWeights(means, scales, coefficients, 0.0, sources, seed)


def _moments(inputs: Scores) -> tuple[Scores, Scores]:
    """Mean and scale of each column over what is not missing; 0 and 1 where all is missing or equal."""
    missing = np.isnan(inputs)
    counts = np.maximum((~missing).sum(axis=0), 1)
    means = np.where(missing, 0.0, inputs).sum(axis=0, dtype=np.float64) / counts
    variances = (np.where(missing, 0.0, inputs - means) ** 2).sum(axis=0, dtype=np.float64) / counts
    scales = np.where(variances > 1e-12, np.sqrt(variances), 1.0)
    return means.astype(np.float32), scales.astype(np.float32)


def _pairs(
    inputs: Scores, examples: Examples, order_by: npt.NDArray[np.floating], rng: np.random.Generator
) -> tuple[Scores, npt.NDArray[np.float64]]:
    """Target minus other, float32 [n_pairs, n_inputs], and what exchanging the two would change in NDCG."""
    differences, weights = [], []
    for start, stop in zip(examples.offsets[:-1], examples.offsets[1:], strict=True):
        labels = examples.labels[start:stop]
        places = np.empty(stop - start, np.int64)
        places[np.argsort(-order_by[start:stop], kind="stable")] = np.arange(stop - start)
        gains = 1.0 / np.log2(places + 2.0)
        targets, others = np.flatnonzero(labels), np.flatnonzero(~labels)
        if not len(others):
            continue
        ideal = (1.0 / np.log2(np.arange(len(targets)) + 2.0)).sum()
        for target in targets:
            drawn = rng.permutation(others)[:_OTHERS]
            differences.append(inputs[start + target] - inputs[start + drawn])
            weights.append(np.abs(gains[target] - gains[drawn]) / ideal)
    return np.concatenate(differences), np.concatenate(weights)
