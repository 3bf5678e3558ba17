"""Segments: which scored users, and which targets, belong together; who is served well and who is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from recommender.types import DAY_MS, NO_TIME, Rows, Times
from training.evaluation.pairs import Codes, highest
from training.evaluation.protocol import Cases, TrainingPart

_HISTORY_BORDERS: Final = (5, 10, 20, 50, 100, 200, 500)
_AGE_BORDERS_DAYS: Final = (7, 30, 90, 180, 365)
_DECILES: Final = 10
#: Of what nobody has told.
UNKNOWN: Final = "unknown"
#: Of targets that no candidate covers.
NO_CANDIDATE: Final = "no candidate"


@dataclass(frozen=True, slots=True)
class Grouping:
    """One way to part the scored users or their targets.

    Args:
        name: Such as `history_length`.
        of: Whether `codes` has one entry per case or one per target.
        labels: Of the groups, in their natural order where `ordered`.
        codes: int64 [n], a place in `labels` each.
        ordered: Whether the labels have an order of their own; otherwise the largest groups come first.
    """

    name: str
    of: Literal["users", "targets"]
    labels: tuple[str, ...]
    codes: Codes
    ordered: bool


def by_history_length(train: TrainingPart, cases: Cases) -> Grouping:
    """Users by their training events, of any type."""
    counts = np.bincount(train.users[train.users >= 0], minlength=1 + highest(cases.users))[cases.users]
    labels = _ranges((1, *_HISTORY_BORDERS), "events")
    return Grouping("history_length", "users", labels, np.digitize(counts, _HISTORY_BORDERS), ordered=True)


def by_item_age(first_seen_ms: Times, cut_ms: int, cases: Cases) -> Grouping:
    """Targets by the days from their item's first training event to the cut.

    Args:
        first_seen_ms: int64 [n_items], `NO_TIME` where the training part has no event of the item.
        cut_ms: The moment of the cut.
        cases: The cases.
    """
    known = first_seen_ms != NO_TIME
    days = np.where(known, cut_ms - first_seen_ms, 0) // DAY_MS
    labels = ("no event before", *_ranges((0, *_AGE_BORDERS_DAYS), "days"))
    codes = np.where(known, 1 + np.digitize(days, _AGE_BORDERS_DAYS), 0)
    return _of_targets("item_age", labels, codes, cases, ordered=True)


def by_popularity(popularity: Codes, cases: Cases) -> Grouping:
    """Targets by the popularity of their item, in tenths of the training events.

    The most popular items that together hold a tenth of the events are the first decile, and so on; items of one
    popularity stay together, in the decile of their middle. So every decile matters alike to what is bought, where
    tenths of the items would put nearly all targets into the first.

    Args:
        popularity: int64 [n_items], training events of each item.
        cases: The cases.
    """
    values, place, counts = np.unique(popularity, return_inverse=True, return_counts=True)
    held = values * counts
    below = np.cumsum(held) - held
    middle = 1.0 - (below + held / 2) / max(int(held.sum()), 1)
    decile = np.minimum((middle * _DECILES).astype(np.int64), _DECILES - 1)
    labels = ("1, most popular", *map(str, range(2, _DECILES)), f"{_DECILES}, least popular", "no event before")
    codes = np.where(values > 0, decile, _DECILES)[place]
    return _of_targets("popularity_decile", labels, codes, cases, ordered=True)


def by_category(paths: Sequence[str], cases: Cases) -> Grouping:
    """Targets by the top level of their item's category, the first level that tells any apart; `unknown` without."""
    levels = [path.split(" > ") for path in paths]
    depth = 1
    while len({tuple(own[:depth]) for own in levels if own != [""]}) == 1 and depth < max(map(len, levels)):
        depth += 1
    labels, codes = _coded([" > ".join(own[:depth]) or UNKNOWN for own in levels])
    return _of_targets("category", labels, codes, cases, ordered=False)


def by_attributes(attributes: Mapping[str, Sequence[str | None]], rows: Rows) -> list[Grouping]:
    """Users by each attribute that the users file tells.

    Args:
        attributes: {column: value of each row of the users file}.
        rows: int32 [n cases], the row of each case's user, -1 where the file lacks the user.
    """
    found = []
    for name, values in sorted(attributes.items()):
        told = [str(values[row]) if row >= 0 and values[row] not in {None, ""} else UNKNOWN for row in rows.tolist()]
        labels, codes = _coded(told)
        found.append(Grouping(f"user.{name}", "users", labels, codes, ordered=False))
    return found


def _of_targets(
    name: str, labels: tuple[str, ...], item_codes: npt.NDArray[np.integer], cases: Cases, *, ordered: bool
) -> Grouping:
    """Targets by the codes of their items; what no candidate covers is a group of its own."""
    codes = np.append(item_codes, len(labels))[cases.target_items]
    return Grouping(name, "targets", (*labels, NO_CANDIDATE), codes.astype(np.int64), ordered)


def _coded(values: Sequence[str]) -> tuple[tuple[str, ...], Codes]:
    place: dict[str, int] = {}
    codes = np.array([place.setdefault(value, len(place)) for value in values], np.int64)
    return tuple(place), codes


def _ranges(borders: Sequence[int], unit: str) -> tuple[str, ...]:
    inner = [f"{low} - {high - 1} {unit}" for low, high in pairwise(borders)]
    return (*inner, f"{borders[-1]} or more {unit}")
