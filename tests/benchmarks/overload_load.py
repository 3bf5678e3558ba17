"""Load beyond what a server can take, from a process of its own; only what is good counts.

    python -m tests.benchmarks.overload_load ADDRESS EXCHANGES DEADLINE_SECONDS SEED closed CLIENTS SECONDS
    python -m tests.benchmarks.overload_load ADDRESS EXCHANGES DEADLINE_SECONDS SEED open RATE SECONDS

A reply is good if it is OK, holds as many cards as were recorded and came inside its deadline. A closed loop sends the
next request when the last one is answered, each client over its own connection; an open loop sends by the clock, spread
over a few connections. Prints one line of JSON: good replies, in all and per second, requests sent per second, outcomes
by name, latencies of the good ones.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from recommender.api.v1 import feed_pb2
from recommender.service.server import FEED_SERVICE
from tests.benchmarks.getfeed_load import Exchange, read_exchanges

_CONNECTIONS = 8


@dataclass
class Tally:
    """What became of requests; any thread may add."""

    deadline: float
    outcomes: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, exchange: Exchange, started: float, call: Any) -> None:
        """Note a call that ended."""
        seconds, code = time.perf_counter() - started, call.code()
        name = code.name
        if code is grpc.StatusCode.OK:
            page = feed_pb2.GetFeedResponse.FromString(call.result())
            name = "OK" if len(page.cards) == exchange.cards else "SHORT_PAGE"
            if name == "OK" and seconds > self.deadline:
                name = "LATE"
            elif name == "OK" and list(page.degradations) != [feed_pb2.DEGRADATION_FULL]:
                name = "DEGRADED"
        with self.lock:
            self.outcomes[name] += 1
            if name in {"OK", "DEGRADED"}:
                self.latencies_ms.append(seconds * 1e3)


def connect(address: str) -> tuple[grpc.Channel, Any]:
    """A connection of its own, and its GetFeed."""
    channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
    grpc.channel_ready_future(channel).result(timeout=30)
    return channel, channel.unary_unary(f"/{FEED_SERVICE}/GetFeed", None, None)


def closed(address: str, exchanges: list[Exchange], tally: Tally, clients: int, seconds: float, seed: int) -> float:
    """As many clients as given, each sending one request after the other; the seconds it took."""
    gate = threading.Barrier(clients + 1)

    def run(number: int) -> None:
        rng, (channel, call) = random.Random(seed + number), connect(address)
        gate.wait()
        end = time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            exchange = rng.choice(exchanges)
            future = call.future(exchange.request, timeout=tally.deadline)
            future.exception()
            tally.add(exchange, started, future)
        channel.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    gate.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def opened(address: str, exchanges: list[Exchange], tally: Tally, rate: float, seconds: float, seed: int) -> float:
    """Requests by the clock, whatever becomes of them; the seconds in which they were sent."""
    rng, connections = random.Random(seed), [connect(address) for _ in range(_CONNECTIONS)]
    pending = threading.Semaphore(0)
    sent, began = 0, time.perf_counter()
    while (now := time.perf_counter()) < began + seconds:
        if now < began + sent / rate:
            time.sleep(min(began + sent / rate - now, 0.001))
            continue
        exchange = rng.choice(exchanges)
        future = connections[sent % _CONNECTIONS][1].future(exchange.request, timeout=tally.deadline)
        sent += 1

        def done(call: Any, exchange: Exchange = exchange, started: float = now) -> None:
            tally.add(exchange, started, call)
            pending.release()

        future.add_done_callback(done)
    took = time.perf_counter() - began
    for _ in range(sent):
        pending.acquire()
    for channel, _ in connections:
        channel.close()
    return took


def main() -> None:
    """Send, and print what was seen."""
    address, path, deadline, seed, kind, amount, seconds = sys.argv[1:]
    exchanges = [exchange for exchange in read_exchanges(Path(path)) if exchange.kind == "first page"]
    tally = Tally(float(deadline))
    if kind == "closed":
        took = closed(address, exchanges, tally, int(amount), float(seconds), int(seed))
    else:
        took = opened(address, exchanges, tally, float(amount), float(seconds), int(seed))
    p50, p99 = np.percentile(tally.latencies_ms or [float("nan")], [50, 99]).tolist()
    good, sent = len(tally.latencies_ms), sum(tally.outcomes.values())
    seen = {"good": good, "good_per_second": good / took, "sent_per_second": sent / took, "outcomes": tally.outcomes}
    print(json.dumps({**seen, "p50_ms": p50, "p99_ms": p99}))


if __name__ == "__main__":
    main()
