"""Embedded states in temporary folders."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from recommender.config import StateSettings
from recommender.state.sqlite import SqliteState, open_state
from tests.state.contract import ManualClock

#: Without fsync, which only the tests of durability need.
QUICK = StateSettings(durability="process")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def open_another(folder: Path, clock: ManualClock) -> Iterator[Callable[[], SqliteState]]:
    opened: list[SqliteState] = []

    def open_one() -> SqliteState:
        opened.append(open_state(folder, QUICK, clock=clock, worker=f"worker-{len(opened)}"))
        return opened[-1]

    yield open_one
    for state in opened:
        state.close()


@pytest.fixture
def state(open_another: Callable[[], SqliteState]) -> SqliteState:
    return open_another()


@pytest.fixture
def stored_bytes(folder: Path) -> Callable[[], bytes]:
    """All that stands in the files of the state, journals included, while it is open."""
    return lambda: b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.fixture
def open_fresh(clock: ManualClock) -> Callable[[], AbstractContextManager[SqliteState]]:
    @contextmanager
    def fresh() -> Iterator[SqliteState]:
        with tempfile.TemporaryDirectory() as folder:
            state = open_state(Path(folder), QUICK, clock=clock)
            try:
                yield state
            finally:
                state.close()

    return fresh
