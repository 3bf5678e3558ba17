"""Keys that take over from others: what was given out before goes on, unless it is told not to."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import grpc
import pytest

from recommender.api.v1 import events_pb2, feed_pb2
from recommender.feed.receipts import Attribution, ReceiptProblem, ReceiptSigner
from recommender.service.clock import clock_ms
from recommender.state.sqlite import rotate_state_keys
from recommender.state.sqlite.signing import load_keys
from tests.rpc.conftest import Client, refusal_of
from tests.servers import RunningServer, eventually, running_server


def view(event_id: str, card: feed_pb2.Card) -> events_pb2.Event:
    return events_pb2.Event(
        event_id=event_id, user_id="ada", item_id=card.item_id, event_type="view", receipt=card.receipt
    )


def lost(server: RunningServer) -> int:
    """Receipts that attributed nothing because they are bad, as the log counts them."""
    return sum(line.get("receipts_bad", 0) for line in server.lines())


def positions(client: Client, token: str) -> list[int]:
    return [card.position for card in client.page("ada", page_size=2, page_token=token).cards]


def test_tokens_and_receipts_outlive_a_rotation_and_end_with_the_key_that_signed_them(
    models: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with running_server(models, state) as server, server.channel() as channel:
        page = Client(channel).page("ada", page_size=2)
        rotate_state_keys(state, drop_earlier=False)
        # A worker that takes a dead one's place goes on with the keys of the others.
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: len(set(server.workers()) - {worker}) == 1)
        with server.channel() as anew:
            later = Client(anew).page("ada", page_size=2)
            assert positions(Client(anew), page.next_page_token) == [2, 3]
    new, old = load_keys(state / "signing.key")
    assert not isinstance(read(old, later.cards[0]), ReceiptProblem)

    with running_server(models, state) as server, server.channel() as channel:
        client = Client(channel)
        for before in (page, later):
            assert positions(client, before.next_page_token) == [2, 3]
        assert client.record(view("e-1", page.cards[0]), view("e-2", later.cards[1])).accepted_count == 2
        fresh = client.page("ada", page_size=2)
        assert not isinstance(read(new, fresh.cards[0]), ReceiptProblem)
        assert lost(server) == 0

    rotate_state_keys(state, drop_earlier=True)
    with running_server(models, state) as server, server.channel() as channel:
        client = Client(channel)
        with pytest.raises(grpc.RpcError) as caught:
            positions(client, fresh.next_page_token)
        assert refusal_of(caught.value).reason == "PAGE_TOKEN_INVALID"
        assert client.record(view("e-3", fresh.cards[0])).accepted_count == 1
        eventually(lambda: lost(server) == 1)


def read(key: bytes, card: feed_pb2.Card) -> Attribution | ReceiptProblem:
    return ReceiptSigner([key]).read(card.receipt, clock_ms(), card.item_id, "ada", "")
