"""What every implementation of the state protocols must do; one class per protocol, inherited by its tests.

The event log's are in `events_contract.py`.

An implementation gives the fixtures `state` (a new one, closed afterwards), `open_another` (a second one on the same
storage, as another process would have) and `open_fresh` (a new one on storage of its own); `clock` is theirs.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pytest

from recommender.state.protocols import LoggedEvent, Outcome, State
from recommender.types import Event

ACCEPTED, DUPLICATE, REUSED = Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.REUSED
NOON = 1_700_000_000_000

OpenState = Callable[[], State]


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_ms = NOON

    def __call__(self) -> int:
        return self.now_ms


_ids = count()


def logged(
    item: str = "apple",
    user: str = "",
    session: str = "",
    at: int | None = NOON,
    arrival: int = NOON,
    **fields: Any,
) -> LoggedEvent:
    """An event with an id of its own unless one is given."""
    attribution = fields.pop("attribution", "")
    values = {"event_id": f"event-{next(_ids)}", "event_type": "view", **fields}
    return LoggedEvent(
        Event(item_id=item, user_id=user, session_id=session, time_ms=at, **values), arrival, attribution
    )


def items_of(state: State, user: str = "", session: str = "", limit: int = 1_000) -> list[str]:
    """The items of a history, oldest first."""
    return state.numbers.item_ids(state.events.history(user, session, limit).item_numbers)


def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds that another thread brings about."""
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, "it did not come about"
        time.sleep(0.001)


