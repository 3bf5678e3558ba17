from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.bundle import Bundle
from recommender.config import StateSettings
from recommender.errors import RequestError
from recommender.feed.pages import FeedPage
from recommender.feed.receipts import Attribution, ReceiptSigner
from recommender.state.sqlite import open_state
from recommender.types import Degradation, FeedContext, FeedFilter, Item, Kind, Mode, ReasonType, Relaxation
from tests.feed.shops import Shop, item_of, items_of
from tests.worlds import NOW_MS, tiny_items, write_tiny_bundle

EVERYTHING = {item.item_id for item in tiny_items()}
MINUTE_MS = 60_000


def refusal(shop: Shop, *arguments: Any, **fields: Any) -> str:
    with pytest.raises(RequestError) as refused:
        shop.page(*arguments, **fields)
    assert refused.value.code == "INVALID_ARGUMENT"
    return refused.value.reason


# What a page holds


@pytest.mark.parametrize(("asked", "given_"), [(0, 20), (1, 1), (23, 23), (24, 24), (100, 24), (2_000_000_000, 24)])
def test_a_page_has_as_many_cards_as_asked_for(shop: Shop, asked: int, given_: int) -> None:
    page = shop.page("new", asked)
    assert len(page.cards) == given_
    assert bool(page.next_page_token) == (given_ < 24)
    assert page.degradations == (Degradation.FULL,)
    assert page.model_version == shop.bundle.version


def test_more_than_a_hundred_count_as_a_hundred(tmp_path: Path) -> None:
    items = [Item(f"item-{number}", title=f"thing {number}") for number in range(130)]
    shop = Shop.open(write_tiny_bundle(tmp_path / "many", items, {}), tmp_path / "state")
    assert len(shop.page("new", 101).cards) == 100
    shop.state.close()


def test_a_negative_page_size_is_refused(shop: Shop) -> None:
    assert refusal(shop, "ada", -1) == "PAGE_SIZE_NEGATIVE"


def test_unknown_users_and_nobody_at_all_are_served(shop: Shop) -> None:
    for page in (shop.page("never seen"), shop.page(session_id="s1"), shop.page()):
        assert len(page.cards) == 20
        reasons = {card.reason.type for card in page.cards if card.reason is not None}
        assert reasons == {ReasonType.POPULAR_NOW}


def test_a_recorded_event_turns_the_next_feed(shop: Shop) -> None:
    before = shop.page("new", 3)
    shop.record("item-spade", "view", "new")
    after = shop.page("new", 3)
    assert items_of(before.cards) != items_of(after.cards)
    reason = after.cards[0].reason
    assert reason is not None
    assert (reason.type, reason.item_id) == (ReasonType.BECAUSE_YOU_VIEWED, "item-spade")


def test_a_sessions_events_turn_its_feed(shop: Shop) -> None:
    shop.record("item-spade", "view", session_id="s1")
    reason = shop.page(session_id="s1").cards[0].reason
    assert reason is not None
    assert reason.item_id == "item-spade"
    assert items_of(shop.page(session_id="s2").cards) == items_of(shop.page().cards)


def test_bought_items_hide_in_discover_mode_alone(shop: Shop) -> None:
    bought = {"item-iron-pan", "item-cookbook", "item-copper-pan"}
    assert set(items_of(shop.walk("ada"))) == EVERYTHING - bought
    shop.swap(shop.bundle, mode=Mode.ANY)
    cards = shop.walk("ada")
    assert set(items_of(cards)) == EVERYTHING


def test_an_item_bought_before_is_offered_again_where_that_is_allowed(tmp_path: Path) -> None:
    ranker = {"name": "single_source", "source": "own_frequency"}
    shop = Shop.open(write_tiny_bundle(tmp_path / "repeats", ranker=ranker), tmp_path / "state", mode=Mode.ANY)
    reasons = {item_of(card): card.reason for card in shop.page("ada").cards}
    assert reasons["item-cookbook"] is not None
    assert (reasons["item-cookbook"].type, reasons["item-cookbook"].item_id) == (ReasonType.BUY_AGAIN, "item-cookbook")
    shop.state.close()


