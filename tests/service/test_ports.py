from __future__ import annotations

import socket

import pytest

from recommender.errors import ConfigurationError
from recommender.service.ports import check_exposure, hold_port, is_loopback, parse_listen


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [("127.0.0.1:50051", "127.0.0.1", 50_051), ("[::1]:0", "::1", 0), ("localhost:80", "localhost", 80)],
)
def test_an_address_is_a_host_and_a_port(listen: str, host: str, port: int) -> None:
    assert parse_listen(listen) == (host, port)


@pytest.mark.parametrize("listen", ["", "127.0.0.1", ":50051", "::1:50051", "a:b", "a:99999", "a b:1", "[::1]"])
def test_what_is_no_address_is_refused_with_an_example(listen: str) -> None:
    with pytest.raises(ConfigurationError, match=r"wanted HOST:PORT such as 127\.0\.0\.1:50051"):
        parse_listen(listen)


@pytest.mark.parametrize(
    ("host", "inside"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("10.0.0.1", False), ("example.com", False), ("127.0.0.1.example.com", False), ("0", False), ("fe80::1", False)],
)  # fmt: skip
def test_loopback_is_what_only_this_machine_reaches(host: str, inside: bool) -> None:
    assert is_loopback(host) is inside


def test_listening_beyond_loopback_has_to_be_wanted() -> None:
    for loopback in ("127.0.0.1:0", "[::1]:0", "localhost:0"):
        check_exposure(loopback, guarded=False, insecure=False)
    for open_to_others in ("0.0.0.0:0", "[::]:0", "shop.example.com:443"):
        check_exposure(open_to_others, guarded=False, insecure=True)
        check_exposure(open_to_others, guarded=True, insecure=False)
        with pytest.raises(ConfigurationError, match=r"both tokens and TLS.*--insecure"):
            check_exposure(open_to_others, guarded=False, insecure=False)


def test_a_unix_socket_is_no_address_since_workers_could_not_share_it() -> None:
    for path in ("unix:/run/windowshop.sock", "unix:///run/windowshop.sock", "/run/windowshop.sock"):
        with pytest.raises(ConfigurationError, match="wanted HOST:PORT"):
            check_exposure(path, guarded=True, insecure=True)


def test_port_0_holds_a_free_port_that_several_sockets_can_share() -> None:
    held = hold_port("127.0.0.1:0")
    with held.socket:
        host, port = parse_listen(held.address)
        assert port > 0
        for _ in range(2):
            with socket.socket() as worker:
                worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                worker.bind((host, port))
                worker.listen()
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind((host, port))


def test_a_port_where_another_server_listens_is_refused_even_if_it_would_share() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConfigurationError, match="Address already in use"):
            hold_port(f"127.0.0.1:{other.getsockname()[1]}")


def test_an_unknown_host_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="host cannot be found"):
        hold_port(f"{'x' * 64}.example:0")
