"""Feeds read to their end while events arrive, models swap, workers die, items go, and the server is started anew."""

from __future__ import annotations

import random
from pathlib import Path

from recommender.bundle import activate
from tests.servers import running_server
from tests.shopkeeper import Shopkeeper
from tests.swap_walks import DEAD, Disturbance, Tally, Walk, walk_all
from tests.worlds import tiny_items, tiny_users, write_tiny_bundle

VERSIONS = ("20250601T000000Z-aaaa", "20250602T000000Z-bbbb")


def test_feeds_have_no_repeats_gaps_or_forbidden_items_across_swaps_deaths_and_a_restart(tmp_path: Path) -> None:
    models, items = tmp_path / "models", tiny_items()
    write_tiny_bundle(models / VERSIONS[0], items)
    users = list(tiny_users().items())
    write_tiny_bundle(models / VERSIONS[1], random.Random(1).sample(items, len(items)), dict(users[:5]))
    activate(models, VERSIONS[0])
    walks = [Walk(user_id) for user_id, _ in users] + [Walk(f"stranger-{n}") for n in range(12)]
    item_ids, tally, shopkeeper = [item.item_id for item in items], Tally(), Shopkeeper(items, turns=4, requests=200)
    for half, pages in enumerate((6, 1_000)):
        with running_server(models, tmp_path / "state", "--workers", "3") as server:
            disturbance = Disturbance(VERSIONS, swaps=3, deaths=1, requests=200)
            walk_all(server, walks, tally, disturbance, shopkeeper, page_size=2, pages=pages, threads=2, seed=half)
    assert all(walk.over for walk in walks)
    assert sum(walk.forbidden for walk in walks) == 0
    assert sum(walk.repeats() for walk in walks) == 0
    assert sum(walk.gaps(item_ids, shopkeeper.bars) for walk in walks) == 0
    assert set(tally.failures) <= {DEAD}
    assert (tally.swaps, tally.deaths, tally.pending, shopkeeper.done) == (6, 2, 0, 8)
    assert shopkeeper.bars.acknowledged < shopkeeper.bars.ever < set(item_ids)
