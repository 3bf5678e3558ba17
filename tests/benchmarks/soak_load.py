"""Mixed requests for a soak, from a process of their own: feeds, pages that follow, events, live items, takedowns.

    python -m tests.benchmarks.soak_load ADDRESS CLIENTS SECONDS RATE SEED

RATE is requests a second of all clients together, sent whether or not earlier ones were answered in time; 0 sends the
next request when the last is answered. Prints one line of JSON a second, of all until then.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter

import grpc

from recommender.api.v1 import catalog_pb2, catalog_pb2_grpc, events_pb2, events_pb2_grpc, feed_pb2, feed_pb2_grpc

N_USERS, N_ITEMS = 400, 1_000
#: Items that the model lacks, sent again and again; of the model's, each shopper has so many down at a time.
_LIVE_ITEMS, _DOWN_AT_ONCE = 500, 3
_COLOURS = ("red", "green", "blue", "black")
_CALL_SECONDS = 10.0


class Shopper(threading.Thread):
    """One connection that acts for one shopper after another, and now and then for the shop.

    Args:
        address: Of the server.
        pause_seconds: Between the starts of two requests; 0 for none.
        until: Monotonic moment of the end.
        seed: Of what is asked for.
    """

    def __init__(self, address: str, pause_seconds: float, until: float, seed: int) -> None:
        super().__init__()
        self.answers: Counter[str] = Counter()
        self._channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        self._feed = feed_pb2_grpc.FeedServiceStub(self._channel)
        self._events = events_pb2_grpc.EventServiceStub(self._channel)
        self._catalog = catalog_pb2_grpc.CatalogServiceStub(self._channel)
        self._down: list[str] = []
        self._pause_seconds = pause_seconds
        self._until = until
        self._rng = random.Random(seed)
        self._name = seed  # in event ids, so another seed on the same state sends other events
        self._n_events = 0
        self._request = feed_pb2.GetFeedRequest()

    def run(self) -> None:
        due = time.monotonic() + self._rng.random() * self._pause_seconds
        while (now := time.monotonic()) < self._until:
            if now < due:
                time.sleep(min(due - now, self._until - now))
                continue
            due += self._pause_seconds
            try:
                self.answers[self._act()] += 1
            except grpc.RpcError as error:
                self.answers[error.code().name] += 1
                self._request.page_token = ""
        self._channel.close()

    def _act(self) -> str:
        draw = self._rng.random()
        if draw < 0.1:
            return self._record()
        if draw < 0.11:
            return self._send_items()
        if draw < 0.115:
            return self._take_down() if len(self._down) < _DOWN_AT_ONCE else self._restore()
        if draw < 0.7 or not self._request.page_token:
            known = self._rng.random() < 0.8
            user = f"user-{self._rng.randrange(N_USERS)}" if known else f"visitor-{self._rng.randrange(10**6)}"
            self._request = feed_pb2.GetFeedRequest(user_id=user, page_size=20)
        reply = self._feed.GetFeed(self._request, timeout=_CALL_SECONDS)
        self._request.page_token = reply.next_page_token
        return "pages" if reply.cards else "empty pages"

    def _record(self) -> str:
        events = [
            events_pb2.Event(
                event_id=f"{self._name}-{self._n_events + n}",
                user_id=f"user-{self._rng.randrange(N_USERS)}",
                item_id=f"item-{self._rng.randrange(N_ITEMS)}",
                event_type="view",
            )
            for n in range(self._rng.choice((1, 1, 5)))
        ]
        self._n_events += len(events)
        reply = self._events.RecordEvents(events_pb2.RecordEventsRequest(events=events), timeout=_CALL_SECONDS)
        return "calls with events" if reply.accepted_count == len(events) else "events not accepted"

    def _send_items(self) -> str:
        items = [
            catalog_pb2.Item(
                item_id=f"live-{number}",
                title=f"{self._rng.choice(_COLOURS)} thing {number}",
                category=f"kind {number % 7}",
                seller_id=f"seller-{number % 50}",
                price=self._rng.randrange(1, 10_000) / 100,
                available=self._rng.random() < 0.8,
            )
            for number in self._rng.sample(range(_LIVE_ITEMS), self._rng.choice((1, 1, 10)))
        ]
        reply = self._catalog.UpsertItems(catalog_pb2.UpsertItemsRequest(items=items), timeout=_CALL_SECONDS)
        return "calls with items" if reply.upserted_count == len(items) else "items not accepted"

    def _take_down(self) -> str:
        item_id = f"item-{self._rng.randrange(N_ITEMS)}"
        self._catalog.TakeDown(catalog_pb2.TakeDownRequest(item_ids=[item_id]), timeout=_CALL_SECONDS)
        self._down.append(item_id)
        return "takedowns"

    def _restore(self) -> str:
        self._catalog.Restore(catalog_pb2.RestoreRequest(item_ids=self._down), timeout=_CALL_SECONDS)
        self._down.clear()
        return "restorations"


def main(address: str, clients: str, seconds: str, rate: str, seed: str) -> None:
    """Send, and count what was answered."""
    began = time.monotonic()
    until, pause = began + float(seconds), int(clients) / float(rate) if float(rate) else 0.0
    shoppers = [Shopper(address, pause, until, int(seed) + n) for n in range(int(clients))]
    for shopper in shoppers:
        shopper.start()
    while any(shopper.is_alive() for shopper in shoppers):
        time.sleep(1.0)
        answers: Counter[str] = Counter()
        for shopper in shoppers:
            answers.update(dict(shopper.answers))
        print(json.dumps({"seconds": time.monotonic() - began, "answers": answers}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
