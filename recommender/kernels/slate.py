"""The order of a slate: like things apart, and no more of one kind in a row than wanted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from recommender.kernels.merge import places_of
from recommender.types import Rows, Scores

Codes = npt.NDArray[np.int32]


@njit(nogil=True, cache=True)
def spread_out(
    vectors: Scores,
    rows: Rows,
    losses: Scores,
    codes: Codes,
    most: Codes,
    slots: Codes,
    window: int,
    price: float,
    same_price: float,
    same: float,
    k: int,
) -> npt.NDArray[np.intp]:
    """Fill slot after slot with the candidate that breaks the least of the rules, and of those the cheapest.

    A rule r lets at most `most[r]` items of one code stand in any `slots[r]` successive slots. To break rule r weighs
    more than to break all rules before it. A candidate costs its loss plus `price` times the largest cosine, if
    positive, with an item of the last `window` slots; `same_price` instead where that cosine is `same` or more. The
    earlier candidate wins a tie. Nothing is lost: where every candidate breaks a rule, one of them stands there.

    Args:
        vectors: float32 [n_items, dim], of any length; a zero vector is like nothing.
        rows: int32 [n], best first.
        losses: float32 [n], ascending from 0: by how much each is worse than the first.
        codes: int32 [n_rules, n], not negative, or -1 where a rule leaves a candidate alone.
        most, slots: int32 [n_rules], at least 1.
        window: Slots looked back for likeness, at least 1.
        price, same_price: Not negative, in units of `losses`; the second is at least the first.
        same: From which cosine on two items count as one thing.
        k: Slots to fill at most.

    Returns:
        intp [min(n, k)], distinct indices of candidates.

    Cost: the least possible cost of a candidate is its loss, so the search for a slot ends where losses exceed the
    best cost. README.md has figures.

    Source: Carbonell and Goldstein, "The use of MMR", 1998. The likeness looks back over a window instead of all that
    was chosen, since a feed has no end, and the weights are a price, since scores have no common scale.
    """
    n, n_rules = len(rows), len(codes)
    units = _units(vectors, rows)
    alike, known = np.zeros((n, window), np.float32), np.zeros(n, np.intp)
    costs, peaks, peak_slots = losses.copy(), np.zeros(n, np.float32), np.full(n, -1, np.intp)
    groups, counts, left, free = _groups(codes)
    after, before = np.arange(1, n + 2), np.arange(-1, n)
    order = np.empty(max(min(n, k), 0), np.intp)
    first = 0
    for slot in range(len(order)):
        surely = _leave_window(order, slot, slots, groups, counts, left, free, most)
        best, least_broken, least_cost = -1, 1 << n_rules, np.float32(0.0)
        at = first
        while at < n and not (least_broken == surely and losses[at] >= least_cost):
            # What stood in the window at the last look and still does is the least that its likeness can be.
            cost = costs[at] if peak_slots[at] >= slot - window else losses[at]
            if least_broken > surely or cost < least_cost:
                broken = 0
                for rule in range(n_rules):
                    broken += (counts[rule, groups[at, rule]] >= most[rule]) << rule
                if broken < least_broken or (broken == least_broken and cost < least_cost):
                    likeness = _likeness(units, order, at, slot, alike, known, peaks, peak_slots)
                    costs[at] = losses[at] + np.float32(same_price if likeness >= same else price * likeness)
                    cost = costs[at]
                    if broken < least_broken or cost < least_cost:
                        best, least_broken, least_cost = at, broken, cost
            at = after[at]
        order[slot] = best
        _take_place(groups[best], counts, left, free, most)
        if best == first:
            first = after[best]
        else:
            after[before[best]] = after[best]
        before[after[best]] = before[best]
    return order


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _units(vectors: Scores, rows: Rows) -> Scores:
    """float32 [n, dim]: the rows' vectors at length 1, zero vectors as they are."""
    units = np.empty((len(rows), vectors.shape[1]), np.float32)
    for place in range(len(rows)):
        vector = vectors[rows[place]]
        length = np.float32(0.0)
        for column in range(len(vector)):
            length += vector[column] * vector[column]
        scale = np.float32(1.0) / max(np.sqrt(length), np.float32(1e-12))
        for column in range(len(vector)):
            units[place, column] = scale * vector[column]
    return units


