"""Who may call what, asked of a real server with tokens; reasons come as a client reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from recommender.service.roles import ROLES, Role
from tests.rpc.conftest import Refusal, refusal_of
from tests.servers import RunningServer, running_server
from tests.service.test_roles import services

TOKENS = {role: role.value[0] * 32 for role in Role}
NEW_ADMIN = "the-next-admin-token-of-this-server"
ALL = {f"/{service.full_name}/{method.name}": method for service in services() for method in service.methods}


@pytest.fixture(scope="module")
def guarded(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One worker that asks for tokens."""
    folder = tmp_path_factory.mktemp("guarded")
    lines = [f"{role} {token}" for role, token in TOKENS.items()]
    (folder / "tokens").write_text("\n".join([*lines, f"admin {NEW_ADMIN}"]), encoding="utf-8")
    with running_server(models, folder / "state", WINDOWSHOP_SERVER__TOKENS_FILE=str(folder / "tokens")) as running:
        yield running


def outcome(channel: grpc.Channel, method: str, authorization: str | None) -> Refusal | None:
    """How an empty request is refused; None where it is let in, whatever is said of its content."""
    metadata = () if authorization is None else (("authorization", authorization),)
    descriptor: MethodDescriptor = ALL[method]
    try:
        if descriptor.client_streaming and descriptor.server_streaming:
            list(channel.stream_stream(method, None, None)(iter(()), timeout=30, metadata=metadata))
        elif descriptor.client_streaming:
            channel.stream_unary(method, None, None)(iter(()), timeout=30, metadata=metadata)
        else:
            channel.unary_unary(method, None, None)(b"", timeout=30, metadata=metadata)
    except grpc.RpcError as error:
        refusal = refusal_of(error)
        refused = refusal.code in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
        return refusal if refused else None
    return None


@pytest.mark.parametrize("method", sorted(ROLES))
def test_a_method_answers_the_roles_that_the_table_names_and_no_other(method: str, guarded: RunningServer) -> None:
    with guarded.channel() as channel:
        for role, token in TOKENS.items():
            refusal = outcome(channel, method, f"Bearer {token}")
            if role in ROLES[method]:
                assert refusal is None
            else:
                assert refusal == Refusal(grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING", "windowshop", ())


@pytest.mark.parametrize("method", sorted(ROLES))
@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, "TOKEN_MISSING"),
        ("", "TOKEN_MISSING"),
        (f"Basic {TOKENS[Role.ADMIN]}", "TOKEN_MISSING"),
        ("Bearer wrong", "TOKEN_UNKNOWN"),
        (f"Bearer {TOKENS[Role.ADMIN][:-1]}", "TOKEN_UNKNOWN"),
        (f"Bearer {TOKENS[Role.ADMIN]}a", "TOKEN_UNKNOWN"),
        (f"Bearer admin {TOKENS[Role.ADMIN]}", "TOKEN_UNKNOWN"),
    ],
)
def test_a_stranger_is_refused_by_every_method(
    method: str, authorization: str | None, reason: str, guarded: RunningServer
) -> None:
    with guarded.channel() as channel:
        refusal = outcome(channel, method, authorization)
    assert refusal == Refusal(grpc.StatusCode.UNAUTHENTICATED, reason, "windowshop", ())


def test_a_token_that_replaces_another_holds_beside_it(guarded: RunningServer) -> None:
    with guarded.channel() as channel:
        for token in (TOKENS[Role.ADMIN], NEW_ADMIN):
            assert outcome(channel, "/recommender.api.v1.FeedService/GetFeed", f"Bearer {token}") is None


def test_health_is_open_to_probes_that_have_no_token(guarded: RunningServer) -> None:
    with guarded.channel() as channel:
        health = health_pb2_grpc.HealthStub(channel)
        reply = health.Check(health_pb2.HealthCheckRequest(service="recommender.api.v1.FeedService"), timeout=30)
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
        watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=30)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


def test_reflection_describes_the_api_to_those_who_may_call_some_of_it(guarded: RunningServer) -> None:
    with guarded.channel() as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        metadata = (("authorization", f"Bearer {TOKENS[Role.CATALOG]}"),)
        (reply,) = stub.ServerReflectionInfo(iter([ask]), timeout=30, metadata=metadata)
        assert "recommender.api.v1.FeedService" in {found.name for found in reply.list_services_response.service}


def test_the_log_counts_the_tokens_and_tells_none(guarded: RunningServer) -> None:
    (line,) = [line for line in guarded.lines() if line["message"] == "calls need a token"]
    assert line["tokens"] == {"frontend": 1, "catalog": 1, "admin": 2}
    text = guarded.log.read_text(encoding="utf-8")
    assert not [token for token in (*TOKENS.values(), NEW_ADMIN) if token in text]


def test_without_tokens_on_loopback_every_role_is_open_and_the_log_says_so(server: RunningServer) -> None:
    with server.channel() as channel:
        assert [outcome(channel, method, None) for method in sorted(ROLES)] == [None] * len(ROLES)
    assert "no tokens: whoever reaches the port may call every method" in [line["message"] for line in server.lines()]


def test_who_listens_beyond_loopback_without_tls_is_warned(models: Path, tmp_path: Path) -> None:
    flags = ("--listen", "0.0.0.0:0", "--insecure")
    with running_server(models, tmp_path / "state", *flags, WINDOWSHOP_SERVER__TOKENS=f"admin {NEW_ADMIN}") as running:
        messages = [line["message"] for line in running.lines()]
    assert "calls need a token" in messages
    assert "no TLS: tokens and requests travel in plain text" in messages
