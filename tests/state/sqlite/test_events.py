from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from recommender.config import StateSettings
from recommender.errors import ConfigurationError
from recommender.state.protocols import Outcome
from recommender.state.sqlite import SqliteState, open_state
from recommender.state.sqlite.events import REMOVAL_ROWS
from recommender.types import DAY_MS
from tests.state.contract import NOON, ManualClock, items_of, logged, until

RETENTION_MS = int(StateSettings().retention * 1_000)


def test_events_beyond_the_retention_go_with_the_people_only_they_named(state: SqliteState) -> None:
    old = logged("apple", "ann", "s", at=NOON + DAY_MS)
    state.events.append([old, logged("apple", "bob", arrival=NOON + 1), logged("fig", session="t")])
    assert state.events.expire(NOON + RETENTION_MS) == 0
    assert state.events.expire(NOON + RETENTION_MS + 1) == 2
    assert (items_of(state, "ann"), items_of(state, "bob")) == ([], ["apple"])
    assert state._readers.fetch("SELECT name FROM actors") == [("bob",)]
    assert state.events.append([old]) == [Outcome.ACCEPTED]


def test_a_session_that_others_name_outlives_the_removal_of_one_user(state: SqliteState) -> None:
    state.events.append([logged("a", "ann", "s"), logged("b", "bob", "s")])
    state.remove_user("ann")
    assert [(event.event.user_id, event.event.session_id) for event in state.events.events()] == [("bob", "s")]
    state.events.append([logged("late", session="s", at=NOON - 1)])
    assert items_of(state, "bob") == ["late", "b"]


def test_a_tied_event_stays_with_its_user_when_the_tie_expires(state: SqliteState) -> None:
    state.events.append([logged("tie", "ann", "s"), logged("late", session="s", at=NOON - 1, arrival=NOON + 9)])
    assert state.events.expire(NOON + RETENTION_MS + 1) == 1
    assert items_of(state, "ann") == ["late"]


def test_items_keep_their_numbers_when_their_events_go(state: SqliteState) -> None:
    number = state.numbers.numbers(["apple"])
    state.events.append([logged("apple", "ann")])
    state.events.expire(NOON + RETENTION_MS + 1)
    assert state.numbers.numbers(["pear", "apple"])[1] == number


def test_one_call_removes_no_more_than_others_can_wait_for(state: SqliteState) -> None:
    state.events.append([logged("apple", "ann") for _ in range(REMOVAL_ROWS + 5)])
    assert state.events.expire(NOON + RETENTION_MS + 1) == REMOVAL_ROWS
    assert state.events.expire(NOON + RETENTION_MS + 1) == 5


def test_the_committer_expires_events_by_itself(
    folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.state.sqlite.committer.CHORE_SECONDS", 0.001)
    state = open_state(folder, StateSettings(durability="process"), clock=clock)
    try:
        state.events.append([logged("apple", "ann") for _ in range(REMOVAL_ROWS + 5)])
        clock.now_ms = NOON + RETENTION_MS + 1
        until(lambda: not items_of(state, "ann"))
    finally:
        state.close()


def test_the_committer_sweeps_expired_snapshots_by_itself(
    state: SqliteState, folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.snapshots.put(b"list", NOON + 9)
    state.close()
    clock.now_ms = NOON + DAY_MS
    monkeypatch.setattr("recommender.state.sqlite.committer.CHORE_SECONDS", 0.001)
    later = open_state(folder, StateSettings(durability="process"), clock=clock)
    try:
        until(lambda: not list((folder / "snapshots").iterdir()))
    finally:
        later.close()


def test_the_place_of_a_removed_event_is_never_given_again(state: SqliteState) -> None:
    state.events.append([logged(user="ann"), logged(user="bob")])
    last = max(event.sequence for event in state.events.events())
    state.remove_user("bob")
    state.events.append([logged(user="cat")])
    assert max(event.sequence for event in state.events.events()) > last


def test_a_reader_that_keeps_the_journal_is_told_of_and_removing_again_clears_it(
    state: SqliteState, stored_bytes: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.state.sqlite.people._SCRUB_SECONDS", 0.01)
    state.events.append([logged("apple", "ann-user")])
    with state._readers.snapshot() as connection:
        connection.execute("SELECT count(*) FROM events").fetchall()
        assert not state.remove_user("ann-user").overwritten
    assert state.remove_user("ann-user").overwritten
    assert b"ann-user" not in stored_bytes()


def test_a_text_that_cannot_be_stored_is_refused_before_it_meets_others(state: SqliteState) -> None:
    with pytest.raises(UnicodeEncodeError):
        state.events.append([logged(user="\ud800")])
    state.events.append([logged("apple", "ann")])
    assert items_of(state, "ann") == ["apple"]


def test_a_retention_shorter_than_event_ids_are_remembered_is_refused(folder: Path, clock: ManualClock) -> None:
    with pytest.raises(ConfigurationError, match="30d"):
        open_state(folder, StateSettings(retention=29 * 86_400), clock=clock)
    assert not folder.exists()


def test_a_history_is_read_from_its_index_alone(state: SqliteState) -> None:
    from recommender.state.sqlite.events import _HISTORY

    plan = [row[3] for row in state._readers.fetch(f"EXPLAIN QUERY PLAN {_HISTORY}", (0, "ann", 10))]
    assert any("USING COVERING INDEX history" in step for step in plan)
    assert not any("TEMP B-TREE" in step for step in plan)


def test_what_is_hidden_is_read_from_its_index_alone(state: SqliteState) -> None:
    from recommender.state.sqlite.events import _HIDDEN

    plan = [row[3] for row in state._readers.fetch(f"EXPLAIN QUERY PLAN {_HIDDEN}", (0, "ann"))]
    assert any("INDEX hides" in step for step in plan)
    assert not any("TEMP B-TREE" in step for step in plan)
