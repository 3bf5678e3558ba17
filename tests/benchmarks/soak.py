"""Mixed load at half of saturation for a long time: does memory stay, do files stay within what must be kept?

    python -m tests.benchmarks.soak [--minutes 45] [--warm-up 10] [--rate N] [--workers 2] [--clients 8] [--models DIR]

Saturation is what the same clients reach in a closed loop beforehand, on the same machine. Memory is read from
/proc/PID/smaps_rollup; a process is flat if the median of the last quarter after the warm-up is at most 2 % above that
of the first. Page tokens live for a minute here, so that snapshots come to their full size within the warm-up.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.benchmarks.bench_getfeed import synthetic_models
from tests.servers import ROOT, RunningServer, running_server

_SAMPLE_SECONDS = 15.0
_SATURATION_SECONDS = 20.0
_FLAT = 0.02
_MEASURES = ("Rss", "Pss", "Private_Dirty")
_STORES = {
    "events": "events.db*",
    "catalog": "catalog.db*",
    "snapshots": "snapshots/*",
    "served": "served/*",
    "other": "numbers/*",
}
_SETTINGS = {"WINDOWSHOP_FEED__TOKEN_TTL": "60s"}


@dataclass(frozen=True)
class Sample:
    """One look at all processes and files.

    Args:
        seconds: Since the load began.
        requests: Answered until then.
        memory: kB by process and measure.
        files: Bytes by store.
    """

    seconds: float
    requests: int
    memory: dict[str, dict[str, int]]
    files: dict[str, int]


def main() -> None:
    """Run and judge."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="windowshop-soak-") as name:
        folder = Path(name)
        models = options.models or synthetic_models(folder / "models", options.seed)
        state = folder / "state"
        with running_server(models, state, "--workers", str(options.workers), **_SETTINGS) as server:
            rate = options.rate
            if not rate:
                saturation = _closed_loop(server, options.clients, options.seed)
                print(f"{options.workers} workers, {options.clients} clients: {saturation:.0f} requests/s saturate")
                rate = saturation / 2
            print(f"{rate:.0f} requests/s for {options.minutes:g} minutes, seed {options.seed}", flush=True)
            samples, answers = _soak(server, state, options, rate)
    print(f"answers: {answers}")
    _judge(samples, options.warm_up * 60, options.workers)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--warm-up", type=float, default=10.0)
    parser.add_argument("--rate", type=float, help="requests a second, instead of half of what saturates")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--seed", type=int, default=42)
    return parser.parse_args()


def _load(address: str, clients: int, seconds: float, rate: float, seed: int) -> subprocess.Popen[str]:
    arguments = [address, str(clients), str(seconds), str(rate), str(seed)]
    command = [sys.executable, "-m", "tests.benchmarks.soak_load", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _closed_loop(server: RunningServer, clients: int, seed: int) -> float:
    """Answers a second when every client sends the next request as soon as the last is answered."""
    said, _ = _load(server.address, clients, _SATURATION_SECONDS, 0.0, seed + clients).communicate()
    first, last = (json.loads(said.splitlines()[at]) for at in (2, -2))
    answered = sum(last["answers"].values()) - sum(first["answers"].values())
    return float(answered / (last["seconds"] - first["seconds"]))


def _soak(
    server: RunningServer, state: Path, options: argparse.Namespace, rate: float
) -> tuple[list[Sample], dict[str, int]]:
    samples: list[Sample] = []
    answers: dict[str, int] = {}
    due = 0.0
    with _load(server.address, options.clients, options.minutes * 60, rate, options.seed) as load:
        assert load.stdout is not None
        for line in load.stdout:
            told = json.loads(line)
            answers = told["answers"]
            if told["seconds"] >= due:
                due += _SAMPLE_SECONDS
                samples.append(_sample(server, state, told["seconds"], sum(answers.values())))
                _print(samples[-1])
    return samples, answers


def _sample(server: RunningServer, state: Path, seconds: float, requests: int) -> Sample:
    names = {server.process.pid: "supervisor"} | {pid: f"worker {pid}" for pid in server.workers()}
    memory = {names.get(each.pid, f"other {each.pid}"): _memory(each.pid) for each in server.processes()}
    sizes = {name: sum(path.stat().st_size for path in state.glob(pattern)) for name, pattern in _STORES.items()}
    return Sample(seconds, requests, memory, sizes)


def _memory(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    values = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return {measure: values[measure] for measure in _MEASURES}


def _print(sample: Sample) -> None:
    memory = "; ".join(
        f"{name} " + "/".join(f"{kilobytes / 1_024:.1f}" for kilobytes in each.values())
        for name, each in sample.memory.items()
    )
    files = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in sample.files.items())
    print(
        f"{sample.seconds:6.0f} s {sample.requests:8,} requests | MB rss/pss/dirty: {memory} | MB {files}", flush=True
    )


def _judge(samples: list[Sample], warm_up_seconds: float, workers: int) -> None:
    """Say of each process whether it is flat, and what each store took."""
    settled = [sample for sample in samples if sample.seconds >= warm_up_seconds]
    quarter = max(len(settled) // 4, 1)
    for name in settled[-1].memory:
        for measure in _MEASURES:
            change = _change(settled, quarter, partial(_kilobytes, name=name, measure=measure))
            verdict = "flat" if change <= _FLAT else "NOT FLAT"
            print(f"{name:16} {measure:14} {change:+.2%} {verdict}")
    change = _change(settled, quarter, lambda sample: sample.files["snapshots"])
    print(f"{'snapshots':16} {'bytes':14} {change:+.2%}")
    first, last = settled[0], settled[-1]
    for store in ("events", "catalog", "served"):
        grown = (last.files[store] - first.files[store]) / (last.requests - first.requests)
        print(f"{store:16} {grown:.0f} bytes a request, kept for the retention")
    after = next((sample for sample in samples if sample.requests >= 10_000 * workers), None)
    if after is not None:
        dirty = [each["Private_Dirty"] / 1_024 for name, each in after.memory.items() if name.startswith("worker")]
        total = sum(each["Pss"] for each in after.memory.values()) / 1_024
        print(f"after {after.requests / workers:,.0f} requests a worker: Private_Dirty of the workers "
              f"{', '.join(f'{each:.1f}' for each in dirty)} MB, PSS of all {total:.1f} MB")  # fmt: skip


def _kilobytes(sample: Sample, name: str, measure: str) -> int:
    return sample.memory[name][measure]


def _change(samples: list[Sample], quarter: int, value: Callable[[Sample], int]) -> float:
    first = statistics.median(value(sample) for sample in samples[:quarter])
    last = statistics.median(value(sample) for sample in samples[-quarter:])
    return last / first - 1 if first else 0.0


if __name__ == "__main__":
    main()
