from __future__ import annotations

from pathlib import Path

import numpy as np

from recommender.feed.history import Histories
from recommender.feed.numbering import Numbering
from recommender.feed.outage import Outage
from recommender.types import DAY_MS, EVENT_TYPES, History
from tests.feed.shops import Shop
from tests.worlds import NOW_MS, tiny_users, write_tiny_bundle


def histories(shop: Shop, limit: int = 1_000) -> Histories:
    fingerprint = shop.bundle.manifest.files["items/ids.bytes.npy"]
    numbers = shop.state.numbers.bundle_numbers(fingerprint, shop.bundle.items.ids)
    return Histories(shop.bundle, shop.state.events, Numbering(numbers), limit, Outage())


def told(shop: Shop, history: History) -> list[tuple[str, str, int]]:
    return [
        (shop.bundle.items.ids[row], EVENT_TYPES[kind], time_ms)
        for row, kind, time_ms in zip(
            history.item_rows.tolist(), history.event_types.tolist(), history.times_ms.tolist(), strict=True
        )
    ]


def test_a_user_of_the_training_log_has_a_history_before_any_live_event(shop: Shop) -> None:
    assert told(shop, histories(shop).of("ada", "", erased=False)) == tiny_users()["ada"]


def test_live_events_follow_the_trained_ones_at_once(shop: Shop) -> None:
    shop.record("item-rake", "cart", "ada")
    assert told(shop, histories(shop).of("ada", "s1", erased=False)) == [
        *tiny_users()["ada"],
        ("item-rake", "cart", NOW_MS),
    ]


def test_an_event_that_the_bundle_was_trained_on_counts_once(shop: Shop) -> None:
    for item_id, kind, time_ms in tiny_users()["ada"]:
        assert time_ms is not None
        shop.clock.now_ms = time_ms
        shop.record(item_id, kind, "ada")
    assert told(shop, histories(shop).of("ada", "", erased=False)) == tiny_users()["ada"]


def test_of_an_erased_user_the_bundle_s_history_counts_for_nothing(shop: Shop, tmp_path: Path) -> None:
    shop.swap(write_tiny_bundle(tmp_path / "hides", users={"ada": [("item-hoe", "hide", NOW_MS - 9)]}))
    shop.state.remove_user("bob")
    known = histories(shop)
    for erased in (False, True):
        assert known.is_erased("ada") == erased
        assert len(known.hidden("ada", "", erased=erased)) == (not erased)
        assert len(known.of("ada", "", erased=erased)) == (not erased)
        assert len(known.trained("ada", erased=erased)) == (not erased)
        shop.state.remove_user("ada")


def test_a_late_event_stands_where_its_time_is(shop: Shop) -> None:
    shop.clock.now_ms = NOW_MS - 10 * DAY_MS
    shop.record("item-rake", "view", "ada")
    found = told(shop, histories(shop).of("ada", "", erased=False))
    assert found == sorted(found, key=lambda event: event[2])
    assert len(found) == len(tiny_users()["ada"]) + 1


def test_a_session_without_user_has_its_own_history(shop: Shop) -> None:
    shop.record("item-rake", "view", session_id="s1")
    assert told(shop, histories(shop).of("", "s1", erased=False)) == [("item-rake", "view", NOW_MS)]
    assert len(histories(shop).of("", "s2", erased=False)) == len(histories(shop).of("", "", erased=False)) == 0


def test_a_user_takes_along_what_the_session_did_before_signing_in(shop: Shop) -> None:
    shop.record("item-rake", "view", session_id="s1")
    shop.record("item-hoe", "view", "new", "s1")
    assert [item for item, _, _ in told(shop, histories(shop).of("new", "s1", erased=False))] == [
        "item-rake",
        "item-hoe",
    ]


def test_events_on_items_that_the_bundle_lacks_are_left_out(shop: Shop) -> None:
    shop.record("item-of-tomorrow", "view", "new")
    shop.record("item-rake", "view", "new")
    assert [item for item, _, _ in told(shop, histories(shop).of("new", "", erased=False))] == ["item-rake"]


def test_only_the_newest_events_are_kept(shop: Shop) -> None:
    shop.record("item-rake", "cart", "ada")
    found = told(shop, histories(shop, limit=3).of("ada", "", erased=False))
    assert found == [*tiny_users()["ada"][-2:], ("item-rake", "cart", NOW_MS)]


def test_repeats_within_the_training_log_are_all_kept(shop: Shop, tmp_path: Path) -> None:
    twice = [("item-rake", "purchase", NOW_MS - 5), ("item-rake", "purchase", NOW_MS - 5)]
    shop.bundle = write_tiny_bundle(tmp_path / "twice", users={"ada": twice})
    shop.record("item-hoe", "view", "ada")
    assert [item for item, _, _ in told(shop, histories(shop).of("ada", "", erased=False))] == [
        "item-rake",
        "item-rake",
        "item-hoe",
    ]


def test_a_log_without_times_comes_before_the_live_events(shop: Shop, tmp_path: Path) -> None:
    shop.bundle = write_tiny_bundle(tmp_path / "untimed", users={"ada": [("item-rake", "view", None)]})
    shop.record("item-hoe", "view", "ada")
    history = histories(shop).of("ada", "", erased=False)
    assert [item for item, _, _ in told(shop, history)] == ["item-rake", "item-hoe"]
    assert np.all(np.diff(history.times_ms) != 0)
