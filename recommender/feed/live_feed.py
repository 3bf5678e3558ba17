"""The feed of one bundle over live items: it notices what any process changed before it answers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from recommender.errors import RequestError, StateError
from recommender.feed.live_catalogue import LiveCatalogue
from recommender.feed.live_layer import LiveLayer
from recommender.feed.pages import FeedPages
from recommender.state.live_items import LiveItems, Ruling, Target
from recommender.types import Item

#: For how long what was confirmed may be relied on while it cannot be confirmed again.
_TRUSTED_SECONDS: Final = 1.0
#: New texts that a page may wait for, 0.1 ms each; of many more at once the rest follow within the second.
_READ_AT_ONCE: Final = 50
#: A version copies all vectors, so it comes after some more of them.
_READS_A_VERSION: Final = 10
#: Locks are not fair: without a pause the reader may have its lock again before a page that waits for it is awake.
_PAUSE_SECONDS: Final = 0.001
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
        self._reader: threading.Thread | None = None
        layer.take(items.changes())
        layer.read()
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
            unread = self._layer.read(_READ_AT_ONCE)
            self._pages = self._assemble(self._layer.catalogue())
            self._version = version
            if unread and (self._reader is None or not self._reader.is_alive()):
                self._reader = threading.Thread(target=self._read_on, name="live-texts", daemon=True)
                self._reader.start()

    def _read_on(self) -> None:
        """Encode what many new items at once left unread, a few at a time, so that no page waits for all of them."""
        unread = True
        while unread:
            for _ in range(_READS_A_VERSION):
                with self._lock:
                    unread = self._layer.read(_READ_AT_ONCE)
                if not unread:
                    break
                time.sleep(_PAUSE_SECONDS)
            with self._lock:
                self._pages = self._assemble(self._layer.catalogue())
                unread = self._layer.read(0)
                if not unread:
                    self._reader = None

    def _stale(self, error: StateError) -> RequestError:
        if not self._told:
            self._told = True
            _logger.error("takedowns and stock cannot be confirmed", extra={"reason": str(error)})
        said = "takedowns and stock could not be confirmed within the last second; send it again after a pause"
        return RequestError("UNAVAILABLE", "STATE_STALE", said)
