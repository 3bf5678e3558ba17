"""One /metrics for all workers: what was sent is what it counts, also after a worker's death."""

from __future__ import annotations

import os
import re
import signal
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest

from recommender.api.v1 import catalog_pb2, feed_pb2
from tests.rpc.conftest import Client
from tests.rpc.test_processes import view
from tests.servers import RunningServer, eventually, running_server

Numbers = dict[str, float]


@pytest.fixture(scope="module")
def pair(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Two workers on one port, and /metrics."""
    folder = tmp_path_factory.mktemp("metrics")
    # Only requests without a deadline of their own have so short a one.
    settings = {"WINDOWSHOP_SERVER__METRICS_LISTEN": "127.0.0.1:0", "WINDOWSHOP_FEED__DEADLINE_MS": "10"}
    with running_server(models, folder / "state", "--workers", "2", **settings) as running:
        yield running


@pytest.fixture(scope="module")
def url(pair: RunningServer) -> str:
    return pair.metrics_url()


def numbers(url: str) -> Numbers:
    """Every series with its value."""
    with urllib.request.urlopen(url, timeout=30) as reply:
        assert reply.headers["Content-Type"].startswith("text/plain; version=")
        lines = [line for line in reply.read().decode().splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines)}


def counted(before: Numbers, after: Numbers) -> Numbers:
    """By how much the counters grew, where they did."""
    grown = {series: value - before.get(series, 0.0) for series, value in after.items()}
    return {series: by for series, by in grown.items() if by and "_memory_" not in series}


def send_everything(client: Client, name: str) -> None:
    """Seven calls, with one rejected and one doubled event and one bad receipt among them."""
    with_receipt = view("e-2", name)
    with_receipt.receipt = "forged"
    reply = client.record(view("e-1", name), with_receipt, view("", name))
    assert (reply.accepted_count, len(reply.rejections)) == (2, 1)
    assert client.record(view("e-1", name)).duplicate_count == 1
    first = client.page(name, page_size=5)
    client.page(name, page_size=5, page_token=first.next_page_token)
    client.feed.ListSimilarItems(feed_pb2.ListSimilarItemsRequest(item_id="item-spade"), timeout=30)
    with pytest.raises(grpc.RpcError):
        client.catalog.GetItem(catalog_pb2.GetItemRequest(item_id="no-such-item"), timeout=30)
    with pytest.raises(grpc.RpcError):
        client.page(name, page_size=-1)


def test_what_was_sent_to_every_worker_is_what_is_counted(pair: RunningServer, url: str) -> None:
    with pair.channel_by_worker() as channels:
        before = numbers(url)
        for pid, channel in channels.items():
            send_everything(Client(channel), f"counted-{pid}")
        grown, n = counted(before, numbers(url)), float(len(channels))
    assert n == 2
    by_method = {
        re.sub(r"windowshop_requests_total|[{}\"]", "", series): by
        for series, by in grown.items()
        if series.startswith("windowshop_requests_total")
    }
    assert by_method == {
        "code=OK,method=RecordEvents": 2 * n,
        "code=OK,method=GetFeed": 2 * n,
        "code=INVALID_ARGUMENT,method=GetFeed": n,
        "code=OK,method=ListSimilarItems": n,
        "code=NOT_FOUND,method=GetItem": n,
    }
    assert grown['windowshop_request_seconds_count{method="GetFeed"}'] == 3 * n
    assert grown["windowshop_events_accepted_total"] == 2 * n
    assert grown["windowshop_events_duplicate_total"] == n
    assert grown['windowshop_events_rejected_total{reason="EVENT_ID_REQUIRED"}'] == n
    assert grown['windowshop_receipts_refused_total{problem="bad"}'] == n
    assert grown['windowshop_feed_pages_total{degradation="FULL"}'] == 2 * n
    assert grown["windowshop_cards_total"] == 10 * n
    assert grown["windowshop_event_to_feed_seconds_count"] == n
    for stage in ("history", "cut", "encode"):
        assert grown[f'windowshop_stage_seconds_count{{component="{stage}",stage="{stage}"}}'] == 2 * n
    assert grown['windowshop_stage_seconds_count{component="als",stage="source"}'] == n
    assert grown['windowshop_rows_out_total{component="cut",stage="cut"}'] == 10 * n


def test_pages_are_counted_by_what_their_replies_say_was_left_out(pair: RunningServer, url: str) -> None:
    told: Counter[str] = Counter()
    with pair.channel_by_worker() as channels:
        before = numbers(url)
        for number, channel in enumerate(list(channels.values()) * 40):
            try:
                page = Client(channel).feed.GetFeed(feed_pb2.GetFeedRequest(user_id=f"hurried-{number}"))
            except grpc.RpcError as error:
                told[error.code().name] += 1
            else:
                told.update(feed_pb2.Degradation.Name(each).removeprefix("DEGRADATION_") for each in page.degradations)
        grown = counted(before, numbers(url))
    name = re.compile(r'windowshop_feed_pages_total\{degradation="(\w+)"\}|.*requests_total\{code="(DEADLINE_\w+)",.*')
    found = {match[1] or match[2]: by for series, by in grown.items() if (match := name.fullmatch(series))}
    assert found == told


def test_no_number_falls_and_none_is_lost_when_a_worker_is_killed(pair: RunningServer, url: str) -> None:
    with pair.channel() as channel:
        Client(channel).page("before-the-kill")
    eventually(lambda: numbers(url)["windowshop_workers_ready"] == 2)
    before, pids = numbers(url), set(pair.workers())
    assert {series for series in before if 'kind="resident"' in series} == {
        f'windowshop_process_memory_bytes{{kind="resident",process="{name}"}}'
        for name in ("supervisor", "worker-0", "worker-1")
    }
    os.kill(min(pids), signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(min(pids)) or len(set(pair.workers()) - pids) == 1)
    eventually(lambda: numbers(url)["windowshop_workers_ready"] == 2 and len(pair.workers()) == 2)
    after = numbers(url)
    assert counted(before, after) == {"windowshop_worker_restarts_total": 1.0}
    with pair.channel_by_worker() as channels:
        for channel in channels.values():
            Client(channel).page("after-the-kill", page_size=5)
    assert counted(after, numbers(url))['windowshop_requests_total{code="OK",method="GetFeed"}'] == 2


def test_only_metrics_is_there(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(url.replace("/metrics", "/"), timeout=30)


def test_no_person_is_on_the_page(pair: RunningServer, url: str) -> None:
    with pair.channel() as channel:
        send_everything(Client(channel), "very-private-person")
    with urllib.request.urlopen(url, timeout=30) as reply:
        assert b"very-private-person" not in reply.read()
