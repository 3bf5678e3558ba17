"""The protocols of state, one each, so that an embedded and a shared implementation are exchangeable.

The event log is the truth; histories are views of it. Snapshots and `served` records live beside it and never take
its write lock. Nothing here presumes one host; `recommender.state.sqlite` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from recommender.state.live_items import LiveItems
from recommender.types import Event, Times

Numbers = npt.NDArray[np.int64]


class Outcome(StrEnum):
    """What became of one appended event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REUSED = "reused"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event as the log keeps it.

    Args:
        event: With `time_ms` set; None, when appended, means the arrival. Read back, its receipt is empty: what it
            said is the attribution.
        arrival_ms: When the server took it.
        attribution: Request, position, source and model of the receipt, as canonical JSON; empty without one.
        sequence: Place in the log, ascending; 0 before it is appended.
    """

    event: Event
    arrival_ms: int
    attribution: str = ""
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """A user's or session's newest events, oldest first.

    Args:
        item_numbers: int64 [n], permanent item numbers.
        event_types: uint8 [n], codes of `EVENT_TYPES`.
        times_ms: int64 [n].
    """

    item_numbers: Numbers
    event_types: npt.NDArray[np.uint8]
    times_ms: Times


@dataclass(frozen=True, slots=True)
class UserRecords:
    """All that a state holds of a user, by store.

    Args:
        events: In the order of the log, those that a tie gave included; each carries the `event_id` that is remembered.
        sessions: That these events name, so that ties and records of sessions are the user's too.
        snapshots: Lists that the user or these sessions page through.
        served: Records of what the user or these sessions were shown.
        erased: Whether the user was removed before; then a keyed hash of the id is remembered.
    """

    events: tuple[LoggedEvent, ...]
    sessions: tuple[str, ...]
    snapshots: tuple[bytes, ...]
    served: tuple[bytes, ...]
    erased: bool


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed of a user, by store.

    Args:
        events: How many, with their ids, ties and place in histories.
        sessions: Whose records went with the user's.
        snapshots: How many.
        served: How many.
        overwritten: Whether no copy is left in journals either; if not, removing again is worth while.
    """

    events: int
    sessions: int
    snapshots: int
    served: int
    overwritten: bool


@dataclass(frozen=True, slots=True)
class ErasedHashes:
    """Users who were removed, by hashes that name nobody: BLAKE2b of 16 bytes over the id, keyed with the salt.

    Args:
        salt: The same for as long as the state lives.
        hashes: Ascending.
    """

    salt: bytes
    hashes: tuple[bytes, ...]


class ItemNumbers(Protocol):
    """Permanent numbers for item ids: given once, never reused, the same in every process and after restarts."""

    def numbers(self, item_ids: Sequence[str]) -> Numbers:
        """int64 [n], new ids get new numbers; durable before it returns."""
        ...

    def item_ids(self, numbers: Numbers) -> list[str]:
        """The ids of known numbers, in order; KeyError names one that was never given."""
        ...

    def bundle_numbers(self, fingerprint: str, item_ids: Sequence[str]) -> Numbers:
        """The numbers of all items of a bundle, int64 [n_items] by row, read-only; computed once per state.

        Args:
            fingerprint: Names these ids in this order, such as the hash of their file.
            item_ids: [n_items], by row; hardly touched where the numbers are kept already.
        """
        ...