@njit(nogil=True, cache=True)
def _groups(codes: Codes) -> tuple[Codes, Codes, Codes, Codes]:
    """The rules' books.

    Returns:
        groups int32 [n, n_rules], the codes renumbered from 0, and n, a group that is never counted, for -1;
        counts int32 [n_rules, n + 1], how many of each group stand in the window; left likewise, how many are not
        placed; free int32 [n_rules], how many that are not placed would break no rule.
    """
    n_rules, n = codes.shape
    groups = np.full((n, n_rules), n, np.int32)
    counts, left = np.zeros((n_rules, n + 1), np.int32), np.zeros((n_rules, n + 1), np.int32)
    for rule in range(n_rules):
        bound = np.flatnonzero(codes[rule] >= 0)
        places, _ = places_of(codes[rule][bound])
        for place, at in zip(places, bound):  # noqa: B905  # numba has no `strict`
            groups[at, rule] = place
            left[rule, place] += 1
    return groups, counts, left, np.full(n_rules, n, np.int32)


@njit(nogil=True, cache=True)
def _leave_window(
    order: npt.NDArray[np.intp],
    slot: int,
    slots: Codes,
    groups: Codes,
    counts: Codes,
    left: Codes,
    free: Codes,
    most: Codes,
) -> int:
    """Take out of each rule's books what its window leaves behind; bits of the rules that all candidates break."""
    surely, exempt = 0, counts.shape[1] - 1
    for rule in range(len(most)):
        if slot >= slots[rule]:
            group = groups[order[slot - slots[rule]], rule]
            if group != exempt:
                free[rule] += left[rule, group] * (counts[rule, group] == most[rule])
                counts[rule, group] -= 1
        surely += (free[rule] == 0) << rule
    return surely


@njit(nogil=True, cache=True)
def _take_place(own: Codes, counts: Codes, left: Codes, free: Codes, most: Codes) -> None:
    """Book the item of these groups into each rule's window."""
    exempt = counts.shape[1] - 1
    for rule in range(len(most)):
        group = own[rule]
        free[rule] -= counts[rule, group] < most[rule]
        if group != exempt:
            left[rule, group] -= 1
            counts[rule, group] += 1
            free[rule] -= left[rule, group] * (counts[rule, group] == most[rule])


# Sums may be reordered, so that loops vectorise; the flags that presume no infinities and no NaN stay off.
@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _likeness(
    units: Scores,
    order: npt.NDArray[np.intp],
    at: int,
    slot: int,
    alike: Scores,
    known: npt.NDArray[np.intp],
    peaks: Scores,
    peak_slots: npt.NDArray[np.intp],
) -> float:
    """The largest cosine of a candidate with the items of the window before a slot, at least 0.

    Args:
        units: float32 [n, dim].
        order: What stands in the slots before.
        at: The candidate.
        slot: The slot to be filled.
        alike: float32 [n, window], the cosine with the item of slot s in column s % window.
        known: intp [n], the slots before this one are in `alike`.
        peaks: float32 [n], the largest cosine at the last look, at least 0.
        peak_slots: intp [n], the slot of that item, -1 before any.
    """
    window, unit, own = alike.shape[1], units[at], alike[at]
    start, peak, peak_slot = max(slot - window, 0), peaks[at], peak_slots[at]
    new, column = max(known[at], start), 0
    if peak_slot < start:
        peak = np.float32(0.0)
        column = start % window
        for placed in range(start, new):
            if own[column] >= peak:
                peak, peak_slot = own[column], placed
            column = column + 1 if column + 1 < window else 0
    column = new % window
    for placed in range(new, slot):
        other, cosine = units[order[placed]], np.float32(0.0)
        for axis in range(units.shape[1]):
            cosine += unit[axis] * other[axis]
        own[column] = cosine
        if cosine >= peak:
            peak, peak_slot = cosine, placed
        column = column + 1 if column + 1 < window else 0
    known[at], peaks[at], peak_slots[at] = slot, peak, peak_slot
    largest: float = peak
    return largest


@njit(nogil=True, cache=True)
def take_turns(others: npt.NDArray[np.intp], every: int, k: int) -> npt.NDArray[np.intp]:
    """Fill slots with 0, 1, 2, ... but each `every`-th slot with the next of `others`; what stands already is passed.

    Args:
        others: intp [n], the numbers 0 to n - 1 in another order.
        every: At least 1.
        k: Slots to fill at most.

    Returns:
        intp [min(n, k)], distinct.
    """
    n = len(others)
    placed = np.zeros(n, np.bool_)
    order = np.empty(max(min(n, k), 0), np.intp)
    first, other = 0, 0
    for slot in range(len(order)):
        if (slot + 1) % every:
            while placed[first]:
                first += 1
            order[slot] = first
        else:
            while placed[others[other]]:
                other += 1
            order[slot] = others[other]
        placed[order[slot]] = True
    return order
