"""Overload: how much good work a server still does when three times as much is asked of it, and how soon it recovers.

    python -m tests.benchmarks.bench_overload [--models DIR] [--workers 1] [--deadline 0.5] [--turns 3]

Good is a reply that is OK, has a full page and comes inside its deadline. Saturation is found first: closed loops with
1, 2, 4, ... clients until twice as many bring no twentieth more; the best of them is the peak. Then, in turns: closed
loops with the clients that saturate and with three times as many, side by side; and an open loop at three times the
peak's rate, before and after which one client asks what a request usually takes. Without --models a synthetic bundle of
1,000 items is made. The generator shares the machine with the server, so the peak is that of both together; where
others use it too, the good replies per CPU second of the server, printed beside, say more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from recommender.bundle import current_version, open_bundle
from tests.benchmarks.bench_getfeed import cpu_seconds, recorded_exchanges, synthetic_models
from tests.benchmarks.getfeed_load import read_exchanges, write_exchanges
from tests.benchmarks.overload_load import connect
from tests.servers import ROOT, running_server

MOST_CLIENTS = 64
WINDOW = 25
PAIRS = 3
LONGEST_SECONDS = 10.0


@dataclass
class Bench:
    """A running server and what is asked of it."""

    address: str
    pid: int
    exchanges: Path
    options: argparse.Namespace

    def load(self, kind: str, amount: float) -> dict[str, Any]:
        """Run the generator once; what it saw, and the server's CPU ms for each good reply."""
        options = self.options
        command = [sys.executable, "-m", "tests.benchmarks.overload_load", self.address, str(self.exchanges)]
        command += [str(options.deadline), str(options.seed), kind, str(amount), str(options.seconds)]
        before = cpu_seconds(self.pid)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        seen: dict[str, Any] = json.loads(done.stdout)
        seen["cpu_ms"] = (cpu_seconds(self.pid) - before) * 1e3 / max(seen["good"], 1)
        return seen

    def saturation(self) -> tuple[int, float, float]:
        """The fewest clients that bring all but a twentieth of the peak; the peak, good replies per second; CPU ms."""
        found: dict[int, float] = {}
        cpu_ms: dict[int, float] = {}
        clients = 1
        while clients <= MOST_CLIENTS:
            seen = self.load("closed", clients)
            found[clients], cpu_ms[clients] = seen["good_per_second"], seen["cpu_ms"]
            print(f"  {clients:>3} clients: {found[clients]:7.0f} good/s, {cpu_ms[clients]:.2f} CPU ms each")
            if clients > 1 and found[clients] < 1.05 * found[clients // 2]:
                break
            clients *= 2
        peak = max(found.values())
        clients = min(count for count, good in found.items() if good >= 0.95 * peak)
        return clients, peak, cpu_ms[clients]

    def usual_p50_ms(self) -> float:
        """What a request takes one lone client."""
        return statistics.median(latency for _, latency in self._lone_client(1.0))

    def seconds_until(self, p50_ms: float) -> float:
        """Seconds from now until the median of the last few requests of a lone client is usual again."""
        recent: list[float] = []
        for at, latency in self._lone_client(LONGEST_SECONDS):
            recent = [*recent[1 - WINDOW :], latency]
            if len(recent) == WINDOW and statistics.median(recent) <= p50_ms:
                return at
        return float("inf")

    def _lone_client(self, seconds: float) -> Iterator[tuple[float, float]]:
        exchanges, (channel, call) = read_exchanges(self.exchanges), connect(self.address)
        began = time.perf_counter()
        while (started := time.perf_counter()) < began + seconds:
            exchange = exchanges[int(started * 1e6) % len(exchanges)]
            try:
                call(exchange.request, timeout=self.options.deadline)
                yield time.perf_counter() - began, (time.perf_counter() - started) * 1e3
            except grpc.RpcError:
                yield time.perf_counter() - began, float("inf")
        channel.close()


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="windowshop-bench-") as name:
        folder = Path(name)
        models = options.models or synthetic_models(folder / "models", options.seed)
        with running_server(models, folder / "state", "--workers", str(options.workers)) as server:
            bundle = open_bundle(models / str(current_version(models)), verify=False)
            path = folder / "exchanges.json"
            write_exchanges(path, recorded_exchanges(server.address, bundle, options.seed))
            bench = Bench(server.address, server.process.pid, path, options)
            print(
                f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}", end=", "
            )
            print(f"grpcio {grpc.__version__}, {bundle.n_items:,} items, {options.workers} workers", end=", ")
            print(
                f"seed {options.seed}, deadline {options.deadline:g} s, {options.turns} turns of {options.seconds:g} s"
            )
            bench.load("closed", 8)  # warms up
            _report(bench)


def _report(bench: Bench) -> None:
    shares: dict[str, list[float]] = {"closed": [], "open": [], "closed CPU": [], "open CPU": [], "recovery": []}
    for turn in range(bench.options.turns):
        clients, peak, cpu_ms = bench.saturation()
        print(f"turn {turn}: {clients} clients saturate, peak {peak:.0f} good/s, load {os.getloadavg()[0]:.1f}")
        pairs = [(bench.load("closed", clients), bench.load("closed", 3 * clients)) for _ in range(PAIRS)]
        shares["closed"] += [loaded["good_per_second"] / at_peak["good_per_second"] for at_peak, loaded in pairs]
        shares["closed CPU"] += [at_peak["cpu_ms"] / loaded["cpu_ms"] for at_peak, loaded in pairs]
        closed = pairs[-1][1]
        usual = bench.usual_p50_ms()
        opened = bench.load("open", 3 * peak)
        recovery = bench.seconds_until(1.25 * usual)
        for kind, seen in (("closed", closed), ("open", opened)):
            print(f"  {kind:<6} {seen['sent_per_second']:6.0f} sent/s {seen['good_per_second']:6.0f} good/s", end=" ")
            print(f"p50 {seen['p50_ms']:.1f} p99 {seen['p99_ms']:.1f} ms, {seen['cpu_ms']:.2f} CPU ms each", end=" ")
            print(seen["outcomes"])
        shares["open"].append(opened["good_per_second"] / peak)
        shares["open CPU"].append(cpu_ms / opened["cpu_ms"])
        shares["recovery"].append(recovery)
        print(f"  lone client: p50 {usual:.1f} ms before, usual again after {recovery:.2f} s")
    _line("closed loop, 3 x the clients: share of the peak", shares["closed"], at_least=0.9)
    _line("    by good replies per CPU second of the server", shares["closed CPU"], at_least=0.9)
    _line("open loop, 3 x the rate: share of the peak", shares["open"], at_least=0.5)
    _line("    by good replies per CPU second of the server", shares["open CPU"], at_least=0.5)
    _line("usual p50 (x 1.25) again after s", shares["recovery"], at_most=2.0)


def _line(what: str, values: list[float], at_least: float = 0.0, at_most: float = float("inf")) -> None:
    middle = statistics.median(values)
    verdict = "PASS" if at_least <= middle <= at_most else "short"
    wanted = f">= {at_least:g}" if at_least else f"<= {at_most:g}"
    print(f"{what:<50} {middle:6.2f} [{min(values):.2f}, {max(values):.2f}] wanted {wanted}: {verdict}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--deadline", type=float, default=0.5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seed", type=int, default=42)
    return parser.parse_args()


if __name__ == "__main__":
    main()
