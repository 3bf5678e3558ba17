"""Known ways in which a split shows models what they could not have seen; the report names those that apply."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.types import NO_TIME, Mask, Times
from training.evaluation.pairs import Codes, Pairs, highest

#: Every name and what it means for the reader of a report.
KNOWN_LEAKS: Final = {
    "other_users_future": (
        "models learned from events later than somebody's target, or the targets' times do not tell; "
        "compare models by these figures, do not expect them online"
    ),
    "own_future": "some targets lie before events of the same user that models learned from",
    "own_moment": (
        "some targets bear the very time of events of the same user that models learned from, so which came first is "
        "not known"
    ),
    "no_times": "the log has no times, so models may know the future unseen; do not expect these figures online",
    "touched_pairs_removed": (
        "the split took its targets out of all the training part, so nobody touched a target before, while what is "
        "bought there usually was; a model can learn from the hole, so judge with --novel-only"
    ),
    "ids_near_targets": (
        "targets' ids lie next to ids of the user's own items far more often than by chance, as where ids were dealt "
        "by first appearance; nothing here reads ids, but figures of models that do cannot be compared"
    ),
    "undated_catalogue": (
        "items do not say since when they exist, so candidates, titles and prices may be from after the cut"
    ),
    "undated_edges": "edges do not say since when they hold, so some may be from after the cut",
}
#: So many targets that were touched before must be missing, and so many by ids be too many, to be no accident.
_LEAST_MISSING: Final = 20
_TIMES_CHANCE: Final = 3.0
_SEED: Final = 1


@dataclass(frozen=True, slots=True)
class LoggedPairs:
    """Who turned to what when.

    Args:
        users: int [n], -1 without an id.
        items: int [n].
        times_ms: int64 [n], `NO_TIME` where an event has none.
        is_target: bool [n], events of the target type.
    """

    users: npt.NDArray[np.signedinteger]
    items: npt.NDArray[np.signedinteger]
    times_ms: Times
    is_target: Mask

    @property
    def is_timed(self) -> bool:
        """Every event has a time."""
        return bool((self.times_ms != NO_TIME).all())

    def pairs(self) -> Pairs:
        """The distinct pairs of users with an id."""
        known = self.users >= 0
        return Pairs.distinct(self.users[known], self.items[known])


def leaks_of(
    train: LoggedPairs,
    targets: LoggedPairs,
    *,
    cut_by_time: bool,
    novel_only: bool,
    undated_items: int,
    undated_edges: int,
    item_ids: Sequence[str],
) -> tuple[str, ...]:
    """Names, out of `KNOWN_LEAKS`, of those of a split.

    Args:
        train: Events of the training part.
        targets: Target events of the test part, in the same codes.
        cut_by_time: The split was made by `holdout_cut`, so that no event of it can come from the future.
        novel_only: What a user touched is hidden, and with it every hole that the split left there.
        undated_items: Rows of the items file without a time of creation.
        undated_edges: Rows of the edges file without a time.
        item_ids: By code.
    """
    leaks = []
    if not cut_by_time:
        leaks += _leaks_of_times(train, targets)
        if not novel_only and _touched_pairs_removed(train, targets):
            leaks.append("touched_pairs_removed")
        if _ids_near_targets(train.pairs(), targets.pairs(), item_ids):
            leaks.append("ids_near_targets")
    if undated_items:
        leaks.append("undated_catalogue")
    if undated_edges:
        leaks.append("undated_edges")
    return tuple(leaks)


def _leaks_of_times(train: LoggedPairs, targets: LoggedPairs) -> list[str]:
    if not train.is_timed:
        return ["no_times"]
    # A leave-one-out split on a made-up calendar has all its targets at one moment, after everything.
    if not targets.is_timed or _all_at_one_moment(targets):
        return ["other_users_future"]
    same = ["own_moment"] if _own_events_beside(train, targets) else []
    if train.times_ms.max() <= targets.times_ms.min():
        return same
    return ["other_users_future", *(["own_future"] if _own_events_follow(train, targets) else []), *same]


def _all_at_one_moment(targets: LoggedPairs) -> bool:
    several = bool((targets.users != targets.users[0]).any())
    return several and bool((targets.times_ms == targets.times_ms[0]).all())


def _own_events_follow(train: LoggedPairs, targets: LoggedPairs) -> bool:
    known, wanted = train.users >= 0, targets.users >= 0
    last = np.full(1 + max(highest(train.users), highest(targets.users)), NO_TIME, np.int64)
    np.maximum.at(last, train.users[known], train.times_ms[known])
    return bool((last[targets.users[wanted]] > targets.times_ms[wanted]).any())


def _own_events_beside(train: LoggedPairs, targets: LoggedPairs) -> bool:
    _, moments = np.unique(np.concatenate([train.times_ms, targets.times_ms]), return_inverse=True)
    n = 1 + highest(moments)
    mine, theirs = moments[: len(train.users)], moments[len(train.users) :]
    known, wanted = train.users >= 0, targets.users >= 0
    keys = train.users[known].astype(np.int64) * n + mine[known]
    return bool(np.isin(targets.users[wanted].astype(np.int64) * n + theirs[wanted], keys).any())


def _touched_pairs_removed(train: LoggedPairs, targets: LoggedPairs) -> bool:
    """No target was touched in the training part, where as many as in it are touched again would have been many."""
    known = train.users >= 0
    width = 1 + max(highest(train.items), highest(targets.items))
    keys = train.users[known].astype(np.int64) * width + train.items[known]
    distinct, counts = np.unique(keys, return_counts=True)
    bought = np.isin(distinct, keys[train.is_target[known]])
    wanted = targets.pairs()
    touched = np.isin(wanted.users * width + wanted.items, distinct).any()
    share = float((counts[bought] > 1).mean()) if bought.any() else 0.0
    return not touched and share * len(wanted) >= _LEAST_MISSING


def _ids_near_targets(train: Pairs, targets: Pairs, item_ids: Sequence[str]) -> bool:
    """Whether more targets stand next to an own id than if ids had been dealt anew."""
    numbers = _numbers(item_ids)
    if numbers is None:
        return False
    dealt = numbers[np.random.default_rng(_SEED).permutation(len(numbers))]
    near, by_chance = (_near_own(train, targets, given) for given in (numbers, dealt))
    return near - by_chance >= _LEAST_MISSING and near > _TIMES_CHANCE * by_chance


def _numbers(item_ids: Sequence[str]) -> Codes | None:
    """The number at the end of each id; None where an id ends with none, or with one that is no counter."""
    found = [re.search(r"(\d{1,9})$", item_id) for item_id in item_ids]
    if not all(found):
        return None
    return np.array([int(match[1]) for match in found if match], np.int64)


def _near_own(train: Pairs, targets: Pairs, numbers: Codes) -> int:
    """How many targets' numbers are one above or below that of an item of the same user."""
    width = 3 + int(numbers.max())
    own = train.users * width + numbers[train.items] + 1
    wanted = targets.users * width + numbers[targets.items] + 1
    return int((np.isin(wanted - 1, own) | np.isin(wanted + 1, own)).sum())
