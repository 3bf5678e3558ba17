"""What counting costs: CPU of GetFeed, from bytes to bytes without gRPC, with a meter and with one that does nothing.

    python -m tests.benchmarks.bench_metrics [--models DIR] [--requests 20] [--repeats 300]

Without --models a synthetic bundle of 1,000 items is made. Both take turns on the same users; CPU is the thread's.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import grpc
import numpy as np

from recommender.api.v1 import feed_pb2
from recommender.bundle import current_version, open_bundle
from recommender.config import Settings, StateSettings
from recommender.service.bounded_pool import BoundedPool
from recommender.service.clock import clock_ms
from recommender.service.counter_board import EventMarks
from recommender.service.feed_servicer import FeedServicer, Live
from recommender.service.log_lines import PersonTag
from recommender.service.measures import ROW_WORDS
from recommender.service.meter import Meter
from recommender.service.refusals import Refusals, Unary
from recommender.service.request_lines import RequestLines
from recommender.state.sqlite import open_state
from recommender.wiring import build_feed
from tests.benchmarks.bench_getfeed import synthetic_models


class IdleMeter(Meter):
    """Counts nothing."""

    def answered(self, *_: Any) -> None:
        """Nothing."""

    def page(self, *_: Any) -> None:
        """Nothing."""

    def dropped(self, total: int) -> None:
        """Nothing."""

    def waits(self, owner: str) -> int:
        """Nothing."""
        return 0


class Unhurried:
    """All that the servicer asks of a call's context."""

    def time_remaining(self) -> float:
        """No deadline."""
        return float("inf")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="windowshop-bench-") as name:
        models = options.models or synthetic_models(Path(name) / "models", options.seed)
        bundle = open_bundle(models / str(current_version(models)), verify=False)
        settings = Settings(state=StateSettings(durability="process"))
        state = open_state(Path(name) / "state", settings.state, clock=clock_ms)
        live = Live(build_feed(bundle, state, settings, clock_ms, state.signing_keys()))
        methods = {
            kind.__name__: _method(live, kind(np.zeros(ROW_WORDS), EventMarks(np.zeros(1 << 16, np.int64))))
            for kind in (IdleMeter, Meter)
        }
        users = random.Random(options.seed).choices(bundle.users.ids, k=options.requests)
        requests = [feed_pb2.GetFeedRequest(user_id=user).SerializeToString() for user in users]
        spent: dict[str, list[float]] = {kind: [] for kind in methods}
        for turn in range(-2, options.repeats):  # the first turns only warm up
            for kind in sorted(methods, reverse=turn % 2 == 1):
                took = _cpu_us(methods[kind], requests)
                if turn >= 0:
                    spent[kind].append(took)
        state.close()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}", end=", ")
    print(
        f"seed {options.seed}, {options.repeats} turns of {options.requests} requests, {len(bundle.items.ids):,} items"
    )
    ratios = [with_it / without for without, with_it in zip(*spent.values(), strict=True)]
    for name, values in {**{f"{kind} us": spent[kind] for kind in spent}, "ratio": ratios}.items():
        print(f"{name:<14} {statistics.median(values):9.3f} [{min(values):.3f}, {max(values):.3f}]")


def _method(live: Live, meter: Meter) -> Unary:
    lines = RequestLines(PersonTag(b"k" * 32), 60.0, 0)
    servicer = FeedServicer(live, meter, BoundedPool(1, "feed", 1), lines)
    return Refusals(lines, meter).unary("GetFeed", feed_pb2.GetFeedRequest, servicer.get_feed)


def _cpu_us(method: Unary, requests: list[bytes]) -> float:
    context = cast("grpc.ServicerContext", Unhurried())
    started = time.thread_time()
    for request in requests:
        method(request, context)
    return (time.thread_time() - started) / len(requests) * 1e6


if __name__ == "__main__":
    main()
