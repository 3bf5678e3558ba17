from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender.state.sqlite import SegmentLimits
from recommender.state.sqlite.segments import SegmentStore
from recommender.types import NEVER
from tests.state.contract import NOON, ManualClock

OpenStore = Callable[..., SegmentStore]


@pytest.fixture
def open_store(tmp_path: Path, clock: ManualClock) -> Iterator[OpenStore]:
    opened: list[SegmentStore] = []

    def open_one(**limits: int) -> SegmentStore:
        opened.append(SegmentStore(tmp_path / "snapshots", clock, SegmentLimits(**limits)))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def segments(tmp_path: Path) -> Callable[[], list[Path]]:
    return lambda: sorted((tmp_path / "snapshots").glob("*.snap"))


Segments = Callable[[], list[Path]]


def test_a_torn_record_is_nothing(open_store: OpenStore, segments: Segments) -> None:
    store = open_store()
    first, last = store.put(b"a" * 100, NOON + 10), store.put(b"b" * 100, NOON + 10)
    os.truncate(segments()[0], segments()[0].stat().st_size - 1)
    assert (store.get(first), store.get(last)) == (b"a" * 100, None)


def test_a_damaged_record_is_nothing(open_store: OpenStore, segments: Segments) -> None:
    store = open_store()
    locator = store.put(b"a" * 100, NOON + 10)
    content = bytearray(segments()[0].read_bytes())
    content[-50] ^= 1
    segments()[0].write_bytes(content)
    assert store.get(locator) is None


def test_a_segment_is_sealed_by_size(open_store: OpenStore, segments: Segments) -> None:
    store = open_store(segment_bytes=1_000)
    locators = [store.put(bytes([n]) * 300, NOON + 10) for n in range(10)]
    assert len(segments()) == 4
    assert max(path.stat().st_size for path in segments()) <= 1_000
    assert [store.get(locator) for locator in locators] == [bytes([n]) * 300 for n in range(10)]


def test_a_record_larger_than_a_segment_gets_one_to_itself(open_store: OpenStore, segments: Segments) -> None:
    store = open_store(segment_bytes=100)
    assert store.get(store.put(b"x" * 500, NOON + 10)) == b"x" * 500
    assert len(segments()) == 1


def test_a_segment_goes_once_all_in_it_has_expired(
    open_store: OpenStore, segments: Segments, clock: ManualClock
) -> None:
    store, other = open_store(roll_ms=100), open_store(roll_ms=100)
    early, late = store.put(b"early", NOON + 10), store.put(b"late", NOON + 110)
    beyond = store.put(b"beyond", NOON + 111)
    assert len(segments()) == 2
    clock.now_ms = NOON + 109
    other.sweep()
    assert len(segments()) == 2
    assert (store.get(early), store.get(late)) == (None, b"late")
    clock.now_ms = NOON + 110
    other.sweep()
    assert len(segments()) == 1
    store.sweep()
    assert store.get(beyond) == b"beyond"
    clock.now_ms = NOON + 1_000
    store.sweep()
    assert segments() == []
    assert store.get(store.put(b"again", NOON + 2_000)) == b"again"


def test_an_extended_record_keeps_its_segment(open_store: OpenStore, segments: Segments, clock: ManualClock) -> None:
    store = open_store(roll_ms=100)
    locator = store.put(b"list", NOON + 10)
    assert open_store().extend(locator, NOON + 5_000)
    clock.now_ms = NOON + 4_999
    store.sweep()
    assert store.get(locator) == b"list"
    clock.now_ms = NOON + 5_000
    store.sweep()
    assert segments() == []


def test_beyond_the_limit_of_all_the_soonest_to_expire_go_first(open_store: OpenStore, segments: Segments) -> None:
    store = open_store(segment_bytes=1_000, total_bytes=3_500)
    locators = [store.put(b"x" * 900, NOON + 10 + n) for n in range(6)]
    store.sweep()
    assert len(segments()) == 3
    assert [store.get(locator) is not None for locator in locators] == [False] * 3 + [True] * 3


def test_a_writer_whose_segment_was_removed_begins_another(open_store: OpenStore, segments: Segments) -> None:
    store, other = open_store(), open_store(total_bytes=0)
    store.put(b"lost", NOON + 10)
    other.sweep()
    store.sweep()
    locator = store.put(b"found", NOON + 10)
    assert other.get(locator) == b"found"


def test_removed_segments_are_not_held_open(open_store: OpenStore, clock: ManualClock) -> None:
    store, other = open_store(), open_store()
    before = sum(1 for _ in Path("/dev/fd").iterdir())
    other.get(store.put(b"list", NOON + 10))
    clock.now_ms = NOON + 1_000_000
    store.sweep()
    other.sweep()
    assert sum(1 for _ in Path("/dev/fd").iterdir()) == before


def test_files_that_are_no_segments_are_left_alone(
    open_store: OpenStore, segments: Segments, clock: ManualClock
) -> None:
    store = open_store()
    for name, content in (("0.snap", b""), ("1.snap", b"WSSNAP9\n" + bytes(8)), ("notes.txt", b"mine")):
        (segments_folder := store._folder).joinpath(name).write_bytes(content)
    clock.now_ms = NEVER - 1
    store.sweep()
    assert sorted(path.name for path in segments_folder.iterdir()) == ["0.snap", "1.snap", "notes.txt"]


def test_a_record_may_live_for_ever(open_store: OpenStore, clock: ManualClock) -> None:
    store = open_store()
    locator = store.put(b"list", NEVER)
    clock.now_ms = NEVER - 1
    store.sweep()
    assert store.get(locator) == b"list"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 2), st.binary(max_size=60), st.integers(1, 300), st.integers(0, 40)), max_size=30
    )
)
def test_whatever_is_put_is_there_until_it_expires_and_never_after(
    open_store: OpenStore, clock: ManualClock, steps: list[tuple[int, bytes, int, int]]
) -> None:
    clock.now_ms = NOON
    stores = [open_store(segment_bytes=200, roll_ms=50) for _ in range(3)]
    kept: list[tuple[bytes, bytes, int]] = []
    for writer, record, life_ms, pause_ms in steps:
        kept.append((stores[writer].put(record, clock.now_ms + life_ms), record, clock.now_ms + life_ms))
        clock.now_ms += pause_ms
        stores[(writer + 1) % 3].sweep()
        for locator, wanted, expires_ms in kept:
            reader = stores[(writer + 2) % 3]
            assert reader.get(locator) == (wanted if clock.now_ms < expires_ms else None)
