from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from recommender.state.sqlite import SqliteState
from tests.state.sqlite.processes import event

OpenState = Callable[[], SqliteState]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start_one(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.state.sqlite.processes", *map(str, arguments)]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start_one
    for process in started:
        with process:
            process.kill()


def told(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def kill(process: subprocess.Popen[str]) -> list[Any]:
    """End a process at once and give what it had told whole."""
    process.kill()
    rest, _ = process.communicate()
    return [json.loads(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]


@pytest.mark.parametrize("durability", ["disk", "process"])
def test_every_acknowledged_event_is_found_once_after_kills_at_random_moments(
    start: Start, folder: Path, open_another: OpenState, durability: str
) -> None:
    rng = random.Random(20_26)
    acknowledged: list[str] = []
    for n in range(6):
        writer = start("write", folder, f"writer-{n}", durability)
        calls = [told(writer) for _ in range(rng.randrange(1, 40))]
        time.sleep(rng.random() / 50)
        calls += kill(writer)
        assert {outcome for call in calls for outcome in call["outcomes"]} == {"accepted"}
        acknowledged += [event_id for call in calls for event_id in call["ids"]]
        state = open_another()
        found = Counter(stored.event.event_id for stored in state.events.events())
        assert set(acknowledged) <= set(found)
        assert set(found.values()) == {1}
        state.check()
        state.close()


def test_of_two_processes_that_append_one_event_exactly_one_is_accepted(
    start: Start, folder: Path, open_another: OpenState
) -> None:
    processes = [start("contend", folder, 100) for _ in range(2)]
    assert [told(process) for process in processes] == ["ready", "ready"]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = [told(process) for process in processes]
    for process in processes:
        process.communicate()
    assert [sorted(pair) for pair in zip(*outcomes, strict=True)] == [["accepted", "duplicate"]] * 100
    assert len(open_another().events.history("ann", "", 1_000).times_ms) == 100


def test_snapshots_and_flushed_served_records_survive_the_kill_of_their_process(
    start: Start, folder: Path, open_another: OpenState
) -> None:
    keeper = start("keep", folder)
    locators = told(keeper)
    assert told(keeper) == "flushed"
    kill(keeper)
    state = open_another()
    assert [state.snapshots.get(bytes.fromhex(text)) for text in locators] == [b"list %d" % n for n in range(50)]
    assert list(state.served.records())[:50] == [b"page %d" % n for n in range(50)]


def test_a_full_disk_refuses_events_and_spares_what_stands_until_there_is_room(
    start: Start, folder: Path, open_another: OpenState
) -> None:
    filler = start("fill", folder)
    said, _ = filler.communicate()
    report = json.loads(said)
    assert filler.returncode == 0
    assert report["refused"]
    assert report["history"] == len(report["stored"]) - 1
    assert report["snapshots"] == [30_000] * len(report["snapshots"])
    assert 0 < len(report["snapshots"]) < 40
    assert report["last_snapshot"] == "last"
    assert 0 < report["dropped"] < 40
    assert report["served"] == [30_000] * (40 - report["dropped"]) + [4]
    state = open_another()
    assert [stored.event.event_id for stored in state.events.events()] == report["stored"]
    state.check()


def test_a_forked_child_is_told_to_open_the_state_itself(start: Start, folder: Path) -> None:
    said, _ = start("fork", folder).communicate()
    assert "open it again" in json.loads(said)


def test_a_process_sees_what_another_appended(start: Start, folder: Path, open_another: OpenState) -> None:
    state = open_another()
    state.events.append([event("ann", "mine")])
    version = state.data_version()
    contender = start("contend", folder, 3)
    assert told(contender) == "ready"
    contender.communicate("go\n")
    assert len(state.events.history("ann", "", 10).times_ms) == 4
    assert state.data_version() != version
