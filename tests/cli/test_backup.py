from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import grpc
import pytest

from recommender.api.v1 import events_pb2
from recommender.config import StateSettings
from recommender.state.sqlite import open_state
from tests.cli.conftest import Run, refused
from tests.rpc.conftest import Client, refusal_of
from tests.servers import running_server


def test_a_running_server_is_backed_up_and_another_goes_on_from_the_copy(
    run: Run, models: Path, tmp_path: Path
) -> None:
    state, out, restored = tmp_path / "state", tmp_path / "backup", tmp_path / "restored"
    refused(run("backup", "--state", state, "--out", out), "holds no state")
    events = [
        events_pb2.Event(event_id=f"e-{n}", user_id="ann", item_id="item-spade", event_type="view") for n in range(20)
    ]
    with running_server(models, state) as server, server.channel() as channel:
        client = Client(channel)
        assert client.record(*events).accepted_count == 20
        first = client.page("ann", page_size=2)
        outcome = run("backup", "--state", state, "--out", out)
        assert outcome.returncode == 0, outcome.stderr
        assert outcome.stdout.startswith("20 events in ")
        client.record(events_pb2.Event(event_id="later", user_id="ann", item_id="item-hoe", event_type="view"))
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)  # a server whose workers all just died has its state in use
        refused(run("restore", "--from", out, "--state", state, "--replace"), "in use")
    refused(run("restore", "--from", out, "--state", state), "--replace")
    assert run("restore", "--from", out, "--state", restored).stdout == f"20 events restored to {restored}\n"
    clicked = events_pb2.Event(
        event_id="clicked",
        user_id="ann",
        item_id=first.cards[0].item_id,
        event_type="click",
        receipt=first.cards[0].receipt,
    )
    with running_server(models, restored) as server, server.channel() as channel:
        client = Client(channel)
        assert client.record(*events).duplicate_count == 20
        assert client.record(clicked).accepted_count == 1
        with pytest.raises(grpc.RpcError) as caught:
            client.page("ann", page_size=2, page_token=first.next_page_token)
        assert refusal_of(caught.value).reason == "PAGE_TOKEN_EXPIRED"
    opened = open_state(restored, StateSettings(), clock=lambda: 0)
    try:
        last = opened.find_user("ann").events[-1]
    finally:
        opened.close()
    assert json.loads(last.attribution)["request_id"] == first.request_id
    replaced = run("restore", "--from", out, "--state", restored, "--replace")
    assert replaced.returncode == 0
    assert "what stood there is now" in replaced.stdout
