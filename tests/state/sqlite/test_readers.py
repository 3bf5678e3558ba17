from __future__ import annotations

import threading

import pytest

from recommender.errors import StateError
from recommender.state.sqlite import SqliteState
from tests.state.contract import items_of, logged


def test_a_snapshot_is_of_one_moment(state: SqliteState) -> None:
    state.events.append([logged("apple", "ann")])
    with state._readers.snapshot() as connection:
        counted = [connection.execute("SELECT count(*) FROM events").fetchone()[0]]
        state.events.append([logged("pear", "ann")])
        counted.append(connection.execute("SELECT count(*) FROM events").fetchone()[0])
    assert counted == [1, 1]
    assert items_of(state, "ann") == ["apple", "pear"]


def test_a_reader_never_waits_for_a_writer(state: SqliteState) -> None:
    state.events.append([logged("apple", "ann")])
    seen: list[list[str]] = []
    state._committer.submit(lambda _: seen.append(items_of(state, "ann")))  # read in the middle of a transaction
    assert seen == [["apple"]]


def test_threads_that_read_one_after_the_other_share_a_connection(state: SqliteState) -> None:
    for _ in range(5):
        reader = threading.Thread(target=state.events.history, args=("ann", "", 9))
        reader.start()
        reader.join()
    assert len(state._readers._idle) == 1


def test_a_connection_lent_out_closes_when_it_comes_back_to_a_closed_state(state: SqliteState) -> None:
    with state._readers.snapshot() as connection:
        state.close()
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
    with pytest.raises(StateError, match="open it again"):
        state._readers.fetch("SELECT 1")
    assert state._readers._idle == []
