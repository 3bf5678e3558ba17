"""The keys of tokens and receipts: the first signs, each of them verifies, so that one can take over from another."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from recommender.config import FeedSettings
from recommender.errors import ConfigurationError
from recommender.state.protocols import State

_MIN_CHARACTERS: Final = 32


def read_signing_keys(state: State, settings: FeedSettings) -> tuple[bytes, ...]:
    """The keys from the settings, else from their file, else the state's own; the one that signs first.

    Raises:
        ConfigurationError: A key is too short, or their file cannot be read or holds none.
        StateError: The state's own cannot be read or made.
    """
    secret, path = settings.signing_key, settings.signing_key_file
    if secret is not None:
        return _keys_in(secret.get_secret_value().encode(), "feed.signing_key")
    if path is not None:
        return _keys_in(_content(path), f"feed.signing_key_file {path}")
    return state.signing_keys()


def _keys_in(content: bytes, origin: str) -> tuple[bytes, ...]:
    """Keys, one a line."""
    keys = tuple(filter(None, (line.strip() for line in content.splitlines())))
    shortest = min(map(len, keys), default=0)
    if shortest < _MIN_CHARACTERS:
        raise ConfigurationError(
            f"{origin} has {'a key of ' if len(keys) > 1 else ''}{shortest} characters, wanted at least "
            f"{_MIN_CHARACTERS}: make one with `openssl rand -hex 32`"
        )
    return keys


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read feed.signing_key_file {path}: {error.strerror}") from error