def test_every_card_carries_a_receipt_of_its_place(shop: Shop) -> None:
    signer = ReceiptSigner(shop.state.signing_keys())
    first = shop.page("ada", 5)
    second = shop.page("ada", 5, first.next_page_token)
    for position, card in enumerate((*first.cards, *second.cards)):
        attribution = signer.read(card.receipt, NOW_MS, item_of(card), "ada", "")
        assert attribution == Attribution(first.request_id, NOW_MS, position, card.sources[0], shop.bundle.version, 1.0)
    assert second.request_id == first.request_id != shop.page("ada").request_id


def test_what_may_not_be_shown_is_shown_to_nobody(tmp_path: Path) -> None:
    items = [
        replace(item, available=item.item_id != "item-iron-pan", expires_ms=NOW_MS if "knife" in item.title else None)
        for item in tiny_items()
    ]
    shop = Shop.open(write_tiny_bundle(tmp_path / "v", items), tmp_path / "state")
    assert set(items_of(shop.walk("new"))) == {i for i in EVERYTHING if i != "item-iron-pan" and "knife" not in i}
    shop.state.close()


def test_a_snapshot_ends_after_as_many_items_as_configured(shop: Shop) -> None:
    shop.swap(shop.bundle, snapshot_items=7)
    assert len(shop.walk("ada", 3)) == 7
    assert len(shop.page("ada", 20).cards) == 7


# Paging


def test_a_token_used_again_gives_the_same_page(shop: Shop) -> None:
    token = shop.page("ada", 5).next_page_token
    once, again = shop.page("ada", 5, token), shop.page("ada", 5, token)
    assert [(item_of(card), card.position, card.score, card.reason) for card in once.cards] == [
        (item_of(card), card.position, card.score, card.reason) for card in again.cards
    ]


def test_a_page_asked_for_again_after_a_drop_is_filled_from_below(shop: Shop) -> None:
    token = shop.page("ada", 5).next_page_token
    before = items_of(shop.page("ada", 5, token).cards)
    following = items_of(shop.page("ada", 6, token).cards)[5]
    shop.record(before[2], "hide", "ada")
    page = shop.page("ada", 5, token)
    assert items_of(page.cards) == [*before[:2], *before[3:], following]
    assert [card.position for card in page.cards] == [5, 6, 7, 8, 9]


def test_what_was_hidden_stays_hidden_when_the_hide_is_older_than_the_history(tmp_path: Path, shop: Shop) -> None:
    users = {"old": [("item-rake", "hide", NOW_MS - 9), *[("item-spade", "view", NOW_MS - n) for n in (8, 7, 6)]]}
    shop.settings = shop.settings.model_copy(update={"state": StateSettings(durability="process", history_events=3)})
    shop.swap(write_tiny_bundle(tmp_path / "hides", users=users), mode=Mode.ANY)
    shop.record("item-hoe", "hide", "old")
    for event_type in ("view", "purchase", "favorite"):
        shop.record("item-hoe", event_type, "old")
    assert set(items_of(shop.walk("old", 7))) == EVERYTHING - {"item-rake", "item-hoe"}


def test_a_reason_whose_evidence_went_gives_way_on_later_pages(shop: Shop) -> None:
    shop.record("item-spade", "view", "new")
    token = shop.page("new", 1).next_page_token
    told = shop.page("new", 1, token).cards[0].reason
    assert told is not None
    assert told.item_id == "item-spade"
    shop.record("item-spade", "hide", "new")
    plainer = shop.page("new", 1, token).cards[0].reason
    assert plainer is not None
    assert plainer.type is ReasonType.PICKED_FOR_YOU


def test_there_is_no_empty_last_page(shop: Shop) -> None:
    rest = EVERYTHING - set(items_of(shop.page("new", 10).cards))
    for item_id in rest:
        shop.record(item_id, "hide", "new")
    shop.swap(shop.bundle)
    page = shop.page("new", 10)
    assert len(page.cards) == 10
    assert page.next_page_token == ""


def test_when_all_that_is_left_was_hidden_the_last_page_says_so(shop: Shop) -> None:
    first = shop.page("new", 10)
    second = shop.page("new", 10, first.next_page_token)
    for item_id in EVERYTHING - {*items_of(first.cards), *items_of(second.cards)}:
        shop.record(item_id, "hide", "new")
    assert shop.page("new", 10, first.next_page_token).next_page_token == ""
    assert shop.page("new", 10, second.next_page_token).cards == ()


