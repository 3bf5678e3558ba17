"""How the command line reaches a server: its address, what is shown to be let in, and how the server proves itself."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from recommender.errors import ConfigurationError
from recommender.service.tls import ClientTls, read_authorities, read_pair

if TYPE_CHECKING:
    import grpc

#: Holds the token itself where no file is named.
TOKEN_VARIABLE: Final = "WINDOWSHOP_TOKEN"  # noqa: S105  # the name of one
_file = partial(typer.Option, show_default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What opens a channel; its fields are the options of every command that calls a server."""

    target: Annotated[str, typer.Option(metavar="HOST:PORT", help="The server to ask.")] = "127.0.0.1:50051"
    token_file: Annotated[
        Path | None, _file(envvar="WINDOWSHOP_TOKEN_FILE", help="Access token; else the variable WINDOWSHOP_TOKEN.")
    ] = None
    tls: Annotated[
        bool, typer.Option("--tls", envvar="WINDOWSHOP_TLS", help="Use TLS, trusting public authorities.")
    ] = False
    tls_ca: Annotated[
        Path | None, _file(envvar="WINDOWSHOP_TLS_CA", help="Use TLS, trusting the authorities in this PEM file.")
    ] = None
    tls_certificate: Annotated[
        Path | None, _file(envvar="WINDOWSHOP_TLS_CERTIFICATE", help="Client certificate, where the server asks.")
    ] = None
    tls_key: Annotated[
        Path | None, _file(envvar="WINDOWSHOP_TLS_KEY", help="Private key of the client certificate.")
    ] = None

    @contextmanager
    def channel(self) -> Iterator[grpc.Channel]:
        """A channel until the block ends.

        Raises:
            ConfigurationError: A file cannot be read or used.
        """
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # what went wrong is said in a sentence
        from recommender.service.channels import open_channel  # noqa: PLC0415  # `serve` must not load gRPC

        with open_channel(self.target, self._token(), self._tls()) as channel:
            yield channel

    def _tls(self) -> ClientTls | None:
        if not (self.tls or self.tls_ca or self.tls_certificate or self.tls_key):
            return None
        authorities = None if self.tls_ca is None else read_authorities(self.tls_ca, "--tls-ca")
        if self.tls_certificate is None and self.tls_key is None:
            return ClientTls(authorities, None)
        if self.tls_certificate is None or self.tls_key is None:
            raise ConfigurationError("a client certificate takes both --tls-certificate and --tls-key")
        pair = read_pair(self.tls_certificate, self.tls_key, "--tls-certificate", "--tls-key")
        return ClientTls(authorities, pair)

    def _token(self) -> str:
        if self.token_file is None:
            token, origin = os.environ.get(TOKEN_VARIABLE, "").strip(), TOKEN_VARIABLE
        else:
            token, origin = _text_of(self.token_file).strip(), f"--token-file {self.token_file}"
            if not token:
                raise ConfigurationError(f"{origin} is empty, wanted a token alone")
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise ConfigurationError(f"{origin} holds more than a token; write the token alone, without its role")
        return token


def connecting(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameter `connection` is made of the options that say how to reach a server."""
    given = inspect.signature(command, eval_str=True).parameters.values()
    options = inspect.signature(Connection, eval_str=True).parameters.values()
    names = [field.name for field in fields(Connection)]

    def run(**arguments: Any) -> None:
        connection = Connection(**{name: arguments.pop(name) for name in names})
        command(**arguments, connection=connection)

    kept = [parameter for parameter in given if parameter.name != "connection"]
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # typer reads it
        [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*kept, *options)]
    )
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*kept, *options)}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read --token-file {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigurationError(f"--token-file {path} is not text") from None
