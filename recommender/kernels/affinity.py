"""What a history says of candidates: how often and when they were touched, and how their kind was."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from recommender.kernels.hashing import mix
from recommender.types import DAY_MS, NO_TIME, Rows, Scores, Times

_DAY = float(DAY_MS)


@njit(nogil=True, cache=True)
def _slot_of(row: int, slots: Rows) -> np.int64:
    """The slot that holds the row, or the free one where it belongs."""
    last = np.uint64(len(slots) - 1)
    slot = mix(np.uint64(row)) & last
    while slots[slot] >= 0 and slots[slot] != row:
        slot = (slot + np.uint64(1)) & last
    return np.int64(slot)


@njit(nogil=True, cache=True)
def _seats(rows: Rows, n_more: int) -> tuple[Rows, Rows]:
    """Open addressing over the candidates and as many rows more: the row in a slot, and its candidate; -1 for none."""
    n_slots = 16
    while n_slots < 2 * (len(rows) + n_more):
        n_slots *= 2
    slots, candidate = np.full(n_slots, -1, np.int32), np.full(n_slots, -1, np.int32)
    for place in range(len(rows)):
        slot = _slot_of(rows[place], slots)
        slots[slot], candidate[slot] = rows[place], place
    return slots, candidate


@njit(nogil=True, cache=True)
def fill_own_inputs(
    rows: Rows,
    history_rows: Rows,
    history_types: npt.NDArray[np.uint8],
    times_ms: Times,
    groups: npt.NDArray[np.int8],
    now_ms: int,
    out: Scores,
    first: int,
) -> int:
    """What the user did with each candidate itself: seven columns of `out`, from `first` on.

    Counts by group (three columns, log1p), days since the newest event, mean days between events, the former over the
    latter, and how many distinct items are newer (log1p but the quotient, which ends at 20). NaN where the user never
    touched the candidate, or time does not tell.

    Args:
        rows: int32 [n], the candidates, unique.
        history_rows: int32 [n_events], oldest first, with types and times.
        groups: int8 [256], 0 to 2 by event type, -1 for types that say nothing.
        now_ms: The moment to look back from.
        out: float32 [n, n_inputs].
        first: The first column to write.

    Returns:
        How many distinct items the history has.
    """
    slots, candidate = _seats(rows, len(history_rows))
    n_slots = len(slots)
    out[:, first : first + 3] = 0.0
    out[:, first + 3 : first + 7] = np.nan
    newest, oldest = np.full(n_slots, NO_TIME, np.int64), np.full(n_slots, NO_TIME, np.int64)
    moments, seen = np.zeros(n_slots, np.int32), np.zeros(n_slots, np.bool_)
    n_distinct = 0
    for event in range(len(history_rows) - 1, -1, -1):
        group = groups[history_types[event]]
        if group < 0:
            continue
        row = history_rows[event]
        slot = _slot_of(row, slots)
        slots[slot] = row
        place = candidate[slot]
        time_ms = times_ms[event]
        if not seen[slot]:
            seen[slot] = True
            if place >= 0:
                out[place, first + 6] = np.log1p(np.float32(n_distinct))
            n_distinct += 1
            newest[slot], oldest[slot], moments[slot] = time_ms, time_ms, 1
        elif oldest[slot] - time_ms >= DAY_MS:
            oldest[slot] = time_ms
            moments[slot] += 1
        if place >= 0:
            out[place, first + group] += 1.0
    for at in range(n_slots):
        if candidate[at] >= 0 and seen[at]:
            _finish_own(out[candidate[at], first : first + 7], newest[at], oldest[at], moments[at], now_ms)
    return n_distinct


@njit(nogil=True, cache=True)
def _finish_own(own: Scores, newest_ms: int, oldest_ms: int, moments: int, now_ms: int) -> None:
    """Take the logarithm of one candidate's counts, and write what its times say."""
    for column in range(3):
        own[column] = np.log1p(own[column])
    if newest_ms == NO_TIME:
        return
    days = max(now_ms - newest_ms, 0) / _DAY
    own[3] = np.log1p(days)
    if moments > 1:
        gap = (newest_ms - oldest_ms) / _DAY / (moments - 1)
        own[4] = np.log1p(gap)
        own[5] = min(days / gap, 20.0)


@njit(nogil=True, cache=True)
def fill_shares(
    codes_of: Rows,
    n_codes: int,
    rows: Rows,
    history_rows: Rows,
    weights: Scores,
    out: Scores,
    column: int,
) -> None:
    """The weighted share of a history that has the candidate's code; NaN where the candidate has none.

    Args:
        codes_of: int32 [n_items], -1 unknown.
        n_codes: Codes there are.
        rows: int32 [n], the candidates.
        history_rows: int32 [n_events].
        weights: float32 [n_events], >= 0.
        out: float32 [n, n_inputs]; `column` of it is written.
    """
    totals = np.zeros(n_codes, np.float32)
    whole = np.float32(0.0)
    for event in range(len(history_rows)):
        code = codes_of[history_rows[event]]
        if code >= 0:
            totals[code] += weights[event]
            whole += weights[event]
    for place in range(len(rows)):
        code = codes_of[rows[place]]
        if code < 0:
            out[place, column] = np.nan
        else:
            out[place, column] = totals[code] / whole if whole > 0.0 else np.float32(0.0)


@njit(nogil=True, cache=True)
def fill_days_since(
    codes_of: Rows,
    n_codes: int,
    rows: Rows,
    history_rows: Rows,
    times_ms: Times,
    weights: Scores,
    now_ms: int,
    out: Scores,
    column: int,
) -> None:
    """log1p of the days since the newest event on the candidate's code; NaN where there was none, or without times.

    Args: as for `fill_shares`; events that weigh nothing are passed over.
    """
    newest = np.full(n_codes, NO_TIME, np.int64)
    for event in range(len(history_rows)):
        code = codes_of[history_rows[event]]
        if code >= 0 and weights[event] > 0.0 and times_ms[event] > newest[code]:
            newest[code] = times_ms[event]
    for place in range(len(rows)):
        code = codes_of[rows[place]]
        if code < 0 or newest[code] == NO_TIME:
            out[place, column] = np.nan
        else:
            out[place, column] = np.log1p(max(now_ms - newest[code], 0) / _DAY)


@njit(nogil=True, cache=True)
def event_weights_of(
    history_types: npt.NDArray[np.uint8],
    times_ms: Times,
    groups: npt.NDArray[np.int8],
    now_ms: int,
    half_life_days: float,
    half_life_events: float,
) -> Scores:
    """float32 [n_events]: 1 for an event of a group, halved by age and by how many events came since; else 0."""
    weights = np.zeros(len(history_types), np.float32)
    n_newer = 0
    for event in range(len(history_types) - 1, -1, -1):
        if groups[history_types[event]] < 0:
            continue
        weight = 1.0
        if half_life_days > 0.0 and times_ms[event] != NO_TIME:
            weight *= 2.0 ** (-max(now_ms - times_ms[event], 0) / _DAY / half_life_days)
        if half_life_events > 0.0:
            weight *= 2.0 ** (-n_newer / half_life_events)
        weights[event] = weight
        n_newer += 1
    return weights