class ItemNumbersContract:
    """Numbers that never change."""

    def test_each_id_has_one_number_for_ever(self, state: State, open_another: OpenState) -> None:
        first = state.numbers.numbers(["apple", "pear", "apple"])
        assert first.dtype == np.int64
        assert first[0] == first[2] != first[1]
        other = open_another()
        later = other.numbers.numbers(["fig", "pear", "apple"])
        assert later[1:].tolist() == [first[1], first[0]]
        assert later[0] not in first
        assert state.numbers.numbers(["fig"]).tolist() == [later[0]]

    def test_ids_come_back_in_order(self, state: State) -> None:
        ids = [f"item {n} ü" for n in range(50)]
        numbers = state.numbers.numbers(ids)
        assert state.numbers.item_ids(numbers[::-1]) == ids[::-1]
        assert state.numbers.item_ids(numbers[:0]) == []
        assert len(state.numbers.numbers([])) == 0

    def test_a_number_never_given_is_named(self, state: State) -> None:
        known = state.numbers.numbers(["apple"])
        with pytest.raises(KeyError, match="987654"):
            state.numbers.item_ids(np.append(known, 987_654))

    def test_an_event_gives_its_item_the_number_that_all_see(self, state: State) -> None:
        state.events.append([logged("apple", "ann")])
        history = state.events.history("ann", "", 9)
        assert state.numbers.numbers(["pear", "apple"])[1] == history.item_numbers[0]

    def test_callers_who_number_the_same_ids_at_once_agree(self, state: State, open_another: OpenState) -> None:
        ids = [f"item-{n}" for n in range(300)]
        states = [state, open_another(), state, open_another()]
        found: list[list[int]] = []
        callers = [
            threading.Thread(target=lambda one=one: found.append(one.numbers.numbers(ids).tolist())) for one in states
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert found == [found[0]] * 4
        assert len(set(found[0])) == 300

    def test_a_bundles_numbers_are_those_of_its_ids_by_row(self, state: State, open_another: OpenState) -> None:
        state.numbers.numbers(["pear"])
        ids = [f"item-{n}" for n in range(500)] + ["pear"]
        for one in (state, state, open_another()):
            numbers = one.numbers.bundle_numbers("bundle", ids)
            assert numbers.dtype == np.int64
            assert numbers.tolist() == state.numbers.numbers(ids).tolist()
            assert not numbers.flags.writeable

    def test_a_fingerprint_that_stands_for_other_ids_now_is_not_believed(self, state: State) -> None:
        state.numbers.bundle_numbers("bundle", ["apple", "pear"])
        for ids in (["pear", "apple"], ["apple"], ["apple", "pear", "fig"], []):
            assert state.numbers.bundle_numbers("bundle", ids).tolist() == state.numbers.numbers(ids).tolist()


class SnapshotStoreContract:
    """Records that live until they expire."""

    def test_a_record_is_read_back_by_every_process(self, state: State, open_another: OpenState) -> None:
        records = [b"", b"one", bytes(range(256)) * 80]
        locators = [state.snapshots.put(record, NOON + 1_000) for record in records]
        other = open_another()
        for one in (state, other):
            assert [one.snapshots.get(locator) for locator in locators] == records
        assert all(len(locator) <= 32 for locator in locators)
        assert len(set(locators)) == 3
        assert state.snapshots.get(other.snapshots.put(b"back", NOON + 1)) == b"back"

    def test_a_record_is_gone_from_its_expiry_on(self, state: State, clock: ManualClock) -> None:
        locator = state.snapshots.put(b"list", NOON + 10)
        clock.now_ms = NOON + 9
        assert state.snapshots.get(locator) == b"list"
        clock.now_ms = NOON + 10
        assert state.snapshots.get(locator) is None

    def test_a_life_is_extended_and_never_shortened(
        self, state: State, clock: ManualClock, open_another: OpenState
    ) -> None:
        locator, neighbour = state.snapshots.put(b"list", NOON + 10), state.snapshots.put(b"other", NOON + 10)
        assert open_another().snapshots.extend(locator, NOON + 1_000_000)
        assert state.snapshots.extend(locator, NOON + 5)
        clock.now_ms = NOON + 999_999
        assert state.snapshots.get(locator) == b"list"
        assert state.snapshots.get(neighbour) is None
        clock.now_ms = NOON + 1_000_000
        assert not state.snapshots.extend(locator, NOON + 2_000_000)
        assert state.snapshots.get(locator) is None

    def test_a_locator_that_was_never_given_finds_nothing(self, state: State) -> None:
        real = state.snapshots.put(b"list", NOON + 10)
        forged = [b"", b"x", os.urandom(len(real)), bytes(len(real)), b"\xff" * len(real), real + b"x", real[:-1]]
        forged += [real[:n] + bytes([real[n] ^ 1]) + real[n + 1 :] for n in range(len(real))]
        assert [state.snapshots.get(locator) for locator in forged] == [None] * len(forged)
        assert not any(state.snapshots.extend(locator, NOON + 20) for locator in forged)

    def test_callers_at_once_get_their_own_records(self, state: State) -> None:
        wrong: list[bytes] = []

        def call(name: int) -> None:
            for n in range(100):
                record = f"{name} {n}".encode() * (n + 1)
                if state.snapshots.get(state.snapshots.put(record, NOON + 10)) != record:
                    wrong.append(record)

        callers = [threading.Thread(target=call, args=(name,)) for name in range(6)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert wrong == []


class ServedLogContract:
    """Records beside the replies."""

    def test_records_come_in_the_order_of_their_writer(self, state: State, open_another: OpenState) -> None:
        other = open_another()
        for n in range(100):
            state.served.write(b"a%d" % n)
            other.served.write(b"b%d" % n, owner="ann")
        state.close()
        other.close()
        records = list(open_another().served.records())
        assert [record for record in records if record.startswith(b"a")] == [b"a%d" % n for n in range(100)]
        assert [record for record in records if record.startswith(b"b")] == [b"b%d" % n for n in range(100)]
        assert len(records) == 200

    def test_a_process_reads_what_it_has_just_written(self, state: State) -> None:
        state.served.write(b"")
        state.served.write(b"page")
        assert list(state.served.records()) == [b"", b"page"]
        assert state.served.dropped == 0


class StateContract:
    """The whole."""

    def test_the_signing_key_is_one_for_all_and_for_ever(self, state: State, open_another: OpenState) -> None:
        (key,) = state.signing_keys()
        assert len(key) == 32
        assert open_another().signing_keys() == (key,) == state.signing_keys()

    def test_what_was_stored_outlives_its_process(self, state: State, open_another: OpenState) -> None:
        state.events.append([logged("apple", "ann")])
        locator = state.snapshots.put(b"list", NOON + 10)
        numbers = state.numbers.numbers(["apple", "fig"])
        state.close()
        later = open_another()
        assert items_of(later, "ann") == ["apple"]
        assert later.snapshots.get(locator) == b"list"
        assert later.numbers.numbers(["apple", "fig"]).tolist() == numbers.tolist()

    def test_closing_twice_is_closing_once(self, state: State) -> None:
        state.close()
        state.close()
