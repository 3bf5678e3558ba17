"""Locks between processes, held by files and gone with whoever held them, however it ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from recommender.errors import StateError

#: Held together by all who have the state open, and alone by whoever puts another in its place.
OPEN_LOCK: Final = "open.lock"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file's lock alone; waits for others."""
    with _opened(path) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def held_alone(path: Path) -> Iterator[bool]:
    """Hold a file's lock alone until the block ends; False at once where others hold it."""
    with _opened(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextlib.contextmanager
def held_together(path: Path) -> Iterator[None]:
    """Hold a file's lock beside others until the block ends.

    Raises:
        StateError: Somebody holds it alone.
    """
    with _opened(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"the state in {path.parent} is being replaced; try again when that is done") from None
        yield


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