class EventLog(Protocol):
    """The durable log of what users did."""

    def append(self, events: Sequence[LoggedEvent]) -> list[Outcome]:
        """Append and return only when durable at the configured level.

        Idempotent per user (or session, for anonymous events) by `event_id` within the retention: the same content
        again is DUPLICATE, other content is REUSED and not stored. Content is what the client sent: a time equal to
        the arrival, or None, counts as unset, and the attribution does not count.

        An event with both ids ties that session's earlier anonymous events to the user: those stored before it, and
        late ones whose time lies before it. Each is tied once and then belongs to that user alone; what the session
        does anonymously afterwards stays the session's until its next event with both ids.

        Events that name a removed user are ERASED and not stored, whenever they happened.

        Raises:
            StateFullError: The disk is full; nothing of this call was stored.
        """
        ...

    def history(self, user_id: str, session_id: str, limit: int) -> StoredHistory:
        """The newest `limit` events of the user, or of the anonymous session where `user_id` is empty.

        Ordered by (time, sequence). Sees every append that returned, from any process on the same state.
        """
        ...

    def hidden(self, user_id: str, session_id: str) -> Numbers:
        """The items with a `hide` event of the user, or of the anonymous session where `user_id` is empty.

        However many events came after it; a hide holds for as long as its event is kept, and no other event undoes it.

        Returns:
            int64 [n], item numbers, ascending.
        """
        ...

    def is_erased(self, user_id: str) -> bool:
        """Whether the user was removed, so that nothing known of them from elsewhere may be used either."""
        ...

    def events(self, since_ms: int | None = None) -> Iterator[LoggedEvent]:
        """All events that arrived at or after `since_ms`, by sequence, anonymous ones tied to their user."""
        ...


class SnapshotStore(Protocol):
    """Ordered lists that sessions page through; readable by every process on the same state."""

    def put(self, record: bytes, expires_ms: int, owner: str = "") -> bytes:
        """Keep a record and return its locator (at most 32 bytes). Costs no lock that writers of events hold.

        Args:
            record: At most 16 MiB.
            expires_ms: From this moment on it is gone.
            owner: The user id, or the session id of an anonymous one, by which the record can be found and removed.

        Raises:
            StateFullError: The disk is full.
        """
        ...

    def get(self, locator: bytes) -> bytes | None:
        """The record, or None where it expired, was removed or never was. A torn record is None, never garbage."""
        ...

    def extend(self, locator: bytes, expires_ms: int) -> bool:
        """Let a record live until `expires_ms` where it would expire before; False where `get` would give None."""
        ...


class ServedLog(Protocol):
    """Compact records of what was served; written beside the reply, up to a second may be lost in a crash."""

    @property
    def dropped(self) -> int:
        """Records that this process lost because the disk could not follow."""
        ...

    def write(self, record: bytes, owner: str = "") -> None:
        """Queue one record; never blocks on the disk. `owner` is the user or session id by which it can be removed."""
        ...

    def records(self) -> Iterator[bytes]:
        """All whole records in the order of each writer; a torn tail is skipped."""
        ...


class State(Protocol):
    """All of it, opened once per process."""

    @property
    def events(self) -> EventLog:
        """The log of what users did."""
        ...

    @property
    def numbers(self) -> ItemNumbers:
        """The permanent numbers of items."""
        ...

    @property
    def live_items(self) -> LiveItems:
        """What the shop says of its items between two models, and what it took down."""
        ...

    @property
    def snapshots(self) -> SnapshotStore:
        """The lists that sessions page through."""
        ...

    @property
    def served(self) -> ServedLog:
        """The records of what was served."""
        ...

    def signing_keys(self) -> tuple[bytes, ...]:
        """Keys of tokens and receipts, the one that signs first; one is made on first use."""
        ...

    def find_user(self, user_id: str) -> UserRecords:
        """All that is held of a user, in every store."""
        ...

    def remove_user(self, user_id: str) -> Removed:
        """Remove all that is held of a user, in every store, and remember a keyed hash of the id for exports.

        Afterwards the id stands nowhere in the state, and events that name it are refused. Safe to call again; a user
        of whom nothing is held is remembered too, since files handed over earlier may name them.
        """
        ...

    def erased(self) -> ErasedHashes:
        """All users who were removed."""
        ...

    def data_version(self) -> int:
        """A number that changes whenever any process added events, for callers that cache; cheap to ask."""
        ...

    def close(self) -> None:
        """Flush and release; safe to call twice."""
        ...
