"""Shops that send items, sell out, take down and restore through every crash, and what must hold of it afterwards."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc

from recommender.api.v1 import catalog_pb2, catalog_pb2_grpc, feed_pb2, feed_pb2_grpc

_CATEGORY = "Crash"
_ITEMS, _SELLERS = 12, 3
_CALL_SECONDS = 20.0
#: What was last said of each item (a message) and of each item and seller (whether it is down), by kind and name.
World = dict[tuple[str, str], catalog_pb2.Item | bool]


@dataclass(frozen=True)
class View:
    """What a worker tells of an item."""

    item: bytes
    taken_down: bool
    cards: int


@dataclass
class Looks:
    """What came of asking workers for what was acknowledged.

    Args:
        items: How many views of items there were.
        hides: How many hides were looked for in feeds.
        lost: What only an earlier state explains, or none.
        doubled: Items that came twice in one feed.
        half_written: Calls of which a worker knows a part.
    """

    items: int = 0
    hides: int = 0
    lost: int = 0
    doubled: int = 0
    half_written: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether every worker knew everything, once."""
        return not (self.lost or self.doubled or self.half_written)


class Catalogue:
    """One shop's items, changed by one call after the other.

    A call that was sent and not answered may have been kept or not, as a whole; it is sent again until it is answered.
    Whoever holds `quiet` sees no call under way.

    Args:
        number: Names its items and sellers.
    """

    def __init__(self, number: int) -> None:
        self.items_sent = self.n_calls = 0
        #: Name and reason of each ruling that was acknowledged.
        self.rulings: list[tuple[str, str]] = []
        self.quiet = threading.Lock()
        self._known: World = {}
        self._pending: World = {}
        self._number = number
        self._ids = [f"crash-{number}-{n}" for n in range(_ITEMS)]
        self._sellers = [f"crash-seller-{number}-{n}" for n in range(_SELLERS)]

    def plan(self, rng: random.Random) -> Callable[[grpc.Channel], None]:
        """One more change: what to ask for, as often as it takes; it notes that it was acknowledged."""
        self.n_calls += 1
        if rng.random() < 0.5:
            items = [self._item(item_id, rng) for item_id in rng.sample(self._ids, rng.randrange(1, 5))]
            self._pending = {("item", item.item_id): item for item in items}
            return partial(self._upsert, items)
        down = rng.random() < 0.5
        names = rng.sample(self._ids, rng.randrange(1, 4)), rng.sample(self._sellers, rng.randrange(2))
        self._pending = {("down", name): down for part in names for name in part}
        return partial(self._rule, *names, down=down)

    def look(self, channel: grpc.Channel, looks: Looks) -> None:
        """Ask the worker behind a channel for every item; `quiet` must be held."""
        views = self._views(channel)
        worlds = [self._expected(self._known), self._expected({**self._known, **self._pending})]
        looks.items += len(views)
        looks.doubled += sum(view is not None and view.cards > 1 for view in views.values())
        if views in worlds:
            return
        lost = [name for name, view in views.items() if view not in (worlds[0][name], worlds[1][name])]
        looks.lost += len(lost)
        looks.half_written += not lost
        looks.said += [f"{name} is {views[name]}, wanted {worlds[0][name]}" for name in lost]

    def _item(self, item_id: str, rng: random.Random) -> catalog_pb2.Item:
        return catalog_pb2.Item(
            item_id=item_id, kind=feed_pb2.KIND_PRODUCT, title=f"thing {self.n_calls} of {rng.choice(('iron', 'oak'))}",
            category=_CATEGORY, seller_id=rng.choice(self._sellers), price=rng.randrange(1, 10_000) / 100,
            currency="USD", available=rng.random() < 0.7, attributes={"padding": "x" * rng.randrange(200)},
        )  # fmt: skip

    def _upsert(self, items: list[catalog_pb2.Item], channel: grpc.Channel) -> None:
        request = catalog_pb2.UpsertItemsRequest(items=items)
        reply = catalog_pb2_grpc.CatalogServiceStub(channel).UpsertItems(request, timeout=_CALL_SECONDS)
        assert reply.upserted_count == len(items), reply
        self.items_sent += len(items)
        self._acknowledge()

    def _rule(self, item_ids: list[str], seller_ids: list[str], channel: grpc.Channel, *, down: bool) -> None:
        stub, reason = catalog_pb2_grpc.CatalogServiceStub(channel), f"{self._number}-{self.n_calls}"
        if down:
            request = catalog_pb2.TakeDownRequest(item_ids=item_ids, seller_ids=seller_ids, reason=reason)
            count = stub.TakeDown(request, timeout=_CALL_SECONDS).taken_down_count
        else:
            ended = catalog_pb2.RestoreRequest(item_ids=item_ids, seller_ids=seller_ids, reason=reason)
            count = stub.Restore(ended, timeout=_CALL_SECONDS).restored_count
        names = [*item_ids, *seller_ids]
        assert count == len(names)
        self.rulings += [(name, reason) for name in names]
        self._acknowledge()

    def _acknowledge(self) -> None:
        self._known |= self._pending
        self._pending = {}

    def _views(self, channel: grpc.Channel) -> dict[str, View | None]:
        stub = catalog_pb2_grpc.CatalogServiceStub(channel)
        shown = items_shown(channel, filter=feed_pb2.Filter(categories=[_CATEGORY]))
        views: dict[str, View | None] = {}
        for item_id in self._ids:
            try:
                told = stub.GetItem(
                    catalog_pb2.GetItemRequest(item_id=item_id, show_taken_down=True), timeout=_CALL_SECONDS
                )
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise
                views[item_id] = None
            else:
                item = told.item.SerializeToString(deterministic=True)
                views[item_id] = View(item, told.HasField("takedown"), shown.count(item_id))
        return views

    def _expected(self, world: World) -> dict[str, View | None]:
        views: dict[str, View | None] = {}
        for item_id in self._ids:
            item = world.get(("item", item_id))
            if not isinstance(item, catalog_pb2.Item):
                views[item_id] = None
                continue
            down = bool(world.get(("down", item_id)) or world.get(("down", item.seller_id)))
            views[item_id] = View(item.SerializeToString(deterministic=True), down, int(item.available and not down))
        return views


def items_shown(channel: grpc.Channel, **fields: Any) -> list[str]:
    """The items of a feed read to its end, as often as they come."""
    shown: list[str] = []
    request = feed_pb2.GetFeedRequest(page_size=100, **fields)
    while True:
        page = feed_pb2_grpc.FeedServiceStub(channel).GetFeed(request, timeout=_CALL_SECONDS)
        shown += [card.item_id for card in page.cards]
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return shown
