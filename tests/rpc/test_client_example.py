"""The client of service/README.md, as it stands there, against servers that die and come back."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from recommender.api.v1 import events_pb2
from recommender.config import StateSettings
from recommender.service.clock import clock_ms
from recommender.state.sqlite import open_state
from tests.rpc.conftest import refusal_of
from tests.servers import ROOT, RunningServer, running_server

README = ROOT / "recommender" / "service" / "README.md"
N_EVENTS = 400


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    """The names that the block defines."""
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, str(README), "exec"), names)
    return names


def event(number: int) -> events_pb2.Event:
    return events_pb2.Event(
        event_id=f"e-{number}", user_id=f"user-{number % 7}", item_id="item-spade", event_type="view"
    )


@pytest.fixture
def first(models: Path, tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(models, tmp_path / "state") as server:
        yield server


def test_no_event_is_lost_or_doubled_though_the_server_is_killed_and_comes_back(
    example: dict[str, Any], first: RunningServer, models: Path, tmp_path: Path
) -> None:
    answered: list[Any] = []
    half = threading.Event()

    def send() -> None:
        with grpc.insecure_channel(first.address, options=[("grpc.max_reconnect_backoff_ms", 500)]) as channel:
            for number in range(0, N_EVENTS, 5):
                answered.append(example["record"](channel, [event(n) for n in range(number, number + 5)]))
                if number > N_EVENTS // 4:
                    half.set()

    sender = threading.Thread(target=send)
    sender.start()
    assert half.wait(60)
    for process in first.processes():
        process.kill()
    first.process.wait(30)
    with running_server(models, tmp_path / "state", "--listen", first.address) as again:
        assert again.address == first.address
        sender.join(120)
    assert not sender.is_alive()
    assert len(answered) == N_EVENTS // 5
    assert sum(reply.accepted_count + reply.duplicate_count for reply in answered) == N_EVENTS
    assert not [rejection for reply in answered for rejection in reply.rejections]
    state = open_state(tmp_path / "state", StateSettings(), clock=clock_ms, worker="reader")
    stored = [logged.event.event_id for logged in state.events.events(None)]
    state.close()
    assert sorted(stored) == sorted(event(n).event_id for n in range(N_EVENTS))


def test_what_sending_again_cannot_mend_is_raised_at_once(example: dict[str, Any], first: RunningServer) -> None:
    with first.channel() as channel:
        for events, reason in (
            ([event(n) for n in range(1_001)], "TOO_MANY_EVENTS"),
            ([events_pb2.Event(event_id="e" * 2_000_000)], ""),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                example["record"](channel, events, patience_seconds=1e9)
            assert refusal_of(caught.value).reason == reason


def test_a_server_that_stays_away_is_given_up(example: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(example, "ATTEMPT_SECONDS", 0.2)
    with grpc.insecure_channel("127.0.0.1:1") as channel, pytest.raises(grpc.RpcError) as caught:
        example["record"](channel, [event(1)], patience_seconds=0.5)
    assert caught.value.code() in example["RETRYABLE"]
