"""What a server keeps secret, read once before its workers start.

Each worker gets the same, also one that replaces a dead one after a file was changed: a restart takes up what is new.
"""

from __future__ import annotations

from dataclasses import dataclass

from recommender.config import ServerSettings
from recommender.service.access_tokens import AccessTokens, read_access_tokens


@dataclass(frozen=True, slots=True)
class Credentials:
    """Secrets of one server.

    Args:
        tokens: Whom it answers; None for everybody.
    """

    tokens: AccessTokens | None

    @property
    def guarded(self) -> bool:
        """Whether strangers on the way and at the door are kept out: by TLS and by tokens."""
        return False


def read_credentials(settings: ServerSettings) -> Credentials:
    """Credentials as the settings name them.

    Raises:
        ConfigurationError: Something cannot be read or used; the message tells no secret.
    """
    return Credentials(read_access_tokens(settings))
