"""Events as rows of the event file, and rows as events."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from recommender.state.protocols import LoggedEvent
from recommender.state.sqlite.schema import SESSION, USER
from recommender.types import Event

DIGEST_BYTES: Final = 16
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


@dataclass(frozen=True, slots=True)
class EventRow:
    """All that the committer needs to store one event, prepared in the caller's thread.

    Args:
        digest: BLAKE2b over what the client sent but the time, which is compared by itself.
        content: The fields beyond those with a column, as compact JSON; None where there are none.
    """

    user_id: str
    session_id: str
    item_id: str
    event_type: str
    time_ms: int
    arrival_ms: int
    event_id: str
    digest: bytes
    content: str | None
    attribution: str | None


def event_row(logged: LoggedEvent) -> EventRow:
    """The row of an event; an unset time becomes that of its arrival.

    Raises:
        UnicodeEncodeError: A text cannot be written as UTF-8.
    """
    event = logged.event
    content = _content(event)
    canonical = _encode(
        [event.user_id, event.session_id, event.item_id, event.event_type, event.event_id, event.receipt, content]
    )
    return EventRow(
        user_id=event.user_id,
        session_id=event.session_id,
        item_id=event.item_id,
        event_type=event.event_type,
        # SQLite would store a numpy integer as a blob.
        time_ms=int(logged.arrival_ms if event.time_ms is None else event.time_ms),
        arrival_ms=int(logged.arrival_ms),
        event_id=event.event_id,
        digest=hashlib.blake2b(canonical.encode(), digest_size=DIGEST_BYTES).digest(),
        content=content,
        attribution=logged.attribution or None,
    )


def _content(event: Event) -> str | None:
    fields: dict[str, Any] = {}
    if event.value is not None:
        fields["value"] = event.value
    if event.price is not None:
        fields["price"] = event.price
    if event.currency:
        fields["currency"] = event.currency
    if event.quantity is not None:
        fields["quantity"] = event.quantity
    if event.attributes:
        fields["attributes"] = dict(event.attributes)
    return _encode(fields) if fields else None


def logged_event(row: tuple[Any, ...]) -> LoggedEvent:
    """The event of a row of `EVENT_PAGE`; its receipt lives on as the attribution."""
    sequence, event_id, item_id, event_type, time_ms, arrival_ms, content, attribution, *people = row
    actor_kind, actor, sender_kind, sender, session = people
    event = Event(
        event_id=event_id,
        item_id=item_id,
        event_type=event_type,
        user_id=actor if actor_kind == USER else "",
        session_id=sender if sender_kind == SESSION else session or "",
        time_ms=time_ms,
        **(json.loads(content) if content else {}),
    )
    return LoggedEvent(event, arrival_ms, attribution or "", sequence)


_EVENTS: Final = """
    SELECT events.sequence, event_id, items.item_id, types.name, time_ms, arrival_ms, content, attribution,
           owners.kind, owners.name, senders.kind, senders.name, sessions.name
    FROM events
    JOIN items ON items.number = events.item
    JOIN types ON types.number = events.type
    JOIN actors AS owners ON owners.number = events.actor
    JOIN actors AS senders ON senders.number = events.sender
    LEFT JOIN actors AS sessions ON sessions.number = events.session
"""
#: Events in the order of the log: after a sequence, up to a sequence, since an arrival; at most so many.
EVENT_PAGE: Final = f"""
    {_EVENTS}
    WHERE events.sequence > ? AND events.sequence <= ? AND +arrival_ms >= ?
    ORDER BY events.sequence LIMIT ?
"""
#: Events of one actor in the order of the log: kind and name of the actor, after a sequence, at most so many.
USER_PAGE: Final = f"""
    {_EVENTS}
    WHERE events.actor = (SELECT number FROM actors WHERE kind = ? AND name = ?) AND events.sequence > ?
    ORDER BY events.sequence LIMIT ?
"""
