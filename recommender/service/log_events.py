"""The events of a log file as a client sends them, with ids that are the same whenever the same rows are sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from recommender.logs import EventTable, read_events
from recommender.types import NO_TIME, Event

_NUMBERS: Final = ("value", "price", "quantity")
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class LogEvents:
    """Rows of a log that can be sent, in the order of the files.

    Args:
        table: As read.
    """

    table: EventTable

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[Event]:
        table, ordinals = self.table, occurrences(_columns(self.table))
        for row in range(len(table)):
            user_id = _name(table.user_ids, table.users[row])
            session_id = _name(table.session_ids, table.sessions[row])
            item_id = table.item_ids[table.items[row]]
            event_type = table.event_types[table.types[row]]
            time_ms = int(table.times_ms[row])
            numbers = [float(table.extras[name][row]) for name in _NUMBERS]
            content = (user_id, session_id, item_id, event_type, time_ms, *numbers, int(ordinals[row]))
            value, price, quantity = (None if np.isnan(number) else number for number in numbers)
            yield Event(
                event_id=_event_id(content),
                item_id=item_id,
                event_type=event_type,
                user_id=user_id,
                session_id=session_id,
                time_ms=None if time_ms == NO_TIME else time_ms,
                value=value,
                price=price,
                quantity=quantity,
            )


def read_log_events(path: str) -> LogEvents:
    """The usable rows of an events file, folder or glob.

    Raises:
        InputError: It cannot be read as a log.
    """
    return LogEvents(read_events(path, rejects_dir=None, extras=_NUMBERS))


def occurrences(columns: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
    """How many rows before it are equal to each row, int64 [n].

    Args:
        columns: Eight bytes wide, [n] each; equal bytes are equal values.

    Example:
        >>> occurrences([np.array([7, 8, 7, 7])]).tolist()
        [0, 0, 1, 2]
    """
    keys = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        keys = (keys ^ column.view(np.uint64)) * _MULTIPLIER
        keys ^= keys >> np.uint64(29)
    order = np.argsort(keys, kind="stable")
    changes = np.flatnonzero(np.diff(keys[order], prepend=keys[order][:1] + np.uint64(1)))
    starts = np.repeat(changes, np.diff(changes, append=len(keys)))
    ordinals = np.empty(len(keys), np.int64)
    ordinals[order] = np.arange(len(keys)) - starts
    return ordinals


def _columns(table: EventTable) -> list[npt.NDArray[Any]]:
    codes = [column.astype(np.int64) for column in (table.users, table.sessions, table.items, table.types)]
    return [*codes, table.times_ms, *(table.extras[name] for name in _NUMBERS)]


def _name(names: Sequence[str], code: int) -> str:
    return names[code] if code >= 0 else ""


def _event_id(content: tuple[object, ...]) -> str:
    return "log-" + hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()
