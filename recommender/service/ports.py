"""The port that the workers share: parsed, checked and held before any of them starts."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from dataclasses import dataclass

from recommender.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class HeldPort:
    """A bound socket that does not listen: it keeps the port for workers that bind it with SO_REUSEPORT.

    Args:
        socket: Open as long as the port is held.
        address: `host:port` with the host as a number, as workers bind it.
    """

    socket: socket.socket
    address: str


def parse_listen(listen: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6]:port`.

    Raises:
        ConfigurationError: It is something else.
    """
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):(\d{1,5})", listen)
    if match is None or int(match[3]) > 65_535:
        raise ConfigurationError(f"server.listen is {listen!r}, wanted HOST:PORT such as 127.0.0.1:50051 or [::1]:0")
    return match[1] or match[2], int(match[3])


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host."""
    if host == "localhost":
        # Nearly always; but the machine's own table of hosts decides.
        return all(is_loopback(str(found[4][0])) for found in socket.getaddrinfo(host, None))
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_exposure(listen: str, *, guarded: bool, insecure: bool) -> None:
    """Refuse to listen beyond loopback unguarded unless told that this is wanted.

    Args:
        listen: As configured or as bound.
        guarded: Whether there are tokens and TLS.
        insecure: Whether to listen all the same.

    Raises:
        ConfigurationError: Others could reach the port.
    """
    host, _ = parse_listen(listen)
    if not guarded and not insecure and not is_loopback(host):
        raise ConfigurationError(
            f"server.listen is {listen}, which other machines can reach, and that takes both tokens and TLS; set "
            "server.tokens_file, server.tls_certificate and server.tls_key, listen on 127.0.0.1 behind a proxy, or "
            "give --insecure where the network itself is trusted"
        )


def hold_port(listen: str) -> HeldPort:
    """Bind the port, or a free one for port 0, for sharing.

    Raises:
        ConfigurationError: The host is unknown, or the port is taken or not permitted.
    """
    host, port = parse_listen(listen)
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"server.listen is {listen}, whose host cannot be found ({error})") from error
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        if port:
            _probe(family, where)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(where)
    except OSError as error:
        held.close()
        why = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigurationError(f"cannot listen on {listen}: {why}; choose another server.listen") from error
    number, bound = socket.getnameinfo(held.getsockname(), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    return HeldPort(held, f"[{number}]:{bound}" if family == socket.AF_INET6 else f"{number}:{bound}")


def _probe(family: int, where: tuple[object, ...]) -> None:
    """Fail where someone listens already: with SO_REUSEPORT a second server would share the port unnoticed."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(where)
