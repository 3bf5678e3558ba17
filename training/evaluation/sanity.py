"""Rows of a report that need no model: what any model has to beat.

Each gives int32 [n, k], a list per case, best first, -1 padded: candidates only, nothing hidden, nothing twice. All of
them know the training part alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.types import Rows
from training.evaluation.pairs import Codes, highest
from training.evaluation.protocol import Cases, TrainingPart
from training.evaluation.top_k import top_k_of_scores

#: Dense scores are made for as many users at once as fit into this many bytes.
_BATCH_BYTES: Final = 64 << 20


def item_popularity(train: TrainingPart, n_items: int) -> Codes:
    """int64 [n_items]: training events of positive weight on each item, those without a user id included."""
    return np.bincount(train.items[train.weights > 0], minlength=n_items)


def random_top(cases: Cases, k: int, seed: int) -> Rows:
    """k candidates drawn uniformly for each user."""
    return _top_of_shared_scores(np.zeros(cases.n_items), cases, k, seed)


def popularity_top(cases: Cases, popularity: Codes, k: int, seed: int) -> Rows:
    """The most popular candidates.

    Args:
        popularity: int64 [n_items], as `item_popularity` counts it.
    """
    return _top_of_shared_scores(popularity.astype(np.float64), cases, k, seed)


def popularity_in_category_top(
    cases: Cases, train: TrainingPart, popularity: Codes, category_levels: Rows, k: int, seed: int
) -> Rows:
    """The categories that the user had most often, then the most popular ones: all one can say of new items.

    Args:
        train: The training part; events of positive weight count.
        popularity: int64 [n_items].
        category_levels: int32 [n_items, n_levels], as `metrics.category_levels` gives them; an item counts for its
            whole path, those without a category are one.
    """
    depths = np.maximum((category_levels >= 0).sum(axis=1), 1)
    categories = category_levels[np.arange(cases.n_items), depths - 1] + 1
    n_categories = 1 + highest(categories)
    of_category = np.bincount(categories, weights=popularity, minlength=n_categories)
    # A fraction below 1 stands behind every count of the user's own and decides between equal ones.
    behind = of_category / (of_category.max() + 1.0)
    offsets, items = _had(train, cases)
    had = categories[items]
    out = np.empty((len(cases), k), np.int32)
    step = max(1, _BATCH_BYTES // (8 * cases.n_items))
    for start in range(0, len(cases), step):
        stop = min(start + step, len(cases))
        own = _counts(offsets[start : stop + 1], had, n_categories)
        dense = np.take(own + behind, categories, axis=1)
        users, hidden = cases.users[start:stop], cases.hidden(start, stop)
        out[start:stop] = top_k_of_scores(dense, users, hidden, cases.candidate_items, k, seed)
    return out


def _top_of_shared_scores(scores: npt.NDArray[np.float64], cases: Cases, k: int, seed: int) -> Rows:
    """Every user's best of the same scores [n_items]; only items that can reach a list are looked at per user."""
    hidden, candidates = cases.hidden(0, len(cases)), cases.candidate_items
    reach = k + int(np.diff(hidden[0]).max())
    if 0 < reach < len(candidates):
        worst = len(candidates) - reach
        candidates = candidates[scores[candidates] >= np.partition(scores[candidates], worst)[worst]]
    return top_k_of_scores(scores[None, :], cases.users, hidden, candidates, k, seed)


def _had(train: TrainingPart, cases: Cases) -> tuple[Codes, Codes]:
    """Offsets [n + 1] and items of the training events of positive weight of each scored user."""
    row_of = np.full(1 + max(highest(train.users), highest(cases.users)), -1, np.int64)
    row_of[cases.users] = np.arange(len(cases))
    counted = (train.users >= 0) & (train.weights > 0)
    rows = row_of[train.users[counted]]
    order = np.argsort(rows, kind="stable")
    return np.searchsorted(rows[order], np.arange(len(cases) + 1)), train.items[counted][order].astype(np.int64)


def _counts(offsets: Codes, codes: Codes, n_codes: int) -> Codes:
    """int64 [n, n_codes]: how often each code occurs in each of the ragged rows."""
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    keys = rows * n_codes + codes[offsets[0] : offsets[-1]]
    return np.bincount(keys, minlength=(len(offsets) - 1) * n_codes).reshape(-1, n_codes)
