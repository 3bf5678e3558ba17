"""What a ranker reads of item and user beside the sources' evidence: the one definition for training and serving."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.features.item_facts import ITEM_FACTS
from recommender.kernels.affinity import event_weights_of, fill_days_since, fill_own_inputs, fill_shares
from recommender.types import DAY_MS, NO_TIME, Candidates, FeedQuery, History, Rows, Scores

#: Event types by what they say: looking, wanting, having. Any other type of positive weight counts as looking.
_WANTING: Final = frozenset({"favorite", "like", "cart", "join_group"})
_HAVING: Final = frozenset({"purchase"})

CROSS_INPUTS: Final = ("sources", "fusion")
OWN_INPUTS: Final = ("own_looked", "own_wanted", "own_had", "own_days", "own_gap", "own_overdue", "own_newer")
KIND_INPUTS: Final = (
    "category_share",
    "category_lately",
    "category_lift",
    "category_days",
    "parent_share",
    "parent_lately",
    "brand_share",
    "brand_lately",
    "seller_share",
    "price",
    "price_gap",
)
USER_INPUTS: Final = ("history_items", "history_events", "idle_days")
USER_ITEM_INPUTS: Final = (*CROSS_INPUTS, *ITEM_FACTS, *OWN_INPUTS, *KIND_INPUTS, *USER_INPUTS)

_HALF_LIFE_DAYS: Final = 60.0
_HALF_LIFE_EVENTS: Final = 5.0
_FUSED_RANKS: Final = 10.0


@dataclass(frozen=True)
class ItemColumns:
    """The items of one bundle as the inputs read them.

    Args:
        facts: float32 [n_items, 8], `item_facts`.
        category, parent, brand, seller: int32 [n_items], codes, -1 unknown; the parent is the category's.
        price: float32 [n_items], log of the price, NaN unknown.
        groups: int8 [256] by event type code: 0 looking, 1 wanting, 2 having, -1 says nothing.

    Attributes:
        common: float32 [n_items], the share of all events that the item's category has; 1 without one.
        n_categories, n_parents, n_brands, n_sellers: How many codes each column has, counted once.
    """

    facts: Scores
    category: Rows
    parent: Rows
    brand: Rows
    seller: Rows
    price: Scores
    groups: npt.NDArray[np.int8]
    common: Scores = field(init=False)
    n_categories: int = field(init=False)
    n_parents: int = field(init=False)
    n_brands: int = field(init=False)
    n_sellers: int = field(init=False)

    def __post_init__(self) -> None:
        columns = {
            "n_categories": self.category,
            "n_parents": self.parent,
            "n_brands": self.brand,
            "n_sellers": self.seller,
        }
        for name, codes in columns.items():
            object.__setattr__(self, name, int(codes.max(initial=-1)) + 1)
        weight = np.expm1(self.facts[:, ITEM_FACTS.index("popularity_90d")].astype(np.float64))
        known = self.category >= 0
        totals = np.bincount(self.category[known], weight[known], self.n_categories)
        shares = (totals + 1e-9) / max(totals.sum(), 1e-9)
        common = np.where(known, shares[self.category] if len(shares) else 1.0, 1.0).astype(np.float32)
        object.__setattr__(self, "common", common)


def event_groups(event_types: dict[str, int], type_weights: Scores) -> npt.NDArray[np.int8]:
    """int8 [256], the group of each event type code.

    Args:
        event_types: Code by name.
        type_weights: float32 [256]; types that weigh nothing say nothing.
    """
    groups = np.full(256, -1, np.int8)
    for name, code in event_types.items():
        if type_weights[code] > 0:
            groups[code] = 2 if name in _HAVING else 1 if name in _WANTING else 0
    return groups


def user_item_inputs(query: FeedQuery, candidates: Candidates, items: ItemColumns) -> Scores:
    """float32 [n, 31], the columns of `USER_ITEM_INPUTS`; NaN where nothing is known.

    Args:
        query: Its history and moment.
        candidates: n of them.
        items: Of the bundle whose rows the candidates are.
    """
    rows, history = candidates.rows, query.history
    out = np.empty((len(rows), len(USER_ITEM_INPUTS)), np.float32)
    found = candidates.source_ranks >= 0
    out[:, 0] = found.sum(axis=1)
    out[:, 1] = np.where(found, 1.0 / (_FUSED_RANKS + candidates.source_ranks), 0.0).sum(axis=1)
    column = len(CROSS_INPUTS)
    out[:, column : column + len(ITEM_FACTS)] = items.facts[rows]
    column += len(ITEM_FACTS)
    past, types, times = history.item_rows, history.event_types, history.times_ms
    n_distinct = fill_own_inputs(rows, past, types, times, items.groups, query.now_ms, out, column)
    column += len(OWN_INPUTS)
    slow = event_weights_of(types, times, items.groups, query.now_ms, _HALF_LIFE_DAYS, 0.0)
    fast = event_weights_of(types, times, items.groups, query.now_ms, 0.0, _HALF_LIFE_EVENTS)
    fill_shares(items.category, items.n_categories, rows, past, slow, out, column)
    fill_shares(items.category, items.n_categories, rows, past, fast, out, column + 1)
    out[:, column + 2] = np.log((out[:, column] + 0.01) / (items.common[rows] + 0.01))
    fill_days_since(items.category, items.n_categories, rows, past, times, fast, query.now_ms, out, column + 3)
    fill_shares(items.parent, items.n_parents, rows, past, slow, out, column + 4)
    fill_shares(items.parent, items.n_parents, rows, past, fast, out, column + 5)
    fill_shares(items.brand, items.n_brands, rows, past, slow, out, column + 6)
    fill_shares(items.brand, items.n_brands, rows, past, fast, out, column + 7)
    fill_shares(items.seller, items.n_sellers, rows, past, slow, out, column + 8)
    out[:, column + 9] = items.price[rows]
    out[:, column + 10] = items.price[rows] - _usual_price(history, items.price, slow)
    column += len(KIND_INPUTS)
    out[:, column] = np.log1p(n_distinct)
    out[:, column + 1] = np.log1p(np.count_nonzero(slow > 0))
    out[:, column + 2] = _idle_days(history, slow, query.now_ms)
    return out


def _usual_price(history: History, prices: Scores, weights: Scores) -> np.float32:
    """The weighted mean of the history's log prices, NaN without any."""
    own = prices[history.item_rows]
    known = ~np.isnan(own) & (weights > 0)
    if not known.any():
        return np.float32(np.nan)
    return np.float32((own[known] * weights[known]).sum() / weights[known].sum())


def _idle_days(history: History, weights: Scores, now_ms: int) -> np.float32:
    """log1p of the days since the newest event that says something; NaN without one, or without times."""
    told = np.flatnonzero(weights > 0)
    if not len(told):
        return np.float32(np.nan)
    newest = int(history.times_ms[told[-1]])
    return np.float32(np.nan) if newest == NO_TIME else np.float32(np.log1p(max(now_ms - newest, 0) / DAY_MS))
