from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.bundle import BundleWriter
from recommender.bundle.manifest import read_manifest
from recommender.errors import RequestError
from recommender.feed.pages import CardView, SimilarMode
from recommender.feed.receipts import ReceiptSigner
from recommender.types import Item, ReasonType
from tests.feed.shops import Shop, item_of, items_of
from tests.worlds import NOW_MS, tiny_items, write_tiny_bundle


def refusal(shop: Shop, item_id: str, mode: SimilarMode, page_size: int = 0, token: str = "") -> tuple[str, str]:
    with pytest.raises(RequestError) as refused:
        shop.pages.similar(item_id, mode, page_size, token)
    return refused.value.code, refused.value.reason


def walk(shop: Shop, item_id: str, mode: SimilarMode, page_size: int) -> list[CardView]:
    page = shop.pages.similar(item_id, mode, page_size, "")
    cards = list(page.cards)
    while page.next_page_token:
        page = shop.pages.similar(item_id, mode, page_size, page.next_page_token)
        cards += page.cards
    return cards


def test_behavior_lists_what_people_turn_to_next(shop: Shop) -> None:
    # Both who looked at a spade went on to the rake and to basil seeds, one of them at once.
    assert set(items_of(walk(shop, "item-spade", "behavior", 20))[:2]) == {"item-rake", "item-basil-seeds"}
    # The direction counts: nobody came to the spade from the rake.
    assert "item-spade" not in items_of(walk(shop, "item-rake", "behavior", 20))


def test_bought_together_lists_what_the_same_people_bought(shop: Shop) -> None:
    assert set(items_of(walk(shop, "item-rake", "bought_together", 20))) == {"item-spade", "item-poppy-seeds"}
    assert set(items_of(walk(shop, "item-atlas", "bought_together", 20))) == set()


@pytest.mark.parametrize("page_size", [1, 2, 3, 0])
def test_pages_follow_each_other_without_gaps_or_repeats(shop: Shop, page_size: int) -> None:
    whole = walk(shop, "item-iron-pan", "behavior", 100)
    paged = walk(shop, "item-iron-pan", "behavior", page_size)
    assert items_of(paged) == items_of(whole)
    assert [card.position for card in paged] == list(range(len(whole)))
    assert [card.score for card in paged] == sorted((card.score for card in paged), reverse=True)


def test_cards_name_the_item_they_are_like_and_carry_a_receipt(shop: Shop) -> None:
    signer = ReceiptSigner(shop.state.signing_keys())
    for card in walk(shop, "item-iron-pan", "behavior", 2):
        assert card.sources == ("cooccurrence",)
        assert card.reason is not None
        assert (card.reason.type, card.reason.item_id) == (ReasonType.SIMILAR_TO, "item-iron-pan")
        attribution = signer.read(card.receipt, NOW_MS, item_of(card), "ada", "")
        assert getattr(attribution, "position", None) == card.position


def test_a_page_needs_no_state_and_survives_a_restart(shop: Shop) -> None:
    token = shop.pages.similar("item-iron-pan", "behavior", 2, "").next_page_token
    shop.swap(shop.bundle)
    assert shop.pages.similar("item-iron-pan", "behavior", 2, token).cards[0].position == 2
    assert list(shop.state.served.records()) == []


def test_unavailable_items_are_left_out(shop: Shop, tmp_path: Path) -> None:
    items = [item if item.item_id != "item-rake" else Item("item-rake", available=False) for item in tiny_items()]
    shop.swap(write_tiny_bundle(tmp_path / "v", items))
    assert "item-rake" not in items_of(walk(shop, "item-spade", "behavior", 1))


def test_what_sells_out_between_two_pages_makes_no_gap(shop: Shop, tmp_path: Path) -> None:
    whole = items_of(walk(shop, "item-iron-pan", "behavior", 100))
    first = shop.pages.similar("item-iron-pan", "behavior", 2, "")
    sold_out = items_of(first.cards)[0]
    shop.swap(write_tiny_bundle(tmp_path / "v", [replace(i, available=i.item_id != sold_out) for i in tiny_items()]))
    second = shop.pages.similar("item-iron-pan", "behavior", 100, first.next_page_token)
    assert items_of(second.cards) == whole[2:]
    assert second.cards[0].position == 2


def test_two_hundred_items_are_the_most(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "long"
    bundle = write_tiny_bundle(folder, [Item(f"item-{row}", title=f"{row:03d}") for row in range(251)], {})
    writer = BundleWriter(folder)
    writer.array("cooccurrence/rows", np.tile(np.arange(1, 251, dtype=np.int32), (251, 1)))
    writer.array("cooccurrence/scores", np.tile(np.linspace(1, 0, 250, dtype=np.float32), (251, 1)))
    bundle = type(bundle)(folder, writer.finish(read_manifest(folder)))
    shop.swap(bundle)
    assert len(walk(shop, "item-0", "behavior", 100)) == 200


def test_refusals(shop: Shop) -> None:
    assert refusal(shop, "unknown", "behavior") == ("NOT_FOUND", "ITEM_NOT_FOUND")
    assert refusal(shop, "item-spade", "visual") == ("UNIMPLEMENTED", "VISUAL_NOT_AVAILABLE")
    assert refusal(shop, "item-spade", "behavior", -1) == ("INVALID_ARGUMENT", "PAGE_SIZE_NEGATIVE")
    token = shop.pages.similar("item-spade", "behavior", 1, "").next_page_token
    assert refusal(shop, "item-rake", "behavior", 1, token) == ("INVALID_ARGUMENT", "PAGE_TOKEN_MISMATCH")
    assert refusal(shop, "item-spade", "bought_together", 1, token) == ("INVALID_ARGUMENT", "PAGE_TOKEN_MISMATCH")
    assert refusal(shop, "item-spade", "behavior", 1, token + "A") == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")
    shop.clock.now_ms += 31 * 60_000
    assert refusal(shop, "item-spade", "behavior", 1, token) == ("INVALID_ARGUMENT", "PAGE_TOKEN_EXPIRED")


def test_a_log_without_purchases_has_nothing_bought_together(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "no-purchases"
    shutil.copytree(shop.bundle.folder, folder)
    shutil.rmtree(folder / "bought_together")
    manifest = read_manifest(folder).model_copy(update={"version": folder.name})
    shop.swap(type(shop.bundle)(folder, BundleWriter(folder).finish(manifest)))
    assert shop.pages.similar("item-spade", "bought_together", 0, "").cards == ()
