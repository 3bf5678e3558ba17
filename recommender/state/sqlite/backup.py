"""A whole copy of a state while servers write to it.

    FOLDER/backup.json    what it holds, with the SHA-256 of every other file
           events.db      the event file of one moment
           catalog.db     live items and takedowns of a moment before
           signing.key    mode 0600; where the state has keys of its own
           served/*.log   what was served until shortly before

Left out are snapshots, which live for half an hour, and arrays of item numbers, which are made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from recommender.errors import StateError
from recommender.state.sqlite.failures import from_os, from_sqlite
from recommender.state.sqlite.live_items import CATALOG, CATALOG_FILE
from recommender.state.sqlite.schema import EVENT_FILE, check_header, connect_reader
from recommender.state.sqlite.served import ServedFiles
from recommender.state.sqlite.signing import KEY_FILE
from recommender.state.sqlite.versions import EVENTS, Schema

T = TypeVar("T")
_CONTENTS_FILE: Final = "backup.json"
_FORMAT: Final = 1
_SERVED: Final = "served"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds.

    Args:
        format: Of the backup itself.
        created_ms: When its event file was copied.
        schema_version: Of the event file.
        events: How many.
        last_sequence: Of its newest event; 0 without any.
        records: Live items and rulings that hold, in `catalog.db`.
        files: SHA-256 by path.
    """

    format: int
    created_ms: int
    schema_version: int
    events: int
    last_sequence: int
    records: int
    files: dict[str, str]


def back_up(state: Path, out: Path, now_ms: int) -> Backup:
    """Copy a state into a new folder, look through the copy, and only then give the folder its name.

    Args:
        state: Its folder; servers may be running on it and write at any rate: they never wait.
        out: Missing or empty; its parent exists.
        now_ms: The clock's time.

    Returns:
        What was written, every event that was acknowledged before the call among it.

    Raises:
        StateError: There is no state, the place cannot be used, or the copy is not whole.
    """
    if not check_header(state / EVENT_FILE):
        raise StateError(f"{state} holds no state; name the folder that was given to: windowshop serve --state")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StateError(f"{out} is there already and not an empty folder; name a new one for each backup")
    try:
        with folder_aside(out) as aside:
            # Served records first: the event file copied afterwards knows every item that they number.
            _copy_served(state, aside)
            records = 0
            if check_header(state / CATALOG_FILE, CATALOG):
                records = _copy_moment(state / CATALOG_FILE, aside / CATALOG_FILE, _count_records)
            events, last_sequence = _copy_moment(state / EVENT_FILE, aside / EVENT_FILE, _count)
            if (state / KEY_FILE).exists():
                copy_private(state / KEY_FILE, aside / KEY_FILE)
            version = check_header(aside / EVENT_FILE)
            files = {str(path.relative_to(aside)): sha256_of(path) for path in files_of(aside)}
            backup = Backup(_FORMAT, now_ms, version, events, last_sequence, records, files)
            (aside / _CONTENTS_FILE).write_text(json.dumps(asdict(backup), indent=2) + "\n", encoding="utf-8")
            flush(aside)
            read_backup(aside)
    except OSError as error:
        raise from_os(error, out) from error
    return backup


def read_backup(folder: Path) -> Backup:
    """What a backup holds, after a look at every byte of it.

    Raises:
        StateError: It is no backup, of another format, or damaged.
    """
    backup = _contents(folder)
    try:
        for name, expected in backup.files.items():
            if sha256_of(folder / name) != expected:
                raise StateError(f"backup {folder} is damaged: {name} does not match its SHA-256; take another one")
        _check_database(folder / EVENT_FILE, EVENTS, _count, (backup.events, backup.last_sequence))
        if CATALOG_FILE in backup.files:
            _check_database(folder / CATALOG_FILE, CATALOG, _count_records, backup.records)
    except OSError as error:
        raise StateError(f"backup {folder} is damaged: {error.filename}: {error.strerror}; take another one") from error
    return backup


def _check_database(database: Path, schema: Schema, count: Callable[[sqlite3.Connection], T], expected: T) -> None:
    """Refuse a copy of a file of the state in which SQLite finds a fault, or another count than when it was taken."""
    check_header(database, schema)
    try:
        # Immutable: nothing is made beside the file, and a backup on a disk that cannot be written can be read.
        connection = sqlite3.connect(f"{database.absolute().as_uri()}?immutable=1", uri=True)
        try:
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
            found = count(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise from_sqlite(error, database) from error
    if problems != ["ok"] or found != expected:
        raise StateError(
            f"backup {database.parent} is damaged: {database.name} counts {found}, wanted {expected} "
            f"({'; '.join(problems)}); take another one"
        )


def _contents(folder: Path) -> Backup:
    try:
        values: dict[str, Any] = json.loads((folder / _CONTENTS_FILE).read_text(encoding="utf-8"))
        backup = Backup(**values)
    except (OSError, ValueError, TypeError) as error:
        raise StateError(f"{folder} holds no backup ({error}); name a folder that windowshop backup wrote") from error
    if backup.format != _FORMAT:
        raise StateError(f"backup {folder} has format {backup.format}, wanted {_FORMAT}; use the program that wrote it")
    return backup


def _copy_moment(database: Path, copy: Path, count: Callable[[sqlite3.Connection], T]) -> T:
    """Copy one moment of a file of the state into one without journal, and count in the same moment."""
    source = target = None
    try:
        source = connect_reader(database)
        # A read transaction fixes the moment; writers go on, into the write-ahead log.
        source.execute("BEGIN")
        counted = count(source)
        target = sqlite3.connect(copy, isolation_level=None)
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.Error as error:
        raise from_sqlite(error, copy) from error
    finally:
        for connection in (target, source):
            if connection is not None:
                connection.close()
    copy.chmod(0o600)
    return counted


def _count(connection: sqlite3.Connection) -> tuple[int, int]:
    events, last = connection.execute("SELECT count(*), coalesce(max(sequence), 0) FROM events").fetchone()
    return int(events), int(last)


def _count_records(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM records").fetchone()[0])


def _copy_served(state: Path, aside: Path) -> None:
    """Copy the served files as they are at this moment; a tail that is being written is passed over when read."""
    (aside / _SERVED).mkdir(mode=0o700)
    for path in ServedFiles.files_in(state / _SERVED):
        with contextlib.suppress(FileNotFoundError):  # outlived its retention meanwhile
            copy_private(path, aside / _SERVED / path.name)


def copy_private(source: Path, target: Path) -> None:
    """Copy a file for its owner alone."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as copy, source.open("rb") as original:  # noqa: PTH123  # a descriptor has no path
        shutil.copyfileobj(original, copy)


@contextlib.contextmanager
def folder_aside(place: Path) -> Iterator[Path]:
    """A folder that takes its place by one rename at the end of the block, and leaves nothing where that fails."""
    aside = place.with_name(f".{place.name}.{secrets.token_hex(8)}.part")
    try:
        aside.mkdir(mode=0o700)
        yield aside
        aside.rename(place)
        _fsync(place.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def files_of(folder: Path) -> list[Path]:
    """All files below a folder, in the order of their paths."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def flush(folder: Path) -> None:
    """Bring all of a folder to the disk."""
    for path in [*folder.rglob("*"), folder]:
        _fsync(path)


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
