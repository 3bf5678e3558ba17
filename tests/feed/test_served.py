from __future__ import annotations

import pytest

from recommender.errors import StateError
from recommender.feed.served import ServedPage
from recommender.types import DAY_MS
from tests.feed.shops import Shop, items_of
from tests.worlds import NOW_MS


def served_by(shop: Shop) -> list[ServedPage]:
    pages = [ServedPage.decode(record) for record in shop.state.served.records()]
    assert None not in pages
    return [page for page in pages if page is not None]


def test_every_page_leaves_a_record_of_what_it_showed(shop: Shop) -> None:
    first = shop.page("ada", 4, session_id="s1")
    second = shop.page("ada", 3, first.next_page_token, session_id="s1")
    records = served_by(shop)
    for page, record in zip((first, second), records, strict=True):
        assert shop.state.numbers.item_ids(record.item_numbers) == items_of(page.cards)
        assert record.propensities.tolist() == [1.0] * len(page.cards)
        assert (record.request_id, record.model_version) == (page.request_id, shop.bundle.version)
        assert (record.user_id, record.session_id, record.time_ms) == ("ada", "s1", NOW_MS)
        leads = [record.sources[lead] if lead >= 0 else "tail" for lead in record.lead_sources.tolist()]
        assert leads == [card.sources[0] for card in page.cards]
    assert [record.first_position for record in records] == [0, 4]


def test_what_was_served_can_be_removed_by_user_and_by_session(shop: Shop) -> None:
    shop.page("ada")
    shop.page(session_id="s1")
    shop.page("bob")
    shop.state.remove_user("ada")
    shop.state.served.remove_owned(["s1"])
    assert [record.user_id for record in served_by(shop)] == ["bob"]


def test_of_an_erased_user_nothing_is_kept_any_more_and_their_pages_go_on(shop: Shop) -> None:
    shop.state.remove_user("ada")
    first = shop.page("ada", 4, session_id="s1")
    assert shop.page("ada", 4, first.next_page_token, session_id="s1").cards
    assert shop.page("bob", 4).cards
    assert [record.user_id for record in served_by(shop)] == ["bob"]
    assert [len(shop.state.snapshots.owned([owner])) for owner in ("ada", "s1", "bob")] == [0, 0, 1]


def test_where_nobody_can_tell_who_was_erased_nothing_is_shown_or_kept(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> bool:
        raise StateError("the disk is gone")

    monkeypatch.setattr(shop.state.events, "is_erased", fail)
    with pytest.raises(StateError):
        shop.page("ada", 4)
    assert shop.page(session_id="s1").cards
    assert [record.session_id for record in served_by(shop)] == ["s1"]
    assert not shop.state.snapshots.owned(["ada"])


def test_who_was_erased_is_asked_once_a_request(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    is_erased = shop.state.events.is_erased

    def ask(user_id: str) -> bool:
        asked.append(user_id)
        return is_erased(user_id)

    monkeypatch.setattr(shop.state.events, "is_erased", ask)
    shop.page("ada", 4)
    assert asked == ["ada"]


def test_a_served_page_is_no_event_of_the_user(shop: Shop) -> None:
    shop.page("ada")
    assert list(shop.state.events.events(NOW_MS - DAY_MS)) == []


def test_a_record_of_another_layout_is_none() -> None:
    assert ServedPage.decode(b"\xff\xff" + bytes(6)) is None
