"""Nothing that the user bought lately, for feeds that show things to discover."""

from __future__ import annotations

import numpy as np

from recommender.kernels.membership import contains
from recommender.types import DAY_MS, EVENT_TYPE_CODE, NO_TIME, FeedQuery, Mask, Rows

_PURCHASE = EVENT_TYPE_CODE["purchase"]


class RecentPurchaseFilter:
    """Drops items bought in the last days; purchases without a time count as recent, since nothing says otherwise.

    Args:
        days: For how long a purchase hides its item; 0 hides nothing.
    """

    name = "recent_purchase"

    def __init__(self, days: int) -> None:
        self._window_ms = days * DAY_MS

    def keep(self, query: FeedQuery, rows: Rows) -> Mask:
        """bool [n]: False where the item was bought within the window."""
        return ~contains(self._bought(query), rows)

    def room(self, query: FeedQuery) -> int:
        """The purchases, each one once."""
        return len(np.unique(self._bought(query)))

    def _bought(self, query: FeedQuery) -> Rows:
        history = query.history
        recent = (history.times_ms == NO_TIME) | (history.times_ms > query.now_ms - self._window_ms)
        bought: Rows = history.item_rows[(history.event_types == _PURCHASE) & recent & (self._window_ms > 0)]
        return bought