def test_the_end_is_an_empty_token_on_the_last_full_page(shop: Shop) -> None:
    assert len(shop.walk("new", 12)) == 24
    page = shop.page("new", 12)
    assert shop.page("new", 12, page.next_page_token).next_page_token == ""


def test_paging_goes_on_after_a_restart_and_from_another_process(shop: Shop, bundle: Bundle, tmp_path: Path) -> None:
    whole = items_of(shop.walk("ada", 5))
    first = shop.page("ada", 5)
    other_state = open_state(tmp_path / "state", StateSettings(), clock=shop.clock, worker="other")
    shop.state.close()
    restarted = replace(shop, state=other_state)
    restarted.swap(bundle)
    assert [*items_of(first.cards), *items_of(restarted.walk("ada", 5, first.next_page_token))] == whole
    shop.state = other_state


def test_a_new_model_goes_on_with_the_old_snapshot(shop: Shop, tmp_path: Path) -> None:
    whole = items_of(shop.walk("ada", 24))
    first = shop.page("ada", 5)
    newer = [Item("item-new", title="new"), *reversed(tiny_items()[1:]), Item("item-newer", title="newer")]
    shop.swap(write_tiny_bundle(tmp_path / "tiny-2", newer))
    page = shop.page("ada", 10, first.next_page_token)
    assert page.model_version == "tiny-1"
    rest = [*items_of(page.cards), *items_of(shop.walk("ada", 10, page.next_page_token))]
    assert [*items_of(first.cards), *rest] == [item_id for item_id in whole if item_id != "item-iron-pan"]
    assert shop.page("ada").model_version == "tiny-2"
    categories = {card.reason.category for card in page.cards if card.reason is not None}
    assert categories <= {"", *(item.category for item in tiny_items())}


def test_what_the_new_model_cannot_show_is_dropped_from_the_old_snapshot(shop: Shop, tmp_path: Path) -> None:
    first = shop.page("ada", 5)
    gone = items_of(shop.page("ada", 2, first.next_page_token).cards)
    items = [replace(item, available=item.item_id not in gone) for item in tiny_items()]
    shop.swap(write_tiny_bundle(tmp_path / "tiny-2", items))
    assert not set(gone) & set(items_of(shop.walk("ada", 5, first.next_page_token)))


@pytest.fixture(scope="module")
def open_shop(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One for all examples: each brings its own user."""
    shop = Shop.open(bundle, tmp_path_factory.mktemp("paging") / "state")
    yield shop
    shop.state.close()


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same items in other rows, with some of another time between them."""
    items = [
        item for pair in zip(tiny_items()[::-1], map(Item, "abcdefghijklmnopqrstuvwxyz"), strict=False) for item in pair
    ]
    return write_tiny_bundle(tmp_path_factory.mktemp("shuffled") / "tiny-2", items)


actions = st.one_of(
    st.tuples(st.sampled_from(["view", "like", "purchase", "hide", "impression"]), st.sampled_from(sorted(EVERYTHING))),
    st.just(("swap", "")),
    st.just(("wait", "")),
)
_numbers = itertools.count()


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 9), st.lists(actions, max_size=4)), max_size=8))
def test_nothing_comes_twice_and_nothing_is_skipped_while_the_world_moves(
    open_shop: Shop, bundle: Bundle, shuffled: Bundle, steps: list[tuple[int, list[tuple[str, str]]]]
) -> None:
    user_id, token, shown, unshowable = f"walker-{next(_numbers)}", "", list[str](), set[str]()
    for page_size, happenings in itertools.chain(steps, itertools.repeat((9, []))):
        page = open_shop.page(user_id, page_size, token)
        assert [card.position for card in page.cards] == list(range(len(shown), len(shown) + len(page.cards)))
        assert not unshowable & set(items_of(page.cards))
        assert len(page.cards) == page_size or not page.next_page_token
        shown += items_of(page.cards)
        if not (token := page.next_page_token):
            break
        for what, item_id in happenings:
            if what == "swap":
                open_shop.swap(shuffled if open_shop.bundle is bundle else bundle)
            elif what == "wait":
                open_shop.clock.now_ms += 7 * MINUTE_MS
            else:
                open_shop.record(item_id, what, user_id)
                unshowable |= {item_id} if what in ("hide", "purchase") else set()
    assert len(shown) == len(set(shown))
    assert EVERYTHING - unshowable <= set(shown)


