"""What the pipeline and the best single models are worth in each segment, with intervals."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.evaluation.bootstrap import Resampled, resample
from training.evaluation.figures import comparison_figure, interval_figure
from training.evaluation.grouping import NO_CANDIDATE, UNKNOWN, Grouping
from training.evaluation.metrics import PerUser
from training.evaluation.pairs import Codes, highest
from training.evaluation.pool import Pool

#: Segments of fewer users are counted, but nothing is said of them: a resample might hold none of them.
LEAST_USERS: Final = 20
#: Groups without an order of their own: the largest are told, the others together.
_MOST_GROUPS: Final = 12
_OTHERS: Final = "all others"

_Columns = Mapping[str, PerUser]


def segment_figures(pool: Pool, models: Sequence[str], k: int, resamples: int, seed: int) -> list[dict[str, Any]]:
    """Every grouping that parts the cases at all, with its segments.

    Segments of users hold the metrics `ndcg@k` and `recall@k` as means over their cases; segments of targets hold
    `hits@k`, the share of their targets that are among the first k. Users are resampled either way: targets of one
    user depend on each other.

    Args:
        pool: The cases.
        models: Whom to tell of, the one that the others are paired with first.
        k: Cut-off.
        resamples: How many.
        seed: Of the bootstrap.

    Returns:
        [{"name", "of", "segments": [{"label", "users", "targets", "models", "paired"}]}]; the last two are empty in
        segments of fewer than `LEAST_USERS` users.
    """
    found = []
    for given in pool.groupings:
        cases = slice(None) if given.of == "users" else pool.target_cases
        grouping = _gathered(given, pool.owners[cases])
        if len({*grouping.labels} - {UNKNOWN, NO_CANDIDATE}) > 1:
            segments = _segments(pool, grouping, models, k, (resamples, seed))
            found.append({"name": grouping.name, "of": grouping.of, "segments": segments})
    return found


def _segments(
    pool: Pool, grouping: Grouping, models: Sequence[str], k: int, draws: tuple[int, int]
) -> list[dict[str, Any]]:
    columns: dict[str, _Columns]
    if grouping.of == "users":
        cases = np.arange(len(pool.owners))
        columns = {
            metric: {name: pool.measured[name].per_user[metric] for name in models}
            for metric in (f"ndcg@{k}", f"recall@{k}")
        }
    else:
        cases = pool.target_cases
        columns = {f"hits@{k}": {name: pool.target_hits[name] for name in models}}
    counts = [_counts(pool, grouping, cases, code) for code in range(len(grouping.labels))]
    told = [code for code, (users, _) in enumerate(counts) if users >= LEAST_USERS]
    resampled = _resampled(pool.owners[cases], grouping.codes, told, columns, draws)
    out = []
    for code, (users, targets) in enumerate(counts):
        if users:
            segment: dict[str, Any] = {"label": grouping.labels[code], "users": users, "targets": targets}
            segment |= _figures(resampled, code, models, list(columns)) if code in told else _NOTHING
            out.append(segment)
    return out


_NOTHING: Final[dict[str, Any]] = {"models": {}, "paired": {}}


def _counts(pool: Pool, grouping: Grouping, cases: Codes, code: int) -> tuple[int, int]:
    """Distinct users and targets of a group."""
    inside = grouping.codes == code
    users = len(np.unique(pool.owners[cases[inside]]))
    if grouping.of == "targets":
        return users, int(inside.sum())
    return users, int(inside[pool.target_cases].sum())


def _resampled(
    owners: Codes, codes: Codes, told: Sequence[int], columns: Mapping[str, _Columns], draws: tuple[int, int]
) -> Resampled:
    """Columns of every told group, model and metric; the group's code is part of the metric's name."""
    n_users = 1 + int(owners.max())
    names: list[tuple[str, str]] = []
    sums: list[npt.NDArray[np.float64]] = []
    size_of: list[int] = []
    sizes = np.zeros((n_users, max(len(told), 1)))
    for place, code in enumerate(told):
        inside = codes == code
        own = owners[inside]
        sizes[:, place] = np.bincount(own, minlength=n_users)
        for metric, by_model in columns.items():
            for name, values in by_model.items():
                names.append((name, f"{metric} {code}"))
                sums.append(np.asarray(np.bincount(own, values[inside], n_users), np.float64))
                size_of.append(place)
    matrix = np.column_stack(sums) if sums else np.zeros((n_users, 0))
    return resample(tuple(names), matrix, sizes, np.array(size_of, np.intp), *draws)


def _figures(resampled: Resampled, code: int, models: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
    first, *others = models
    return {
        "models": {
            name: {metric: interval_figure(resampled.interval(name, f"{metric} {code}")) for metric in metrics}
            for name in models
        },
        "paired": {
            f"{first}-{name}": {
                metric: comparison_figure(resampled.compare(first, name, f"{metric} {code}")) for metric in metrics
            }
            for name in others
        },
    }


def _gathered(grouping: Grouping, owners: Codes) -> Grouping:
    """The grouping without empty groups; where it has no order of its own, the largest ones, the rest together.

    A value that few users share tells of a person rather than of users, and its name stays out of the report.

    Args:
        grouping: With a code for each case, or for each target.
        owners: int64, the user of each.
    """
    users = np.unique(grouping.codes * (1 + highest(owners)) + owners) // (1 + highest(owners))
    counts = np.bincount(users, minlength=len(grouping.labels))
    if grouping.ordered:
        kept = np.flatnonzero(counts)
    else:
        largest = np.argsort(-counts, kind="stable")[:_MOST_GROUPS]
        least = LEAST_USERS if grouping.of == "users" else 1
        kept = _by_number(largest[counts[largest] >= least], grouping.labels)
    place = np.full(len(counts), len(kept), np.int64)
    place[kept] = np.arange(len(kept))
    codes = place[grouping.codes]
    rest = (_OTHERS,) if (codes == len(kept)).any() else ()
    labels = tuple(grouping.labels[code] for code in kept.tolist())
    return Grouping(grouping.name, grouping.of, labels + rest, codes, grouping.ordered)


def _by_number(codes: Codes, labels: Sequence[str]) -> Codes:
    """Codes by the first number in their labels, where all but `unknown` have one: ages, incomes, sizes."""
    numbers = {code: re.search(r"\d+", labels[code]) for code in codes.tolist()}
    if not all(found or labels[code] == UNKNOWN for code, found in numbers.items()):
        return codes
    # Of "under 15" and "15 to 24" the first is the lower.
    keys = [(int(found[0]), -found.start()) if found else (math.inf, 0) for found in numbers.values()]
    return codes[sorted(range(len(codes)), key=keys.__getitem__)]
