"""Processes that die, drain and come back; what was acknowledged outlives them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from recommender.api.v1 import events_pb2, feed_pb2
from tests.rpc.conftest import Client
from tests.servers import COMMAND, ROOT, RunningServer, eventually, running_server
from tests.worlds import write_tiny_models


def view(event_id: str, user_id: str, item_id: str = "item-spade", event_type: str = "view") -> events_pb2.Event:
    return events_pb2.Event(event_id=event_id, user_id=user_id, item_id=item_id, event_type=event_type)


def shows_the_spade(client: Client, user_id: str) -> bool:
    """Whether a feed knows that its user looked at the spade."""
    return "item-spade" in [card.reason.item_id for card in client.page(user_id).cards]


@pytest.fixture(scope="module")
def pair(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Two workers on one port."""
    with running_server(models, tmp_path_factory.mktemp("pair") / "state", "--workers", "2") as running:
        yield running


def test_the_announcement_says_where_what_and_how_many(pair: RunningServer) -> None:
    assert pair.announcement == f"windowshop serves on {pair.address}, model 20250601T000000Z-tiny, 2 workers"
    # A worker tells the supervisor before its own log line is in the file.
    eventually(lambda: len(pair.workers()) == 2)
    assert not pair.address.endswith(":0")


def test_every_worker_reflects_an_event_at_once(pair: RunningServer) -> None:
    with pair.channel_by_worker() as channels:
        clients = [Client(channel) for channel in channels.values()]
        assert len(clients) == 2
        for number, writer in enumerate(clients):
            user_id = f"seen-by-all-{number}"
            assert writer.record(view(f"e-{number}", user_id)).accepted_count == 1
            for reader in clients:
                assert shows_the_spade(reader, user_id)


def test_a_feed_begun_at_one_worker_goes_on_at_any(pair: RunningServer) -> None:
    seen: list[str] = []
    token = ""
    with pair.channel_by_worker() as channels:
        clients = [Client(channel) for channel in channels.values()]
        for turn in range(24):
            page = clients[turn % len(clients)].page("ada", page_size=3, page_token=token)
            seen += [card.item_id for card in page.cards]
            token = page.next_page_token
            if not token:
                break
    assert len(seen) == len(set(seen)) == 24


def test_a_killed_worker_is_replaced_while_the_others_answer(pair: RunningServer) -> None:
    before = set(pair.workers())
    with pair.channel() as channel:
        client = Client(channel)
        token = client.page("bob", page_size=5).next_page_token
        assert client.record(view("e-1", "kept-through-a-kill")).accepted_count == 1
    os.kill(min(before), signal.SIGKILL)

    def answers_on_a_new_connection() -> bool:
        with pair.channel() as channel:
            request = feed_pb2.GetFeedRequest(user_id="bob", page_token=token, page_size=5)
            page = Client(channel).feed.GetFeed(request, timeout=30, wait_for_ready=True)
            return [card.position for card in page.cards] == [5, 6, 7, 8, 9]

    eventually(answers_on_a_new_connection)
    # A killed process is still listed for a moment.
    eventually(lambda: len(pair.workers()) == 2 and len(set(pair.workers()) - before) == 1)
    died = [line for line in pair.lines() if line["message"] == "worker died, another one starts"]
    assert [line["exit_code"] for line in died] == [-signal.SIGKILL]
    with pair.channel_by_worker() as channels:
        for client in map(Client, channels.values()):
            assert client.page("bob", page_size=5).cards
            assert client.record(view("e-1", "kept-through-a-kill")).duplicate_count == 1


