from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recommender.errors import StateError
from recommender.state.sqlite import SqliteState, open_state
from recommender.state.sqlite.schema import connect_writer
from recommender.state.sqlite.versions import APPLICATION_ID, SCHEMA_VERSION
from tests.state.contract import ManualClock, items_of, logged
from tests.state.sqlite.conftest import QUICK

OpenState = Callable[[], SqliteState]


@pytest.fixture
def closed(folder: Path, open_another: OpenState) -> Path:
    """The event file of a state that holds events and is not open."""
    state = open_another()
    state.events.append([logged(f"item-{n}", f"user-{n % 7}", attributes={"note": "x" * 50}) for n in range(500)])
    state.close()
    return folder / "events.db"


def change(database: Path, statement: str) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute(statement)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (f"PRAGMA user_version = {SCHEMA_VERSION + 1}", f"schema version {SCHEMA_VERSION + 1}, which is newer"),
        ("PRAGMA user_version = 0", "schema version 0, which is unknown"),
        ("PRAGMA application_id = 7", "another application"),
    ],
)
def test_a_state_of_another_version_or_program_is_refused_and_not_touched(
    closed: Path, open_another: OpenState, statement: str, reason: str
) -> None:
    change(closed, statement)
    (closed.parent / "writer.lock").unlink()
    before = contents(closed.parent)
    with pytest.raises(StateError, match=reason):
        open_another()
    assert contents(closed.parent) == before


@pytest.mark.parametrize("damage", [b"not a database at all", b"SQLite format 3\0", b"x" * 5_000])
def test_a_file_that_is_no_database_is_refused_and_not_touched(
    folder: Path, open_another: OpenState, damage: bytes
) -> None:
    folder.mkdir()
    (folder / "events.db").write_bytes(damage)
    with pytest.raises(StateError, match="damaged or foreign"):
        open_another()
    assert contents(folder) == {"events.db": damage}


def test_a_truncated_state_is_refused(closed: Path, open_another: OpenState) -> None:
    os.truncate(closed, closed.stat().st_size // 2)
    with pytest.raises(StateError, match="is damaged"):
        open_another()


def test_damage_inside_is_found_by_the_check_and_named_where_it_is_met(closed: Path, open_another: OpenState) -> None:
    content = bytearray(closed.read_bytes())
    for page in range(4_096 * 12, len(content), 4_096):
        content[page : page + 64] = os.urandom(64)
    closed.write_bytes(content)
    state = open_another()
    with pytest.raises(StateError, match="is damaged"):
        state.check()
    with pytest.raises(StateError, match="is damaged"):
        list(state.events.events())


def test_a_version_that_only_the_write_ahead_log_knows_is_refused(closed: Path, open_another: OpenState) -> None:
    keeper = sqlite3.connect(closed, isolation_level=None)
    try:
        keeper.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        with pytest.raises(StateError, match="newer"):
            open_another()
    finally:
        keeper.close()


def test_an_empty_file_becomes_a_state(folder: Path, open_another: OpenState) -> None:
    folder.mkdir()
    (folder / "events.db").touch()
    state = open_another()
    state.events.append([logged("apple", "ann")])
    assert items_of(state, "ann") == ["apple"]


def test_a_state_carries_its_marks_and_is_its_owners_alone(closed: Path) -> None:
    connection = sqlite3.connect(closed)
    marks = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    connection.close()
    assert marks == [APPLICATION_ID, SCHEMA_VERSION]
    assert closed.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("durability", "level"), [("disk", 2), ("process", 1)])
def test_durability_is_what_sqlite_is_told(folder: Path, clock: ManualClock, durability: str, level: int) -> None:
    state = open_state(folder, QUICK.model_copy(update={"durability": durability}), clock=clock)
    synchronous = state._committer.submit(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0])
    journal = state._readers.fetch("PRAGMA journal_mode")[0][0]
    state.close()
    assert (synchronous, journal) == (level, "wal")


def test_a_place_where_processes_cannot_share_a_file_is_refused() -> None:
    with pytest.raises(StateError, match="local disk"):
        connect_writer(Path(":memory:"), "disk")


def test_readers_cannot_write(state: SqliteState) -> None:
    with pytest.raises(StateError):
        state._readers.fetch("DELETE FROM events")


def test_a_path_that_is_a_file_or_lies_below_one_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for path in (file, file / "state"):
        with pytest.raises(StateError, match="file"):
            open_state(path, QUICK, clock=clock)
    assert file.read_text() == "mine"


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder that may be read and not written, and a user for whom that counts."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    privileged = os.geteuid() == 0
    if privileged:
        os.seteuid(65_534)
    yield folder
    if privileged:
        os.seteuid(0)
    folder.chmod(0o700)
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written_is_refused(nobody: Path, clock: ManualClock) -> None:
    for path in (nobody, nobody / "state"):
        with pytest.raises(StateError, match="permissions"):
            open_state(path, QUICK, clock=clock)


def test_a_state_that_could_not_be_opened_holds_nothing_open(closed: Path, open_another: OpenState) -> None:
    shutil.rmtree(closed.parent / "served")
    (closed.parent / "served").write_text("in the way")
    before = open_files()
    with pytest.raises(StateError):
        open_another()
    assert open_files() == before


def test_closing_gives_back_every_file(folder: Path, open_another: OpenState) -> None:
    before = open_files()
    state = open_another()
    state.events.append([logged("apple", "ann")])
    state.snapshots.get(state.snapshots.put(b"list", 1))
    state.served.write(b"page")
    state.served.flush()
    state.numbers.numbers(["apple"])
    assert open_files() > before
    state.close()
    assert open_files() == before
