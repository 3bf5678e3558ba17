"""Only what can be had at the moment."""

from __future__ import annotations

from recommender.feed.catalogue import Catalogue
from recommender.types import FeedQuery, Mask, Rows


class AvailableFilter:
    """Keeps items that are available and neither expired nor ended.

    Args:
        catalogue: Says what may be shown.
    """

    name = "available"

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def keep(self, query: FeedQuery, rows: Rows) -> Mask:
        """bool [n]: True where the item can be had at the query's moment."""
        return self._catalogue.shown(rows, query.now_ms)

    def room(self, query: FeedQuery) -> int:
        """None: who asks makes no difference."""
        return 0
