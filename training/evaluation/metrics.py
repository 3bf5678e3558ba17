"""What a list is worth, per user and overall; each metric has one definition, written down in the README beside this.

Lists are int32 [n, depth], best first, -1 where a list has ended. A metric with `@k` looks at the first k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from recommender.types import Rows
from training.evaluation.pairs import Codes, Pairs
from training.evaluation.protocol import Cases, TrainingPart

#: `mrr` looks at this many positions, whatever k is.
MRR_DEPTH: Final = 20

PerUser = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What novelty and diversity know of the items.

    Args:
        holders: int64 [n_items], how many users have each item.
        n_users: How many users have any item.
        category_levels: int32 [n_items, n_levels], the category at each level from the top, -1 below the item's own;
            a code stands for the whole path down to it.
    """

    holders: Codes
    n_users: int
    category_levels: Rows


@dataclass(frozen=True, slots=True)
class Measured:
    """One model's metrics.

    Args:
        per_user: {metric: float64 [n]}, to be averaged over users: `recall@k`, `ndcg@k`, `hit_rate@k`, `mrr`.
        overall: {metric: value} of all lists together: `coverage@k`, and `novelty@k`, `diversity@k`,
            `top_1_percent_share@k` where defined.
    """

    per_user: dict[str, PerUser]
    overall: dict[str, float]


def list_depth(ks: Sequence[int]) -> int:
    """How long lists must be for every metric."""
    return max(*ks, MRR_DEPTH)


def main_cut_off(ks: Sequence[int]) -> int:
    """The cut-off that tables, plots and segments show: 20 if there, else the largest."""
    return 20 if 20 in ks else int(max(ks))


def measure(recommended: Rows, cases: Cases, ks: Sequence[int], facts: ItemFacts) -> Measured:
    """Every metric of one model's lists.

    Args:
        recommended: int32 [n, depth], a list for each case; `list_depth(ks)` long, shorter ones count as misses.
        cases: The cases.
        ks: Cut-offs, each at least 1.
        facts: Holders and categories of the items.

    Raises:
        ValueError: A list repeats an item, or shows one that is hidden or no candidate.
    """
    check_lists(recommended, cases)
    hits = hits_of(recommended, cases)
    per_user: dict[str, PerUser] = {}
    overall: dict[str, float] = {}
    for k in ks:
        per_user[f"recall@{k}"] = recall(hits, cases.target_counts, k)
        per_user[f"ndcg@{k}"] = ndcg(hits, cases.target_counts, k)
        per_user[f"hit_rate@{k}"] = hit_rate(hits, k)
        shown = recommended[:, :k]
        overall[f"coverage@{k}"] = coverage(shown, cases.n_candidates)
        for name, value in (
            ("novelty", novelty(shown, facts)),
            ("diversity", diversity(shown, facts)),
            ("top_1_percent_share", top_share(shown, facts)),
        ):
            if value is not None:
                overall[f"{name}@{k}"] = value
    per_user["mrr"] = reciprocal_rank(hits)
    return Measured(per_user, overall)


def hits_of(recommended: Rows, cases: Cases) -> npt.NDArray[np.bool_]:
    """bool [n, depth]: positions that show one of the user's targets."""
    return _is_among(recommended, cases.target_offsets, cases.target_items, cases.n_items)


def target_hits(recommended: Rows, cases: Cases, k: int) -> PerUser:
    """float64 [n_targets], in the order of `cases.target_items`: 1 where a target is among its user's first k."""
    owners = np.repeat(np.arange(len(cases), dtype=np.int64), cases.target_counts)
    shown = recommended[:, :k]
    keys = (np.arange(len(cases), dtype=np.int64)[:, None] * cases.n_items + shown)[shown >= 0]
    found = np.isin(owners * cases.n_items + cases.target_items, keys)
    return np.asarray(found & (cases.target_items >= 0), np.float64)


