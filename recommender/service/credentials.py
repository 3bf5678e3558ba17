"""What a server keeps secret, read once before its workers start.

Each worker gets the same, also one that replaces a dead one after a file was changed: a restart takes up what is new.
"""

from __future__ import annotations

from dataclasses import dataclass

from recommender.config import ServerSettings
from recommender.service.access_tokens import AccessTokens, read_access_tokens
from recommender.service.tls import ServerTls, read_server_tls


@dataclass(frozen=True, slots=True)
class Credentials:
    """Secrets of one server.

    Args:
        tokens: Whom it answers; None for everybody.
        tls: How it proves itself; None for plain text.
    """

    tokens: AccessTokens | None
    tls: ServerTls | None

    @property
    def guarded(self) -> bool:
        """Whether strangers on the way and at the door are kept out: by TLS and by tokens."""
        return self.tokens is not None and self.tls is not None

    def in_words(self) -> str:
        """Who is let in, and how the way is protected."""
        access = "calls need a token" if self.tokens else "no tokens, every role is open"
        if self.tls is None:
            return f"{access}; plain text"
        return f"{access}; TLS{' with client certificates' if self.tls.client_ca else ''}"


def read_credentials(settings: ServerSettings) -> Credentials:
    """Credentials as the settings name them.

    Raises:
        ConfigurationError: Something cannot be read or used; the message tells no secret.
    """
    return Credentials(read_access_tokens(settings), read_server_tls(settings))
