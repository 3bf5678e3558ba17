"""The feed of one bundle over live items: it notices what any process changed before it answers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from recommender.bundle import Bundle
from recommender.errors import RequestError, StateError
from recommender.feed.live_catalogue import LiveCatalogue
from recommender.feed.live_layer import LiveLayer
from recommender.feed.pages import FeedPages
from recommender.state.live_items import LiveItems, Ruling, Target
from recommender.types import Item

#: For how long what was confirmed may be relied on while it cannot be confirmed again.
_TRUSTED_SECONDS: Final = 1.0
_logger: Final = logging.getLogger(__name__)


class LiveFeed:
    """Answers each request by the items and takedowns that were kept before it, in one version throughout.

    Args:
        items: Live items and rulings, of all processes.
        layer: Theirs, over the bundle.
        assemble: Pages on one version of the catalogue.
        seconds: A clock that never steps back.

    Raises:
        StateError: They cannot be read.
    """

    def __init__(
        self,
        items: LiveItems,
        layer: LiveLayer,
        assemble: Callable[[LiveCatalogue], FeedPages],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._items = items
        self._layer = layer
        self._assemble = assemble
        self._seconds = seconds
        self._lock = threading.Lock()
        self._told = False
        self._confirmed = seconds()
        self._version = items.version()
        layer.take(items.changes())
        self._pages = assemble(layer.catalogue())

    def current(self) -> FeedPages:
        """Pages on the items of this moment.

        Raises:
            RequestError: STATE_STALE, what may be shown could not be confirmed within the last second.

        Cost: 6 us where nothing changed.
        """
        now = self._seconds()
        try:
            if self._items.version() != self._version:
                self._renew()
            self._confirmed = max(self._confirmed, now)
            self._told = False
        except StateError as error:
            if now - self._confirmed > _TRUSTED_SECONDS:
                raise self._stale(error) from error
        return self._pages

    @property
    def bundle(self) -> Bundle:
        """The model that it answers with."""
        return self._pages.catalogue.bundle

    def takedown(self, item: Item) -> Ruling | None:
        """What took the item down, by itself or by its seller; None where nothing did."""
        for target, name in ((Target.ITEM, item.item_id), (Target.SELLER, item.seller_id)):
            ruling = self._items.ruling(target, name) if name else None
            if ruling is not None and ruling.taken_down:
                return ruling
        return None

    def _renew(self) -> None:
        with self._lock:
            # Asked first: what is kept while the changes are read changes the version once more.
            version = self._items.version()
            if version == self._version:
                return  # another thread was faster
            self._layer.take(self._items.changes(self._layer.sequence))
            self._pages = self._assemble(self._layer.catalogue())
            self._version = version

    def _stale(self, error: StateError) -> RequestError:
        if not self._told:
            self._told = True
            _logger.error("takedowns and stock cannot be confirmed", extra={"reason": str(error)})
        said = "takedowns and stock could not be confirmed within the last second; send it again after a pause"
        return RequestError("UNAVAILABLE", "STATE_STALE", said)
