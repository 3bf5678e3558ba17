"""Whatever is sent, by whomever, to any method: the log names no person, no token and no secret."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from recommender.api.v1 import catalog_pb2, events_pb2, feed_pb2, models_pb2, privacy_pb2
from tests.rpc.conftest import Client
from tests.rpc.test_processes import view
from tests.servers import RunningServer, eventually, running_server

MARK = "private-"
TOKENS = {role: f"{MARK}token-of-{role}-" + "t" * 32 for role in ("frontend", "catalog", "admin")}
SIGNING_KEY = f"{MARK}signing-key-" + "k" * 32
METHODS = [
    method
    for file in (catalog_pb2, events_pb2, feed_pb2, models_pb2, privacy_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


@pytest.fixture(scope="module")
def talkative(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with secrets that writes a line about every request."""
    folder = tmp_path_factory.mktemp("privacy")
    settings = {
        "WINDOWSHOP_SERVER__TOKENS": ",".join(f"{role} {token}" for role, token in TOKENS.items()),
        "WINDOWSHOP_FEED__SIGNING_KEY": SIGNING_KEY,
        "WINDOWSHOP_SERVER__LOG_EVERY": "1",
    }
    with running_server(models, folder / "state", **settings) as running:
        yield running


def filled(message: Message, depth: int = 0) -> Message:
    """The message with a mark of its own in every text."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            if field.message_type.GetOptions().map_entry:
                getattr(message, field.name)[f"{MARK}key"] = f"{MARK}value"
            elif depth < 4 and field.message_type.file is message.DESCRIPTOR.file:
                inner = getattr(message, field.name)
                filled(inner.add() if field.is_repeated else inner, depth + 1)
        elif field.type == FieldDescriptor.TYPE_STRING:
            text = f"{MARK}{field.name}"
            if field.is_repeated:
                getattr(message, field.name).append(text)
            else:
                setattr(message, field.name, text)
    return message


def send(channel: grpc.Channel, method: MethodDescriptor, data: bytes, token: str) -> None:
    """One call, whatever becomes of it."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    metadata = (("authorization", f"Bearer {token}"),)
    with contextlib.suppress(grpc.RpcError):
        if method.client_streaming:
            channel.stream_unary(path, None, None)(iter([data]), timeout=30, metadata=metadata)
        else:
            channel.unary_unary(path, None, None)(data, timeout=30, metadata=metadata)


def test_no_line_names_a_person_a_token_or_a_secret(talkative: RunningServer) -> None:
    with talkative.channel() as channel:
        for method in METHODS:
            request = message_factory.GetMessageClass(method.input_type)()
            whole = filled(request).SerializeToString()
            for data in (whole, b"", b"\xff" * 40 + whole, whole[:-3]):
                for token in (*TOKENS.values(), f"{MARK}unknown-token"):
                    send(channel, method, data, token)
        # Requests that succeed, and those that fail by their token or receipt.
        metadata = (("authorization", f"Bearer {TOKENS['admin']}"),)
        client = Client(channel)
        event = view(f"{MARK}event", f"{MARK}user")
        event.session_id, event.receipt = f"{MARK}session", f"{MARK}receipt"
        stored = client.events.RecordEvents(
            events_pb2.RecordEventsRequest(events=[event]), timeout=30, metadata=metadata
        )
        assert stored.accepted_count == 1
        wanted = feed_pb2.GetFeedRequest(user_id=f"{MARK}user", session_id=f"{MARK}session", page_size=3)
        page = client.feed.GetFeed(wanted, timeout=30, metadata=metadata)
        assert len(page.cards) == 3
        wanted.page_token = page.next_page_token
        client.feed.GetFeed(wanted, timeout=30, metadata=metadata)
        wanted.user_id = f"{MARK}somebody-else"
        with pytest.raises(grpc.RpcError):
            client.feed.GetFeed(wanted, timeout=30, metadata=metadata)
    eventually(lambda: talkative.lines()[-1].get("code") == "INVALID_ARGUMENT")
    lines = talkative.lines()
    for method in METHODS:
        assert [line for line in lines if line.get("method") == method.name]
    assert {"events kept without attribution", "request"} <= {line["message"] for line in lines}
    assert [line["user"] for line in lines if line.get("cards") == 3]
    text = talkative.log.read_text(encoding="utf-8")
    assert MARK not in text
    assert page.next_page_token not in text
    for card in page.cards:
        assert card.receipt not in text
