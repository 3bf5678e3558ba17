from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recommender.bundle import Bundle
from recommender.cards import card_bytes
from recommender.feed.catalogue import Catalogue
from recommender.types import Item, Kind
from tests.worlds import NOW_MS, tiny_items, write_tiny_bundle


def test_an_item_comes_back_as_it_was_written(bundle: Bundle) -> None:
    catalogue = Catalogue(bundle)
    for item in tiny_items():
        assert catalogue.item(catalogue.row(item.item_id)) == item


def test_what_is_unset_stays_unset(tmp_path: Path) -> None:
    bare = Item("bare")
    full = Item(
        "full", Kind.GROUP_DEAL, "t", "d", "a > b", "brand", "seller", 0.0, "CNY", "u", NOW_MS, NOW_MS + 9, False
    )
    catalogue = Catalogue(write_tiny_bundle(tmp_path / "v", [bare, full], {"ada": [("unlisted", "view", NOW_MS)]}))
    assert [catalogue.item(row) for row in range(3)] == [bare, full, Item("unlisted")]


def test_cards_and_ids_come_in_the_order_asked_for(bundle: Bundle) -> None:
    catalogue, items = Catalogue(bundle), tiny_items()
    rows = np.array([5, 0, 5], np.int32)
    assert catalogue.item_ids(rows) == [items[row].item_id for row in rows]
    assert catalogue.cards(rows) == [card_bytes(items[row]) for row in rows]


@pytest.mark.parametrize("item_id", ["", "unknown", "ITEM-IRON-PAN"])
def test_an_unknown_id_has_no_row(bundle: Bundle, item_id: str) -> None:
    assert Catalogue(bundle).row(item_id) == -1
    assert Catalogue(bundle).rows([item_id]).tolist() == []


def test_a_category_has_a_path(bundle: Bundle) -> None:
    catalogue = Catalogue(bundle)
    codes = catalogue.category_codes(["Kitchen > Pans", "No such", "Kitchen"])
    assert [catalogue.category_path(int(code)) for code in codes] == ["Kitchen > Pans", "Kitchen"]
    assert catalogue.category_path(-1) == ""
