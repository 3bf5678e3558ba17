"""Models that change under a running server: by request, by rename of `current`, back again, and while workers die."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import grpc
import psutil
import pytest

from recommender.api.v1 import models_pb2, models_pb2_grpc
from recommender.bundle import activate, current_version
from recommender.bundle.runs import write_run
from tests.rpc.conftest import Client, refusal_of
from tests.rpc.test_metrics import numbers
from tests.servers import RunningServer, eventually, running_server
from tests.worlds import write_tiny_bundle

A, B, C = "20250601T000000Z-aaaa", "20250602T000000Z-bbbb", "20250603T000000Z-cccc"
DAMAGED, RENAMED = "20250604T000000Z-dddd", "20250605T000000Z-eeee"


def write_versions(models: Path) -> Path:
    """Three good versions, of which the first is live, one that lost a byte, and one under another's name."""
    for version in (A, B, C, DAMAGED):
        write_tiny_bundle(models / version)
    prices = models / DAMAGED / "items" / "price.npy"
    prices.write_bytes(prices.read_bytes()[:-1] + b"\x01")
    shutil.copytree(models / B, models / RENAMED)
    activate(models, A)
    return models


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_versions(tmp_path_factory.mktemp("versions") / "models")


@pytest.fixture(scope="module")
def trio(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Three workers, and /metrics."""
    settings = {"WINDOWSHOP_SERVER__METRICS_LISTEN": "127.0.0.1:0"}
    with running_server(folder, tmp_path_factory.mktemp("trio") / "state", "--workers", "3", **settings) as running:
        yield running


@pytest.fixture(scope="module")
def url(trio: RunningServer) -> str:
    return trio.metrics_url()


def swaps(url: str, outcome: str) -> float:
    return numbers(url).get(f'windowshop_model_swaps_total{{outcome="{outcome}"}}', 0.0)


@pytest.fixture
def operator(trio: RunningServer, folder: Path) -> Iterator[models_pb2_grpc.ModelServiceStub]:
    """Begins with the first version live on all workers."""
    with trio.channel() as channel:
        stub = models_pb2_grpc.ModelServiceStub(channel)
        assert not activated(stub, A).pending_workers
        yield stub


def activated(stub: models_pb2_grpc.ModelServiceStub, version: str) -> models_pb2.ActivateModelResponse:
    request = models_pb2.ActivateModelRequest(version=version)
    return stub.ActivateModel(request, timeout=60, wait_for_ready=True)


def rolled_back(stub: models_pb2_grpc.ModelServiceStub) -> models_pb2.RollbackResponse:
    return stub.Rollback(models_pb2.RollbackRequest(), timeout=60)


def status_of(stub: models_pb2_grpc.ModelServiceStub) -> models_pb2.GetServingStatusResponse:
    return stub.GetServingStatus(models_pb2.GetServingStatusRequest(), timeout=60, wait_for_ready=True)


def all_serve(stub: models_pb2_grpc.ModelServiceStub, version: str) -> bool:
    workers = status_of(stub).workers
    return all((w.model_version, w.readiness) == (version, models_pb2.READINESS_READY) for w in workers)


def versions_shown(server: RunningServer) -> set[str]:
    """What a new feed at each worker says that it was made with."""
    with server.channel_by_worker() as channels:
        return {Client(channel).page("ada", page_size=3).model_version for channel in channels.values()}


def test_every_worker_tells_how_all_of_them_are(
    trio: RunningServer, operator: models_pb2_grpc.ModelServiceStub
) -> None:
    with trio.channel_by_worker() as channels:
        for pid, channel in channels.items():
            status = status_of(models_pb2_grpc.ModelServiceStub(channel))
            assert (status.process_id, status.live_version, status.pending_version) == (pid, A, "")
            assert [worker.number for worker in status.workers] == [0, 1, 2]
            assert {worker.process_id for worker in status.workers} == set(channels)
            assert {worker.readiness for worker in status.workers} == {models_pb2.READINESS_READY}


def test_an_activation_returns_when_every_worker_has_confirmed(
    trio: RunningServer, operator: models_pb2_grpc.ModelServiceStub, folder: Path, url: str
) -> None:
    before = swaps(url, "done")
    outcome = activated(operator, B)
    assert swaps(url, "done") - before == 3
    assert (outcome.version, outcome.previous_version) == (B, A)
    assert {worker.process_id for worker in outcome.confirmed_workers} == set(trio.workers())
    assert {worker.model_version for worker in outcome.confirmed_workers} == {B}
    assert not outcome.pending_workers
    assert versions_shown(trio) == {B}
    assert current_version(folder) == B


def test_rolling_back_goes_one_activation_further_each_time(
    trio: RunningServer, operator: models_pb2_grpc.ModelServiceStub, folder: Path
) -> None:
    activated(operator, B)
    activated(operator, C)
    assert (back := rolled_back(operator)).version == B
    assert back.previous_version == C
    assert len(back.confirmed_workers) == 3
    assert rolled_back(operator).version == A
    assert versions_shown(trio) == {A}
    assert current_version(folder) == A


@pytest.mark.parametrize(
    ("version", "code", "reason", "words"),
    [
        (DAMAGED, grpc.StatusCode.FAILED_PRECONDITION, "MODEL_REFUSED", "items/price.npy does not match its SHA-256"),
        (
            RENAMED,
            grpc.StatusCode.FAILED_PRECONDITION,
            "MODEL_REFUSED",
            f"is foreign: its manifest.json says that it is {B}",
        ),
        ("20200101T000000Z-none", grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND", "20200101T000000Z-none"),
        ("../models", grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND", "../models"),
        ("", grpc.StatusCode.INVALID_ARGUMENT, "VERSION_REQUIRED", "ListModels"),
    ],
)
def test_what_must_not_be_served_is_refused_with_its_reason(
    trio: RunningServer, operator: models_pb2_grpc.ModelServiceStub, folder: Path,
    version: str, code: grpc.StatusCode, reason: str, words: str,
) -> None:  # fmt: skip
    with pytest.raises(grpc.RpcError) as caught:
        activated(operator, version)
    refusal = refusal_of(caught.value)
    assert (refusal.code, refusal.reason) == (code, reason)
    assert words in str(caught.value.details())
    assert current_version(folder) == A
    assert versions_shown(trio) == {A}


def test_what_only_a_worker_finds_wrong_is_refused_by_the_one_that_tries(
    trio: RunningServer, operator: models_pb2_grpc.ModelServiceStub, folder: Path, url: str
) -> None:
    version, before = "20250606T000000Z-odd", swaps(url, "failed")
    write_tiny_bundle(folder / version, ranker={"name": "crystal_ball"})
    with pytest.raises(grpc.RpcError, match="crystal_ball"):
        activated(operator, version)
    assert swaps(url, "failed") - before == 1
    assert current_version(folder) == A
    assert all_serve(operator, A)
    shutil.rmtree(folder / version)


def test_a_version_that_another_process_publishes_is_taken_up(
    trio: RunningServer, operator: models_pb2_grpc.ModelServiceStub, folder: Path
) -> None:
    activate(folder, C)
    eventually(lambda: all_serve(operator, C))
    assert versions_shown(trio) == {C}
    # One that cannot be served is not.
    (folder / "current").write_text(DAMAGED + "\n", encoding="utf-8")
    eventually(lambda: any(DAMAGED in line.get("reason", "") for line in trio.lines()))
    assert all_serve(operator, C)


def test_models_are_listed_with_what_the_gate_said(operator: models_pb2_grpc.ModelServiceStub, folder: Path) -> None:
    verdict = {
        "live": A, "users": 500, "new_ndcg": 0.1, "live_ndcg": 0.2, "difference": -0.1, "lower": -0.2, "upper": -0.05,
    }  # fmt: skip
    refused = "20250607T000000Z-worse"
    write_run(folder, {"version": B, "published": True, "gate": {**verdict, "refused": False}})
    write_run(folder, {"version": refused, "published": False, "gate": {**verdict, "refused": True}})
    listed = operator.ListModels(models_pb2.ListModelsRequest(), timeout=60).models
    assert [model.version for model in listed] == [refused, RENAMED, DAMAGED, C, B, A]
    found = {model.version: model for model in listed}
    assert [model.version for model in listed if model.live] == [A]
    assert found[A].item_count == 24
    assert found[A].create_time.seconds == 1_748_736_000
    assert not found[A].HasField("gate_verdict")
    assert found[B].gate_verdict.compared_version == A
    assert (found[refused].state, found[refused].gate_verdict.refused) == (models_pb2.MODEL_STATE_REFUSED, True)
    pages: list[str] = []
    token = ""
    while len(pages) < 6:
        page = operator.ListModels(models_pb2.ListModelsRequest(page_size=4, page_token=token), timeout=60)
        pages += [model.version for model in page.models]
        token = page.next_page_token
        if not token:
            break
    assert pages == [model.version for model in listed]


def test_a_worker_that_replaces_a_dead_one_takes_the_live_version(
    trio: RunningServer, operator: models_pb2_grpc.ModelServiceStub
) -> None:
    activated(operator, B)
    before = trio.workers()
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: len(set(trio.workers()) - set(before)) == 1 and len(trio.workers()) == 3)
    eventually(lambda: all_serve(operator, B))
    assert versions_shown(trio) == {B}


def test_workers_that_do_not_answer_in_time_are_named_and_follow_later(trio: RunningServer) -> None:
    with trio.channel_by_worker() as channels:
        asked, stuck, _ = channels
        stub = models_pb2_grpc.ModelServiceStub(channels[asked])
        activated(stub, A)
        numbers = {worker.process_id: worker.number for worker in status_of(stub).workers}
        # The one that tries first is the lowest that was not asked; the other one is stopped.
        stuck = max((pid for pid in channels if pid != asked), key=lambda pid: numbers[pid])
        os.kill(stuck, signal.SIGSTOP)
        try:
            began = time.monotonic()
            outcome = activated(stub, B)
            assert time.monotonic() - began >= 10
            assert [worker.process_id for worker in outcome.pending_workers] == [stuck]
            assert stuck not in {worker.process_id for worker in outcome.confirmed_workers}
            assert len(outcome.confirmed_workers) == 2
        finally:
            os.kill(stuck, signal.SIGCONT)
        eventually(lambda: all_serve(stub, B))


def test_nothing_of_a_model_that_was_replaced_stays_mapped(
    trio: RunningServer, operator: models_pb2_grpc.ModelServiceStub
) -> None:
    activated(operator, C)

    def mapped(version: str) -> bool:
        maps = [each.path for pid in trio.workers() for each in psutil.Process(pid).memory_maps()]
        return any(version in path for path in maps)

    assert mapped(C)
    eventually(lambda: not mapped(A) and not mapped(B))


def test_no_request_fails_while_models_swap(trio: RunningServer, operator: models_pb2_grpc.ModelServiceStub) -> None:
    over = threading.Event()
    failures: list[str] = []
    versions: list[set[str]] = []

    def shopper(channel: grpc.Channel) -> None:
        client, shown = Client(channel), set()
        while not over.is_set():
            try:
                page = client.page("ada", page_size=5)
                shown.add(page.model_version)
                following = client.page("ada", page_size=5, page_token=page.next_page_token)
                if [card.position for card in following.cards] != [5, 6, 7, 8, 9]:
                    failures.append("a page with gaps")
            except grpc.RpcError as error:
                failures.append(f"{error.code()}: {error.details()}")
        versions.append(shown)

    with trio.channel_by_worker() as channels:
        shoppers = [threading.Thread(target=shopper, args=(channel,)) for channel in channels.values()]
        for each in shoppers:
            each.start()
        for version in (B, C, A, B, C, A):
            assert len(activated(operator, version).confirmed_workers) == 3
        over.set()
        for each in shoppers:
            each.join()
    assert not failures
    assert all(len(shown) > 1 for shown in versions), "requests were answered by one model alone"


def test_a_worker_killed_while_models_swap_keeps_nobody_from_swapping(
    trio: RunningServer, operator: models_pb2_grpc.ModelServiceStub
) -> None:
    asked = status_of(operator).process_id
    for version in (B, C, B):
        victim = next(pid for pid in trio.workers() if pid != asked)
        call = operator.ActivateModel.future(models_pb2.ActivateModelRequest(version=version), timeout=60)
        os.kill(victim, signal.SIGKILL)
        outcome = call.result()
        assert outcome.version == version
        assert victim not in {worker.process_id for worker in outcome.pending_workers}
        eventually(partial(all_serve, operator, version))
    assert versions_shown(trio) == {B}


def test_a_server_that_starts_again_serves_what_was_live_and_can_still_go_back(tmp_path: Path) -> None:
    models = write_versions(tmp_path / "models")
    with running_server(models, tmp_path / "state") as server, server.channel() as channel:
        stub = models_pb2_grpc.ModelServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            rolled_back(stub)
        assert refusal_of(caught.value).reason == "NO_EARLIER_MODEL"
        activated(stub, B)
        activated(stub, C)
        rolled_back(stub)
    with running_server(models, tmp_path / "state") as server, server.channel() as channel:
        assert f"model {B}" in server.announcement
        stub = models_pb2_grpc.ModelServiceStub(channel)
        assert rolled_back(stub).version == A
        assert Client(channel).page("ada").model_version == A
