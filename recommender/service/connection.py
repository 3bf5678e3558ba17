"""How the command line reaches a server: its address, and what it shows to be let in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from recommender.errors import ConfigurationError

#: Holds the token itself where no file is named.
TOKEN_VARIABLE: Final = "WINDOWSHOP_TOKEN"  # noqa: S105  # the name of one


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What opens a channel.

    Args:
        target: `host:port`.
        token_file: Holds the token; without one it comes from the environment, or there is none.
    """

    target: str
    token_file: Path | None = None

    @contextmanager
    def channel(self) -> Iterator[grpc.Channel]:
        """A channel until the block ends.

        Raises:
            ConfigurationError: A file cannot be read or holds no token.
        """
        token = self._token()
        with grpc.insecure_channel(self.target) as channel:
            yield grpc.intercept_channel(channel, _Bearer(token)) if token else channel

    def _token(self) -> str:
        if self.token_file is None:
            token, origin = os.environ.get(TOKEN_VARIABLE, "").strip(), TOKEN_VARIABLE
        else:
            token, origin = _text_of(self.token_file, "--token-file").strip(), f"--token-file {self.token_file}"
            if not token:
                raise ConfigurationError(f"{origin} is empty, wanted a token alone")
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise ConfigurationError(f"{origin} holds more than a token; write the token alone, without its role")
        return token


class _Bearer(  # gRPC's own call credentials refuse to travel on loopback without TLS
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[type-arg]  # generic in its stubs alone
    grpc.StreamUnaryClientInterceptor,  # type: ignore[type-arg]
):
    """Adds the token to every call."""

    def __init__(self, token: str) -> None:
        self._header = ("authorization", f"Bearer {token}")

    def intercept_unary_unary(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """A call with one request."""
        return continuation(self._with_token(client_call_details), request)

    def intercept_stream_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        """A call with a stream of requests."""
        return continuation(self._with_token(client_call_details), request_iterator)

    def _with_token(self, details: Any) -> Any:
        return details._replace(metadata=[*(details.metadata or ()), self._header])


def _text_of(path: Path, flag: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {flag} {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigurationError(f"{flag} {path} is not text") from None
