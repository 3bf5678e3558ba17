"""The tiny world's feed, word for word: whoever changes it says so in a golden file."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from recommender.feed.pages import CardView
from tests.feed.shops import Shop, item_of
from tests.worlds import renamed, tiny_items, tiny_users, write_tiny_bundle

GOLDEN = Path(__file__).parents[1] / "golden"
#: Settings of the feed by the name of their file: by score alone, and varied as it is by default.
FEEDS: dict[str, dict[str, float]] = {"tiny_feeds": {"diversity": 0.0}, "tiny_varied_feeds": {}}
USERS = ["ada", "hal", "nobody"]
TITLES = {item.item_id: item.title for item in tiny_items()}


def told(cards: list[CardView], titles: dict[str, str]) -> list[dict[str, object]]:
    """Cards in words that hold no id."""
    lines: list[dict[str, object]] = []
    for card in cards:
        reason = card.reason
        assert reason is not None
        of = titles.get(reason.item_id, reason.category)
        lines.append(
            {
                "title": titles[item_of(card)],
                "sources": list(card.sources),
                "reason": f"{reason.type.name} {of}".strip(),
            }
        )
    return lines


def golden(name: str) -> dict[str, list[dict[str, object]]]:
    """The feeds of a golden file."""
    feeds: dict[str, list[dict[str, object]]] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return feeds


@pytest.mark.parametrize("name", FEEDS)
@pytest.mark.parametrize("user_id", USERS)
def test_the_tiny_world_has_the_feed_it_always_had(shop: Shop, user_id: str, name: str) -> None:
    if FEEDS[name]:
        shop.swap(shop.bundle, **FEEDS[name])
    assert told(shop.walk(user_id, 7), TITLES) == golden(name)[user_id]


@pytest.mark.parametrize("name", FEEDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_other_ids_and_rows_change_nothing_but_names(tmp_path: Path, seed: int, name: str) -> None:
    draw = random.Random(seed)
    names = dict(zip(TITLES, draw.sample([f"other-{number}" for number in range(99)], len(TITLES)), strict=True))
    items = renamed(draw.sample(tiny_items(), len(TITLES)), names)
    users = {
        user_id: [(names[item_id], kind, time_ms) for item_id, kind, time_ms in touches]
        for user_id, touches in draw.sample(list(tiny_users().items()), len(tiny_users()))
    }
    other = Shop.open(write_tiny_bundle(tmp_path / "other", items, users), tmp_path / "other-state", **FEEDS[name])
    titles = {names[item_id]: title for item_id, title in TITLES.items()}
    for user_id in USERS:
        assert told(other.walk(user_id, 5), titles) == golden(name)[user_id]
    other.state.close()
