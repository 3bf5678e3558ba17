"""Only the rows that the query allows; used offline, to rank a part of the catalogue."""

from __future__ import annotations

import numpy as np

from recommender.types import FeedQuery, Mask, Rows


class AllowedFilter:
    """Keeps what `query.allowed` allows; without it, everything."""

    name = "allowed"

    def keep(self, query: FeedQuery, rows: Rows) -> Mask:
        """bool [n]: True where allowed."""
        return np.ones(len(rows), np.bool_) if query.allowed is None else query.allowed[rows]

    def room(self, query: FeedQuery) -> int:
        """None: who asks makes no difference."""
        return 0
