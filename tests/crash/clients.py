"""Clients that go on through every crash: they send each event and item until it is acknowledged, and read feeds."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self, TypeVar

import grpc

from recommender.api.v1 import events_pb2, events_pb2_grpc, feed_pb2, feed_pb2_grpc
from tests.crash.catalogues import Catalogue
from tests.worlds import tiny_items

Reply = TypeVar("Reply")
Address = Callable[[], str]
_CALL_SECONDS = 20.0
_PAUSE_SECONDS = 0.05
#: Between two requests of a client, so that a long run leaves a log that can be read again and again.
_THINKING_SECONDS = 0.05
USERS = ("ann", "bob", "cat")
_ITEMS = [item.item_id for item in tiny_items()]
#: What a client may meet while processes die, and answers by asking again.
_CRASHES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
_NOTHING = nullcontext()


class Clients:
    """Threads that send and read until stopped.

    Args:
        address: Where the server is at this moment.
        seed: Of all that they send.
        writers: How many send events.
        readers: How many read feeds.
        shops: How many change their part of the catalogue.
    """

    def __init__(self, address: Address, seed: int, writers: int = 3, readers: int = 2, shops: int = 2) -> None:
        #: Every event that was acknowledged, by its id.
        self.acknowledged: dict[str, events_pb2.Event] = {}
        #: What no crash explains.
        self.failures: list[str] = []
        self.pages = 0
        self.catalogues = [Catalogue(n) for n in range(shops)]
        self._address = address
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(work, random.Random(f"{seed} {n}"), n))
            for n, work in enumerate([self._send] * writers + [self._read] * readers + [self._change] * shops)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def hidden_by(self, user_id: str) -> set[str]:
        """The items of all acknowledged hides of a user."""
        known = list(self.acknowledged.values())
        return {event.item_id for event in known if event.user_id == user_id and event.event_type == "hide"}

    def _run(self, work: Callable[[random.Random, int, int], None], rng: random.Random, number: int) -> None:
        turn = 0
        try:
            while not self._stop.is_set():
                work(rng, number, turn)
                turn += 1
                time.sleep(_THINKING_SECONDS)
        except Exception as error:  # noqa: BLE001  # a client that ends early must not pass for a good one
            self.failures.append(f"client {number} ended: {error!r}")

    def _send(self, rng: random.Random, number: int, turn: int) -> None:
        events = [_event(rng, f"{number}-{turn}-{n}") for n in range(rng.choice((1, 1, 5, 20)))]
        request = events_pb2.RecordEventsRequest(events=events)

        def record(channel: grpc.Channel) -> events_pb2.RecordEventsResponse:
            return events_pb2_grpc.EventServiceStub(channel).RecordEvents(request, timeout=_CALL_SECONDS)

        reply = self._until_answered(record)
        if reply is None:
            return
        if reply.rejections or reply.accepted_count + reply.duplicate_count != len(events):
            self.failures.append(f"of {len(events)} events: {reply}")
        self.acknowledged.update({event.event_id: event for event in events})

    def _read(self, rng: random.Random, number: int, turn: int) -> None:
        seen: list[str] = []
        request = feed_pb2.GetFeedRequest(user_id=rng.choice(("ada", "bob", f"reader-{number}")), page_size=5)
        while True:

            def page(channel: grpc.Channel) -> feed_pb2.GetFeedResponse:
                return feed_pb2_grpc.FeedServiceStub(channel).GetFeed(request, timeout=_CALL_SECONDS)

            reply = self._until_answered(page)
            if reply is None:
                return
            self.pages += 1
            seen += [card.item_id for card in reply.cards]
            if len(set(seen)) != len(seen):
                self.failures.append(f"a feed of {request.user_id} repeats itself: {seen}")
            if not reply.next_page_token:
                return
            request.page_token = reply.next_page_token

    def _change(self, rng: random.Random, number: int, turn: int) -> None:
        catalogue = self.catalogues[number % len(self.catalogues)]
        with catalogue.quiet:
            call = catalogue.plan(rng)
        self._until_answered(call, catalogue.quiet)

    def _until_answered(
        self, call: Callable[[grpc.Channel], Reply], held: AbstractContextManager[Any] = _NOTHING
    ) -> Reply | None:
        """The reply of a call that is sent again, on a new connection, for as long as servers die; None at the end.

        Args:
            call: Asks.
            held: During each try.
        """
        while True:
            with held, grpc.insecure_channel(self._address(), [("grpc.use_local_subchannel_pool", 1)]) as channel:
                try:
                    return call(channel)
                except grpc.RpcError as error:
                    if error.code() not in _CRASHES:
                        self.failures.append(f"{error.code().name}: {error.details()}")
            if self._stop.is_set():
                return None
            time.sleep(_PAUSE_SECONDS)


def _event(rng: random.Random, event_id: str) -> events_pb2.Event:
    user = rng.choice(("", *USERS))
    session = rng.choice(("", "s1", "s2")) if user else rng.choice(("s1", "s2", "s3"))
    kind = rng.choice(("view", "view", "click", "purchase", "hide"))
    return events_pb2.Event(
        event_id=event_id, user_id=user, session_id=session, item_id=rng.choice(_ITEMS), event_type=kind,
        price=rng.randrange(1, 10_000) / 100, attributes={"padding": "x" * rng.randrange(200)},
    )  # fmt: skip
