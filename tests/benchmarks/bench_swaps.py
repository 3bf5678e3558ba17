"""Feeds read to their end while models swap, workers die and items go: what failed, came twice, or never came.

    python -m tests.benchmarks.bench_swaps [--users 100] [--pages 50] [--swaps 20] [--deaths 5] [--bars 60]

Every user pages through all items, 20 cards at a time, and sends an event after each page: views, hides, purchases.
Meanwhile items and sellers are taken down and stock ends; every third turn undoes one of them. The versions hold the
same items in other rows, learnt from other logs. Half the way the server is ended and started anew on the same state.

A request may fail only because the worker that its connection belonged to was killed. An item is forbidden to a user
once its hide or purchase was acknowledged, and to all while an acknowledged takedown or want of stock holds. A gap is
an item that never came to a user to whom nothing ever forbade it, or a page whose positions do not follow.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import tempfile
import time
from pathlib import Path

from recommender.bundle import activate
from recommender.types import Item
from tests.servers import running_server
from tests.shopkeeper import Shopkeeper
from tests.swap_walks import DEAD, Disturbance, Tally, Walk, walk_all
from tests.worlds import NOW_MS, write_tiny_bundle

PAGE_SIZE = 20
VERSIONS = ("20250601T000000Z-aaaa", "20250602T000000Z-bbbb", "20250603T000000Z-cccc")


def main() -> None:
    """Walk and print."""
    options = _options()
    items = _items(options.pages * PAGE_SIZE * 6 // 5)  # a sixth will be barred
    walks = [Walk(f"user-{n}") for n in range(options.users)]
    tally, began, requests = Tally(), time.perf_counter(), options.users * options.pages
    shopkeeper = Shopkeeper(items, options.bars // 2, requests)
    halves = ((options.pages // 2, options.swaps // 2, options.deaths // 2), (1_000_000, options.swaps, options.deaths))
    whole = {"WINDOWSHOP_FEED__SNAPSHOT_ITEMS": str(len(items))}
    with tempfile.TemporaryDirectory(prefix="windowshop-bench-") as name:
        models, state = Path(name) / "models", Path(name) / "state"
        for number, version in enumerate(VERSIONS):
            _write(models / version, items, options.users, options.seed + number)
        activate(models, VERSIONS[0])
        for half, (pages, swaps, deaths) in enumerate(halves):
            with running_server(models, state, "--workers", str(options.workers), **whole) as server:
                left = Disturbance(VERSIONS, swaps - tally.swaps, deaths - tally.deaths, requests)
                walk_all(
                    server, walks, tally, left, shopkeeper, page_size=PAGE_SIZE, pages=pages, threads=options.threads,
                    seed=options.seed + half,
                )  # fmt: skip
    _print(options, walks, tally, shopkeeper, time.perf_counter() - began)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--deaths", type=int, default=5)
    parser.add_argument("--bars", type=int, default=60)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--seed", type=int, default=42)
    return parser.parse_args()


def _items(count: int) -> list[Item]:
    return [
        Item(
            f"item-{n}",
            title=f"thing {n}",
            category=f"kind {n % 7} > sort {n % 50}",
            seller_id=f"seller-{n % (count // 5)}",
            price=float(n % 90 + 1),
        )
        for n in range(count)
    ]


def _write(folder: Path, items: list[Item], users: int, seed: int) -> None:
    """A version of the same items; half the users are in its log."""
    rng = random.Random(seed)
    item_ids = [item.item_id for item in items]
    items = rng.sample(items, len(items))
    log = {
        f"user-{n}": [(rng.choice(item_ids), "view", NOW_MS - (50 - place) * 3_600_000) for place in range(50)]
        for n in range(0, users, 2)
    }
    write_tiny_bundle(folder, items, log)


def _print(
    options: argparse.Namespace, walks: list[Walk], tally: Tally, shopkeeper: Shopkeeper, seconds: float
) -> None:
    item_ids, bars = [item.item_id for item in shopkeeper.items], shopkeeper.bars
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, seed {options.seed}")
    print(f"{options.workers} workers, {len(item_ids):,} items, {len(VERSIONS)} versions, {seconds:.0f} s")
    pages = sum(walk.pages for walk in walks)
    shown = sum(len(walk.shown) for walk in walks)
    print(f"requests            {tally.requests:,}: {pages:,} pages of {len(walks)} users, {shown:,} cards")
    print(f"swaps               {tally.swaps}, workers pending after 10 s: {tally.pending}")
    print(f"deaths              {tally.deaths}, and the whole server once")
    print(f"barred              {len(bars.ever)} items in {shopkeeper.done} turns, {len(bars.acknowledged)} at the end")
    print(f"failed, its worker was killed   {tally.failures.pop(DEAD, 0)}")
    print(f"failed otherwise    {tally.failures.total()}  {dict(tally.failures) or ''}")
    print(f"ended feeds         {sum(walk.over for walk in walks)} of {len(walks)}")
    print(f"repeats             {sum(walk.repeats() for walk in walks)}")
    print(f"gaps                {sum(walk.gaps(item_ids, bars) for walk in walks)}")
    print(f"forbidden items     {sum(walk.forbidden for walk in walks)}")


if __name__ == "__main__":
    main()
