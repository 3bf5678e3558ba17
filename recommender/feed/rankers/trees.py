"""The learned ranker: boosted symmetric trees over the sources' evidence and what is known of user and item."""

from __future__ import annotations

import numpy as np

from recommender.bundle import Bundle
from recommender.errors import BundleError
from recommender.features.ranker_inputs import input_names, ranker_inputs
from recommender.features.user_item_inputs import USER_ITEM_INPUTS, ItemColumns, event_groups, user_item_inputs
from recommender.feed.rankers.calibration import Calibration
from recommender.kernels.trees import score_trees
from recommender.types import Candidates, FeedQuery, Scores


class TreeInputs:
    """All inputs of the trees, for one bundle.

    Attributes:
        names: Of the columns: those of each source, of the item, then of user and item.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.names = input_names(tuple(bundle.manifest.sources)) + USER_ITEM_INPUTS
        self._popularity = bundle.array("popularity/recent")
        category = bundle.array("items/category")
        parents = np.append(bundle.array("tables/category_parents"), np.int32(-1))
        with np.errstate(divide="ignore"):
            price = np.log(bundle.array("items/price")).astype(np.float32)
        self._items = ItemColumns(
            facts=bundle.array("items/facts"),
            category=category,
            parent=parents[category],
            brand=bundle.array("items/brand"),
            seller=bundle.array("items/seller"),
            price=np.where(np.isfinite(price), price, np.float32(np.nan)),
            groups=event_groups(bundle.event_type_codes, bundle.type_weights),
        )

    def of(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n, n_inputs], NaN where missing."""
        evidence = ranker_inputs(candidates, self._popularity)
        return np.concatenate([evidence, user_item_inputs(query, candidates, self._items)], axis=1)


class TreeRanker:
    """Scores are log-odds that the candidate is the next target.

    Raises:
        BundleError: The bundle's trees read other inputs than this build makes, or are damaged.
    """

    name = "trees"

    def __init__(self, bundle: Bundle) -> None:
        self._inputs = TreeInputs(bundle)
        names = list(self._inputs.names)
        if bundle.manifest.ranker["inputs"] != names:
            raise BundleError(
                f"bundle {bundle.folder} has trees over {len(bundle.manifest.ranker['inputs'])} inputs that this build "
                f"does not make ({len(names)} others): train it again"
            )
        self._features = bundle.array("ranker/features")
        self._borders = bundle.array("ranker/borders")
        self._leaves = bundle.array("ranker/leaves")
        # The kernel reads where the arrays point to, and nothing stops it beyond their ends.
        n_trees, depth = self._features.shape
        shapes = self._borders.shape == (n_trees, depth) and self._leaves.shape == (n_trees, 2**depth)
        if not shapes or ((self._features < 0) | (self._features >= len(names))).any():
            raise BundleError(f"bundle {bundle.folder} has trees whose arrays do not fit together: train it again")
        self._bias = float(bundle.manifest.ranker["bias"])
        voices = bundle.manifest.ranker["voices"]
        self._calibration = Calibration.of(bundle)
        self._voices = np.array([voices.get(name, 0.0) for name in bundle.manifest.sources], np.float32)

    def score(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n], finite log-odds."""
        columns = np.ascontiguousarray(self._inputs.of(query, candidates).T)
        scores: Scores = score_trees(columns, self._features, self._borders, self._leaves, self._bias).astype(
            np.float32
        )
        return scores

    def probabilities(self, query: FeedQuery, candidates: Candidates, scores: Scores) -> Scores:
        """float32 [n] in [0, 1], NaN where the bundle tells none."""
        del query, candidates
        return self._calibration.probabilities(scores)

    def inputs(self, query: FeedQuery, candidates: Candidates) -> tuple[tuple[str, ...], Scores]:
        """Names and values of the inputs, float32 [n, n_inputs], as training saw them; NaN where missing."""
        return self._inputs.names, self._inputs.of(query, candidates)

    def contributions(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n, n_sources]: the weight that the trees give a source, less the deeper it had the row.

        Trees have no addends of single sources; what they have is how much each source's inputs lower the loss.
        """
        del query
        ranks = candidates.source_ranks
        voices = self._voices / np.log2(2.0 + np.maximum(ranks, 0))
        return np.where(ranks >= 0, voices, np.float32(-np.inf)).astype(np.float32)
