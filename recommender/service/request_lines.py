"""What a request leaves in the log: a line where it was slow or is a sample, and in no line what it names."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from recommender.feed.views import FeedPage
from recommender.service.log_lines import PersonTag

_logger: Final = logging.getLogger(__name__)


class RequestLines:
    """Knows, on each thread, the request under way there.

    Args:
        tag: Stands for persons and secrets.
        slow_seconds: A request that takes longer is told.
        every: One request in so many is told as a sample; 0 for none.
    """

    def __init__(self, tag: PersonTag, slow_seconds: float, every: int) -> None:
        self.tag = tag
        self._slow_seconds = slow_seconds
        self._every = every
        self._count = itertools.count(1)
        self._present = threading.local()

    def begin(self, named: Callable[[], set[str]]) -> None:
        """A request begins on this thread.

        Args:
            named: Finds the persons and secrets that it names; asked only where a line is written.
        """
        self._present.named, self._present.page = named, None

    def page(self, page: FeedPage, waited: float, owner: str) -> None:
        """Keep what a line would tell of the feed that the present request gets."""
        self._present.page = (page, waited, owner)

    def end(self, method: str, code: str, seconds: float) -> None:
        """The request of this thread ends; a line says so where there is reason."""
        if seconds > self._slow_seconds:
            _logger.warning("slow request", extra=self._told(method, code, seconds))
        elif self._every and next(self._count) % self._every == 0:
            _logger.info("request", extra=self._told(method, code, seconds))
        self._present.named = None

    def hide(self, text: str) -> str:
        """The text with tags for what the request of this thread names."""
        named = getattr(self._present, "named", None)
        return text if named is None else self.tag.hide(text, named())

    def _told(self, method: str, code: str, seconds: float) -> dict[str, Any]:
        told: dict[str, Any] = {"method": method, "code": code, "ms": _ms(seconds)}
        if self._present.page is not None:
            page, waited, owner = self._present.page
            told |= {
                "request_id": page.request_id,
                "model": page.model_version,
                "user": self.tag.of(owner) if owner else "",
                "cards": len(page.cards),
                "degradations": [degradation.name for degradation in page.degradations],
                "waited_ms": _ms(waited),
                "stages_ms": _stages(page),
            }
        return told


def _stages(page: FeedPage) -> dict[str, float]:
    """Milliseconds by component; what ran several times is summed."""
    spent: dict[str, float] = defaultdict(float)
    for count in page.funnel.counts:
        if not count.shed:
            spent[count.name] += count.seconds
    return {name: _ms(seconds) for name, seconds in spent.items()}


def _ms(seconds: float) -> float:
    return round(seconds * 1_000, 3)
