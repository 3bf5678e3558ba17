"""What is scored: where a log is cut, whose targets count, what may be ranked, what is hidden.

Everything here is plain columns of codes. Items `0 .. n_items - 1` are those that can be ranked: the items of the
training part and of the items file. Held-out items that are not among them have distinct codes from `n_items` on.
Users have codes from 0; -1 is an event without a user id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.errors import ConfigurationError, InputError
from recommender.types import DAY_MS, NO_TIME, Mask, Rows, Times
from training.evaluation.pairs import Codes, Pairs, highest

#: Users of a cold evaluation have at least this many training events of any type.
COLD_MIN_EVENTS: Final = 5


@dataclass(frozen=True, slots=True)
class Window:
    """The span [start_ms, end_ms) of the test part; the training part lies strictly before it."""

    start_ms: int
    end_ms: int

    def before(self, times_ms: Times) -> Mask:
        """bool [n]: events of the training part."""
        return times_ms < self.start_ms

    def holds(self, times_ms: Times) -> Mask:
        """bool [n]: events of the test part; what comes after it belongs to neither."""
        return (times_ms >= self.start_ms) & (times_ms < self.end_ms)

    def earlier(self, windows: int) -> Window:
        """The span of the same length, so many lengths before."""
        back = windows * (self.end_ms - self.start_ms)
        return Window(self.start_ms - back, self.end_ms - back)


def window_ending_at(last_target_ms: int, holdout_seconds: float) -> Window:
    """The whole days up to that of the last target event.

    With D the UTC day of `last_target_ms`, 14 days are [00:00 of D-13, 00:00 of D+1).

    Raises:
        ConfigurationError: The holdout is not longer than 0.

    Example:
        >>> window_ending_at(20 * DAY_MS + 4_000, 14 * 86_400) == Window(7 * DAY_MS, 21 * DAY_MS)
        True
    """
    if not holdout_seconds > 0:
        raise ConfigurationError(f"--holdout is {holdout_seconds} s; give a duration above 0 such as 14d")
    end_ms = (last_target_ms // DAY_MS + 1) * DAY_MS
    return Window(end_ms - round(holdout_seconds * 1_000), end_ms)


def holdout_cut(times_ms: Times, is_target: Mask, holdout_seconds: float) -> Window:
    """Where to cut a log whose newest days are held out.

    Args:
        times_ms: int64 [n], `NO_TIME` where an event has none.
        is_target: bool [n], events of the target type.
        holdout_seconds: Length of the test part.

    Raises:
        InputError: An event has no time, no event is of the target type, or nothing lies before the cut.
    """
    untimed = int(np.count_nonzero(times_ms == NO_TIME))
    if untimed:
        raise InputError(
            f"{untimed:,} of {len(times_ms):,} events have no timestamp and --holdout cuts by time; "
            "give every event one, or evaluate on a file of your own with --test"
        )
    if not is_target.any():
        raise InputError("no event is of the --target type, so no day can be held out; name a type that the log holds")
    window = window_ending_at(int(times_ms[is_target].max()), holdout_seconds)
    if not window.before(times_ms).any():
        raise InputError(
            f"--holdout {holdout_seconds:,.0f} s leaves no event to train on: the log spans "
            f"{(int(times_ms.max()) - int(times_ms.min())) / 1_000:,.0f} s; hold out less"
        )
    return window


@dataclass(frozen=True, slots=True)
class TrainingPart:
    """The events that models may know, as columns.

    Args:
        users: int [n], -1 without an id.
        items: int [n], all below `n_items`.
        weights: float [n], weight of each event's type.
    """

    users: npt.NDArray[np.signedinteger]
    items: npt.NDArray[np.signedinteger]
    weights: npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class HeldOutPart:
    """The events of the test part, as columns.

    Args:
        users: int [n], codes as in the training part, further ones for users that it lacks; -1 without an id.
        items: int [n], `n_items` and above for items that nobody can rank, each its own code.
        is_target: bool [n], events of the target type.
    """

    users: npt.NDArray[np.signedinteger]
    items: npt.NDArray[np.signedinteger]
    is_target: Mask


@dataclass(frozen=True, slots=True)
class Cases:
    """The scored users with their targets, what is hidden from them, and what may be ranked.

    Args:
        users: int32 [n], codes, ascending.
        target_offsets: int64 [n + 1]; user i's targets are `target_items[target_offsets[i]:target_offsets[i + 1]]`.
        target_items: int32, distinct per user and ascending, then a -1 for each target that no candidate covers.
        hidden_offsets: int64 [n + 1].
        hidden_items: int32, distinct per user and ascending; must not be recommended to that user.
        candidates: bool [n_items], or None where every item may be ranked.
        n_items: Length of the item codes.
        removed_targets: Targets taken out since the user had touched the item before.
        counts: What the report says about how the cases came about.
    """

    users: Rows
    target_offsets: Codes
    target_items: Rows
    hidden_offsets: Codes
    hidden_items: Rows
    candidates: Mask | None
    n_items: int
    removed_targets: int
    counts: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.users)

    @property
    def n_candidates(self) -> int:
        """How many items may be ranked."""
        return self.n_items if self.candidates is None else int(np.count_nonzero(self.candidates))

    @property
    def candidate_items(self) -> Rows:
        """int32 [n_candidates], the items that may be ranked, ascending."""
        if self.candidates is None:
            return np.arange(self.n_items, dtype=np.int32)
        return np.flatnonzero(self.candidates).astype(np.int32)

    @property
    def target_counts(self) -> Codes:
        """int64 [n], each at least 1, uncovered targets included."""
        return np.diff(self.target_offsets)

    def hidden(self, start: int, stop: int) -> tuple[Codes, Rows]:
        """Offsets [stop - start + 1] from 0 and items: what is hidden from the users `start .. stop - 1`."""
        offsets = self.hidden_offsets[start : stop + 1]
        return offsets - offsets[0], self.hidden_items[offsets[0] : offsets[-1]]


def build_cases(
    train: TrainingPart, test: HeldOutPart, n_items: int, *, novel_only: bool = False, cold: bool = False
) -> Cases:
    """The cases of the contract's protocol.

    Scored are users with an id, a training event of positive weight (cold: and at least 5 training events), and a
    target. Targets are a user's distinct items with a target event in the test part.

    Args:
        train: The training part.
        test: The test part.
        n_items: How many items can be ranked.
        novel_only: Hide what the user touched by any training event, and take it out of the targets.
        cold: Candidates and targets are only items with events in the test part and none in the training part.

    Raises:
        InputError: The test part has no target event, or no user is left to be scored.
        ValueError: A training item has a code that cannot be ranked.
    """
    if highest(train.items) >= n_items:
        raise ValueError(f"training item {highest(train.items)} is not below n_items {n_items}; code train items first")
    if not test.is_target.any():
        raise InputError("the test part has no event of the --target type; name a type that it holds")
    n_users = 1 + max(highest(train.users), highest(test.users))
    fresh = _cold_items(train, test, n_items) if cold else None
    wanted = _target_pairs(test, fresh)
    eligible = wanted.where(_may_be_scored(train, n_users, COLD_MIN_EVENTS if cold else 0)[wanted.users])
    touched = _touched_by(train, eligible.users, n_users) if novel_only else Pairs.none()
    scored = eligible.without(touched)
    if not len(scored):
        raise InputError(_nobody_left(wanted, eligible, cold=cold))
    users, target_offsets = scored.grouped()
    hidden = touched.where(np.isin(touched.users, users))
    candidates = None if fresh is None else fresh[:n_items]
    return Cases(
        users=users.astype(np.int32),
        target_offsets=target_offsets,
        # Codes from n_items on sort behind the others already, so the order within each user holds.
        target_items=np.where(scored.items < n_items, scored.items, -1).astype(np.int32),
        hidden_offsets=hidden.offsets_of(users),
        hidden_items=hidden.items.astype(np.int32),
        candidates=candidates,
        n_items=n_items,
        removed_targets=len(eligible) - len(scored),
        counts={
            "training_events": len(train.users),
            "test_events": len(test.users),
            "target_events_without_user": int(np.count_nonzero(test.is_target & (test.users < 0))),
            "users_with_targets": wanted.n_users,
            "users_without_enough_training": wanted.n_users - eligible.n_users,
            "users_without_targets_left": eligible.n_users - len(users),
            "targets": len(scored),
            "uncovered_targets": int(np.count_nonzero(scored.items >= n_items)),
            "candidates": n_items if candidates is None else int(np.count_nonzero(candidates)),
        },
    )


def _may_be_scored(train: TrainingPart, n_users: int, min_events: int) -> Mask:
    known = train.users >= 0
    positive = np.zeros(n_users, np.bool_)
    positive[train.users[known & (train.weights > 0)]] = True
    return positive & (np.bincount(train.users[known], minlength=n_users) >= min_events)


def _cold_items(train: TrainingPart, test: HeldOutPart, n_items: int) -> Mask:
    fresh = np.zeros(1 + max(n_items - 1, highest(test.items)), np.bool_)
    fresh[test.items] = True
    fresh[train.items] = False
    return fresh


def _target_pairs(test: HeldOutPart, fresh: Mask | None) -> Pairs:
    counted = (test.users >= 0) & test.is_target
    if fresh is not None:
        counted &= fresh[test.items]
    return Pairs.distinct(test.users[counted], test.items[counted])


def _touched_by(train: TrainingPart, users: Codes, n_users: int) -> Pairs:
    of_interest = np.zeros(n_users, np.bool_)
    of_interest[users] = True
    known = np.flatnonzero(train.users >= 0)
    theirs = known[of_interest[train.users[known]]]
    return Pairs.distinct(train.users[theirs], train.items[theirs])


def _nobody_left(wanted: Pairs, eligible: Pairs, *, cold: bool) -> str:
    kind = "cold target" if cold else "target"
    if not len(wanted):
        return f"no user with an id has a {kind} in the test part, so nobody can be scored; check --target and user_id"
    if not len(eligible):
        return (
            f"{wanted.n_users:,} users have a {kind} in the test part, but none of them the training events "
            "that scoring needs; check that both parts name users alike"
        )
    return (
        f"--novel-only took out all {len(eligible):,} targets of {eligible.n_users:,} users: each was "
        "touched in the training part; score them without it"
    )
