"""Shoppers who page to the end of their feeds while models swap, workers die and items go, and what they saw amiss.

A request may fail only if its connection belonged to a worker that was killed, so each connection asks first whose it
is.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

import grpc

from recommender.api.v1 import events_pb2, models_pb2, models_pb2_grpc
from tests.rpc.conftest import Client
from tests.servers import PATIENCE_SECONDS, RunningServer, eventually, worker_of
from tests.shopkeeper import Bars, Shopkeeper

T = TypeVar("T")
#: The one cause for which a request may fail.
DEAD: Final = "its worker was killed"
#: What a shopper does after a page, and how often; the last two forbid the item from then on.
_DEEDS = ("view", "hide", "purchase")
_CHANCES = (70, 15, 15)


@dataclass
class Tally:
    """What happened, counted by all threads.

    Args:
        requests: That were answered or failed.
        failures: By cause.
        swaps: That every living worker confirmed.
        pending: Workers that an activation named as pending.
        deaths: Workers that were killed.
        over: Whether no more requests come.
    """

    requests: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    swaps: int = 0
    pending: int = 0
    deaths: int = 0
    over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self) -> None:
        """One request more."""
        with self.lock:
            self.requests += 1

    def reached(self, requests: int) -> bool:
        """Whether there were so many requests, or no more will come."""
        return self.over or self.requests >= requests

    def fail(self, cause: str) -> None:
        """One failure more."""
        with self.lock:
            self.failures[cause] += 1


@dataclass
class Walk:
    """One user's way through a feed.

    Args:
        user_id: Whose.
        shown: Items in the order in which they came.
        barred: Items that this user hid or bought, acknowledged.
    """

    user_id: str
    shown: list[str] = field(default_factory=list)
    barred: set[str] = field(default_factory=set)
    token: str = ""
    pages: int = 0
    forbidden: int = 0
    displaced: int = 0

    @property
    def over(self) -> bool:
        """Whether the feed has ended."""
        return self.pages > 0 and not self.token

    def step(self, line: Line, bars: Bars, page_size: int, item_ids: Sequence[str], rng: random.Random) -> None:
        """One page, and one event after it."""
        barred, before = set(self.barred), bars.acknowledged
        page = line.call(lambda client: client.page(self.user_id, page_size=page_size, page_token=self.token))
        came = [card.item_id for card in page.cards]
        # What was restored meanwhile may come.
        self.forbidden += len((barred | before & bars.acknowledged).intersection(came))
        self.displaced += [card.position for card in page.cards] != list(
            range(len(self.shown), len(self.shown) + len(came))
        )
        self.shown += came
        self.token, self.pages = page.next_page_token, self.pages + 1
        (deed,) = rng.choices(_DEEDS, _CHANCES)
        event = events_pb2.Event(
            event_id=f"{self.user_id}-{self.pages}",
            user_id=self.user_id,
            item_id=rng.choice(item_ids),
            event_type=deed,
        )
        line.call(lambda client: client.record(event))
        if deed != "view":
            self.barred.add(event.item_id)

    def repeats(self) -> int:
        """Items that came twice."""
        return len(self.shown) - len(set(self.shown))

    def gaps(self, item_ids: Sequence[str], bars: Bars) -> int:
        """Items that never came although nothing forbade them, and pages whose positions do not follow."""
        return len(set(item_ids) - set(self.shown) - self.barred - bars.ever) + self.displaced


class Line:
    """A connection whose worker is known; where that dies, another one.

    Args:
        server: To connect to.
        killed: Process ids that were told to die.
        tally: Counts requests and failures.
    """

    def __init__(self, server: RunningServer, killed: set[int], tally: Tally) -> None:
        self._server = server
        self._killed = killed
        self._tally = tally
        self._client, self.worker = self._opened()

    def call(self, ask: Callable[[Client], T]) -> T:
        """The answer, asked for again on another connection where the first one's worker was killed."""
        while True:
            if self.worker in self._killed:  # a channel that connects anew by itself would not tell to whom
                self.close()
                self._client, self.worker = self._opened()
            self._tally.count()
            try:
                return ask(self._client)
            except grpc.RpcError as error:
                self._tally.fail(self._cause(error))

    def _cause(self, error: grpc.RpcError) -> str:
        if self.worker in self._killed and error.code() is grpc.StatusCode.UNAVAILABLE:
            return DEAD
        return f"{error.code().name}: {error.details()}"

    def close(self) -> None:
        """Hang up."""
        self._client.channel.close()

    def _opened(self) -> tuple[Client, int]:
        found: list[tuple[Client, int]] = []

        def answers() -> bool:
            client = Client(self._server.channel())
            try:
                found.append((client, worker_of(client.channel)))
            except grpc.RpcError:  # it reached a worker that was about to die
                client.channel.close()
                return False
            return True

        eventually(answers)
        return found[0]


