"""GetFeed and ListSimilarItems as a client meets them."""

from __future__ import annotations

import time
from pathlib import Path

import grpc
import pytest

from recommender.api.v1 import feed_pb2
from tests.rpc.conftest import Client, Refusal, refusal_of
from tests.servers import RunningServer, running_server
from tests.worlds import tiny_items

ITEM_IDS = {item.item_id for item in tiny_items()}
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("user_id", "session_id"), [("ada", ""), ("nobody-knows-me", ""), ("", "session-1"), ("", ""), ("ada", "session-2")]
)
def test_everybody_gets_a_feed(client: Client, user_id: str, session_id: str) -> None:
    page = client.page(user_id, session_id=session_id, page_size=5)
    assert [card.position for card in page.cards] == [0, 1, 2, 3, 4]
    assert page.degradations == [feed_pb2.DEGRADATION_FULL]
    assert page.model_version == "20250601T000000Z-tiny"
    assert page.request_id
    for card in page.cards:
        assert card.item_id in ITEM_IDS
        assert card.title
        assert card.sources
        assert card.receipt
        assert card.reason.type != feed_pb2.REASON_TYPE_UNSPECIFIED


def test_two_users_have_two_feeds(client: Client) -> None:
    ada, cyd = client.page("ada", page_size=5), client.page("cyd", page_size=5)
    assert [card.item_id for card in ada.cards] != [card.item_id for card in cyd.cards]
    assert ada.cards[0].reason.item_id in ITEM_IDS


@pytest.mark.parametrize("page_size", [1, 5, 7, 100])
def test_paging_shows_everything_once(client: Client, page_size: int) -> None:
    cards = client.whole("ada", page_size)
    assert {card.item_id for card in cards} == ITEM_IDS
    assert [card.position for card in cards] == list(range(len(ITEM_IDS)))


@pytest.mark.parametrize(("page_size", "expected"), [(0, 20), (5, 5), (101, 24), (2**31 - 1, 24)])
def test_a_page_has_the_size_that_the_contract_says(client: Client, page_size: int, expected: int) -> None:
    assert len(client.page("bob", page_size=page_size).cards) == expected


def test_a_token_used_again_gives_the_same_page(client: Client) -> None:
    token = client.page("bob", page_size=4).next_page_token
    first, again = (client.page("bob", page_size=4, page_token=token) for _ in range(2))
    assert [card.item_id for card in first.cards] == [card.item_id for card in again.cards]
    assert [card.position for card in first.cards] == [4, 5, 6, 7]
    resized = client.page("bob", page_size=2, page_token=token)
    assert [card.item_id for card in resized.cards] == [card.item_id for card in first.cards[:2]]


@pytest.mark.parametrize(
    "changed",
    [
        feed_pb2.GetFeedRequest(user_id="cyd"),
        feed_pb2.GetFeedRequest(session_id="another"),
        feed_pb2.GetFeedRequest(filter=feed_pb2.Filter(kinds=[feed_pb2.KIND_POST])),
        feed_pb2.GetFeedRequest(context=feed_pb2.Context(surface="cart")),
    ],
    ids=["user", "session", "filter", "surface"],
)
def test_a_token_holds_for_whom_and_what_it_was_given(client: Client, changed: feed_pb2.GetFeedRequest) -> None:
    token = client.page("bob", page_size=4).next_page_token
    request = feed_pb2.GetFeedRequest(user_id="bob", page_token=token)
    request.MergeFrom(changed)
    with pytest.raises(grpc.RpcError) as caught:
        client.feed.GetFeed(request, timeout=30)
    refusal = refusal_of(caught.value)
    assert (refusal.code, refusal.reason, refusal.domain) == (INVALID, "PAGE_TOKEN_MISMATCH", "windowshop")


@pytest.mark.parametrize("spoil", ["garbage", "\u00e9", "x" * 10_000, None])
def test_a_forged_token_is_refused(client: Client, spoil: str | None) -> None:
    token = client.page("bob", page_size=4).next_page_token
    forged = spoil or token[:-1] + ("A" if token[-1] != "A" else "B")
    with pytest.raises(grpc.RpcError) as caught:
        client.page("bob", page_token=forged)
    assert refusal_of(caught.value).reason == "PAGE_TOKEN_INVALID"
    assert caught.value.code() is INVALID


def test_an_old_token_is_refused_as_expired(models: Path, tmp_path: Path) -> None:
    with (
        running_server(models, tmp_path / "state", WINDOWSHOP_FEED__TOKEN_TTL="0.2s") as server,
        server.channel() as channel,
    ):
        client = Client(channel)
        token = client.page("bob", page_size=4).next_page_token
        time.sleep(0.5)
        with pytest.raises(grpc.RpcError) as caught:
            client.page("bob", page_token=token)
        assert refusal_of(caught.value).reason == "PAGE_TOKEN_EXPIRED"


