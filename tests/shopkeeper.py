"""A shop that takes items and sellers down and sells out while shoppers page through their feeds."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from recommender.api.v1 import catalog_pb2
from recommender.service.wire import item_to
from recommender.types import Item
from tests.rpc.conftest import Client
from tests.servers import eventually

#: Sends a call until it is answered.
Ask = Callable[[Callable[[Client], Any]], Any]


@dataclass
class Bars:
    """What a shop shows nobody: taken down by itself or by its seller, or sold out.

    Args:
        acknowledged: Items that may not be shown, by the last answer.
        ever: Items that were barred at least for a while, so that they may be missing.
    """

    acknowledged: frozenset[str] = frozenset()
    ever: frozenset[str] = frozenset()


@dataclass
class Shopkeeper:
    """Takedowns of items and sellers, and stock that ends; every third turn undoes the oldest of them.

    Args:
        items: Of the catalogue, whole, since an upsert replaces all that is known of an item.
        turns: How many.
        requests: After how many of the shoppers the last one is due.
        bars: What came of it.
        done: Turns that were taken.
    """

    items: Sequence[Item]
    turns: int
    requests: int
    bars: Bars = field(default_factory=Bars)
    done: int = 0

    def run(self, ask: Ask, began: int, reached: Callable[[int], bool], rng: random.Random) -> None:
        """Take every turn, spread over the requests from `began` on."""
        standing: list[tuple[str, list[Item]]] = []
        for turn in range(self.turns):
            due = began + (turn + 1) * self.requests // (self.turns + 1)
            eventually(partial(reached, due), pause_seconds=0.005)
            if turn % 3 == 2:
                self._end(ask, *standing.pop(0))
            else:
                standing.append(self._begin(ask, rng))
            self.done += 1

    def _begin(self, ask: Ask, rng: random.Random) -> tuple[str, list[Item]]:
        free = [item for item in self.items if item.item_id not in self.bars.ever]
        way, one = rng.choice(("item", "seller", "stock")), rng.choice(free)
        items = [one] if way != "seller" else [item for item in self.items if item.seller_id == one.seller_id]
        names = frozenset(item.item_id for item in items)
        self.bars.ever |= names
        ask(_call(way, items, barred=True))
        self.bars.acknowledged |= names
        return way, items

    def _end(self, ask: Ask, way: str, items: list[Item]) -> None:
        self.bars.acknowledged -= frozenset(item.item_id for item in items)
        ask(_call(way, items, barred=False))


def _call(way: str, items: list[Item], *, barred: bool) -> Callable[[Client], Any]:
    if way == "stock":
        sent = [item_to(replace(item, available=not barred)) for item in items]
        return lambda client: client.catalog.UpsertItems(catalog_pb2.UpsertItemsRequest(items=sent), timeout=30)
    item_ids = [item.item_id for item in items] if way == "item" else []
    seller_ids = [items[0].seller_id] if way == "seller" else []
    if barred:
        request = catalog_pb2.TakeDownRequest(item_ids=item_ids, seller_ids=seller_ids)
        return lambda client: client.catalog.TakeDown(request, timeout=30)
    ended = catalog_pb2.RestoreRequest(item_ids=item_ids, seller_ids=seller_ids)
    return lambda client: client.catalog.Restore(ended, timeout=30)
