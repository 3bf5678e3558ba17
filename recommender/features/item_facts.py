"""What a log says of each item by itself at a moment: popularity over several spans, age, how often it is had again."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.types import DAY_MS, NO_TIME, Rows, Scores, Times

#: Columns of `item_facts`.
ITEM_FACTS: Final = ("popularity_7d", "popularity_30d", "popularity_90d", "trend", "owners", "repeats", "age", "bought")
_SPANS_DAYS: Final = (7.0, 30.0, 90.0)
#: Events that every span is given beforehand, in proportion: the trend of what hardly anybody touched is flat.
_PRIOR: Final = 5.0


def item_facts(
    items: Rows,
    actors: Rows,
    times_ms: Times,
    weights: Scores,
    bought: npt.NDArray[np.bool_],
    n_items: int,
    now_ms: int,
) -> Scores:
    """float32 [n_items, 8], the columns of `ITEM_FACTS`.

    `popularity_*`: log1p of the weight of events, halved every so many days of age; without times nothing is halved.
    `trend`: log of the share of the shortest span over that of the longest, both smoothed. `owners`: log1p of distinct
    actors. `repeats`: share of them that have events on the item at least a day apart (without times: several events).
    `age`: log1p of the days since the item's first event; NaN without events or times. `bought`: share of its events
    that are purchases; NaN without events.

    Args:
        items: int32 [n], item rows of the events.
        actors: int32 [n], -1 where nobody is known.
        times_ms: int64 [n]; `NO_TIME` throughout, or nowhere.
        weights: float32 [n], >= 0; events of weight 0 are left out.
        bought: bool [n], whether the event is a purchase.
        n_items: Rows there are.
        now_ms: The moment to look back from; no event is later.
    """
    counted = weights > 0
    items, actors, times_ms = items[counted], actors[counted], times_ms[counted]
    own, bought = weights[counted].astype(np.float64), bought[counted]
    timed = bool(len(times_ms)) and bool((times_ms != NO_TIME).all())
    ages = np.maximum(now_ms - times_ms, 0) / DAY_MS if timed else np.zeros(len(items))
    spans = [np.bincount(items, own * 2.0 ** (-ages / days if timed else 0.0), n_items) for days in _SPANS_DAYS]
    short, long = spans[0] / max(spans[0].sum(), 1e-9), spans[-1] / max(spans[-1].sum(), 1e-9)
    prior = _PRIOR / max(float(spans[-1].sum()), 1e-9)
    counts = np.bincount(items, minlength=n_items)
    owners, repeats = _owners(items, actors, times_ms, n_items, timed)
    first = np.full(n_items, np.nan)
    if timed:
        oldest = np.zeros(n_items)
        np.maximum.at(oldest, items, ages)
        first = np.where(counts > 0, np.log1p(oldest), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        share_bought = np.bincount(items, bought, n_items) / np.where(counts > 0, counts, np.nan)
        share_repeats = repeats / np.where(owners > 0, owners, np.nan)
    columns = (
        *(np.log1p(span) for span in spans),
        np.log((short + prior) / (long + prior)),
        np.log1p(owners),
        share_repeats,
        first,
        share_bought,
    )
    return np.stack(columns, axis=1).astype(np.float32)


def _owners(
    items: Rows, actors: Rows, times_ms: Times, n_items: int, timed: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Per item: its distinct actors, and those of them who came back to it."""
    named = actors >= 0
    pairs = actors[named].astype(np.int64) * n_items + items[named]
    distinct, place, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    if timed:
        times = times_ms[named]
        first, last = np.full(len(distinct), np.iinfo(np.int64).max), np.full(len(distinct), np.iinfo(np.int64).min)
        np.minimum.at(first, place, times)
        np.maximum.at(last, place, times)
        again = last - first >= DAY_MS
    else:
        again = counts > 1
    rows = distinct % n_items
    return np.bincount(rows, minlength=n_items), np.bincount(rows[again], minlength=n_items)