def test_a_worker_that_keeps_dying_comes_back_later_each_time(pair: RunningServer) -> None:
    def told(message: str) -> list[dict[str, Any]]:
        return [line for line in pair.lines() if line["message"] == message and line["worker"] == 0]

    def answers_again(pid: int) -> bool:
        return pid != int(told("worker answers")[-1]["pid"])

    for _ in range(3):
        pid = told("worker answers")[-1]["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(partial(answers_again, pid))
    pauses = [line["pause_seconds"] for line in told("worker died, another one starts")][-3:]
    assert pauses == [pauses[0], 2 * pauses[0], 4 * pauses[0]]


def test_a_killed_fork_server_is_replaced_with_its_workers(pair: RunningServer) -> None:
    before = set(pair.workers())
    (parent,) = {psutil.Process(pid).ppid() for pid in before}
    # Nobody set it: with a heap for each thread workers would grow for hours.
    assert psutil.Process(parent).environ()["MALLOC_ARENA_MAX"] == os.environ.get("MALLOC_ARENA_MAX", "2")
    os.kill(parent, signal.SIGKILL)
    eventually(lambda: len(pair.workers()) == 2 and not before & set(pair.workers()))
    with pair.channel() as channel:
        request = feed_pb2.GetFeedRequest(user_id="ada", page_size=5)
        assert Client(channel).feed.GetFeed(request, timeout=30, wait_for_ready=True).cards


@pytest.mark.parametrize("durability", ["disk", "process"])
def test_what_was_acknowledged_outlives_the_death_of_every_process(
    models: Path, tmp_path: Path, durability: str
) -> None:
    settings = {"WINDOWSHOP_STATE__DURABILITY": durability}
    events = [view(f"e-{n}", "survivor") for n in range(50)]
    with running_server(models, tmp_path / "state", **settings) as server:
        with server.channel() as channel:
            client = Client(channel)
            assert client.record(*events).accepted_count == 50
            token = client.page("survivor", page_size=4).next_page_token
        for process in server.processes():
            process.kill()
        server.process.wait(30)
    with running_server(models, tmp_path / "state", **settings) as server, server.channel() as channel:
        client = Client(channel)
        assert client.record(*events).duplicate_count == 50
        assert shows_the_spade(client, "survivor")
        assert [card.position for card in client.page("survivor", page_size=2, page_token=token).cards] == [4, 5]


def code_of_a_new_request(server: RunningServer) -> grpc.StatusCode:
    try:
        with server.channel() as channel:
            Client(channel).page("latecomer")
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_sigterm_lets_a_request_under_way_finish_and_ends_with_0(models: Path, tmp_path: Path) -> None:
    go_on = threading.Event()

    def messages() -> Iterator[events_pb2.StreamEventsRequest]:
        yield events_pb2.StreamEventsRequest(events=[view("e-1", "drained")])
        go_on.wait(60)
        yield events_pb2.StreamEventsRequest(events=[view("e-2", "drained")])

    with (
        running_server(models, tmp_path / "state", WINDOWSHOP_SERVER__DRAIN="120s") as server,
        server.channel() as channel,
    ):
        client = Client(channel)
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service="recommender.api.v1.FeedService"), timeout=60
        )
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        under_way = client.events.StreamEvents.future(messages(), timeout=60)
        # The stream's first event shows, so its request is under way.
        eventually(lambda: shows_the_spade(client, "drained"))
        server.process.send_signal(signal.SIGTERM)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert list(watch) == []
        # The watch tells before the port closes.
        eventually(lambda: code_of_a_new_request(server) is grpc.StatusCode.UNAVAILABLE)
        assert server.process.poll() is None
        go_on.set()
        assert under_way.result(timeout=60).accepted_count == 2
        assert server.process.wait(60) == 0
        assert [line["whole"] for line in server.lines() if line["message"] == "worker drained"] == [True]


def test_a_drain_ends_in_time_even_if_a_request_does_not(models: Path, tmp_path: Path) -> None:
    forever = threading.Event()

    def messages() -> Iterator[events_pb2.StreamEventsRequest]:
        yield events_pb2.StreamEventsRequest(events=[view("e-1", "stuck")])
        forever.wait(60)

    with (
        running_server(models, tmp_path / "state", WINDOWSHOP_SERVER__DRAIN="0.2s") as server,
        server.channel() as channel,
    ):
        client = Client(channel)
        stuck = client.events.StreamEvents.future(messages(), timeout=60)
        eventually(lambda: shows_the_spade(client, "stuck"))
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 0
        assert isinstance(stuck.exception(), grpc.RpcError)
        forever.set()


def test_workers_end_when_their_supervisor_is_killed(models: Path, tmp_path: Path) -> None:
    with running_server(models, tmp_path / "state", "--workers", "2") as server:
        below = server.processes()[1:]
        server.process.kill()
        server.process.wait(30)
        eventually(lambda: not [each for each in below if each.is_running() and each.status() != "zombie"])


def test_what_only_a_worker_finds_wrong_ends_the_start_with_one_sentence(tmp_path: Path) -> None:
    models = tmp_path / "models"
    write_tiny_models(models, ranker={"name": "oracle"})
    command = [*COMMAND, "serve", "--models", str(models), "--state", str(tmp_path / "state")]
    outcome = subprocess.run(
        [*command, "--listen", "127.0.0.1:0", "--workers", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (outcome.returncode, outcome.stdout) == (2, "")
    sentence = outcome.stderr.splitlines()[-1]
    assert sentence.startswith("windowshop: ")
    assert "names the ranker 'oracle'" in sentence
    assert "Traceback" not in outcome.stderr


def test_logs_name_nobody(client: Client, server: RunningServer) -> None:
    client.page("very-private-person", page_size=3)
    event = view("e-1", "very-private-person")
    event.receipt = "bad"
    client.record(event)
    eventually(lambda: "events kept without attribution" in [line["message"] for line in server.lines()])
    assert "very-private-person" not in server.log.read_text(encoding="utf-8")
