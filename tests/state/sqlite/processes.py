"""Processes that tests start: `python -m tests.state.sqlite.processes NAME FOLDER ...`, each reporting on stdout."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sqlite3
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recommender.config import StateSettings
from recommender.errors import StateError, StateFullError
from recommender.state.protocols import LoggedEvent
from recommender.state.sqlite import SqliteState, open_state
from recommender.types import Event
from tests.state.contract import NOON

DISK = StateSettings(durability="disk")
QUICK = StateSettings(durability="process")
_VOICE = threading.Lock()


def event(user: str, event_id: str, padding: int = 0) -> LoggedEvent:
    """An event whose id tells which process made it."""
    attributes = {"padding": "x" * padding} if padding else {}
    return LoggedEvent(Event(event_id, f"item-{event_id[-1]}", "view", user, attributes=attributes), NOON)


def say(message: object) -> None:
    line = f"{json.dumps(message)}\n"
    with _VOICE:
        sys.stdout.write(line)
        sys.stdout.flush()


def open_here(folder: str, settings: StateSettings = QUICK) -> SqliteState:
    return open_state(Path(folder), settings, clock=lambda: NOON, worker="child")


def write(folder: str, name: str, durability: str) -> None:
    """Append from two threads until killed, naming the ids of each call that returned."""
    state = open_here(folder, DISK if durability == "disk" else QUICK)

    def append(thread: int) -> None:
        rng = random.Random(f"{name} {thread}")
        for call in range(1_000_000):
            ids = [f"{name}-{thread}-{call}-{n}" for n in range(rng.choice((1, 1, 7, 200)))]
            outcomes = state.events.append([event(f"user-{thread}", event_id) for event_id in ids])
            say({"ids": ids, "outcomes": outcomes})

    for thread in range(2):
        threading.Thread(target=append, args=(thread,)).start()


def contend(folder: str, n_events: str) -> None:
    """Append known ids, one call each, and tell what became of them."""
    state = open_here(folder, DISK)
    say("ready")
    sys.stdin.readline()
    say([state.events.append([event("ann", f"e{n}")])[0] for n in range(int(n_events))])
    state.close()


def keep(folder: str) -> None:
    """Put snapshots and served records, then wait to be killed."""
    state = open_here(folder)
    say([state.snapshots.put(b"list %d" % n, NOON + 1_000).hex() for n in range(50)])
    for n in range(50):
        state.served.write(b"page %d" % n)
    state.served.flush()
    state.served.write(b"never flushed" * 1_000)
    say("flushed")
    time.sleep(600)


def fill(folder: str) -> None:
    """Fill what a limit on file sizes allows, then be given more."""
    state = open_here(folder, DISK)
    state.events.append([event("ann", "before")])
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, hard))
    stored, refused = ["before"], []
    for n in range(40):
        event_id = f"big-{n}"
        try:
            state.events.append([event("ann", event_id, 30_000)])
            stored.append(event_id)
        except StateFullError:
            refused.append(event_id)
    snapshots = []
    for _ in range(40):
        try:
            snapshots.append(state.snapshots.put(bytes(30_000), NOON + 1_000))
        except StateFullError:
            break
    for _ in range(40):
        state.served.write(bytes(30_000))
        state.served.flush()
    history = len(state.events.history("ann", "", 1_000).times_ms)
    whole = [len(state.snapshots.get(locator) or b"") for locator in snapshots]
    dropped = state.served.dropped
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    state.events.append([event("ann", "after", 30_000)])
    state.served.write(b"last")
    last = state.snapshots.put(b"last", NOON + 1_000)
    say(
        {
            "stored": [*stored, "after"],
            "refused": refused,
            "history": history,
            "snapshots": whole,
            "last_snapshot": (state.snapshots.get(last) or b"").decode(),
            "dropped": dropped,
            "served": [len(record) for record in state.served.records()],
        }
    )
    state.close()


def fork(folder: str) -> None:
    """Fork with an open state; the child tells what appending does there."""
    warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of just this
    state = open_here(folder)
    if os.fork() == 0:
        try:
            state.events.append([event("ann", "child")])
        except StateError as error:
            say(str(error))
        os._exit(0)
    os.wait()
    state.close()


def bring_up(folder: str, steps: str) -> None:
    """Open a state of an older version and die after so many hundred instructions of SQLite."""
    connect, left = sqlite3.connect, int(steps)

    def count_down() -> int:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    def counted(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_progress_handler(count_down, 100)
        return connection

    sqlite3.connect = counted  # type: ignore[assignment]  # one form of many
    open_here(folder).close()


if __name__ == "__main__":
    roles: dict[str, Callable[..., None]] = {
        "write": write,
        "contend": contend,
        "keep": keep,
        "fill": fill,
        "fork": fork,
        "bring_up": bring_up,
    }
    roles[sys.argv[1]](*sys.argv[2:])
