"""The keys that sign tokens and receipts, kept beside the state: 32 bytes each, the one that signs first."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from recommender.errors import StateError
from recommender.state.sqlite.failures import from_os

KEY_FILE: Final = "signing.key"
KEY_BYTES: Final = 32
#: Keys that verify beside a new one: a receipt outlives so many rotations.
MAX_EARLIER: Final = 3
_MAX_BYTES: Final = (1 + MAX_EARLIER) * KEY_BYTES


def load_keys(path: Path) -> tuple[bytes, ...]:
    """The keys in a file, the first made at first use; all processes that ask at the same moment get the same one.

    Raises:
        StateError: The file is open to others, damaged, or cannot be read or made.
    """
    try:
        if not path.exists():
            with _written_aside(path, secrets.token_bytes(KEY_BYTES)) as aside, contextlib.suppress(FileExistsError):
                os.link(aside, path)  # fails for all but the first
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode & 0o777
            content = os.read(descriptor, _MAX_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise from_os(error, path) from error
    if mode & 0o077:
        raise StateError(
            f"{path} has mode {mode:04o}, wanted 0600: others may know the key. Delete it, and a new one is made "
            "(page tokens and receipts given so far become void); or run chmod 600 if nobody else can have read it"
        )
    if not content or len(content) > _MAX_BYTES or len(content) % KEY_BYTES:
        raise StateError(
            f"{path} holds {'more than ' if len(content) > _MAX_BYTES else ''}{min(len(content), _MAX_BYTES)} bytes, "
            f"wanted {KEY_BYTES} for each key: it is damaged. Restore it, or delete it, and a new one is made"
        )
    return tuple(content[start : start + KEY_BYTES] for start in range(0, len(content), KEY_BYTES))


def rotate_state_keys(folder: Path, *, drop_earlier: bool) -> int:
    """Put a new key before those of a state, whose file is replaced whole or not at all.

    Args:
        folder: Of the state; servers may be running on it.
        drop_earlier: Whether what earlier keys signed becomes void at once; otherwise the latest three go on verifying.

    Returns:
        How many keys there are now.

    Raises:
        StateError: The state has no key of its own, or as `load_keys`.
    """
    path = folder / KEY_FILE
    if not path.exists():
        raise StateError(
            f"{folder} holds no {KEY_FILE}; name the folder that was given to windowshop serve --state, or change "
            "feed.signing_key_file where the key comes from there"
        )
    earlier = () if drop_earlier else load_keys(path)[:MAX_EARLIER]
    try:
        with _written_aside(path, secrets.token_bytes(KEY_BYTES) + b"".join(earlier)) as aside:
            aside.replace(path)
    except OSError as error:
        raise from_os(error, path) from error
    return 1 + len(earlier)


@contextlib.contextmanager
def _written_aside(path: Path, content: bytes) -> Iterator[Path]:
    """A durable file beside the path, for its owner alone: nobody sees keys half written."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
        yield aside
    finally:
        os.close(descriptor)
        aside.unlink(missing_ok=True)
