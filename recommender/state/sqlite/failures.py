"""What SQLite and the file system say, as the errors of the project."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import Final

from recommender.errors import StateError, StateFullError

# ENOSPC arrives as FULL; a quota or a limit on the size of a file, and a shared-memory file that cannot grow, as IOERR.
_FULL_CODES: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})
_FULL_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DAMAGED_CODES: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def is_full(error: sqlite3.Error) -> bool:
    """Whether the error says that nothing more could be written."""
    return getattr(error, "sqlite_errorcode", None) in _FULL_CODES


def from_sqlite(error: sqlite3.Error, path: Path) -> StateError:
    """The StateError that says what an error of SQLite means for the file at `path`."""
    code = getattr(error, "sqlite_errorcode", 0)
    if is_full(error):
        return _full(path, str(error))
    if code & 0xFF in _DAMAGED_CODES:
        return StateError(f"{path} is damaged ({error}); restore it from a copy, or move it away to start empty")
    if code & 0xFF == sqlite3.SQLITE_BUSY:
        return StateError(f"another program holds the write lock of {path} ({error}); end it and try again")
    return StateError(f"{path} cannot be read or written ({error}); check the disk and the permissions of its folder")


def from_os(error: OSError, path: Path) -> StateError:
    """The StateError that says what an error of the file system means for the file at `path`."""
    if error.errno in _FULL_ERRNOS:
        return _full(path, str(error.strerror))
    return StateError(f"{path} cannot be read or written ({error.strerror}); check the disk and the permissions")


def _full(path: Path, reason: str) -> StateFullError:
    return StateFullError(f"nothing more can be written to {path} ({reason}); free space on its disk and send again")
