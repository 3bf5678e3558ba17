"""GetFeed beside an echo of the same payload: server CPU of a request, and latency for one client and under load.

    python -m tests.benchmarks.bench_getfeed [--models DIR] [--workers 1] [--threads 2] [--clients 8] [--repeats 5]

Without --models a synthetic bundle of 1,000 items is made. The echo runs on the same gRPC, with as many processes and
threads, and sends replies back that the feed gave. Both are up all the time and take turns; ratios are taken within a
turn. CPU is that of all processes of a server, from /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil

from recommender.api.v1 import feed_pb2
from recommender.bundle import Bundle, current_version, open_bundle
from recommender.service.server import FEED_SERVICE
from recommender.types import Item
from tests.benchmarks.getfeed_load import Exchange, write_exchanges
from tests.servers import ROOT, running_server
from tests.worlds import NOW_MS, write_tiny_models

SAMPLE_USERS = 400
PHASES = (("first page", 1), ("first page", 0), ("next page", 0))  # 0 clients stands for --clients


@dataclass(frozen=True)
class Reading:
    """What one phase of one server came to."""

    cpu_ms: float
    p50_ms: float
    p99_ms: float
    per_second: float


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="windowshop-bench-") as name:
        folder = Path(name)
        models = options.models or synthetic_models(folder / "models", options.seed)
        threads = {"WINDOWSHOP_SERVER__THREADS": str(options.threads)}
        with running_server(models, folder / "state", "--workers", str(options.workers), **threads) as feed:
            bundle = open_bundle(models / str(current_version(models)), verify=False)
            exchanges = list(recorded_exchanges(feed.address, bundle, options.seed))
            path = folder / "exchanges.json"
            write_exchanges(path, exchanges)
            with _echo(path, options.workers, options.threads) as (echo_address, echo_pid):
                servers = {"echo": (echo_address, echo_pid), "feed": (feed.address, feed.process.pid)}
                _describe(options, bundle, exchanges)
                _print_table(options, _measured(options, servers, path))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=42)
    return parser.parse_args()


def synthetic_models(models: Path, seed: int) -> Path:
    """A models folder with 1,000 items and a log of random purchases."""
    rng = random.Random(seed)
    items = [
        Item(f"item-{n}", title=f"thing number {n}", category=f"kind {n % 7} > sort {n % 50}", price=float(n % 90 + 1))
        for n in range(1_000)
    ]
    users = {
        f"user-{n}": [
            (f"item-{min(int(rng.expovariate(0.01)), 999)}", "purchase", NOW_MS - (50 - place) * 3_600_000)
            for place in range(50)
        ]
        for n in range(SAMPLE_USERS)
    }
    write_tiny_models(models, items=items, users=users)
    return models


def recorded_exchanges(address: str, bundle: Bundle, seed: int) -> Iterator[Exchange]:
    """First and second pages of a sample of users, as the server gives them."""
    ids = bundle.users.ids
    chosen = random.Random(seed).sample(range(len(ids)), min(SAMPLE_USERS, len(ids)))
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(f"/{FEED_SERVICE}/GetFeed", None, None)
        for user in chosen:
            message = feed_pb2.GetFeedRequest(user_id=ids[user])
            for kind in ("first page", "next page"):
                request = message.SerializeToString()
                reply = call(request, timeout=30)
                page = feed_pb2.GetFeedResponse.FromString(reply)
                yield Exchange(kind, request, reply, len(page.cards))
                message.page_token = page.next_page_token


@contextmanager
def _echo(path: Path, workers: int, threads: int) -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "tests.benchmarks.getfeed_echo", str(path), str(workers), str(threads)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), process.pid
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


def _measured(
    options: argparse.Namespace, servers: dict[str, tuple[str, int]], path: Path
) -> dict[tuple[str, int, str], list[Reading]]:
    readings: dict[tuple[str, int, str], list[Reading]] = {}
    for turn in range(-1, options.repeats):
        for kind, clients in PHASES:
            names = sorted(servers, reverse=turn % 2 == 1)
            for name in names:
                address, pid = servers[name]
                reading = _phase(address, pid, path, kind, clients or options.clients, options, turn)
                if turn >= 0:  # the first turn only warms both up
                    readings.setdefault((kind, clients or options.clients, name), []).append(reading)
    return readings


def _phase(
    address: str, pid: int, path: Path, kind: str, clients: int, options: argparse.Namespace, turn: int
) -> Reading:
    command = [sys.executable, "-m", "tests.benchmarks.getfeed_load", address, str(path), kind, str(clients)]
    command += [str(options.seconds if turn >= 0 else 1.0), str(options.seed + 1_000 * turn)]
    before = cpu_seconds(pid)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    cpu = cpu_seconds(pid) - before
    if done.returncode:
        sys.exit(done.stderr)
    seen = json.loads(done.stdout)
    return Reading(cpu * 1e3 / seen["requests"], seen["p50_ms"], seen["p99_ms"], seen["per_second"])


def cpu_seconds(pid: int) -> float:
    """What a process and all below it have used."""
    process = psutil.Process(pid)
    return sum(sum(each.cpu_times()[:2]) for each in [process, *process.children(recursive=True)])


def _describe(options: argparse.Namespace, bundle: Bundle, exchanges: list[Exchange]) -> None:
    names = [line for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if "model name" in line]
    hardware = names[0].partition(": ")[2] if names else platform.machine()
    sizes = [len(each.reply) for each in exchanges]
    counts = ", ".join(f"{bundle.manifest.counts.get(name, 0):,} {name}" for name in ("items", "users", "events"))
    print(f"{os.cpu_count()} x {hardware}, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}", end=", ")
    print(f"grpcio {grpc.__version__}")
    print(f"model {bundle.version}: {counts}; {len(bundle.manifest.sources)} sources", end=", ")
    print(f"ranker {bundle.manifest.ranker['name']}")
    print(f"{options.workers} workers, {options.threads} threads each, seed {options.seed}", end=", ")
    print(f"{options.repeats} turns of {options.seconds:g} s, replies of {statistics.mean(sizes):,.0f} bytes")
    print("median [least, most] of the turns; the ratio is feed over echo within a turn")


def _print_table(options: argparse.Namespace, readings: dict[tuple[str, int, str], list[Reading]]) -> None:
    print(f"{'request':<11} {'clients':>7} {'':<16} {'echo':>24} {'feed':>24} {'ratio':>20}")
    for kind, wanted in PHASES:
        clients = wanted or options.clients
        echo, feed = (readings[kind, clients, name] for name in ("echo", "feed"))
        for field, label in (("cpu_ms", "CPU ms"), ("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"), ("per_second", "per s")):
            left, right = ([getattr(each, field) for each in each_one] for each_one in (echo, feed))
            ratios = [b / a for a, b in zip(left, right, strict=True)]
            cells = f"{_spread(left):>24} {_spread(right):>24} {_spread(ratios, '.2f'):>20}"
            print(f"{kind:<11} {clients:>7} {label:<16} {cells}")


def _spread(values: list[float], form: str = ".3f") -> str:
    form = ".0f" if min(values) > 100 else form
    return f"{statistics.median(values):{form}} [{min(values):{form}}, {max(values):{form}}]"


if __name__ == "__main__":
    main()
