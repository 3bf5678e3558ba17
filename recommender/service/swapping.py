"""How a worker takes another model: opened and warmed beside serving, then put in place by one reference."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from recommender.errors import WindowshopError
from recommender.feed.live_feed import LiveFeed
from recommender.service.control import CannotSwap, Swapped
from recommender.service.feed_servicer import Live
from recommender.service.meter import Meter
from recommender.service.supervisor_link import SupervisorLink

_logger = logging.getLogger(__name__)
_STOP: Final = None
_LAST_SWAP_SECONDS: Final = 2.0


class ModelSwapper:
    """Swaps in the order in which it is told to, in a thread of its own.

    Args:
        live: What requests read; those under way keep what they read.
        build: From a bundle's folder to a feed that is warm.
        link: Hears how each swap ended.
        meter: Counts them.
    """

    def __init__(self, live: Live, build: Callable[[Path], LiveFeed], link: SupervisorLink, meter: Meter) -> None:
        self._live = live
        self._build = build
        self._link = link
        self._meter = meter
        self._orders: SimpleQueue[Path | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="swap", daemon=True)

    def start(self) -> None:
        """Begin to take orders."""
        self._thread.start()

    def swap(self, bundle: Path) -> None:
        """Take this model as soon as the ones before it are done."""
        self._orders.put(bundle)

    def stop(self) -> None:
        """Take no more; a swap that is under way gets a moment."""
        self._orders.put(_STOP)
        self._thread.join(_LAST_SWAP_SECONDS)

    def _work(self) -> None:
        while (bundle := self._orders.get()) is not _STOP:
            try:
                self._live.feed = self._build(bundle)
            except Exception as error:  # noqa: BLE001  # never opened before: whatever is wrong, serving goes on
                self._refuse(bundle.name, error)
            else:
                self._meter.swapped("done")  # first, so that whoever gets the answer finds it counted
                self._link.say(Swapped(bundle.name))
                _logger.info("worker swapped", extra={"version": bundle.name})

    def _refuse(self, version: str, error: Exception) -> None:
        expected = isinstance(error, WindowshopError)
        reason = str(error) if expected else f"{type(error).__name__}: {error}"
        self._meter.swapped("failed")
        self._link.say(CannotSwap(version, reason))
        extra = {"version": version, "reason": reason}
        _logger.error("worker keeps its model", extra=extra, exc_info=None if expected else error)
