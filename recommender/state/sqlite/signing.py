"""The key that signs tokens and receipts, kept beside the state."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from recommender.errors import StateError
from recommender.state.sqlite.failures import from_os

KEY_BYTES: Final = 32


def load_key(path: Path) -> bytes:
    """The key in a file, made at first use; all processes that ask at the same moment get the same one.

    Raises:
        StateError: The file is open to others, damaged, or cannot be read or made.
    """
    try:
        if not path.exists():
            _make(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode & 0o777
            key = os.read(descriptor, KEY_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise from_os(error, path) from error
    if mode & 0o077:
        raise StateError(
            f"{path} has mode {mode:04o}, wanted 0600: others may know the key. Delete it, and a new one is made "
            "(page tokens and receipts given so far become void); or run chmod 600 if nobody else can have read it"
        )
    if len(key) != KEY_BYTES:
        raise StateError(
            f"{path} holds {'more than ' if len(key) > KEY_BYTES else ''}{min(len(key), KEY_BYTES)} bytes, wanted "
            f"{KEY_BYTES}: it is damaged. Restore it, or delete it, and a new one is made"
        )
    return key


def _make(path: Path) -> None:
    """Write a key aside and link it to its name, which fails for all but the first: none is seen half written."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(KEY_BYTES))
        os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    finally:
        os.close(descriptor)
        aside.unlink()
