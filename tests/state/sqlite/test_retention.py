"""A state that lives for long does not grow beyond what it has to keep, and gives back what it removed."""

from __future__ import annotations

import os
from pathlib import Path

from recommender.config import StateSettings
from recommender.state.sqlite import SegmentLimits, SqliteState, open_state
from recommender.types import DAY_MS
from tests.state.contract import NOON, ManualClock, logged

RETENTION_DAYS = 30
SETTINGS = StateSettings(
    durability="process", retention=RETENTION_DAYS * DAY_MS / 1_000, served_retention=RETENTION_DAYS * DAY_MS / 1_000
)
MINUTE_MS = 60_000


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each store, journals included."""
    parts = {"events": "events.db*", "snapshots": "snapshots/*", "served": "served/*"}
    return {name: sum(path.stat().st_size for path in folder.glob(pattern)) for name, pattern in parts.items()}


def held_though_removed(folder: Path) -> list[str]:
    """Files of the state that this process holds open and that have no name any more."""
    links = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return [link for link in links if link.startswith(str(folder)) and link.endswith("(deleted)")]


def live_a_day(state: SqliteState, clock: ManualClock) -> None:
    """What a small shop writes in a day, and the chores of that day."""
    day = (clock.now_ms - NOON) // DAY_MS
    events = [
        logged(f"item-{n}", f"user-{day % 40}-{n}", f"session-{day}-{n}", at=None, arrival=clock.now_ms,
               event_id=f"{day}-{n}", event_type="hide" if n % 7 == 0 else "view", attributes={"note": "x" * 200})
        for n in range(60)
    ]  # fmt: skip
    state.events.append(events)
    for n in range(20):
        state.snapshots.put(os.urandom(2_000), clock.now_ms + 30 * MINUTE_MS, f"user-{n}")
        state.served.write(os.urandom(300), f"user-{n}")
    state.served.flush()
    state._do_chores()
    state.served.sweep()
    clock.now_ms += DAY_MS


def test_files_stop_growing_once_the_retention_is_full(folder: Path, clock: ManualClock) -> None:
    state = open_state(folder, SETTINGS, clock=clock)
    try:
        for _ in range(RETENTION_DAYS + 10):
            live_a_day(state, clock)
        full = sizes(folder)
        for _ in range(3 * RETENTION_DAYS):
            live_a_day(state, clock)
        assert len(list(state.events.events())) == 60 * (RETENTION_DAYS + 1)
        later = sizes(folder)
        pages = state._readers.fetch("PRAGMA page_count")[0][0]
        actors = state._readers.fetch("SELECT count(*) FROM actors")[0][0]
        assert actors <= 2 * 60 * (RETENTION_DAYS + 1)
        assert pages * 4_096 < 1.1 * full["events"]
        assert later["snapshots"] <= full["snapshots"]
        assert later["served"] <= 1.1 * full["served"]
        assert held_though_removed(folder) == []
    finally:
        state.close()


def test_the_write_ahead_log_does_not_grow_with_the_log(folder: Path, clock: ManualClock) -> None:
    state = open_state(folder, SETTINGS, clock=clock)
    try:
        for start in range(0, 15_000, 1_000):
            state.events.append([logged("apple", f"user-{n}", event_id=f"{start + n}") for n in range(1_000)])
        # A checkpoint at 4,000 pages, and what one more transaction adds.
        assert (folder / "events.db-wal").stat().st_size < 3 * 4_000 * 4_096
    finally:
        state.close()


def test_a_worker_that_serves_nobody_gives_the_space_of_its_old_file_back(folder: Path, clock: ManualClock) -> None:
    idle, busy = (open_state(folder, SETTINGS, clock=clock, worker=name) for name in ("idle", "busy"))
    try:
        idle.served.write(b"page")
        idle.served.flush()
        idle.snapshots.put(b"list", clock.now_ms + MINUTE_MS)
        clock.now_ms += (RETENTION_DAYS + 1) * DAY_MS + 1
        busy.served.sweep()
        busy._do_chores()
        assert len(held_though_removed(folder)) == 2
        idle.served.sweep()
        idle._do_chores()
        assert held_though_removed(folder) == []
        idle.served.write(b"next page")
        assert list(idle.served.records()) == [b"next page"]
    finally:
        idle.close()
        busy.close()


def test_snapshots_stay_within_their_bound_however_long_they_live(folder: Path, clock: ManualClock) -> None:
    limits = SegmentLimits(segment_bytes=20_000, total_bytes=200_000)
    state = open_state(folder, SETTINGS, clock=clock, limits=limits)
    try:
        for _ in range(400):
            state.snapshots.put(bytes(2_000), clock.now_ms + 365 * DAY_MS)
            state.snapshots.sweep()
        assert sizes(folder)["snapshots"] <= limits.total_bytes + limits.segment_bytes
        assert held_though_removed(folder) == []
    finally:
        state.close()


def test_the_disk_that_snapshots_may_take_is_a_setting(folder: Path, clock: ManualClock) -> None:
    small = SETTINGS.model_copy(update={"snapshot_bytes": 1 << 20})
    for _ in range(4):  # each process begins a segment of its own
        state = open_state(folder, small, clock=clock)
        state.snapshots.put(bytes(600_000), clock.now_ms + 365 * DAY_MS)
        state.snapshots.sweep()
        state.close()
    assert 0 < sizes(folder)["snapshots"] <= 1 << 20
    state = open_state(folder, SETTINGS, clock=clock)
    try:
        state.snapshots.put(bytes(600_000), clock.now_ms + 365 * DAY_MS)
        state.snapshots.sweep()
        assert sizes(folder)["snapshots"] > 1 << 20
        assert held_though_removed(folder) == []
    finally:
        state.close()