# Tokens


@pytest.fixture
def paged(shop: Shop) -> tuple[Shop, FeedPage]:
    wanted = FeedFilter(categories=("Kitchen", "Garden"), max_price=99.0)
    page = shop.page("ada", 3, session_id="s1", filter=wanted, context=FeedContext(surface="home"))
    return shop, page


SAME: dict[str, Any] = {
    "session_id": "s1",
    "filter": FeedFilter(categories=("Kitchen", "Garden"), max_price=99.0),
    "context": FeedContext(surface="home"),
}


@pytest.mark.parametrize(
    ("user_id", "changed"),
    [
        ("bob", {}),
        ("", {}),
        ("ada", {"session_id": "s2"}),
        ("ada", {"session_id": ""}),
        ("ada", {"context": FeedContext(surface="basket")}),
        ("ada", {"filter": FeedFilter()}),
        ("ada", {"filter": FeedFilter(categories=("Kitchen", "Garden"), max_price=98.0)}),
        ("ada", {"filter": FeedFilter(categories=("Kitchen", "Garden"), max_price=99.0, kinds=(Kind.PRODUCT,))}),
        ("ada", {"filter": FeedFilter(categories=("Kitchen", "Garden"), max_price=99.0, relax=(Relaxation.PRICE,))}),
        ("ada", {"filter": FeedFilter(categories=("Kitchen", "Garden"), max_price=99.0, exclude_item_ids=("x",))}),
        ("ada", {"filter": FeedFilter(seller_ids=("Kitchen", "Garden"), max_price=99.0)}),
    ],
)
def test_a_token_of_another_user_session_filter_or_surface_is_a_mismatch(
    paged: tuple[Shop, FeedPage], user_id: str, changed: dict[str, Any]
) -> None:
    shop, page = paged
    assert refusal(shop, user_id, 3, page.next_page_token, **{**SAME, **changed}) == "PAGE_TOKEN_MISMATCH"


def test_a_token_goes_on_when_only_the_page_size_or_the_place_changes(paged: tuple[Shop, FeedPage]) -> None:
    shop, page = paged
    context = FeedContext(surface="home", city="Berlin", locale="de")
    reordered = FeedFilter(categories=("Garden", "Kitchen", "Garden"), max_price=99.0)
    fields = {**SAME, "context": context, "filter": reordered}
    assert len(shop.page("ada", 7, page.next_page_token, **fields).cards) == 7


def test_a_forged_token_is_refused(paged: tuple[Shop, FeedPage]) -> None:
    shop, page = paged
    begun, last = page.next_page_token[:-1], page.next_page_token[-1]
    for token in ("forged", begun, begun + ("_" if last != "_" else "A"), "A" * 500):
        assert refusal(shop, "ada", 3, token, **SAME) == "PAGE_TOKEN_INVALID"


def test_a_token_of_a_list_of_similar_items_is_refused(shop: Shop) -> None:
    token = shop.pages.similar("item-iron-pan", "behavior", 1, "").next_page_token
    assert token
    assert refusal(shop, "ada", 3, token) == "PAGE_TOKEN_INVALID"


def test_a_token_expires_half_an_hour_after_its_page_and_each_page_gives_a_new_one(shop: Shop) -> None:
    token = shop.page("ada", 2).next_page_token
    for _ in range(4):
        shop.clock.now_ms += 30 * MINUTE_MS
        page = shop.page("ada", 2, token)
        token = page.next_page_token
    shop.clock.now_ms += 30 * MINUTE_MS + 1
    assert refusal(shop, "ada", 2, token) == "PAGE_TOKEN_EXPIRED"


def test_a_snapshot_that_is_gone_counts_as_expired(shop: Shop) -> None:
    token = shop.page("ada", 2).next_page_token
    shop.state.snapshots.remove_owned(["ada"])
    assert refusal(shop, "ada", 2, token) == "PAGE_TOKEN_EXPIRED"


# Items


def test_an_item_is_told_or_unknown(shop: Shop) -> None:
    assert shop.pages.item("item-iron-pan") == tiny_items()[0]
    assert shop.pages.item("unknown") is None
