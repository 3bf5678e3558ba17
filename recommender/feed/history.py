"""A user's history: what the training log knew, with the live events of a second ago."""

from __future__ import annotations

import numpy as np

from recommender.bundle import Bundle
from recommender.feed.numbering import Numbering
from recommender.feed.outage import Outage
from recommender.kernels.history import merge_histories
from recommender.state.protocols import EventLog
from recommender.types import History, Rows


class Histories:
    """Merges the histories of one bundle and the live log.

    Args:
        bundle: Its histories end with the training log.
        events: The live log; it may still hold events that the bundle was trained on.
        numbering: Takes the log's item numbers to the bundle's rows.
        limit: Newest events kept, of each and of both together.
        outage: Of the live log.
    """

    def __init__(self, bundle: Bundle, events: EventLog, numbering: Numbering, limit: int, outage: Outage) -> None:
        self._bundle = bundle
        self._events = events
        self._numbering = numbering
        self._limit = limit
        self.outage = outage

    def is_erased(self, user_id: str) -> bool:
        """Whether the user was erased: then the bundle's history of them counts for nothing.

        Raises:
            StateError: It cannot be told.
        """
        return bool(user_id) and self._events.is_erased(user_id)

    def of(self, user_id: str, session_id: str, *, erased: bool) -> History:
        """The user's newest events, or the session's where there is no user; oldest first.

        A live event that the bundle's history has too (same item, type and time) counts once; events on items that
        this bundle lacks are left out.
        """
        trained = self._trained(user_id, erased)
        live = self._live(user_id, session_id)
        if not len(live):
            return _newest(trained, self._limit)
        rows, types, times_ms = merge_histories(
            trained.item_rows, trained.event_types, trained.times_ms, live.item_rows, live.event_types, live.times_ms
        )
        return _newest(History(rows, types, times_ms), self._limit)

    def trained(self, user_id: str, *, erased: bool) -> History:
        """What the bundle alone knows of the user, for the moments in which the live log cannot be read."""
        return _newest(self._trained(user_id, erased), self._limit)

    def hidden(self, user_id: str, session_id: str, *, erased: bool) -> Rows:
        """The rows of all items that the user, or the session where there is no user, ever hid, in any order."""
        if not user_id and not session_id:
            return np.empty(0, np.int32)
        rows = self._numbering.rows(self._events.hidden(user_id, session_id))
        trained = self._bundle.hidden_rows("" if erased else user_id)
        return np.concatenate((trained, rows[rows >= 0]))

    def _trained(self, user_id: str, erased: bool) -> History:
        return History.empty() if erased else self._bundle.history(user_id)

    def _live(self, user_id: str, session_id: str) -> History:
        if not user_id and not session_id:
            return History.empty()
        stored = self._events.history(user_id, session_id, self._limit)
        self.outage.end()
        rows = self._numbering.rows(stored.item_numbers)
        known = rows >= 0
        return History(rows[known], stored.event_types[known], stored.times_ms[known])


def _newest(history: History, limit: int) -> History:
    if len(history) <= limit:
        return history
    return History(
        np.ascontiguousarray(history.item_rows[-limit:]),
        np.ascontiguousarray(history.event_types[-limit:]),
        np.ascontiguousarray(history.times_ms[-limit:]),
    )
