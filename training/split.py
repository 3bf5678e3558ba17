"""Folds: parts of the past that play the future, to tune sources, teach the ranker and choose what serves.

Folds have two jobs: `teach` (older: sources are tuned and the ranker is fitted on them) and `choose` (the newest: what
serves is chosen on it, and the promotion gate compares on it). Every fold is cut from the log before anything is
fitted for it.

    windows   timed logs: choose [end - w, end), teach [end - 2w, end - w), and further windows before it, which teach
              too; each fits on what lies before it
    last      timed logs with an untimed test: every user's last target item is taken out with all its rows; half of
              the users teach, half choose; on further folds, without the target before too, all teach
    last_event   the same where items repeat: what the user did from that event on is taken out, what was before stays
    random    logs without times: a fifth of each user's items is taken out; half teach, half choose
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from recommender.logs import EventTable
from recommender.types import Mask
from training.dataset import Dataset

Scheme = Literal["windows", "last", "last_event", "random"]
_RANDOM_SHARE = 0.2


@dataclass(frozen=True)
class Fold:
    """One cut: what may be fitted on, and what came then.

    Args:
        name: `teach` or `choose`.
        keep: bool over the log's rows, the fold's training part.
        now_ms: The moment of the cut; None where the dataset's own last moment is meant.
        users, items: int64 [n_pairs], codes in the log's table of the targets, distinct pairs.
    """

    name: str
    keep: Mask
    now_ms: int | None
    users: npt.NDArray[np.int64]
    items: npt.NDArray[np.int64]


def choose_scheme(timed: bool, published_test: bool) -> Scheme:
    """The scheme of a log: by its times, and by whether its test part is a published one beside it."""
    if not timed:
        return "random"
    return "last" if published_test else "windows"


def folds(
    scheme: Scheme,
    table: EventTable,
    keep: Mask,
    whole: Dataset,
    target: int,
    window_ms: int,
    seed: int,
    teaching_windows: int = 1,
) -> list[Fold]:
    """The choosing fold, then those that teach, the newest first.

    Args:
        scheme: See the module.
        table: The log as read.
        keep: bool over its rows: the whole training part.
        whole: The dataset of `keep`; its order of users is what draws are made over, so that no id decides.
        target: Code of the target event type.
        window_ms: Length of the windows; logs shorter than four of them get a quarter of their span.
        seed: Of the draws.
        teaching_windows: How many folds teach at most; at least two thirds of the log's span lie before each window.

    Returns:
        [choose, teach, ...]; pairs may be empty where the log is too small.
    """
    if scheme == "windows":
        return _windows(table, keep, target, window_ms, teaching_windows)
    rng = np.random.default_rng(seed)
    teaches = rng.random(len(table.user_ids)) < 0.5
    halves = np.zeros(len(table.user_ids), np.bool_)
    halves[whole.user_codes] = teaches[: whole.n_users]
    if scheme == "random":
        out = _random_pairs(whole, target, rng)
        rows = keep & ~_in_pairs(table, out)
    else:
        out, rows = _last_pairs(table, keep, whole, target, repeats=scheme == "last_event")
    found = [
        Fold("choose", rows, None, *_pairs_of(out, ~halves)),
        Fold("teach", rows, None, *_pairs_of(out, halves)),
    ]
    for place in range(2, 2 if scheme == "random" else teaching_windows + 1):
        # Whoever chooses teaches here as well: these targets are older ones, and what chooses is not in these rows.
        out, rows = _last_pairs(table, rows, whole, target, repeats=scheme == "last_event")
        found.append(Fold(f"teach {place}", rows, None, *_pairs_of(out, np.ones_like(halves))))
    return found


def _windows(table: EventTable, keep: Mask, target: int, window_ms: int, teaching: int) -> list[Fold]:
    times, kept = table.times_ms, table.times_ms[keep]
    end, span = int(kept.max()) + 1, int(kept.max() - kept.min())
    length = max(min(window_ms, span // 4), 1)
    found = []
    allowed = max(int(span / 3 / length) - 1, 1)
    for place in range(1 + min(teaching, allowed)):
        start = end - (place + 1) * length
        name = ("choose", "teach")[place] if place < 2 else f"teach {place}"
        inside = keep & (times >= start) & (times < start + length) & (table.types == target) & (table.users >= 0)
        pairs = _distinct(table.users[inside], table.items[inside])
        found.append(Fold(name, keep & (times < start), start, *pairs))
    return found


def _last_pairs(
    table: EventTable, keep: Mask, whole: Dataset, target: int, *, repeats: bool
) -> tuple[npt.NDArray[np.int64], Mask]:
    """Each user's item of the last target event among the kept, and the kept rows without it.

    Without its pair's rows, or, where items repeat, without the user's rows from that moment on.

    Returns:
        int64 [n_users], -1 where nothing else would be left; bool over rows.
    """
    own = keep & (table.users >= 0)
    aims = own & (table.types == target)
    moment = np.full(len(table.user_ids), np.iinfo(np.int64).min)
    np.maximum.at(moment, table.users[aims], table.times_ms[aims])
    actors, n_items = whole.actors(), len(table.item_ids)
    chosen = np.flatnonzero((whole.types == target) & (actors < whole.n_users))
    users, items = whole.user_codes[actors[chosen]].astype(np.int64), whole.item_codes[whole.items[chosen]]
    newest = whole.times_ms[chosen] == moment[users]
    newest &= np.isin(users * n_items + items, table.users[aims].astype(np.int64) * n_items + table.items[aims])
    # The dataset's order is by time and, within a moment, one that neither ids nor rows decide: the last one wins.
    last = np.full(len(table.user_ids), -1, np.int64)
    last[users[newest]] = items[newest]
    out = own & (table.times_ms >= np.append(moment, 0)[table.users]) if repeats else _in_pairs(table, last)
    has_rest = np.zeros(len(table.user_ids), np.bool_)
    has_rest[table.users[own & ~out]] = True
    last[~has_rest] = -1
    return last, keep & ~(out & (np.append(last, -1)[table.users] >= 0))


def _random_pairs(whole: Dataset, target: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """int64 [n_pairs, 2]: a seeded fifth of the distinct (user, item) pairs of each user with at least two."""
    actors, own = whole.actors(), whole.types == target
    named = own & (actors < whole.n_users)
    pairs = np.unique(actors[named].astype(np.int64) * whole.n_items + whole.items[named])
    users, items = pairs // whole.n_items, pairs % whole.n_items
    draw = rng.random(len(pairs))
    order = np.lexsort((draw, users))
    starts = np.searchsorted(users[order], np.arange(whole.n_users + 1))
    place = np.arange(len(order)) - starts[users[order]]
    counts = np.diff(starts)[users[order]]
    taken = order[place < np.ceil(_RANDOM_SHARE * counts) * (counts > 1)]
    return np.stack([whole.user_codes[users[taken]], whole.item_codes[items[taken]]], axis=1)


def _in_pairs(table: EventTable, out: npt.NDArray[np.int64]) -> Mask:
    """bool over rows: the row's (user, item) was taken out."""
    users, items = table.users.astype(np.int64), table.items.astype(np.int64)
    if out.ndim == 1:
        named: Mask = (users >= 0) & (items == np.append(out, -1)[users])
        return named
    n_items = len(table.item_ids)
    inside: Mask = (users >= 0) & np.isin(users * n_items + items, out[:, 0] * n_items + out[:, 1])
    return inside


def _pairs_of(out: npt.NDArray[np.int64], users: Mask) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    if out.ndim == 1:
        chosen = np.flatnonzero(users & (out >= 0))
        return chosen.astype(np.int64), out[chosen]
    inside = users[out[:, 0]]
    return out[inside, 0], out[inside, 1]


def _distinct(
    users: Sequence[int] | npt.NDArray[np.int32], items: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    pairs = np.unique(np.stack([np.asarray(users, np.int64), items.astype(np.int64)], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]
