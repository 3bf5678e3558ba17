"""Explanations against what GetFeed shows: they come from one run, so they can never part."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.feed.catalogue import Absence
from recommender.feed.explanation import Explanation, ItemStage
from recommender.feed.sources.als import AlsSource
from recommender.feed.views import FeedRequest
from recommender.types import FeedFilter, Kind, Relaxation
from tests.feed.rankers.weights import with_logistic_ranker
from tests.feed.shops import Shop, item_of
from tests.worlds import NOW_MS, tiny_items, tiny_users, write_tiny_bundle

ITEMS = {item.item_id: item for item in tiny_items()}
ABSENT = {"item-cleaver": Absence.OUT_OF_STOCK, "item-atlas": Absence.EXPIRED}
USERS = ["ada", "bob", "cyd", "dee", "eli", "fay", "gus", "hal", "nobody"]
_numbers = itertools.count()


@pytest.fixture(scope="module", params=["single_source", "logistic"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Two items of it can be had by nobody."""
    folder = tmp_path_factory.mktemp("explained")
    items = [
        replace(
            item,
            available=ABSENT.get(item.item_id) is not Absence.OUT_OF_STOCK,
            expires_ms=NOW_MS if ABSENT.get(item.item_id) is Absence.EXPIRED else None,
        )
        for item in ITEMS.values()
    ]
    bundle = write_tiny_bundle(folder / "v", items)
    if request.param == "logistic":
        bundle = with_logistic_ranker(bundle)
    opened = Shop.open(bundle, folder / "state")
    yield opened
    opened.state.close()


def reopen(shop: Shop, **feed: Any) -> None:
    """Serve with other settings, and with so much time that no source is ever left out of a feed."""
    shop.swap(shop.bundle, deadline_ms=600_000, **feed)


def explained(shop: Shop, item_id: str, user_id: str, page_size: int = 0, **fields: Any) -> Explanation:
    return shop.pages.explain(FeedRequest(user_id, page_size=page_size, **fields), item_id)


def matches(item_id: str, wanted: FeedFilter, dropped: tuple[Relaxation, ...]) -> bool:
    """Whether an item passes a filter of kinds, categories, sellers and a largest price."""
    item = ITEMS[item_id]
    within = [item.category == name or item.category.startswith(f"{name} > ") for name in wanted.categories]
    return (
        (not wanted.kinds or item.kind in wanted.kinds)
        and (not within or any(within) or Relaxation.CATEGORIES in dropped)
        and (not wanted.seller_ids or item.seller_id in wanted.seller_ids or Relaxation.SELLERS in dropped)
        and (
            wanted.max_price is None
            or (item.price is not None and item.price <= wanted.max_price)
            or Relaxation.PRICE in dropped
        )
        and item_id not in wanted.exclude_item_ids
    )


feeds = st.fixed_dictionaries(
    {
        "snapshot_items": st.sampled_from([2, 6, 12, 1_000]),
        "source_limit": st.sampled_from([1, 3, 8, 200]),
        "diversity": st.sampled_from([0.0, 0.1, 0.9]),
        "max_per_category": st.integers(0, 2),
        "mode": st.sampled_from(["discover", "any"]),
    }
)
filters = st.builds(
    FeedFilter,
    kinds=st.sampled_from([(), (Kind.PRODUCT,), (Kind.POST,)]),
    categories=st.sampled_from([(), ("Kitchen",), ("Garden > Seeds", "Books")]),
    seller_ids=st.sampled_from([(), ("seller-0-1", "seller-2-0")]),
    max_price=st.sampled_from([None, 30.0]),
    exclude_item_ids=st.sampled_from([(), ("item-spade", "item-iron-pan")]),
    relax=st.sampled_from([(), (Relaxation.PRICE, Relaxation.SELLERS), (Relaxation.CATEGORIES,)]),
)
deeds = st.lists(
    st.tuples(st.sampled_from(sorted(ITEMS)), st.sampled_from(["view", "purchase", "hide"])), max_size=3, unique=True
)


