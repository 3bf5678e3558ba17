"""The rankers that are learned from examples, each fitted as far as its log allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy.typing as npt

from recommender.config import TrainSettings
from recommender.feed.rankers.trees import TreeRanker
from training.ranking.examples import Examples
from training.ranking.logistic import fit_logistic
from training.ranking.trees import fit_trees, grow_trees


class LearnedRanker(Protocol):
    """A fitted ranker on its way into a bundle."""

    @property
    def name(self) -> str:
        """As the bundle names it."""
        ...

    @property
    def importance(self) -> Mapping[str, float]:
        """How much each input says, in per cent; empty where nobody asks."""
        ...

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays by their name in the bundle."""
        ...

    def parameters(self) -> dict[str, Any]:
        """What the manifest keeps under `ranker`."""
        ...

    def again(self, examples: Examples) -> LearnedRanker:
        """The same fit, its size included, on other examples."""
        ...


def fit_rankers(
    examples: Examples, newest: Examples, sources: tuple[str, ...], train: TrainSettings
) -> list[LearnedRanker]:
    """Those that can be fitted: none where there are too few targets.

    Args:
        examples: To learn from.
        newest: To stop by.
        sources: Of the inputs, in order.
        train: Seed, threads and size.
    """
    logistic = fit_logistic(examples, sources, train.seed)
    trees = fit_trees(examples, newest, sources, train.seed, train.threads, train.most_trees)
    return [ranker for ranker in (logistic, trees) if ranker is not None]


def fit_alike(
    name: str, n_trees: int, examples: Examples, sources: tuple[str, ...], train: TrainSettings
) -> LearnedRanker | None:
    """A ranker of the named kind, as large as one before it, on other examples; None where they hold too few targets.

    Args:
        name: As the bundle names it.
        n_trees: Where it has any.
        examples: To learn from.
        sources: Of the inputs, in order.
        train: Seed and threads.
    """
    if name != TreeRanker.name:
        return fit_logistic(examples, sources, train.seed)
    return grow_trees(examples, sources, n_trees, train.seed, train.threads) if examples.labels.any() else None
