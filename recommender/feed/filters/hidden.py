"""Nothing that this user hid."""

from __future__ import annotations

import numpy as np

from recommender.kernels.membership import contains
from recommender.types import EVENT_TYPE_CODE, FeedQuery, Mask, Rows

_HIDE = EVENT_TYPE_CODE["hide"]


class HiddenFilter:
    """Drops items with a `hide` event of the user, and the query's `hidden_rows`."""

    name = "hidden"

    def keep(self, query: FeedQuery, rows: Rows) -> Mask:
        """bool [n]: False where hidden."""
        return ~contains(_hidden(query), rows)

    def room(self, query: FeedQuery) -> int:
        """All that is hidden."""
        return len(_hidden(query))


def _hidden(query: FeedQuery) -> Rows:
    history = query.history
    hidden: Rows = np.concatenate((history.item_rows[history.event_types == _HIDE], query.hidden_rows))
    return hidden
