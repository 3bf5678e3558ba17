"""A server with tokens, TLS and client certificates, on an address that other machines could reach."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from recommender.service.channels import open_channel
from recommender.service.tls import ClientTls, read_pair
from tests.certificates import Authority, Pair
from tests.rpc.conftest import Client, refusal_of
from tests.servers import RunningServer, running_server

TOKEN = "f" * 32


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "authority")


@pytest.fixture(scope="module")
def client_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("clients") / "authority")


@pytest.fixture(scope="module")
def server(
    models: Path, authority: Authority, client_authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    pair = authority.issue("server")
    settings = {
        "WINDOWSHOP_SERVER__TOKENS": f"frontend {TOKEN}",
        "WINDOWSHOP_SERVER__TLS_CERTIFICATE": str(pair.certificate),
        "WINDOWSHOP_SERVER__TLS_KEY": str(pair.key),
        "WINDOWSHOP_SERVER__TLS_CLIENT_CA": str(client_authority.pair.certificate),
    }
    state = tmp_path_factory.mktemp("secure") / "state"
    # The later flag counts: with tokens and TLS, no --insecure is needed.
    with running_server(models, state, "--listen", "0.0.0.0:0", **settings) as running:
        yield running


def client_tls(trusted: Authority, pair: Pair | None) -> ClientTls:
    shown = read_pair(pair.certificate, pair.key, "certificate", "key") if pair else None
    return ClientTls(trusted.pair.certificate.read_bytes(), shown)


def target(server: RunningServer) -> str:
    return f"127.0.0.1:{server.address.rpartition(':')[2]}"


def test_a_client_with_certificate_and_token_is_served(
    server: RunningServer, authority: Authority, client_authority: Authority
) -> None:
    tls = client_tls(authority, client_authority.issue("friend"))
    with open_channel(target(server), TOKEN, tls) as channel:
        assert Client(channel).page("ada", page_size=3).cards
    with open_channel(target(server), "", tls) as channel, pytest.raises(grpc.RpcError) as caught:
        Client(channel).page("ada")
    assert refusal_of(caught.value).reason == "TOKEN_MISSING"


def test_who_is_not_trusted_gets_no_connection_and_the_others_go_on(
    server: RunningServer, authority: Authority, client_authority: Authority
) -> None:
    stranger = client_authority.issue("untrusting")
    strangers = {
        "plain text": None,
        "no certificate": client_tls(authority, None),
        "a certificate of another authority": client_tls(authority, authority.issue("foreign")),
        "a client that does not trust the server": client_tls(client_authority, stranger),
    }
    for name, tls in strangers.items():
        with open_channel(target(server), TOKEN, tls) as channel, pytest.raises(grpc.RpcError) as caught:
            Client(channel).page("ada")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE, name
    with open_channel(target(server), TOKEN, client_tls(authority, client_authority.issue("after"))) as channel:
        assert Client(channel).page("ada", page_size=3).cards


def test_garbage_in_place_of_a_handshake_is_hung_up_on(server: RunningServer) -> None:
    host, _, port = target(server).rpartition(":")
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bytes(range(256))):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(garbage)
            while connection.recv(4_096):
                pass


def test_the_log_says_that_there_is_tls_and_holds_nothing_but_json_and_no_secret(server: RunningServer) -> None:
    (line,) = [line for line in server.lines() if line["message"] == "calls need a token"]
    assert line["tls"] is True
    text = server.log.read_text(encoding="utf-8")
    assert TOKEN not in text
    assert "PRIVATE KEY" not in text
    assert [line for line in text.splitlines() if not line.startswith("{")] == []
