"""Live items and takedowns over a bundle, as a feed shows them from one page to the next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.api.v1 import feed_pb2
from recommender.bundle import Bundle
from recommender.errors import RequestError, StateError
from recommender.feed.live_feed import LiveFeed
from recommender.feed.live_layer import encoder_of
from recommender.state.live_items import LiveItem, Ruling, Target
from recommender.types import DAY_MS, FeedFilter, FeedQuery, Item, Kind, ReasonType
from tests.feed.shops import Shop, item_of, items_of
from tests.worlds import NOW_MS, SOURCES, tiny_items, tiny_users, write_tiny_bundle

ITEMS = {item.item_id: item for item in tiny_items()}
PAN, SPADE = "item-iron-pan", "item-spade"
NEW_PAN = Item(
    "new-pan",
    title="iron crepe pan",
    category="Kitchen > Pans",
    brand="brand-0",
    seller_id="seller-new",
    price=7.0,
    currency="GBP",
)


def upsert(shop: Shop, *items: Item) -> None:
    shop.state.live_items.upsert([LiveItem(item, shop.clock.now_ms) for item in items])


def rule(shop: Shop, name: str, target: Target = Target.ITEM, *, taken_down: bool = True) -> None:
    shop.state.live_items.rule([Ruling(target, name, taken_down, shop.clock.now_ms)])


def card(shop: Shop, item_id: str, **fields: Any) -> feed_pb2.Card:
    (found,) = [each for each in shop.walk(**fields) if item_of(each) == item_id]
    return feed_pb2.Card.FromString(found.static)


def shown(shop: Shop, user_id: str = "", **wanted: Any) -> list[str]:
    return items_of(shop.walk(user_id, 100, filter=FeedFilter(**wanted)))


def test_a_takedown_holds_at_the_next_page_and_the_next_items_fill_it(shop: Shop) -> None:
    first = shop.page("ada", 4)
    order = items_of(shop.walk("ada", 4, first.next_page_token))
    rule(shop, order[1])
    rule(shop, order[2])
    assert items_of(shop.page("ada", 4, first.next_page_token).cards) == [order[0], *order[3:6]]
    assert not {order[1], order[2]} & set(shown(shop, "ada"))
    rule(shop, order[1], taken_down=False)
    assert items_of(shop.page("ada", 4, first.next_page_token).cards) == [order[0], order[1], *order[3:5]]


def test_an_outage_is_logged_once_though_items_change_meanwhile(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise StateError("the disk is gone")

    def logged_while_failing() -> list[str]:
        caplog.clear()
        with monkeypatch.context() as patched:
            patched.setattr(shop.state.events, "history", fail)
            for title in ("a pan", "a better pan"):
                upsert(shop, replace(NEW_PAN, title=title))
                assert shop.page("ada", 4).cards
                assert shop.page(page_size=4).cards  # of nobody: nothing is read, so nothing is known to be well again
        return [record.getMessage() for record in caplog.records]

    assert logged_while_failing() == ["feeds go on without live events"]
    shop.page("ada", 4)
    assert logged_while_failing() == ["feeds go on without live events"]


def test_a_sellers_takedown_hides_all_of_their_items_the_new_ones_too(shop: Shop) -> None:
    seller = ITEMS[PAN].seller_id
    theirs = {item.item_id for item in ITEMS.values() if item.seller_id == seller}
    upsert(shop, replace(NEW_PAN, seller_id=seller))
    token = shop.page("ada", 1).next_page_token
    assert theirs | {NEW_PAN.item_id} <= set(shown(shop, "cyd"))
    rule(shop, seller, Target.SELLER)
    assert not theirs & set(shown(shop, "cyd"))
    assert NEW_PAN.item_id not in shown(shop, "cyd")
    assert not theirs & set(items_of(shop.walk("ada", 5, token)))
    # A takedown of the item itself outlives that of its seller.
    rule(shop, PAN)
    rule(shop, seller, Target.SELLER, taken_down=False)
    assert theirs - {PAN} <= set(shown(shop, "cyd"))
    assert PAN not in shown(shop, "cyd")


def test_an_item_that_moves_to_a_blocked_seller_is_hidden_and_one_that_leaves_is_shown(shop: Shop) -> None:
    rule(shop, "seller-bad", Target.SELLER)
    upsert(shop, replace(ITEMS[PAN], seller_id="seller-bad"))
    assert PAN not in shown(shop, "cyd")
    upsert(shop, replace(ITEMS[PAN], seller_id=""))
    assert PAN in shown(shop, "cyd")


def test_a_takedown_of_something_that_nobody_knows_yet_waits_for_it(shop: Shop) -> None:
    rule(shop, NEW_PAN.item_id)
    rule(shop, "seller-later", Target.SELLER)
    upsert(shop, NEW_PAN, replace(NEW_PAN, item_id="b", seller_id="seller-later"))
    assert not {NEW_PAN.item_id, "b"} & set(shown(shop))


def test_what_is_out_of_stock_expired_or_back_again_follows_at_every_page(shop: Shop) -> None:
    token = shop.page("ada", 1).next_page_token
    later = items_of(shop.walk("ada", 5, token))
    gone, ends = later[0], later[1]
    upsert(shop, replace(ITEMS[gone], available=False), replace(ITEMS[ends], expires_ms=NOW_MS + 1_000))
    assert items_of(shop.walk("ada", 5, token)) == later[1:]
    shop.clock.now_ms += 1_000
    assert items_of(shop.walk("ada", 5, token)) == later[2:]
    upsert(shop, ITEMS[gone], ITEMS[ends])
    assert items_of(shop.walk("ada", 5, token)) == later


def test_a_live_item_changes_its_card_and_its_filters(shop: Shop) -> None:
    other = replace(ITEMS[PAN], title="Wok", price=0.5, currency="GBP", category="Kitchen > Woks > Big", kind=Kind.POST)
    upsert(shop, replace(other, seller_id="seller-new", image_url="https://example.com/wok.jpg"))
    seen = card(shop, PAN, user_id="cyd")
    assert (seen.title, seen.price, seen.currency, seen.kind) == ("Wok", 0.5, "GBP", feed_pb2.KIND_POST)
    assert (seen.seller_id, seen.image_url) == ("seller-new", "https://example.com/wok.jpg")
    assert shown(shop, "cyd", seller_ids=("seller-new",)) == [PAN]
    assert shown(shop, "cyd", max_price=1.0) == [PAN]
    assert shown(shop, "cyd", max_price=1.0, currency="USD") == []
    assert shown(shop, "cyd", categories=("Kitchen > Woks",)) == [PAN]
    assert PAN in shown(shop, "cyd", categories=("Kitchen",))
    assert PAN not in shown(shop, "cyd", categories=("Kitchen > Pans",))
    assert PAN in shown(shop, "cyd", kinds=(Kind.POST,))
    assert PAN not in shown(shop, "cyd", seller_ids=(ITEMS[PAN].seller_id,))
    upsert(shop, replace(other, price=None))
    assert not card(shop, PAN, user_id="cyd").HasField("price")
    assert PAN not in shown(shop, "cyd", min_price=0.0)


def test_state_wins_until_a_bundles_catalogue_is_younger_but_takedowns_hold(shop: Shop, tmp_path: Path) -> None:
    shop.clock.now_ms = NOW_MS + 5
    upsert(shop, replace(ITEMS[SPADE], title="Live spade"), NEW_PAN)
    rule(shop, "item-rake")

    def bundle_of(moment: str) -> Bundle:
        return write_tiny_bundle(tmp_path / moment.replace(":", ""), catalogue_as_of=moment)

    for moment, title in (("2025-06-01T00:00:00.005Z", "Live spade"), ("2025-06-01T00:00:00.006Z", "spade")):
        shop.swap(bundle_of(moment))
        assert card(shop, SPADE).title == title
        assert (NEW_PAN.item_id in shown(shop)) == (title == "Live spade")
        assert "item-rake" not in shown(shop)
    shop.clock.now_ms = NOW_MS + 6
    upsert(shop, replace(ITEMS[SPADE], title="Live again"))
    assert card(shop, SPADE).title == "Live again"
    # Back to an older model, what was sent after its catalogue counts again.
    shop.swap(bundle_of("2025-05-31T00:00:00Z"))
    assert NEW_PAN.item_id in shown(shop)


def test_a_new_item_is_in_the_next_feed_by_what_it_reads_like(shop: Shop) -> None:
    upsert(shop, NEW_PAN, replace(NEW_PAN, item_id="wordless", title="", category="", brand=""))
    pages = shop.walk("ada", 5)
    (found,) = [each for each in pages if item_of(each) == NEW_PAN.item_id]
    assert found.sources[0] == "content"
    assert found.reason is not None
    assert found.reason.type is ReasonType.SIMILAR_TO
    assert found.reason.item_id in {item_id for item_id, _, _ in tiny_users()["ada"]}
    (bare,) = [each for each in pages if item_of(each) == "wordless"]
    assert bare.sources == ("tail",)
    assert bare.reason is not None
    assert bare.reason.type is ReasonType.NEW_FOR_YOU
    assert sorted(items_of(pages)) == sorted({*items_of(pages)})
    assert [each.position for each in pages] == list(range(len(pages)))


def test_a_new_item_is_as_near_as_the_encoder_says(shop: Shop) -> None:
    shop.record(SPADE, user_id="one-spade")
    twin = replace(ITEMS["item-rake"], item_id="twin")
    upsert(shop, twin, replace(twin, item_id="other", title="poppy seeds", category="Garden > Seeds"))
    pages = shop.pages
    encoder = pages.catalogue.bundle
    assert pages.catalogue.row("twin") == encoder.n_items
    source = next(each for each in pages.taker.pipeline._sources if each.name == "content")
    history = pages.histories.of("one-spade", "", erased=False)
    result = source.retrieve(FeedQuery(NOW_MS, history=history), 100)
    scores = dict(zip(result.rows.tolist(), result.scores.tolist(), strict=True))
    moment = pages.catalogue.moment  # type: ignore[attr-defined]
    spade = encoder.array("content/vectors")[encoder.items.row(SPADE)]
    for row, vector in enumerate(moment.new_vectors, encoder.n_items):
        product = float(spade @ vector)
        assert (row in scores) == (product > 0)
        if product > 0:
            assert scores[row] == pytest.approx(product, abs=1e-6)
    assert sorted(scores.values(), reverse=True) == list(scores.values())
    assert {pages.catalogue.item_ids(np.array([e], np.int32))[0] for e in result.evidence if e >= 0} == {SPADE}


def test_a_new_item_is_filtered_hidden_bought_and_named_like_any_other(shop: Shop) -> None:
    upsert(shop, NEW_PAN, replace(NEW_PAN, item_id="second", price=None))
    assert shown(shop, "ada", seller_ids=("seller-new",), min_price=1.0) == [NEW_PAN.item_id]
    assert shown(shop, "", seller_ids=("seller-new",)) == ["second", NEW_PAN.item_id]  # the newest first
    assert shown(shop, "ada", exclude_item_ids=(NEW_PAN.item_id,), seller_ids=("seller-new",)) == ["second"]
    shop.record("second", "view", "new-fan")
    reasons = {item_of(each): each.reason for each in shop.walk("new-fan", 50)}
    assert reasons[NEW_PAN.item_id] is not None
    assert reasons[NEW_PAN.item_id].item_id == "second"  # type: ignore[union-attr]
    shop.record("second", "hide", "new-fan")
    shop.record(NEW_PAN.item_id, "purchase", "new-fan")
    assert not {"second", NEW_PAN.item_id} & set(shown(shop, "new-fan"))
    rule(shop, SPADE)
    shop.record(SPADE, "view", "digger")
    assert all(each.reason is None or each.reason.item_id != SPADE for each in shop.walk("digger", 50))


def test_paging_goes_on_while_items_come_change_and_go(shop: Shop) -> None:
    page = shop.page("ada", 3)
    before = items_of(shop.walk("ada", 3, page.next_page_token))
    seen, number = items_of(page.cards), 0
    while page.next_page_token:
        upsert(shop, replace(NEW_PAN, item_id=f"new-{number}"), replace(ITEMS[PAN], title=f"Pan {number}"))
        rule(shop, f"new-{number}")
        page = shop.page("ada", 3, page.next_page_token)
        seen += items_of(page.cards)
        number += 1
    assert seen[3:] == before
    assert len(seen) == len(set(seen))


def test_a_snapshot_with_new_items_goes_on_under_another_model_and_after_a_restart(shop: Shop, tmp_path: Path) -> None:
    upsert(shop, NEW_PAN, *(replace(NEW_PAN, item_id=f"new-{n}") for n in range(5)))
    token = shop.page("ada", 2).next_page_token
    rest = items_of(shop.walk("ada", 4, token))
    assert sum(item_id.startswith("new-") for item_id in rest) >= 5
    shop.swap(shop.bundle)
    assert items_of(shop.walk("ada", 4, token)) == rest
    # A model that was trained with one of them.
    trained = write_tiny_bundle(tmp_path / "next", [NEW_PAN, *tiny_items()], catalogue_as_of="2025-05-01T00:00:00Z")
    shop.swap(trained)
    assert items_of(shop.walk("ada", 4, token)) == rest


def test_new_items_are_among_what_is_like_an_item_and_have_their_like(shop: Shop) -> None:
    upsert(shop, NEW_PAN)
    listed = items_of(shop.pages.similar(PAN, "behavior", 100, "").cards)
    assert listed[-1] == NEW_PAN.item_id
    alike = shop.pages.similar(NEW_PAN.item_id, "behavior", 5, "")
    assert len(alike.cards) == 5
    assert NEW_PAN.item_id not in items_of(alike.cards)
    assert alike.cards[0].sources == ("content",)
    assert [each.score for each in alike.cards] == sorted((each.score for each in alike.cards), reverse=True)
    following = shop.pages.similar(NEW_PAN.item_id, "behavior", 100, alike.next_page_token)
    assert not set(items_of(alike.cards)) & set(items_of(following.cards))
    first = items_of(alike.cards)[0]
    rule(shop, first)
    assert first not in items_of(shop.pages.similar(NEW_PAN.item_id, "behavior", 100, "").cards)
    assert shop.pages.similar(NEW_PAN.item_id, "bought_together", 5, "").cards == ()


def test_an_item_is_told_as_it_was_last_sent(shop: Shop) -> None:
    full = replace(NEW_PAN, description="A pan.", attributes={"a": "b"}, created_ms=NOW_MS, expires_ms=NOW_MS + DAY_MS)
    upsert(shop, full, replace(ITEMS[PAN], title="Live pan"))
    assert shop.pages.item(full.item_id) == full
    assert shop.pages.item(PAN) == replace(ITEMS[PAN], title="Live pan")
    assert shop.pages.item(SPADE) == ITEMS[SPADE]
    assert shop.pages.item("unknown") is None


def test_a_bundle_without_content_shows_new_items_where_there_is_room(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "v", sources={"cooccurrence": SOURCES["cooccurrence"]})
    shop = Shop.open(bundle, tmp_path / "state")
    try:
        upsert(shop, NEW_PAN)
        assert items_of(shop.walk("ada", 50))[-1] == NEW_PAN.item_id
        assert shop.pages.similar(NEW_PAN.item_id, "behavior", 5, "").cards == ()
    finally:
        shop.state.close()


def test_an_empty_bundle_serves_live_items_alone(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "v", [replace(NEW_PAN, item_id="only")], {})
    shop = Shop.open(bundle, tmp_path / "state")
    try:
        upsert(shop, *(replace(NEW_PAN, item_id=f"n-{n}") for n in range(300)))
        assert len(shown(shop)) == 301
    finally:
        shop.state.close()


class Unsure:
    """Live items whose version can be told or not, as the test says."""

    def __init__(self, shop: Shop) -> None:
        self._items = shop.state.live_items
        self.error: StateError | None = None

    def version(self) -> int:
        if self.error is not None:
            raise self.error
        return self._items.version()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._items, name)


def test_what_cannot_be_confirmed_is_trusted_for_a_second_and_then_nothing_is_shown(shop: Shop) -> None:
    now, unsure = [100.0], Unsure(shop)
    feed = LiveFeed(unsure, shop.feed._layer, shop.feed._assemble, lambda: now[0])
    feed.current()
    unsure.error = StateError("the disk is gone")
    now[0] += 1.0
    feed.current()
    now[0] += 0.001
    for _ in range(2):
        with pytest.raises(RequestError) as caught:
            feed.current()
        assert (caught.value.code, caught.value.reason) == ("UNAVAILABLE", "STATE_STALE")
    unsure.error = None
    rule(shop, PAN)
    pages = feed.current()
    assert not pages.catalogue.shown(pages.catalogue.rows([PAN]), NOW_MS).any()


def test_of_many_new_items_at_once_each_is_found_at_the_next_page_by_what_it_reads_like(shop: Shop) -> None:
    upsert(shop, *(replace(NEW_PAN, item_id=f"many-{n}", title=f"iron pan {n}") for n in range(700)))
    assert len(shown(shop, "", seller_ids=("seller-new",))) == 700
    encoder, vectors = encoder_of(shop.bundle), shop.pages.catalogue.moment.new_vectors  # type: ignore[attr-defined]
    assert encoder is not None
    for number in (0, 49, 50, 699):
        assert vectors[number].tolist() == encoder.encode("Kitchen > Pans", "brand-0", f"iron pan {number}").tolist()
    upsert(shop, replace(NEW_PAN, item_id="many-7", title="poppy seeds"))
    changed = shop.pages.catalogue.moment.new_vectors  # type: ignore[attr-defined]
    assert np.flatnonzero((changed != vectors).any(axis=1)).tolist() == [7]


def test_a_request_sees_one_version_throughout(shop: Shop) -> None:
    pages = shop.pages
    upsert(shop, NEW_PAN, replace(ITEMS[PAN], title="Live pan", category="Elsewhere", seller_id="seller-x"))
    rule(shop, SPADE)
    assert shop.pages is not pages
    assert pages.catalogue.row(NEW_PAN.item_id) == -1
    assert pages.catalogue.category_codes(["Elsewhere"]).tolist() == []
    rows = pages.catalogue.rows([PAN, SPADE])
    assert pages.catalogue.shown(rows, NOW_MS).all()
    assert feed_pb2.Card.FromString(pages.catalogue.cards(rows)[0]).title == "iron pan"
    assert shop.pages is shop.pages