def recall(hits: npt.NDArray[np.bool_], target_counts: Codes, k: int) -> PerUser:
    """float64 [n] in [0, 1]: hits in the first k over the number of targets."""
    return np.asarray(np.count_nonzero(hits[:, :k], axis=1) / target_counts, np.float64)


def hit_rate(hits: npt.NDArray[np.bool_], k: int) -> PerUser:
    """float64 [n], 1 where any of the first k is a target, else 0."""
    return np.asarray(hits[:, :k].any(axis=1), np.float64)


def ndcg(hits: npt.NDArray[np.bool_], target_counts: Codes, k: int) -> PerUser:
    """float64 [n] in [0, 1]: binary discounted gain of the first k over that of the best list of k.

    Source: Jarvelin and Kekalainen, Cumulated gain-based evaluation of IR techniques, 2002, with the discount
    1 / log2(position + 2) that trec_eval and ir-measures use.
    """
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discounts)[np.minimum(target_counts, k) - 1]
    gained = hits[:, :k] @ discounts[: hits.shape[1]]
    # The two sums round differently, and a perfect list is worth exactly 1.
    return np.asarray(np.minimum(gained / ideal, 1.0))


def reciprocal_rank(hits: npt.NDArray[np.bool_]) -> PerUser:
    """float64 [n] in [0, 1]: 1 / rank of the first hit among the first 20, else 0."""
    near = hits[:, :MRR_DEPTH]
    return np.asarray(np.where(near.any(axis=1), 1.0 / (near.argmax(axis=1) + 1), 0.0))


def coverage(shown: Rows, n_candidates: int) -> float:
    """Distinct items in the lists [n, k] over the items that may be ranked."""
    return len(np.unique(shown[shown >= 0])) / n_candidates


def novelty(shown: Rows, facts: ItemFacts) -> float | None:
    """Mean over users of the mean -log2 of the share of users who have each shown item; None where nothing is shown.

    An item that nobody has counts as if one user had it, so the value is at most log2 of the number of users.

    Source: Zhou et al., Solving the apparent diversity-accuracy dilemma of recommender systems, 2010 (surprisal).
    """
    surprisal = -np.log2(np.maximum(facts.holders, 1) / max(facts.n_users, 1))
    is_shown = shown >= 0
    lengths = is_shown.sum(axis=1)
    if not lengths.any():
        return None
    sums = np.where(is_shown, surprisal[shown], 0.0).sum(axis=1)
    return float((sums[lengths > 0] / lengths[lengths > 0]).mean())


