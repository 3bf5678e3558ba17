"""A disk that is full, for real: a small file system of its own under the state."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from recommender.api.v1 import events_pb2
from recommender.config import StateSettings
from recommender.state.sqlite import open_state
from tests.rpc.conftest import Client, refusal_of
from tests.servers import eventually, running_server


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "windowshop-test", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield place
    # The last process of the server may hold its log, which lies there too, for a moment longer.
    eventually(lambda: subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode == 0)


def view(event_id: str, padding: int = 0) -> events_pb2.Event:
    attributes = {"padding": "x" * padding} if padding else {}
    return events_pb2.Event(
        event_id=event_id, user_id="shopper", item_id="item-spade", event_type="view", attributes=attributes
    )


def fill(path: Path) -> None:
    """Take all the room that is left."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4_096))
        except OSError:
            return


def test_on_a_full_disk_events_are_refused_and_feeds_go_on_until_there_is_room(models: Path, small_disk: Path) -> None:
    state, ballast = small_disk / "state", small_disk / "ballast"
    acknowledged, refused = [], []
    with running_server(models, state, "--workers", "2") as server, server.channel_by_worker() as channels:
        clients = [Client(channel) for channel in channels.values()]
        for n, client in enumerate(clients):
            acknowledged += [event.event_id for event in [view(f"before-{n}")] if client.record(event).accepted_count]
        fill(ballast)
        for n in range(40):
            event = view(f"full-{n}", 100_000)
            try:
                assert clients[n % 2].record(event).accepted_count == 1
                acknowledged.append(event.event_id)
            except grpc.RpcError as error:
                refusal = refusal_of(error)
                assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "STATE_FULL")
                refused.append(event)
        assert len(refused) > 30
        for client in clients:
            for _ in range(20):
                page = client.page("shopper", page_size=5)
                assert len(page.cards) == 5
                assert "item-spade" in [card.reason.item_id for card in client.page("shopper").cards]
        ballast.unlink()
        for n, event in enumerate(refused):
            assert clients[n % 2].record(event).accepted_count == 1
            acknowledged.append(event.event_id)
        assert clients[0].page("shopper", page_size=5).next_page_token
        assert len(server.workers()) == 2
    opened = open_state(state, StateSettings(), clock=lambda: 0)
    try:
        found = Counter(stored.event.event_id for stored in opened.events.events())
        opened.check()
    finally:
        opened.close()
    assert found == Counter(acknowledged)
