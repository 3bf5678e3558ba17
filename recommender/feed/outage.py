"""An outage of the live log, told once however many feeds meet it."""

from __future__ import annotations

import logging
from typing import Final

from recommender.errors import StateError

_logger: Final = logging.getLogger(__name__)


class Outage:
    """Whether the live log could be read lately; it outlives the pages of one moment, which live items replace."""

    def __init__(self) -> None:
        self._told = False

    def tell(self, error: StateError) -> None:
        """Log that the live log cannot be read, once until it can be again."""
        if not self._told:
            self._told = True
            _logger.error("feeds go on without live events", extra={"reason": str(error)})

    def end(self) -> None:
        """The live log was read."""
        self._told = False
