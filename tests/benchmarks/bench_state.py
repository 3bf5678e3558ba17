"""What the embedded state costs, beside one plain file that does the least: queue, write, fdatasync, reply.

    python -m tests.benchmarks.bench_state [FOLDER]

FOLDER lies on the disk to be measured (default: the temporary folder). Every figure is the median of the rounds with
the least and the most; ratios are taken within a round, whose two halves run one after the other.
"""

from __future__ import annotations

import json
import os
import platform
import queue
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Literal

from recommender.config import StateSettings
from recommender.state.protocols import LoggedEvent
from recommender.state.sqlite import SqliteState, open_state
from recommender.types import Event

SEED = 42
ROUNDS = 7
CALLERS = 16
NOW = 1_700_000_000_000
HOUR_MS = 3_600_000

Durability = Literal["disk", "process"]
Append = Callable[[Sequence[LoggedEvent]], object]
_numbers = count()
_rng = random.Random(SEED)


class PlainLog:
    """The least that a durable log can do: JSON lines, one writer thread, one fdatasync per group."""

    def __init__(self, path: Path, durability: Durability) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._syncs = durability == "disk"
        self._jobs: queue.SimpleQueue[tuple[bytes, threading.Event] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def append(self, events: Sequence[LoggedEvent]) -> None:
        """Write the events and return when the file holds them."""
        done = threading.Event()
        self._jobs.put(("".join(f"{json.dumps(_fields(event))}\n" for event in events).encode(), done))
        done.wait()

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()
        os.close(self._descriptor)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            group = [job]
            while not self._jobs.empty() and (more := self._jobs.get()) is not None:
                group.append(more)
            os.write(self._descriptor, b"".join(block for block, _ in group))
            if self._syncs:
                os.fdatasync(self._descriptor)
            for _, done in group:
                done.set()


def _fields(logged: LoggedEvent) -> list[object]:
    event = logged.event
    return [event.event_id, event.user_id, event.session_id, event.item_id, event.event_type, event.time_ms]


def make_events(n: int) -> list[LoggedEvent]:
    """Events of 20,000 users on 50,000 items, as a signed-in client sends them."""
    made = []
    for number in (next(_numbers) for _ in range(n)):
        user = _rng.randrange(20_000)
        event = Event(
            f"{number:032x}", f"item-{_rng.randrange(50_000)}", "view", f"user-{user}", f"session-{user}", NOW + number
        )
        made.append(LoggedEvent(event, NOW + number))
    return made


def rate(append: Append, n_calls: int, batch: int, callers: int = 1) -> tuple[float, float]:
    """Events per second, and CPU in us per event, of so many calls by each caller."""
    work = [[make_events(batch) for _ in range(n_calls)] for _ in range(callers)]

    def run(calls: Sequence[Sequence[LoggedEvent]]) -> None:
        for call in calls:
            append(call)

    threads = [threading.Thread(target=run, args=(calls,)) for calls in work]
    n_events = callers * n_calls * batch
    began, cpu_began = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return n_events / (time.perf_counter() - began), (time.process_time() - cpu_began) / n_events * 1e6


def micros(call: Callable[[int], object], n: int) -> float:
    """Median duration of a call in us."""
    durations = []
    for number in range(n):
        began = time.perf_counter()
        call(number)
        durations.append(time.perf_counter() - began)
    return statistics.median(durations) * 1e6


def spread(values: Sequence[float], form: str = ",.0f") -> str:
    """Median, least and most."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


@contextmanager
def opened(folder: Path, durability: Durability) -> Iterator[SqliteState]:
    """A new state in a folder of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as path:
        state = open_state(Path(path), StateSettings(durability=durability), clock=lambda: NOW)
        try:
            yield state
        finally:
            state.close()


def bench_appends(folder: Path, durability: Durability) -> None:
    print(f"\nappend, durability {durability}")
    print(
        f"  {'':<22}{'events/s':>28}{'plain file':>12}{'ratio':>24}{'CPU us/event':>14}{'plain':>8}{'calls/commit':>14}"
    )
    with opened(folder, durability) as state, tempfile.TemporaryDirectory(dir=folder) as plain_folder:
        plain = PlainLog(Path(plain_folder) / "log", durability)
        for name, calls, batch, callers in (
            ("1 a call", 200, 1, 1),
            ("100 a call", 20, 100, 1),
            ("1,000 a call", 5, 1_000, 1),
            (f"1 a call, {CALLERS} callers", 40, 1, CALLERS),
        ):
            before = state.transactions
            rounds = [
                (*rate(state.events.append, calls, batch, callers), *rate(plain.append, calls, batch, callers))
                for _ in range(ROUNDS)
            ]
            ours, cpu, least, least_cpu = zip(*rounds, strict=True)
            ratios = [one / other for one, other in zip(ours, least, strict=True)]
            per_commit = ROUNDS * calls * callers / (state.transactions - before)
            print(
                f"  {name:<22}{spread(ours):>28}{statistics.median(least):>12,.0f}{spread(ratios, '.2f'):>24}"
                f"{statistics.median(cpu):>14.0f}{statistics.median(least_cpu):>8.0f}{per_commit:>14.1f}"
            )
        plain.close()


def bench_reads(folder: Path) -> None:
    print("\nread and keep                        us, median of rounds (least to most)")
    with opened(folder, "process") as state:
        for user, n_events in (("user-a", 50), ("user-b", 1_000)):
            events = [LoggedEvent(Event(f"e{n}", f"item-{n}", "view", user), NOW) for n in range(n_events)]
            state.events.append(events)
            times = [micros(lambda _, user=user: state.events.history(user, "", 1_000), 500) for _ in range(ROUNDS)]  # type: ignore[misc]
            print(f"  {f'history of {n_events:,} events':<34} {spread(times, '.1f')}")
        times = [micros(lambda _: state.data_version(), 500) for _ in range(ROUNDS)]
        print(f"  {'data_version':<34} {spread(times, '.1f')}")
        for size in (5_000, 20_000):
            bench_snapshots(state, folder, size)
        record = bytes(300)
        times = [micros(lambda _: state.served.write(record, "user"), 1_000) for _ in range(ROUNDS)]
        print(f"  {'served write, 300 bytes':<34} {spread(times, '.1f')}")


def bench_snapshots(state: SqliteState, folder: Path, size: int) -> None:
    record = _rng.randbytes(size)
    puts, gets, bare, locators = [], [], [], list[bytes]()
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(ROUNDS):
            puts.append(micros(lambda _: locators.append(state.snapshots.put(record, NOW + HOUR_MS, "user")), 500))
            gets.append(micros(lambda number: state.snapshots.get(locators[-1 - number]), 500))
            bare.append(micros(lambda _: file.write(record), 500))
    ratios = [put / write for put, write in zip(puts, bare, strict=True)]
    print(f"  {f'snapshot put, {size:,} bytes':<34} {spread(puts, '.1f')}; bare write x {spread(ratios, '.2f')}")
    print(f"  {f'snapshot get, {size:,} bytes':<34} {spread(gets, '.1f')}")


def bench_numbers(folder: Path) -> None:
    ids = [f"item-{n:07d}" for n in range(200_000)]
    print(f"\nnumbers of {len(ids):,} items                seconds")
    with opened(folder, "disk") as state:
        for name, call in (
            ("all new", lambda: state.numbers.numbers(ids)),
            ("all known", lambda: state.numbers.numbers(ids)),
            ("bundle, first time", lambda: state.numbers.bundle_numbers("bundle", ids)),
            ("bundle, mapped", lambda: state.numbers.bundle_numbers("bundle", ids)),
        ):
            print(f"  {name:<34} {micros(lambda _, call=call: call(), 1) / 1e6:.3f}")  # type: ignore[misc]


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir())
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?:?")
    print(f"{platform.platform()}, {os.cpu_count()} x{cpu.split(':')[1]}, Python {platform.python_version()}")
    print(f"seed {SEED}, {ROUNDS} rounds, in {folder}")
    for durability in ("disk", "process"):
        bench_appends(folder, durability)
    bench_reads(folder)
    bench_numbers(folder)


if __name__ == "__main__":
    main()