def top_share(shown: Rows, facts: ItemFacts) -> float | None:
    """Share of the slots that the most popular 1 % of all items take, by users who have them; None of no slots."""
    head = np.zeros(len(facts.holders), np.bool_)
    head[np.argsort(-facts.holders, kind="stable")[: max(len(head) // 100, 1)]] = True
    slots = shown[shown >= 0]
    return float(head[slots].mean()) if len(slots) else None


def diversity(shown: Rows, facts: ItemFacts) -> float | None:
    """Mean over users of one minus the mean likeness of the list's pairs of items; None where no pair says anything.

    The likeness of two items is the number of leading category levels that they share over the levels of the longer
    path. A pair in which an item has no category says nothing and is left out.

    Source: Ziegler et al., Improving recommendation lists through topic diversification, 2005 (intra-list similarity),
    as a mean over pairs and turned round.
    """
    likeness, pairs = _likeness_of(shown, facts.category_levels)
    if not pairs.any():
        return None
    return float(1.0 - (likeness[pairs > 0] / pairs[pairs > 0]).mean())


@njit(nogil=True, cache=True)
def _likeness_of(shown: Rows, levels: Rows) -> tuple[PerUser, Codes]:
    """Sum of likeness float64 [n] and number of pairs int64 [n] of each list."""
    sums = np.zeros(len(shown))
    pairs = np.zeros(len(shown), np.int64)
    for row in range(len(shown)):
        for right in range(shown.shape[1]):
            for left in range(right):
                one, other = shown[row, left], shown[row, right]
                if one < 0 or other < 0 or levels[one, 0] < 0 or levels[other, 0] < 0:
                    continue
                shared = longer = 0
                for level in range(levels.shape[1]):
                    longer += levels[one, level] >= 0 or levels[other, level] >= 0
                    shared += levels[one, level] >= 0 and levels[one, level] == levels[other, level]
                sums[row] += shared / longer
                pairs[row] += 1
    return sums, pairs


def item_holders(train: TrainingPart, n_items: int) -> tuple[Codes, int]:
    """How many users have each item, and how many have any: by events of positive weight of users with an id.

    Returns:
        int64 [n_items], and the number of users.
    """
    counted = (train.users >= 0) & (train.weights > 0)
    pairs = Pairs.distinct(train.users[counted], train.items[counted])
    return np.bincount(pairs.items, minlength=n_items), pairs.n_users


def category_levels(paths: Sequence[str]) -> Rows:
    """The category of each item at each level from the top.

    Args:
        paths: [n_items], levels joined by ` > `, empty where unknown.

    Returns:
        int32 [n_items, n_levels], at least one level wide; a code stands for the whole path down to its level, -1 for
        levels below the item's own.

    Example:
        >>> category_levels(["Food > Fruit", "Food", ""])
        array([[ 0,  1],
               [ 0, -1],
               [-1, -1]], dtype=int32)
    """
    codes: dict[tuple[str, ...], int] = {}
    coded: dict[str, list[int]] = {}
    for path in paths:
        if path not in coded:
            parts = path.split(" > ") if path else []
            coded[path] = [codes.setdefault(tuple(parts[: depth + 1]), len(codes)) for depth in range(len(parts))]
    levels = np.full((len(paths), max([1, *map(len, coded.values())])), -1, np.int32)
    for row, path in enumerate(paths):
        levels[row, : len(coded[path])] = coded[path]
    return levels


def check_lists(recommended: Rows, cases: Cases) -> None:
    """Refuse lists that would make a metric lie.

    Raises:
        ValueError: The shape is not one list per case, or a list repeats an item, goes on after its end, or shows an
            item that is hidden, no candidate, or unknown.
    """
    if recommended.ndim != 2 or len(recommended) != len(cases):
        raise ValueError(f"lists of shape {recommended.shape} for {len(cases)} cases; give one row per case")
    shown = recommended >= 0
    ordered = np.sort(recommended, axis=1)
    may_be_ranked = np.ones(cases.n_items, np.bool_) if cases.candidates is None else cases.candidates
    known = recommended < cases.n_items
    faults = {
        "goes on after its end": shown[:, 1:] & ~shown[:, :-1],
        "repeats an item": (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0),
        "shows an item that is no candidate": ~known | (shown & ~may_be_ranked[np.where(known, recommended, 0)]),
        "shows a hidden item": _is_among(recommended, cases.hidden_offsets, cases.hidden_items, cases.n_items),
    }
    for fault, where in faults.items():
        if where.any():
            row = int(np.flatnonzero(where.any(axis=1))[0])
            raise ValueError(f"the list of case {row} {fault}: {recommended[row].tolist()}")


def _is_among(lists: Rows, offsets: Codes, items: Rows, n_items: int) -> npt.NDArray[np.bool_]:
    """bool like `lists`: entries that occur in their row's ragged set of ascending items; -1 never does."""
    owners = np.repeat(np.arange(len(lists), dtype=np.int64), np.diff(offsets))
    keys = (owners * n_items + items)[items >= 0]
    if not len(keys):
        return np.zeros(lists.shape, np.bool_)
    wanted = np.arange(len(lists), dtype=np.int64)[:, None] * n_items + lists
    found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.asarray((lists >= 0) & (keys[found] == wanted))
