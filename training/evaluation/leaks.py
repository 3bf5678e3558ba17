"""Known ways in which a split shows models what they could not have seen; the report names those that apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.types import NO_TIME, Times
from training.evaluation.pairs import highest

#: Every name and what it means for the reader of a report.
KNOWN_LEAKS: Final = {
    "other_users_future": (
        "models learned from events later than somebody's target, or the targets' times do not tell; "
        "compare models by these figures, do not expect them online"
    ),
    "own_future": "some targets lie before events of the same user that models learned from",
    "no_times": "the log has no times, so models may know the future unseen; do not expect these figures online",
    "undated_catalogue": (
        "items do not say since when they exist, so candidates, titles and prices may be from after the cut"
    ),
}


@dataclass(frozen=True, slots=True)
class TimedEvents:
    """Who did something when.

    Args:
        users: int [n], -1 without an id.
        times_ms: int64 [n], `NO_TIME` where an event has none.
    """

    users: npt.NDArray[np.signedinteger]
    times_ms: Times

    @property
    def is_timed(self) -> bool:
        """Every event has a time."""
        return bool((self.times_ms != NO_TIME).all())


def leaks_of(train: TimedEvents, targets: TimedEvents, *, cut_by_time: bool, undated_items: int) -> tuple[str, ...]:
    """Names, out of `KNOWN_LEAKS`, of those of a split.

    Args:
        train: Events of the training part.
        targets: Target events of the test part.
        cut_by_time: The split was made by `holdout_cut`, so that no event of it can come from the future.
        undated_items: Rows of the items file without a time of creation.
    """
    leaks = [] if cut_by_time else _leaks_of_files(train, targets)
    if undated_items:
        leaks.append("undated_catalogue")
    return tuple(leaks)


def _leaks_of_files(train: TimedEvents, targets: TimedEvents) -> list[str]:
    if not train.is_timed:
        return ["no_times"]
    # A leave-one-out split on a made-up calendar has all its targets at one moment, after everything.
    if not targets.is_timed or _all_at_one_moment(targets):
        return ["other_users_future"]
    if train.times_ms.max() <= targets.times_ms.min():
        return []
    return ["other_users_future", *(["own_future"] if _own_events_follow(train, targets) else [])]


def _all_at_one_moment(targets: TimedEvents) -> bool:
    several = bool((targets.users != targets.users[0]).any())
    return several and bool((targets.times_ms == targets.times_ms[0]).all())


def _own_events_follow(train: TimedEvents, targets: TimedEvents) -> bool:
    known, wanted = train.users >= 0, targets.users >= 0
    last = np.full(1 + max(highest(train.users), highest(targets.users)), NO_TIME, np.int64)
    np.maximum.at(last, train.users[known], train.times_ms[known])
    return bool((last[targets.users[wanted]] > targets.times_ms[wanted]).any())
