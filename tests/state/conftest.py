"""What every implementation of state is tested with."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.state.contract import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(autouse=True)
def every_thread_ends() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    leaked = [thread.name for thread in threading.enumerate() if thread not in before]
    assert not leaked, f"left running: {leaked}"
