"""The event log in plain Python, and calls to try it with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from recommender.state.protocols import LoggedEvent, Outcome
from recommender.types import Event
from tests.state.contract import ACCEPTED, DUPLICATE, NOON, REUSED, logged


class LogModel:
    """What is stored, and whose it is."""

    def __init__(self) -> None:
        self.stored: list[tuple[LoggedEvent, str]] = []

    def append(self, events: Sequence[LoggedEvent]) -> list[Outcome]:
        return [self._append_one(logged) for logged in events]

    def history(self, user: str, session: str, limit: int) -> list[LoggedEvent]:
        owner = f"user {user}" if user else f"session {session}"
        mine = [logged for logged, of in self.stored if of == owner] if user or session else []
        ordered = sorted(mine, key=lambda logged: logged.event.time_ms or 0)  # stable: the log's order among equals
        return ordered[-limit:] if limit else []

    def _append_one(self, logged: LoggedEvent) -> Outcome:
        event = logged.event
        known = [old for old, _ in self.stored if self._scope(old.event) == self._scope(event)]
        if known:
            return DUPLICATE if self._same(known[0], logged) else REUSED
        logged = replace(logged, event=replace(event, time_ms=self._time(logged)))
        self.stored.append((logged, self._owner(logged)))
        if event.user_id and event.session_id:
            given = (f"session {event.session_id}", f"user {event.user_id}")
            self.stored = [(old, given[1] if of == given[0] else of) for old, of in self.stored]
        return ACCEPTED

    def _owner(self, logged: LoggedEvent) -> str:
        event = logged.event
        if event.user_id:
            return f"user {event.user_id}"
        ties = [old.event for old, _ in self.stored if old.event.user_id and old.event.session_id == event.session_id]
        later = [tie for tie in ties if event.session_id and self._time_of(tie) >= self._time(logged)]
        return f"user {min(later, key=self._time_of).user_id}" if later else f"session {event.session_id}"

    def _time(self, logged: LoggedEvent) -> int:
        return logged.arrival_ms if logged.event.time_ms is None else logged.event.time_ms

    def _time_of(self, event: Event) -> int:
        assert event.time_ms is not None
        return event.time_ms

    def _scope(self, event: Event) -> tuple[str, str, str]:
        return ("user", event.user_id, event.event_id) if event.user_id else ("", event.session_id, event.event_id)

    def _same(self, old: LoggedEvent, new: LoggedEvent) -> bool:
        unset = [self._time(logged) == logged.arrival_ms for logged in (old, new)]
        return replace(old.event, time_ms=0) == replace(new.event, time_ms=0) and (
            self._time(old) == self._time(new) or all(unset)
        )


_LOGGED = st.builds(
    lambda user, session, item, kind, event_id, at: logged(item, user, session, at, event_type=kind, event_id=event_id),
    user=st.sampled_from(["", "ann", "bob"]),
    session=st.sampled_from(["", "ann", "s2"]),
    item=st.sampled_from(["apple", "pear"]),
    kind=st.sampled_from(["view", "purchase", "wave"]),
    event_id=st.sampled_from("abcdefgh"),
    at=st.one_of(st.none(), st.integers(NOON - 3, NOON + 3)),
)
#: Some calls of `append`, by few people with few ids.
CALLS = st.lists(st.lists(_LOGGED, max_size=6), max_size=8)
