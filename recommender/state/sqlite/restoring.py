"""From a backup to a state: beside what stands there, looked through, then in its place by one rename."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from recommender.config import StateSettings
from recommender.errors import StateError
from recommender.state.live_items import Ruling
from recommender.state.sqlite.backup import (
    Backup,
    copy_private,
    flush,
    folder_aside,
    read_backup,
    sha256_of,
)
from recommender.state.sqlite.embedded import open_state
from recommender.state.sqlite.erased import Fetch, all_erased, keyed_hash
from recommender.state.sqlite.failures import from_os, from_sqlite
from recommender.state.sqlite.live_items import CATALOG, CATALOG_FILE, SqliteLiveItems
from recommender.state.sqlite.locks import OPEN_LOCK, held_alone
from recommender.state.sqlite.schema import EVENT_FILE, USER, check_header, connect_reader
from recommender.state.sqlite.versions import SCHEMA_VERSION

T = TypeVar("T")
_SET_ASIDE: Final = "replaced"
_USERS: Final = "SELECT name FROM actors WHERE kind = ?"


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of a backup.

    Args:
        backup: What it held.
        former: Where the state that stood there is now; None where there was none.
        erased_since: Users whom the backup still held and the former state had erased: they were removed again.
    """

    backup: Backup
    former: Path | None
    erased_since: int


def restore(backup: Path, state: Path, clock: Callable[[], int], *, replace: bool) -> Restored:
    """Make a state of a backup, without the users whom the state that it replaces had erased since, with its takedowns.

    Args:
        backup: A folder that `back_up` wrote.
        state: Missing or empty; its parent exists.
        clock: The time in ms.
        replace: Whether a state that stands there is renamed to make room. It is never removed.

    Raises:
        StateError: The backup is damaged, the state is in use, or something stands there and may not be replaced.
    """
    contents = read_backup(backup)
    try:
        with _room(state, replace=replace) as former, folder_aside(state) as aside:
            for name, expected in contents.files.items():
                (aside / name).parent.mkdir(mode=0o700, exist_ok=True)
                copy_private(backup / name, aside / name)
                if sha256_of(aside / name) != expected:
                    raise StateError(f"{aside / name} is not what was read from {backup}; check the disk")
            erased_since = 0
            if former is not None:
                erased_since = _erase_again(state, aside, clock)
                _rule_again(state, aside, clock)
            flush(aside)
            if former is not None:
                state.rename(former)
    except OSError as error:
        raise from_os(error, state) from error
    return Restored(contents, former, erased_since)


def _erase_again(former: Path, restored: Path, clock: Callable[[], int]) -> int:
    """Remove from the restored state all whom the former one had erased; how many it held."""
    if check_header(former / EVENT_FILE) < SCHEMA_VERSION:  # before there was a memory of it
        return 0
    erased = _read(former, all_erased)
    state = open_state(restored, StateSettings(), clock=clock, worker="restore")
    try:
        names = [name for (name,) in _read(restored, lambda fetch: fetch(_USERS, (USER,)))]
        doomed = [name for name in names if keyed_hash(name, erased.salt) in set(erased.hashes)]
        for name in doomed:
            state.remove_user(name)
        state.remember_erased(erased)
    finally:
        state.close()
    return len(doomed)


def _rule_again(former: Path, restored: Path, clock: Callable[[], int]) -> None:
    """Let the former state's takedowns and their ends hold in the restored one where they are the younger."""
    if not check_header(former / CATALOG_FILE, CATALOG):
        return
    before = SqliteLiveItems(former, "disk")
    state = open_state(restored, StateSettings(), clock=clock, worker="restore")
    try:
        rulings = [change.record for change in before.changes() if isinstance(change.record, Ruling)]
        known = {ruling: state.live_items.ruling(ruling.target, ruling.name) for ruling in rulings}
        state.live_items.rule([new for new, old in known.items() if old is None or old.time_ms < new.time_ms])
    finally:
        state.close()
        before.close()


def _read(state: Path, query: Callable[[Fetch], T]) -> T:
    connection = connect_reader(state / EVENT_FILE)
    try:
        return query(lambda sql, parameters: connection.execute(sql, parameters).fetchall())
    except sqlite3.Error as error:
        raise from_sqlite(error, state / EVENT_FILE) from error
    finally:
        connection.close()


@contextlib.contextmanager
def _room(state: Path, *, replace: bool) -> Iterator[Path | None]:
    """Where the state that stands in the way is to be renamed to, held so that no server opens it meanwhile."""
    if not state.exists() or (state.is_dir() and not any(state.iterdir())):
        yield None
        return
    if not state.is_dir():
        raise StateError(f"{state} is a file, wanted a folder for the state; name another")
    if not replace:
        raise StateError(f"{state} is not empty; name a new folder, or set what stands there aside with --replace")
    with held_alone(state / OPEN_LOCK) as free:
        if not free:
            raise StateError(f"{state} is in use; end the server and the commands that work on it, then restore")
        yield state.with_name(f"{state.name}.{_SET_ASIDE}-{secrets.token_hex(4)}")
