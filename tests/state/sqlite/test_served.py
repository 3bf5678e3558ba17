from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recommender.state.sqlite import served as served_module
from recommender.state.sqlite.served import ServedFiles
from recommender.types import DAY_MS
from tests.state.contract import NOON, ManualClock, until

OpenLog = Callable[..., ServedFiles]
RETENTION_MS = 30 * DAY_MS


@pytest.fixture
def open_log(tmp_path: Path, clock: ManualClock) -> Iterator[OpenLog]:
    opened: list[ServedFiles] = []

    def open_one(worker: str = "worker", **options: int) -> ServedFiles:
        opened.append(ServedFiles(tmp_path / "served", clock, worker, RETENTION_MS, syncs=False, **options))
        return opened[-1]

    yield open_one
    for log in opened:
        log.close()


def files(log: ServedFiles) -> list[Path]:
    return sorted(log._folder.iterdir())


def test_records_reach_the_file_by_themselves(open_log: OpenLog) -> None:
    log = open_log()
    log.write(b"page")
    until(lambda: len(files(log)) == 1 and files(log)[0].read_bytes().endswith(b"page"))


@pytest.mark.parametrize("torn", [1, 4, 27])
def test_a_torn_tail_is_passed_over(open_log: OpenLog, torn: int) -> None:
    log, other = open_log("a"), open_log("b")
    log.write(b"whole")
    log.write(b"torn")
    log.flush()
    other.write(b"other")
    os.truncate(files(log)[0], files(log)[0].stat().st_size - torn)
    other.flush()
    assert sorted(other.records()) == [b"other", b"whole"]


def test_a_full_queue_drops_and_counts_and_keeps_what_it_holds(
    open_log: OpenLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_module, "FLUSH_SECONDS", 3_600.0)
    log = open_log(queue_bytes=10 * 124)
    for n in range(25):
        log.write(bytes([n]) * 100)
    assert log.dropped == 15
    assert list(log.records()) == [bytes([n]) * 100 for n in range(10)]
    log.write(b"room again")
    assert list(log.records())[-1] == b"room again"
    assert log.dropped == 15


def test_what_is_queued_is_written_on_closing_and_what_comes_later_is_dropped(open_log: OpenLog) -> None:
    log = open_log()
    log.write(b"page")
    log.close()
    log.write(b"late")
    assert log.dropped == 1
    assert list(open_log().records()) == [b"page"]


def test_a_disk_that_refuses_costs_records_not_replies(
    open_log: OpenLog, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    log = open_log()
    folder = tmp_path / "served"
    folder.rmdir()
    log.write(b"lost")
    with caplog.at_level(logging.WARNING):
        log.flush()
    assert log.dropped == 1
    assert "1 served records lost" in caplog.text
    folder.mkdir()
    log.write(b"kept")
    assert list(log.records()) == [b"kept"]


def test_files_go_once_every_record_is_older_than_the_retention(
    open_log: OpenLog, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_module, "FLUSH_SECONDS", 3_600.0)
    log = open_log()
    for day in range(3):
        clock.now_ms = NOON + day * DAY_MS
        log.write(b"day %d" % day)
        log.flush()
    assert len(files(log)) == 3
    clock.now_ms = NOON + RETENTION_MS + DAY_MS
    log.sweep()
    assert list(log.records()) == [b"day 0", b"day 1", b"day 2"]
    clock.now_ms += 1
    log.sweep()
    assert list(log.records()) == [b"day 1", b"day 2"]


def test_the_thread_removes_old_files_by_itself(open_log: OpenLog, clock: ManualClock) -> None:
    log = open_log()
    log.write(b"old")
    log.close()
    clock.now_ms = NOON + RETENTION_MS + DAY_MS + 1
    later = open_log()
    until(lambda: files(later) == [])


def test_a_file_ends_by_size(open_log: OpenLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_module, "_ROLL_BYTES", 500)
    log = open_log()
    for n in range(6):
        log.write(bytes([n]) * 200)
        log.flush()
    assert len(files(log)) == 3
    assert sorted(log.records()) == [bytes([n]) * 200 for n in range(6)]


def test_workers_of_one_name_write_files_of_their_own(open_log: OpenLog) -> None:
    logs = [open_log("same/../name") for _ in range(5)]
    for n, log in enumerate(logs):
        log.write(b"%d" % n)
        log.flush()
    assert len(files(logs[0])) == 5
    assert sorted(logs[0].records()) == [b"%d" % n for n in range(5)]


def test_a_file_of_another_kind_is_left_alone(open_log: OpenLog, clock: ManualClock, tmp_path: Path) -> None:
    log = open_log()
    strangers = ["notes.txt", "my-notes.log"]
    for name in strangers:
        (tmp_path / "served" / name).write_text("mine")
    clock.now_ms = NOON + 2 * RETENTION_MS
    log.sweep()
    assert list(log.records()) == []
    assert [path.name for path in files(log)] == sorted(strangers)


def test_writers_at_once_lose_nothing(open_log: OpenLog) -> None:
    log = open_log()

    def write(name: int) -> None:
        for n in range(300):
            log.write(b"%d %d" % (name, n))

    writers = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    records = list(log.records())
    assert len(records) == 1_200
    for name in range(4):
        own = [record for record in records if record.startswith(b"%d " % name)]
        assert own == [b"%d %d" % (name, n) for n in range(300)]