def test_filters_hold_and_may_be_relaxed(client: Client) -> None:
    wanted = feed_pb2.Filter(categories=["Kitchen"], max_price=15.0, currency="USD")
    cards = client.whole("ada", 3, filter=wanted)
    assert {card.item_id for card in cards} == {
        item.item_id
        for item in tiny_items()
        if item.category.startswith("Kitchen") and item.price is not None and item.price <= 15.0
    }
    page = client.page("ada", filter=wanted, page_size=20)
    assert not page.relaxations
    wanted.relax.append(feed_pb2.RELAXATION_PRICE)
    relaxed = client.page("ada", filter=wanted, page_size=20)
    assert relaxed.relaxations == [feed_pb2.RELAXATION_PRICE]
    assert len(relaxed.cards) > len(page.cards)


def test_kinds_and_exclusions_hold(client: Client) -> None:
    posts = client.whole("ada", 10, filter=feed_pb2.Filter(kinds=[feed_pb2.KIND_POST]))
    assert [card.item_id for card in posts] == ["item-novel"]
    excluded = ["item-spade", "item-never-seen"]
    cards = client.whole("ada", 10, filter=feed_pb2.Filter(exclude_item_ids=excluded))
    assert {card.item_id for card in cards} == ITEM_IDS - {"item-spade"}


def test_a_filter_that_nothing_passes_gives_an_empty_page(client: Client) -> None:
    page = client.page("ada", filter=feed_pb2.Filter(kinds=[feed_pb2.KIND_LIVESTREAM]))
    assert (len(page.cards), page.next_page_token) == (0, "")


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"page_size": -1}, Refusal(INVALID, "PAGE_SIZE_NEGATIVE", "windowshop", ("page_size",))),
        ({"page_size": -(2**31)}, Refusal(INVALID, "PAGE_SIZE_NEGATIVE", "windowshop", ("page_size",))),
        ({"user_id": "x" * 10_000}, Refusal(INVALID, "ID_TOO_LONG", "windowshop", ("user_id",))),
        ({"session_id": "\x00"}, Refusal(INVALID, "ID_CONTROL_CHARACTER", "windowshop", ("session_id",))),
        (
            {"filter": feed_pb2.Filter(min_price=2.0, max_price=1.0)},
            Refusal(INVALID, "PRICE_RANGE_EMPTY", "windowshop", ("filter.min_price",)),
        ),
        (
            {"user_id": "\n", "page_size": -5},
            Refusal(INVALID, "ID_CONTROL_CHARACTER", "windowshop", ("user_id", "page_size")),
        ),
    ],
)
def test_a_wrong_request_says_what_is_wrong_where(client: Client, fields: dict[str, object], refused: Refusal) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        client.page(**fields)  # type: ignore[arg-type]  # one field or another
    assert refusal_of(caught.value) == refused


def test_bytes_that_are_no_request_are_refused_and_not_a_bug(client: Client) -> None:
    call = client.channel.unary_unary("/recommender.api.v1.FeedService/GetFeed", None, None)
    with pytest.raises(grpc.RpcError) as caught:
        call(b"\xff\xff\xff\xff", timeout=30)
    assert refusal_of(caught.value).reason == "REQUEST_MALFORMED"


def test_a_client_that_no_longer_waits_does_no_harm(client: Client, server: RunningServer) -> None:
    for _ in range(10):
        call = client.feed.GetFeed.future(feed_pb2.GetFeedRequest(user_id="ada"), timeout=30)
        call.cancel()  # type: ignore[no-untyped-call]  # so in the stubs of grpc
    assert client.page("ada").cards
    assert not [line for line in server.lines() if line["level"] == "error"]


@pytest.mark.parametrize("mode", [feed_pb2.MODE_UNSPECIFIED, feed_pb2.MODE_BEHAVIOR, feed_pb2.MODE_BOUGHT_TOGETHER])
def test_similar_items_are_paged_without_repeats(client: Client, mode: feed_pb2.Mode.ValueType) -> None:
    seen: list[str] = []
    token = ""
    while True:
        request = feed_pb2.ListSimilarItemsRequest(item_id="item-iron-pan", mode=mode, page_size=2, page_token=token)
        page = client.feed.ListSimilarItems(request, timeout=30)
        seen += [card.item_id for card in page.cards]
        token = page.next_page_token
        if not token:
            break
    assert len(seen) > 2
    assert len(set(seen)) == len(seen)
    assert set(seen) <= ITEM_IDS - {"item-iron-pan"}


def test_items_like_an_unknown_one_are_not_found(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        client.feed.ListSimilarItems(feed_pb2.ListSimilarItemsRequest(item_id="no-such-item"), timeout=30)
    assert (caught.value.code(), refusal_of(caught.value).reason) == (grpc.StatusCode.NOT_FOUND, "ITEM_NOT_FOUND")