@dataclass
class Disturbance:
    """Swaps and deaths, spread over the requests of the shoppers.

    Args:
        versions: Activated in turns.
        swaps: How many.
        deaths: How many of them kill a worker in their midst.
        requests: After how many the last one is due.
    """

    versions: Sequence[str]
    swaps: int
    deaths: int
    requests: int

    def run(self, server: RunningServer, killed: set[int], line: Line, tally: Tally, rng: random.Random) -> None:
        """Disturb until it is done."""
        fatal = set(rng.sample(range(self.swaps), self.deaths))
        began = tally.requests
        for turn in range(self.swaps):
            due = began + (turn + 1) * self.requests // (self.swaps + 1)
            eventually(partial(tally.reached, due), pause_seconds=0.005)
            eventually(lambda: len(server.workers()) == server.n_workers)
            if turn in fatal:
                victim = rng.choice([pid for pid in server.workers() if pid != line.worker])
                threading.Timer(rng.random() * 0.2, _kill, (victim, killed)).start()
                tally.deaths += 1
            version = self.versions[(turn + 1) % len(self.versions)]
            outcome = line.call(partial(_activate, version=version))
            tally.swaps += 1
            tally.pending += len(outcome.pending_workers)


def _kill(victim: int, killed: set[int]) -> None:
    killed.add(victim)
    os.kill(victim, signal.SIGKILL)


def _activate(client: Client, version: str) -> models_pb2.ActivateModelResponse:
    stub = models_pb2_grpc.ModelServiceStub(client.channel)
    return stub.ActivateModel(models_pb2.ActivateModelRequest(version=version), timeout=PATIENCE_SECONDS)


def walk_all(
    server: RunningServer,
    walks: Sequence[Walk],
    tally: Tally,
    disturbance: Disturbance,
    shopkeeper: Shopkeeper,
    *,
    page_size: int,
    pages: int,
    threads: int,
    seed: int,
) -> None:
    """Take every walk `pages` pages further, or to its end, while the server is disturbed.

    Args:
        server: Has at least two workers.
        walks: Those that are not over go on where they stand.
        tally: Is added to.
        disturbance: What happens meanwhile.
        shopkeeper: Of the items of all versions.
        page_size: Cards of a page.
        pages: At most, for each walk.
        threads: That walk, each with a connection of its own.
        seed: Of every choice.
    """
    killed: set[int] = set()
    lines = [Line(server, killed, tally) for _ in range(threads + 2)]
    item_ids = [item.item_id for item in shopkeeper.items]

    def shop(number: int) -> None:
        rng = random.Random(f"{seed}-{number}")
        mine = walks[number::threads]
        for _ in range(pages):
            for walk in mine:
                if not walk.over:
                    walk.step(lines[number], shopkeeper.bars, page_size, item_ids, rng)

    with ThreadPoolExecutor(threads + 2) as pool:
        tally.over = False
        at_work = [pool.submit(shop, number) for number in range(threads)]
        beside = [
            pool.submit(disturbance.run, server, killed, lines[-1], tally, random.Random(seed)),
            pool.submit(shopkeeper.run, lines[-2].call, tally.requests, tally.reached, random.Random(seed)),
        ]
        wait(at_work)
        tally.over = True
        for each in (*at_work, *beside):
            each.result()
    for line in lines:
        line.close()
