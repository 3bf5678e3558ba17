from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recommender.errors import StateError, StateFullError
from recommender.state.sqlite import SqliteState, committer
from recommender.state.sqlite.committer import Committer
from recommender.state.sqlite.schema import connect_writer
from tests.state.contract import items_of, logged, until


class FailingError(Exception):
    pass


@contextmanager
def busy(state: SqliteState) -> Iterator[None]:
    """The committer held inside a transaction, so that callers queue up."""
    entered, leave = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> None:
        entered.set()
        assert leave.wait(30)

    holder = threading.Thread(target=state._committer.submit, args=(hold,))
    holder.start()
    assert entered.wait(30)
    try:
        yield
    finally:
        leave.set()
        holder.join()


def call_all(state: SqliteState, calls: list[Callable[[], object]]) -> list[object]:
    """What calls that all wait for the same commit gave or raised."""
    results: dict[int, object] = {}

    def run(n: int) -> None:
        try:
            results[n] = calls[n]()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results[n] = error

    callers = [threading.Thread(target=run, args=(n,)) for n in range(len(calls))]
    with busy(state):
        for caller in callers:
            caller.start()
        until(lambda: state._committer._jobs.qsize() == len(calls))
    for caller in callers:
        caller.join()
    return [results[n] for n in range(len(calls))]


def test_callers_who_wait_at_the_same_time_share_one_transaction(state: SqliteState) -> None:
    before = state.transactions
    call_all(state, [lambda n=n: state.events.append([logged(f"item-{n}", "ann")]) for n in range(16)])  # type: ignore[misc]
    assert state.transactions - before == 2  # the one that held the committer, and all sixteen
    assert len(items_of(state, "ann")) == 16


def test_a_group_ends_where_it_would_hold_the_lock_for_long(state: SqliteState) -> None:
    before = state.transactions
    big = [logged(f"item-{n % 10}", "ann") for n in range(committer.GROUP_SIZE)]
    call_all(state, [lambda: state.events.append(big[:3_000]), lambda: state.events.append(big[3_000:] * 2)] * 2)
    assert state.transactions - before >= 3


def test_work_that_raises_fails_alone_and_leaves_nothing(state: SqliteState) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO items (item_id) VALUES ('ghost')")
        raise FailingError

    results = call_all(
        state,
        [
            lambda: state.events.append([logged("apple", "ann")]),
            lambda: state._committer.submit(fail),
            lambda: state.events.append([logged("apple", "ann")]),
        ],
    )
    assert isinstance(results[1], FailingError)
    assert items_of(state, "ann") == ["apple", "apple"]
    assert state._readers.fetch("SELECT item_id FROM items") == [("apple",)]


def test_an_argument_that_sqlite_cannot_take_fails_its_caller_alone(state: SqliteState) -> None:
    wrong = logged("fig", "ann", at=2**63)
    odd = logged("fig", "ann", attribution=object())
    events = [wrong, odd, logged("apple", "ann")]
    results = call_all(state, [lambda event=event: state.events.append([event]) for event in events])  # type: ignore[misc]
    assert [type(result) for result in results] == [OverflowError, sqlite3.ProgrammingError, list]
    assert items_of(state, "ann") == ["apple"]


def test_an_error_of_sqlite_leaves_no_transaction_open(state: SqliteState) -> None:
    with pytest.raises(StateError, match="no such table"):
        state._committer.submit(lambda connection: connection.execute("SELECT * FROM missing"))
    state.events.append([logged("apple", "ann")])
    assert items_of(state, "ann") == ["apple"]


def test_a_caller_does_not_wait_for_ever_and_is_told_so(
    state: SqliteState, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "WAIT_SECONDS", 0.01)
    event = logged("apple", "ann")
    with (folder / "writer.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StateError, match="outcome is not known; send again"):
            state.events.append([event])
    monkeypatch.undo()
    assert [outcome.value for outcome in state.events.append([event])] == ["duplicate"]


def test_a_full_disk_fails_exactly_the_callers_of_its_group(state: SqliteState) -> None:
    state.events.append([logged("apple", "ann")])
    pages = state._readers.fetch("PRAGMA page_count")[0][0]
    state._committer.submit(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchall())
    fat = logged("fig", "ann", attributes={"padding": "x" * 100_000})
    thin = logged("pear", "ann")
    failed = call_all(state, [lambda: state.events.append([thin]), lambda: state.events.append([fat])])
    assert [type(error) for error in failed] == [StateFullError, StateFullError]
    assert "free space" in str(failed[0])
    assert items_of(state, "ann") == ["apple"]
    assert [outcome.value for outcome in state.events.append([thin])] == ["accepted"]
    state._committer.submit(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchall())
    state.events.append([fat])
    assert items_of(state, "ann") == ["apple", "pear", "fig"]
    state.check()


def test_a_closed_state_says_so(state: SqliteState) -> None:
    state.close()
    for call in (
        lambda: state.events.append([logged()]),
        lambda: state.events.history("ann", "", 1),
        lambda: state.numbers.numbers(["apple"]),
        lambda: state.snapshots.put(b"", 1),
        lambda: state.snapshots.get(bytes(20)),
        state.data_version,
    ):
        with pytest.raises(StateError, match="open"):
            call()


def test_what_is_queued_when_the_state_closes_is_committed(
    state: SqliteState, open_another: Callable[[], SqliteState]
) -> None:
    caller = threading.Thread(target=lambda: state.events.append([logged("apple", "ann")]))
    closer = threading.Thread(target=state.close)
    with busy(state):
        caller.start()
        until(lambda: state._committer._jobs.qsize() == 1)
        closer.start()
    caller.join()
    closer.join()
    assert items_of(open_another(), "ann") == ["apple"]


def test_a_chore_that_fails_is_tried_again_and_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(committer, "CHORE_SECONDS", 0.001)
    again = threading.Event()
    calls: list[int] = []

    def chore() -> bool:
        calls.append(1)
        if len(calls) == 3:
            again.set()
        if len(calls) < 3:
            raise FailingError
        return False

    path = tmp_path / "events.db"
    one = Committer(connect_writer(path, "process"), path, tmp_path / "writer.lock", chore)
    try:
        assert again.wait(30)
        assert one.submit(lambda connection: connection.execute("SELECT 7").fetchone()) == (7,)
    finally:
        one.close()
    assert "tried again" in caplog.text


def test_a_write_lock_held_by_another_program_is_named(
    state: SqliteState, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state._committer._connection.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(folder / "events.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="another program holds the write lock"):
            state.events.append([logged(user="ann")])
        other.execute("ROLLBACK")
    finally:
        other.close()
    state.events.append([logged("apple", "ann")])
    assert items_of(state, "ann") == ["apple"]
