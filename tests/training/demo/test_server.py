from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from recommender.api.v1 import feed_pb2, feed_pb2_grpc
from recommender.errors import WindowshopError
from tests.worlds import write_tiny_models
from training.demo.server import running_server


def test_a_server_answers_inside_the_block_and_is_gone_after_it(tmp_path: Path) -> None:
    write_tiny_models(tmp_path / "models")
    with running_server(tmp_path / "models", tmp_path / "state", tmp_path / "log") as server:
        below = psutil.Process(server.process.pid).children(recursive=True)
        with server.channel() as channel:
            reply = feed_pb2_grpc.FeedServiceStub(channel).GetFeed(feed_pb2.GetFeedRequest(user_id="ada"), timeout=30)
        assert reply.cards
    assert server.process.returncode == 0
    assert not psutil.wait_procs(below, timeout=10)[1]


def test_a_server_that_cannot_start_says_why_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with (
        pytest.raises(WindowshopError, match=r"did not start: .*holds no published model"),
        running_server(tmp_path / "models", tmp_path / "state", tmp_path / "log"),
    ):
        pytest.fail("it started without a model")


def test_a_server_that_dies_is_noticed(tmp_path: Path) -> None:
    write_tiny_models(tmp_path / "models")
    with running_server(tmp_path / "models", tmp_path / "state", tmp_path / "log") as server:
        server.process.kill()
        with pytest.raises(WindowshopError, match="ended by itself"):
            server.wait()