@settings(max_examples=20)
@given(feeds, st.sampled_from(USERS), filters, deeds, st.integers(1, 9))
def test_an_explanation_says_what_the_feed_shows_and_one_stage_for_each_other_item(
    shop: Shop, feed: dict[str, Any], user_id: str, wanted: FeedFilter, done: list[tuple[str, str]], page_size: int
) -> None:
    reopen(shop, **feed)
    session = "" if user_id != "nobody" else f"s{next(_numbers)}"
    user_id = user_id if not session else ""
    for item_id, event_type in done if session else ():
        shop.record(item_id, event_type, session_id=session)
    fields: dict[str, Any] = {"session_id": session, "filter": wanted}
    first = shop.page(user_id, page_size, **fields)
    cards = shop.walk(user_id, page_size, **fields)
    shown = {item_of(card): card for card in cards}
    told = {item_id: explained(shop, item_id, user_id, page_size, **fields) for item_id in ITEMS}
    assert {item: each.position for item, each in told.items() if each.stage is ItemStage.SHOWN} == {
        item: card.position for item, card in shown.items()
    }
    limit, hidden = feed["snapshot_items"], {item for item, what in done if session and what == "hide"}
    for item_id, each in told.items():
        assert each.relaxations == first.relaxations
        retrieved = [finding.source for finding in each.sources if finding.retrieved]
        if each.stage is ItemStage.SHOWN:
            card = shown[item_id]
            assert each.filters == ()
            assert set(card.sources) == (set(retrieved) or {"tail"})
            assert each.score is None or each.score == card.score
        elif each.stage is ItemStage.UNAVAILABLE:
            assert each.absence is ABSENT[item_id]
        elif each.stage is ItemStage.FILTERED:
            assert item_id not in ABSENT
            assert not matches(item_id, wanted, each.relaxations) or {"hidden", "recent_purchase"} & set(each.filters)
            assert ("hidden" in each.filters) == (item_id in hidden)
        else:
            assert matches(item_id, wanted, each.relaxations)
            assert bool(retrieved) == (each.stage is not ItemStage.NOT_RETRIEVED) == (each.rank is not None)
            assert len(shown) == limit, "something that may be shown is missing from a feed that has room"
        if each.stage is ItemStage.CAPPED:
            assert feed["diversity"]
            assert each.rank is not None
            assert each.rank < limit
        if each.stage is ItemStage.OUTRANKED and not each.relaxations:
            assert each.rank is not None
            assert each.rank >= limit
    assert {item for item, each in told.items() if each.stage is ItemStage.UNAVAILABLE} == set(ABSENT)
    by_score = sorted(item for item, each in told.items() if each.stage is ItemStage.SHOWN and each.rank is not None)
    if not feed["diversity"] and not first.relaxations:
        assert all(told[item].rank == told[item].position for item in by_score)


@pytest.mark.parametrize("stage", ItemStage)
def test_each_stage_can_be_where_an_item_is_lost(shop: Shop, stage: ItemStage) -> None:
    reopen(shop, snapshot_items=4, source_limit=2, diversity=0.9, max_per_category=1, duplicate_likeness=0.5)
    if stage is ItemStage.CAPPED:
        reopen(shop, snapshot_items=4, source_limit=200, diversity=0.9, max_per_category=1)
    if stage is ItemStage.OUTRANKED:
        reopen(shop, snapshot_items=4, source_limit=200, diversity=0.0)
    fields: dict[str, Any] = (
        {"filter": FeedFilter(exclude_item_ids=("item-hoe",))} if stage is ItemStage.FILTERED else {}
    )
    found = {explained(shop, item_id, user, **fields).stage for item_id in [*ITEMS, "unheard-of"] for user in USERS[:4]}
    assert stage in found


def test_an_item_that_nobody_knows_is_not_in_the_catalogue(shop: Shop) -> None:
    assert explained(shop, "unheard-of", "ada") == Explanation(ItemStage.NOT_IN_CATALOGUE, shop.bundle.version)


def test_a_source_tells_the_rank_at_which_it_would_have_found_the_item(shop: Shop) -> None:
    reopen(shop, source_limit=200, diversity=0.0, mode="any")
    wide = {item_id: explained(shop, item_id, "cyd") for item_id in ITEMS}
    reopen(shop, source_limit=2, snapshot_items=3, diversity=0.0, mode="any")
    narrow = {item_id: explained(shop, item_id, "cyd") for item_id in ITEMS}
    beyond = 0
    for item_id, each in narrow.items():
        for finding, whole in zip(each.sources, wide[item_id].sources, strict=True):
            assert finding.source == whole.source
            assert (finding.rank, finding.score) == (whole.rank, whole.score)
            assert finding.retrieved == (finding.rank is not None and finding.rank < 2)
            beyond += finding.rank is not None and not finding.retrieved
    assert beyond > 10


def test_the_evidence_is_what_the_source_named(shop: Shop) -> None:
    reopen(shop)
    findings = {each.source: each for each in explained(shop, "item-sauce-pan", "ada").sources}
    assert findings["cooccurrence"].evidence_item_id in {item for item, _, _ in tiny_users()["ada"]}
    assert findings["popularity_category"].evidence_category.startswith("Kitchen")
    assert (findings["popularity_recent"].evidence_item_id, findings["popularity_recent"].evidence_category) == ("", "")


def test_the_source_of_the_largest_contribution_leads_the_card(shop: Shop) -> None:
    reopen(shop)
    for card in shop.walk("ada"):
        each = explained(shop, item_of(card), "ada")
        spoken = [
            (finding.contribution, finding.source) for finding in each.sources if finding.contribution is not None
        ]
        if spoken:
            largest = max(value for value, _ in spoken)
            assert card.sources[0] in {source for value, source in spoken if value == largest}
            assert each.ranker == shop.bundle.manifest.ranker["name"]
            assert len(each.inputs) > 1


def test_a_source_that_fails_is_named_with_its_failure(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no index")

    reopen(shop)
    monkeypatch.setattr(AlsSource, "retrieve", fail)
    each = explained(shop, "item-sauce-pan", "ada")
    assert {finding.source: finding.error for finding in each.sources if finding.error} == {
        "als": "ValueError: no index"
    }
    assert each.stage is ItemStage.SHOWN
