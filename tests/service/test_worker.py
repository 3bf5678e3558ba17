from __future__ import annotations

import socket
from multiprocessing import Pipe, get_context
from pathlib import Path

import pytest

from recommender.bundle import Bundle
from recommender.config import Settings
from recommender.service import warming, worker
from recommender.service.counter_board import CounterBoard
from recommender.service.credentials import Credentials
from recommender.service.ports import hold_port
from recommender.service.supervisor_link import SupervisorLink
from recommender.service.worker_plan import WorkerPlan
from tests.worlds import write_tiny_bundle


def answers(address: str) -> bool:
    """Whether somebody listens there."""
    host, _, port = address.rpartition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def test_a_worker_binds_only_once_it_is_warm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = write_tiny_bundle(tmp_path / "v1")
    held = hold_port("127.0.0.1:0")
    heard: list[bool] = []

    def warm_up(opened: Bundle, settings: Settings) -> None:
        warming.warm_up(opened, settings)
        heard.append(answers(held.address))

    monkeypatch.setattr(worker, "warm_up", warm_up)
    plan = WorkerPlan(
        bundle.folder, tmp_path / "state", held.address, 0, Settings(), Credentials(None, None), (b"k" * 32,)
    )
    ours, theirs = Pipe()
    state, server, swapper = worker._start(plan, SupervisorLink(theirs), CounterBoard(get_context("forkserver"), 1))
    assert heard == [False]
    assert answers(held.address)
    server.drain(1.0)
    swapper.stop()
    state.close()
    held.socket.close()
    ours.close()
