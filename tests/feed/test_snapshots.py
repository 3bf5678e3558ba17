from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.config import StateSettings
from recommender.errors import StateFullError
from recommender.feed.snapshots import Snapshot, SnapshotShelf, is_kind
from recommender.state.sqlite import SqliteState, open_state
from recommender.types import Degradation, Mode, Relaxation
from tests.feed.shops import Clock
from tests.worlds import NOW_MS

TTL_MS = 1_000


def snapshot_of(n: int) -> Snapshot:
    return Snapshot(
        request_id="request-1",
        model_version="v1",
        mode=Mode.DISCOVER,
        degradations=(Degradation.NO_RANKER, Degradation.NO_STATE),
        relaxations=(Relaxation.PRICE,),
        sources=("als", "popularity_category"),
        evidence_kinds=("item", "category"),
        categories=("Küche > Töpfe",),
        item_numbers=np.arange(n, dtype=np.int64) * 2**33,
        evidence=np.full(n, -1, np.int64),
        scores=np.linspace(1, 0, n, dtype=np.float32),
        propensities=np.ones(n, np.float32),
        source_masks=np.full(n, 3, np.uint32),
        lead_sources=np.full(n, -1, np.int8),
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(tmp_path: Path, clock: Clock) -> Iterator[SqliteState]:
    opened = open_state(tmp_path / "state", StateSettings(), clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def shelf(state: SqliteState) -> SnapshotShelf:
    return SnapshotShelf(state.snapshots, TTL_MS)


@given(st.integers(0, 50))
def test_a_snapshot_comes_back_whole(n: int) -> None:
    snapshot = snapshot_of(n)
    decoded = Snapshot.decode(snapshot.encode())
    assert decoded is not None
    assert len(decoded) == n
    for each in fields(Snapshot):
        np.testing.assert_array_equal(getattr(decoded, each.name), getattr(snapshot, each.name))


def test_a_record_of_another_layout_is_no_snapshot() -> None:
    assert Snapshot.decode(b"\xff" + snapshot_of(3).encode()[1:]) is None


def test_a_kept_snapshot_opens_in_another_process_on_the_same_state(
    shelf: SnapshotShelf, tmp_path: Path, clock: Clock
) -> None:
    locator = shelf.keep(snapshot_of(3), b"", "ada", NOW_MS)
    assert locator is not None
    other = open_state(tmp_path / "state", StateSettings(), clock=clock)
    try:
        opened = SnapshotShelf(other.snapshots, TTL_MS).open(locator)
        assert opened is not None
        assert opened.item_numbers.tolist() == snapshot_of(3).item_numbers.tolist()
    finally:
        other.close()


def test_a_snapshot_lives_as_long_as_the_token_of_its_last_page(shelf: SnapshotShelf, clock: Clock) -> None:
    locator = shelf.keep(snapshot_of(3), b"", "ada", NOW_MS)
    for _ in range(5):
        assert locator is not None
        clock.now_ms += TTL_MS
        assert shelf.open(locator) is not None
        assert shelf.keep(snapshot_of(3), locator, "ada", clock.now_ms) == locator
    clock.now_ms += TTL_MS + 1
    assert locator is not None
    assert shelf.open(locator) is None


def test_a_snapshot_can_be_removed_by_its_owner(shelf: SnapshotShelf, state: SqliteState) -> None:
    locator = shelf.keep(snapshot_of(3), b"", "ada", NOW_MS)
    state.remove_user("ada")
    assert locator is not None
    assert shelf.open(locator) is None


def test_a_full_disk_ends_the_feed_with_this_page_instead_of_failing() -> None:
    class FullStore:
        def put(self, record: bytes, expires_ms: int, owner: str = "") -> bytes:
            raise StateFullError("no space left")

        def get(self, locator: bytes) -> bytes | None:
            return None

        def extend(self, locator: bytes, expires_ms: int) -> bool:
            return False

    assert SnapshotShelf(FullStore(), TTL_MS).keep(snapshot_of(3), b"", "ada", NOW_MS) is None


def test_the_tail_is_of_no_kind() -> None:
    leads = np.array([0, 1, -1], np.int8)
    assert is_kind(("item", "category"), leads, "item").tolist() == [True, False, False]
    assert is_kind(("category", "item"), leads, "item").tolist() == [False, True, False]
