"""The file of live items: what is refused, and that nobody who reads it waits."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from recommender.errors import StateError
from recommender.state.live_items import Target
from recommender.state.sqlite import SqliteState
from recommender.state.sqlite.backup import back_up
from recommender.state.sqlite.live_items import CATALOG_FILE
from recommender.state.sqlite.readers import Readers
from recommender.state.sqlite.restoring import restore
from tests.state.contract import NOON, ManualClock, logged
from tests.state.live_items_contract import live, taken


def test_a_replaced_file_cannot_be_relied_on_until_it_is_put_back(state: SqliteState, folder: Path) -> None:
    version = state.live_items.version()
    file, aside = folder / CATALOG_FILE, folder / "aside"
    file.rename(aside)
    with pytest.raises(StateError, match="No such file"):
        state.live_items.version()
    file.write_bytes(aside.read_bytes())
    with pytest.raises(StateError, match="was replaced while it was open"):
        state.live_items.version()
    file.unlink()
    aside.rename(file)
    assert state.live_items.version() == version


def test_a_file_that_another_program_holds_for_itself_is_an_error_soon(state: SqliteState, folder: Path) -> None:
    state.close()
    holder = sqlite3.connect(folder / CATALOG_FILE, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StateError, match="holds"):
        Readers(folder / CATALOG_FILE, timeout_ms=20).data_version()
    holder.close()


@pytest.mark.parametrize("content", ["{", "[]", "null", '{"kind": 77}', '{"kind": 1, "colour": "red"}', "{}"])
def test_a_record_that_cannot_be_read_is_an_error_not_a_gap(state: SqliteState, folder: Path, content: str) -> None:
    state.live_items.upsert([live("a"), live("b")])
    with sqlite3.connect(folder / CATALOG_FILE) as connection:
        connection.execute("UPDATE records SET content = ? WHERE name = 'a'", (content,))
    connection.close()
    for read in (lambda: list(state.live_items.changes()), lambda: state.live_items.item("a"), state.check):
        with pytest.raises(StateError, match=r"damaged \(the record of 'a' cannot be read\)"):
            read()
    assert state.live_items.item("b") == live("b")


def test_an_event_file_in_its_place_is_refused(
    state: SqliteState, folder: Path, open_another: Callable[[], SqliteState]
) -> None:
    state.close()
    (folder / CATALOG_FILE).write_bytes((folder / "events.db").read_bytes())
    with pytest.raises(StateError, match="another application"):
        open_another()


def test_events_do_not_change_the_version_nor_wait_for_items(state: SqliteState, folder: Path) -> None:
    version = state.live_items.version()
    writer = sqlite3.connect(folder / CATALOG_FILE, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    state.events.append([logged("apple", "ann")])
    assert state.live_items.version() == version
    writer.execute("ROLLBACK")
    writer.close()


def test_a_restored_backup_holds_items_and_every_takedown_since(
    state: SqliteState, folder: Path, tmp_path: Path, clock: ManualClock, open_another: Callable[[], SqliteState]
) -> None:
    state.live_items.upsert([live("a", "first")])
    state.live_items.rule([taken("old")])
    back_up(folder, tmp_path / "backup", NOON)
    state.live_items.upsert([live("a", "second")])
    state.live_items.rule([taken("new", Target.SELLER, NOON + 1)])
    state.close()
    restore(tmp_path / "backup", folder, clock, replace=True)
    restored = open_another().live_items
    assert restored.item("a") == live("a", "first")
    assert restored.ruling(Target.ITEM, "old") == taken("old")
    assert restored.ruling(Target.SELLER, "new") == taken("new", Target.SELLER, NOON + 1)
    assert len(list(restored.rulings())) == 2
