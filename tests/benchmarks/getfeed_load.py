"""A generator of GetFeed requests, in a process of its own, that believes no reply that it has not looked into.

    python -m tests.benchmarks.getfeed_load ADDRESS EXCHANGES KIND CLIENTS SECONDS SEED

Each client has its own connection and sends the next request when the last one is answered. Every reply must be OK and
hold as many cards as were recorded. Prints one line of JSON.
"""

from __future__ import annotations

import base64
import json
import random
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np

from recommender.api.v1 import feed_pb2
from recommender.service.server import FEED_SERVICE

WARM_REQUESTS = 20


@dataclass(frozen=True)
class Exchange:
    """A request with the reply that was recorded for it."""

    kind: str
    request: bytes
    reply: bytes
    cards: int


def write_exchanges(path: Path, exchanges: Iterable[Exchange]) -> None:
    """Keep exchanges for the other processes."""
    rows = [
        [each.kind, base64.b64encode(each.request).decode(), base64.b64encode(each.reply).decode(), each.cards]
        for each in exchanges
    ]
    path.write_text(json.dumps(rows), encoding="utf-8")


def read_exchanges(path: Path) -> list[Exchange]:
    """What was kept."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [Exchange(kind, base64.b64decode(request), base64.b64decode(reply), n) for kind, request, reply, n in rows]


class Client(threading.Thread):
    """One shopper after another, over one connection."""

    def __init__(self, address: str, exchanges: list[Exchange], seconds: float, seed: int) -> None:
        super().__init__()
        self._channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        self._call = self._channel.unary_unary(f"/{FEED_SERVICE}/GetFeed", None, None)
        self._exchanges = exchanges
        self._seconds = seconds
        self._random = random.Random(seed)
        self.latencies_ms: list[float] = []
        self.requests = 0

    def run(self) -> None:
        for _ in range(WARM_REQUESTS):
            self._send()
        end = time.perf_counter() + self._seconds
        while (started := time.perf_counter()) < end:
            self._send()
            self.latencies_ms.append((time.perf_counter() - started) * 1e3)
        self._channel.close()

    def _send(self) -> None:
        exchange = self._random.choice(self._exchanges)
        reply = self._call(exchange.request, timeout=30)  # raises unless the status is OK
        self.requests += 1
        cards = len(feed_pb2.GetFeedResponse.FromString(reply).cards)
        if cards != exchange.cards:
            raise AssertionError(f"got {cards} cards, wanted {exchange.cards}")


def main() -> None:
    """Send, and print what was seen."""
    address, path, kind, clients, seconds, seed = sys.argv[1:]
    exchanges = [exchange for exchange in read_exchanges(Path(path)) if exchange.kind == kind]
    running = [Client(address, exchanges, float(seconds), int(seed) + number) for number in range(int(clients))]
    failures: list[object] = []
    threading.excepthook = failures.append
    for client in running:
        client.start()
    for client in running:
        client.join()
    if failures:
        sys.exit(f"a client failed: {failures[0]}")
    latencies = np.concatenate([client.latencies_ms for client in running])
    p50, p99 = np.percentile(latencies, [50, 99]).tolist()
    requests = sum(client.requests for client in running)
    print(
        json.dumps({"requests": requests, "p50_ms": p50, "p99_ms": p99, "per_second": len(latencies) / float(seconds)})
    )


if __name__ == "__main__":
    main()
