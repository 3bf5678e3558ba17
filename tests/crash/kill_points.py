"""Places at which a process of a server under test dies when told to; nothing of this is in what is shipped.

The fork server imports this module beside its own, so every worker has it. A point is armed by a file of its name; the
first process that comes by takes the file away and is killed on the spot.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

from recommender.state.sqlite import schema

FOLDER_VARIABLE = "CRASH_POINTS"
#: All of a group's events are written and none is durable yet; durable, and nobody was told.
BEFORE_COMMIT, BEFORE_REPLY = "before the commit", "between commit and reply"


def arm(folder: Path, point: str) -> None:
    """Let the next process that comes by die."""
    (folder / point).touch()


def disarm(folder: Path, point: str) -> bool:
    """Take an order back; False where a process has taken it already."""
    try:
        (folder / point).unlink()
    except FileNotFoundError:
        return False
    return True


def _pass(point: str) -> None:
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is not None and disarm(Path(folder), point):
        os.kill(os.getpid(), signal.SIGKILL)


class _MortalConnection(sqlite3.Connection):
    """A connection whose process may die around a commit."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return super().execute(sql, *parameters)
        _pass(BEFORE_COMMIT)
        cursor = super().execute(sql)
        _pass(BEFORE_REPLY)
        return cursor


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path,
        timeout=schema.BUSY_TIMEOUT_MS / 1_000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=64,
        factory=_MortalConnection,
    )


schema._connect = _connect
