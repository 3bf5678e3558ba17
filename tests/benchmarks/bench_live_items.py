"""What live items cost a worker: its start, and the page after one of them changed.

    python -m tests.benchmarks.bench_live_items [--items 100000] [--turns 5] [--seed 42]

CPU seconds of one thread, so that a busy machine says little; the ratios are to reading the same records alone.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from recommender.feed.live_layer import encoder_of
from recommender.state.live_items import LiveItem
from recommender.types import Item
from recommender.wiring import build_feed
from tests.feed.shops import Shop
from tests.worlds import NOW_MS, write_tiny_bundle

_BATCH = 1_000
_WORDS = (
    "red",
    "green",
    "leather",
    "canvas",
    "oak",
    "iron",
    "boots",
    "shoes",
    "pan",
    "table",
    "with",
    "laces",
    "small",
)


def some_items(count: int, seed: int) -> list[LiveItem]:
    """Items that no model knows: titles of six words, 50 categories, 300 brands, 1,000 sellers."""
    rng = random.Random(seed)
    return [
        LiveItem(
            Item(
                f"live-{n}", title=" ".join(rng.choices(_WORDS, k=6)), description="What it is. " * 15,
                category=f"Things > Kind {n % 50}", brand=f"brand-{n % 300}", seller_id=f"seller-{n % 1_000}",
                price=5.0, currency="USD",
            ),
            NOW_MS,
        )
        for n in range(count)
    ]  # fmt: skip


def cpu_seconds(work: Callable[[], object]) -> float:
    """What this thread's work took."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    items = some_items(options.items, options.seed)
    with tempfile.TemporaryDirectory(prefix="windowshop-bench-") as folder:
        shop = Shop.open(write_tiny_bundle(Path(folder) / "v1"), Path(folder) / "state")
        try:
            for start in range(0, options.items, _BATCH):
                shop.state.live_items.upsert(items[start : start + _BATCH])
            shop.swap(shop.bundle)  # gives the items their numbers
            shop.page("ada", 5)
            encoder = encoder_of(shop.bundle)
            assert encoder is not None
            texts = [(each.item.category, each.item.brand, each.item.title) for each in items]

            def start_anew() -> None:
                build_feed(shop.bundle, shop.state, shop.settings, shop.clock, shop.state.signing_keys())

            def change_and_ask(number: int) -> float:
                shop.state.live_items.upsert(items[number : number + 1])
                return cpu_seconds(shop.feed.current)

            measured = [
                (
                    cpu_seconds(lambda: list(shop.state.live_items.changes())),
                    cpu_seconds(start_anew),
                    cpu_seconds(lambda: [encoder.encode(*text) for text in texts]),
                    change_and_ask(turn),
                )
                for turn in range(options.turns)
            ]
        finally:
            shop.state.close()
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}")
    print(f"{options.items:,} live items that the model lacks, {options.turns} turns, seed {options.seed}")
    read, start, encode, page = np.array(measured).T
    for name, seconds in (("reading the records", read), ("a worker's start", start), ("its texts alone", encode)):
        ratio = float(np.median(seconds / read))
        print(
            f"{name:22} {np.median(seconds):6.2f} s [{seconds.min():.2f}, {seconds.max():.2f}], {ratio:.2f} x reading"
        )
    print(
        f"{'a page after a change':22} {np.median(page) * 1e3:6.1f} ms [{page.min() * 1e3:.1f}, {page.max() * 1e3:.1f}]"
    )


if __name__ == "__main__":
    main()
