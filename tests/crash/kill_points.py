"""Places at which a process of a server under test dies when told to; nothing of this is in what is shipped.

The fork server imports this module beside its own, so every worker has it. A point is armed by a file of its name; the
first process that comes by takes the file away and is killed on the spot.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

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


# Every connection of the process, whoever opens it.
sqlite3.connect = partial(sqlite3.connect, factory=_MortalConnection)  # type: ignore[assignment]  # one form of many
