from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recommender.errors import StateFullError
from recommender.state.sqlite import SqliteState, pending_upgrade
from recommender.state.sqlite.schema import connect_writer
from recommender.state.sqlite.versions import SCHEMA_VERSION
from recommender.types import EVENT_TYPES
from tests.state.contract import NOON, items_of, logged

OpenState = Callable[[], SqliteState]

#: Version 1 as it was released: written out, so that it stays what it was whatever becomes of the code.
VERSION_1 = """
    PRAGMA application_id = 1465075792;
    PRAGMA user_version = 1;
    CREATE TABLE actors (number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (kind, name));
    CREATE TABLE items (number INTEGER PRIMARY KEY, item_id TEXT NOT NULL UNIQUE);
    CREATE TABLE bundles (number INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, file TEXT NOT NULL);
    CREATE TABLE types (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE events (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        actor INTEGER NOT NULL REFERENCES actors,
        sender INTEGER NOT NULL REFERENCES actors,
        session INTEGER REFERENCES actors,
        item INTEGER NOT NULL REFERENCES items,
        type INTEGER NOT NULL REFERENCES types,
        time_ms INTEGER NOT NULL,
        arrival_ms INTEGER NOT NULL,
        event_id TEXT NOT NULL,
        digest BLOB NOT NULL,
        content TEXT,
        attribution TEXT
    );
    CREATE UNIQUE INDEX idempotency ON events (sender, event_id);
    CREATE INDEX history ON events (actor, time_ms, sequence, item, type);
    CREATE INDEX arrivals ON events (arrival_ms);
    CREATE INDEX ties ON events (session, time_ms) WHERE session IS NOT NULL;
    INSERT INTO actors VALUES (1, 0, 'ann'), (2, 1, 's');
    INSERT INTO items VALUES (7, 'apple'), (9, 'pear');
    INSERT INTO events VALUES
        (1, 1, 1, NULL, 7, 8, 1700000000000, 1700000000000, 'e1', x'00', NULL, NULL),
        (2, 2, 2, NULL, 9, 0, 1700000000001, 1700000000001, 'e2', x'00', '{"price":2.5}', NULL);
    PRAGMA journal_mode = WAL;
"""


@pytest.fixture
def old(folder: Path) -> Path:
    """A state folder of version 1 with 4,002 events, 1,001 of them hides."""
    folder.mkdir()
    connection = sqlite3.connect(folder / "events.db")
    connection.executescript(VERSION_1)
    connection.executemany("INSERT INTO types VALUES (?, ?)", enumerate(EVENT_TYPES))
    connection.executemany(
        "INSERT INTO events VALUES (?, 1, 1, NULL, 9, ?, ?, ?, ?, x'00', NULL, NULL)",
        [(n, 8 if n % 4 == 0 else 0, NOON, NOON, f"e{n}") for n in range(3, 4_003)],
    )
    connection.commit()
    connection.close()
    return folder


def schema_of(database: Path) -> tuple[int, dict[str, str]]:
    connection = sqlite3.connect(database)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall())
    connection.close()
    return version, {name: " ".join(sql.split()) for name, sql in tables.items()}


def test_an_older_state_is_brought_up_with_all_that_it_holds(old: Path, open_another: OpenState) -> None:
    state = open_another()
    assert len(list(state.events.events())) == 4_002
    assert items_of(state, session="s") == ["pear"]
    assert next(iter(state.events.events(NOON + 1))).event.price == 2.5
    assert state.numbers.item_ids(state.events.hidden("ann", "")) == ["apple", "pear"]
    assert state.numbers.numbers(["pear", "apple"]).tolist() == [9, 7]
    state.events.append([logged("fig", "ann", event_id="new")])
    state.check()
    open_another()


def test_a_state_brought_up_has_the_schema_of_a_new_one(old: Path, tmp_path: Path, open_another: OpenState) -> None:
    open_another().close()
    connect_writer(tmp_path / "new.db", "process").close()
    assert schema_of(old / "events.db") == schema_of(tmp_path / "new.db")
    assert schema_of(old / "events.db")[0] == SCHEMA_VERSION


def test_what_opening_would_change_is_told_without_touching_anything(old: Path, open_another: OpenState) -> None:
    before = {path: path.read_bytes() for path in old.rglob("*")}
    assert pending_upgrade(old) == f"schema version 1 becomes {SCHEMA_VERSION}"
    assert {path: path.read_bytes() for path in old.rglob("*")} == before
    open_another().close()
    assert pending_upgrade(old) == ""


def test_a_state_killed_while_it_is_brought_up_is_of_one_version_or_the_other(
    old: Path, tmp_path: Path, open_another: OpenState
) -> None:
    before, versions = schema_of(old / "events.db"), []
    aside = tmp_path / "aside"
    for steps in (0, 2, 10, 30, 1_000_000):
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(old, aside)
        process = subprocess.run(
            [sys.executable, "-m", "tests.state.sqlite.processes", "bring_up", str(aside), str(steps)], check=False
        )
        version, tables = schema_of(aside / "events.db")
        versions.append(version)
        assert process.returncode == (-signal.SIGKILL if version == 1 else 0)
        assert version == SCHEMA_VERSION or (version, tables) == before
    assert versions[0] == 1
    assert versions[-1] == SCHEMA_VERSION
    assert versions.count(1) > 2
    open_another().check()


def test_a_state_that_cannot_be_brought_up_for_want_of_room_stays_what_it_was(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recommender.state.sqlite import schema

    before = schema_of(old / "events.db")

    def cramped(path: Path, *_: object) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(schema, "_connect", cramped)
    with pytest.raises(StateFullError, match="free space"):
        connect_writer(old / "events.db", "process")
    assert schema_of(old / "events.db") == before


def test_a_file_whose_making_was_killed_is_made_anew(folder: Path, open_another: OpenState) -> None:
    folder.mkdir()
    for steps in (1, 2):
        subprocess.run(
            [sys.executable, "-m", "tests.state.sqlite.processes", "bring_up", str(folder), str(steps)], check=False
        )
    state = open_another()
    state.events.append([logged("apple", "ann")])
    assert items_of(state, "ann") == ["apple"]
