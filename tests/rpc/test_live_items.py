"""UpsertItems, TakeDown, Restore and GetItem: seen by every worker, whatever happens to processes and models."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from recommender.api.v1 import catalog_pb2, events_pb2, feed_pb2, models_pb2, models_pb2_grpc
from recommender.state.sqlite import back_up
from recommender.state.sqlite import restore as restore_backup
from recommender.state.sqlite.locks import OPEN_LOCK, held_alone
from tests.rpc.conftest import Client, refusal_of
from tests.servers import RunningServer, eventually, running_server, worker_of
from tests.worlds import write_tiny_bundle, write_tiny_models

PAN, SPADE = "item-iron-pan", "item-spade"
TOKENS = {"WINDOWSHOP_SERVER__TOKENS": f"catalog {'c' * 32},frontend {'f' * 32}"}


@pytest.fixture(scope="module")
def pair(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Two workers on one port."""
    with running_server(models, tmp_path_factory.mktemp("live") / "state", "--workers", "2") as running:
        yield running


@pytest.fixture
def workers(pair: RunningServer) -> Iterator[list[Client]]:
    """One connection to each worker; afterwards nothing is taken down."""
    with pair.channel_by_worker() as channels:
        found = [Client(channel) for channel in channels.values()]
        yield found
        restore(found[0], item_ids=[PAN, SPADE], seller_ids=["seller-0-0"])


def take_down(client: Client, **names: Any) -> catalog_pb2.TakeDownResponse:
    return client.catalog.TakeDown(catalog_pb2.TakeDownRequest(**names), timeout=30)


def restore(client: Client, **names: Any) -> catalog_pb2.RestoreResponse:
    return client.catalog.Restore(catalog_pb2.RestoreRequest(**names), timeout=30)


def upsert(client: Client, *items: catalog_pb2.Item) -> catalog_pb2.UpsertItemsResponse:
    return client.catalog.UpsertItems(catalog_pb2.UpsertItemsRequest(items=items), timeout=30)


def get(client: Client, item_id: str, **fields: Any) -> catalog_pb2.GetItemResponse:
    return client.catalog.GetItem(catalog_pb2.GetItemRequest(item_id=item_id, **fields), timeout=30)


def shown(client: Client, user_id: str = "") -> set[str]:
    return {card.item_id for card in client.whole(user_id, 100)}


def new_pan(item_id: str, **fields: Any) -> catalog_pb2.Item:
    values = {"title": "iron crepe pan", "category": "Kitchen > Pans", "brand": "brand-0", "price": 7.0}
    return catalog_pb2.Item(item_id=item_id, **{**values, **fields})


def test_a_takedown_is_seen_by_every_worker_from_the_reply_on_while_events_are_written(workers: list[Client]) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.wait(0.005):
            number += 1
            workers[0].record(
                events_pb2.Event(event_id=f"e-{number}", user_id=f"u-{number}", item_id=SPADE, event_type="view")
            )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for turn in range(10):
            ruler = workers[turn % len(workers)]
            assert take_down(ruler, item_ids=[PAN], reason="recall").taken_down_count == 1
            assert all(PAN not in shown(each) for each in workers)
            assert restore(ruler, item_ids=[PAN]).restored_count == 1
            assert all(PAN in shown(each) for each in workers)
    finally:
        stop.set()
        writer.join()


def test_a_sellers_takedown_reaches_pages_of_feeds_that_were_begun_before(workers: list[Client]) -> None:
    page = workers[0].page("ada", page_size=2)
    theirs = {card.item_id for card in workers[0].whole("ada", 100) if card.seller_id == "seller-0-0"}
    assert theirs
    take_down(workers[1], seller_ids=["seller-0-0"])
    rest: list[feed_pb2.Card] = []
    token = page.next_page_token
    while token:
        page = workers[len(rest) % 2].page("ada", page_size=5, page_token=token)
        rest += page.cards
        token = page.next_page_token
    assert rest
    assert not theirs & {card.item_id for card in rest}


def test_a_new_item_is_found_by_its_words_on_every_worker_from_the_reply_on(
    pair: RunningServer, workers: list[Client]
) -> None:
    with pair.channel_by_worker() as channels:
        for number, (pid, channel) in enumerate(channels.items()):
            assert worker_of(channel) == pid
            item_id = f"fresh-pan-{number}"
            reply = upsert(Client(channel), new_pan(item_id), catalog_pb2.Item(item_id=""))
            assert reply.upserted_count == 1
            (bad,) = reply.rejections
            assert (bad.field, bad.index, bad.reason) == ("items", 1, "ITEM_ID_REQUIRED")
            for worker in workers:
                (card,) = [card for card in worker.whole("ada", 100) if card.item_id == item_id]
                assert (card.title, card.price, card.kind) == ("iron crepe pan", 7.0, feed_pb2.KIND_PRODUCT)
                # Nobody turned to it yet: what it reads like alone speaks for it.
                assert list(card.sources) == ["content"]
                assert card.reason.type == feed_pb2.REASON_TYPE_SIMILAR_TO
                assert get(worker, item_id).item.available
            upsert(Client(channel), new_pan(item_id, available=False))
            for worker in workers:
                assert item_id not in shown(worker, "ada")
                assert not get(worker, item_id).item.available


def test_a_live_item_changes_what_a_filter_finds(workers: list[Client]) -> None:
    upsert(workers[0], new_pan(SPADE, title="Spade", price=0.25, currency="USD", category="Garden > Tools"))
    wanted = feed_pb2.Filter(max_price=0.5, categories=["Garden"])
    for worker in workers:
        assert [(card.item_id, card.price) for card in worker.whole("bob", 10, filter=wanted)] == [(SPADE, 0.25)]


def test_an_item_that_was_taken_down_is_told_only_to_those_who_ask_for_it(workers: list[Client]) -> None:
    before = time.time()
    take_down(workers[0], item_ids=[SPADE], reason="sharp")
    with pytest.raises(grpc.RpcError) as caught:
        get(workers[1], SPADE)
    assert (caught.value.code(), refusal_of(caught.value).reason) == (grpc.StatusCode.NOT_FOUND, "ITEM_TAKEN_DOWN")
    told = get(workers[1], SPADE, show_taken_down=True)
    assert told.item.item_id == SPADE
    assert (told.takedown.reason, told.takedown.author, told.takedown.seller_id) == ("sharp", "", "")
    assert abs(told.takedown.take_down_time.ToSeconds() - before) < 60
    restore(workers[0], item_ids=[SPADE])
    assert not get(workers[1], SPADE).HasField("takedown")


def test_an_explanation_says_that_an_item_was_taken_down(workers: list[Client]) -> None:
    request = feed_pb2.ExplainItemRequest(user_id="ada", item_id=SPADE)
    take_down(workers[0], item_ids=[SPADE])
    told = workers[1].feed.ExplainItem(request, timeout=30)
    assert told.absence == feed_pb2.ABSENCE_TAKEN_DOWN
    assert not told.HasField("position")
    seller = "seller-of-one"
    request = feed_pb2.ExplainItemRequest(user_id="ada", item_id="explained-pan")
    upsert(workers[0], new_pan("explained-pan", seller_id=seller))
    told = workers[1].feed.ExplainItem(request, timeout=30)
    assert told.HasField("position")
    assert (told.stage, told.absence) == (feed_pb2.ITEM_STAGE_SHOWN, feed_pb2.ABSENCE_UNSPECIFIED)
    take_down(workers[0], seller_ids=[seller])
    told = workers[1].feed.ExplainItem(request, timeout=30)
    assert (told.stage, told.absence) == (feed_pb2.ITEM_STAGE_UNAVAILABLE, feed_pb2.ABSENCE_TAKEN_DOWN)
    restore(workers[0], seller_ids=[seller])
    upsert(workers[0], new_pan("explained-pan", available=False, seller_id=seller))


def test_takedowns_and_stock_hold_on_every_worker_through_models_deaths_and_a_restored_backup(tmp_path: Path) -> None:
    models, state, copy = tmp_path / "models", tmp_path / "state", tmp_path / "copy"
    write_tiny_models(models)
    younger = "20990101T000000Z-next"
    gone = {PAN, SPADE, "sold-out"}

    def is_free(state: Path) -> bool:
        with held_alone(state / OPEN_LOCK) as free:
            return free

    def seen_by_all(server: RunningServer, kept: set[str]) -> None:
        """Ask each worker by its process id."""
        with server.channel_by_worker() as channels:
            assert set(channels) == set(server.workers())
            for client in map(Client, channels.values()):
                cards = client.whole("ada", 100)
                assert not gone & {card.item_id for card in cards}
                assert "seller-2-0" not in {card.seller_id for card in cards}
                assert kept <= {card.item_id for card in cards}

    with running_server(models, state, "--workers", "2") as server:
        with server.channel() as channel:
            client = Client(channel)
            take_down(client, item_ids=[PAN, "item-cleaver"], seller_ids=["seller-2-0"])
            upsert(client, new_pan("sold-out", available=False), new_pan("kept"))
            back_up(state, copy, now_ms=0)
            # What was ruled after the backup holds in what is made of it in place of this state.
            take_down(client, item_ids=[SPADE])
            restore(client, item_ids=["item-cleaver"])
        seen_by_all(server, {"kept", "item-cleaver"})
        # A model whose catalogue is younger than all that was sent: takedowns hold, stock is the model's.
        write_tiny_bundle(models / younger, catalogue_as_of="2099-01-01T00:00:00Z")
        with server.channel() as channel:
            stub = models_pb2_grpc.ModelServiceStub(channel)
            told = stub.ActivateModel(models_pb2.ActivateModelRequest(version=younger), timeout=60)
            assert len(told.confirmed_workers) == 2
            seen_by_all(server, {"item-cleaver"})
            assert "kept" not in shown(Client(channel), "ada")
            stub.Rollback(models_pb2.RollbackRequest(), timeout=60)
        for process in server.processes():
            process.kill()
        server.process.wait(30)
    eventually(lambda: is_free(state))  # a thread that waits for the disk dies a little later
    restore_backup(copy, state, clock=lambda: 0, replace=True)
    with running_server(models, state, "--workers", "2") as server:
        seen_by_all(server, {"kept", "item-cleaver"})
        with server.channel() as channel:
            restore(Client(channel), item_ids=[PAN, SPADE], seller_ids=["seller-2-0"])
        with server.channel_by_worker() as channels:
            for client in map(Client, channels.values()):
                found = client.whole("ada", 100)
                assert {PAN, SPADE} <= {card.item_id for card in found}
                assert "seller-2-0" in {card.seller_id for card in found}


def test_a_state_that_cannot_be_confirmed_shows_nothing_until_it_can(models: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running_server(models, state) as server, server.channel() as channel:
        client = Client(channel)
        assert client.page("ada").cards
        (state / "catalog.db").rename(tmp_path / "aside")
        (state / "catalog.db").write_bytes((tmp_path / "aside").read_bytes())

        def is_stale() -> bool:
            call = client.feed.GetFeed.future(feed_pb2.GetFeedRequest(user_id="ada"), timeout=30)
            error = call.exception()
            return isinstance(error, grpc.RpcError) and refusal_of(error).reason == "STATE_STALE"

        eventually(is_stale)
        for call in (
            lambda: client.feed.ListSimilarItems(feed_pb2.ListSimilarItemsRequest(item_id=PAN), timeout=30),
            lambda: get(client, PAN),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                call()
            assert refusal_of(caught.value).reason == "STATE_STALE"
        (tmp_path / "aside").rename(state / "catalog.db")
        assert client.page("ada").cards


def test_the_role_of_who_took_an_item_down_is_kept(models: Path, tmp_path: Path) -> None:
    with running_server(models, tmp_path / "state", **TOKENS) as server, server.channel() as channel:
        stub = Client(channel).catalog
        catalog, frontend = (("authorization", f"Bearer {letter * 32}") for letter in "cf")
        request = catalog_pb2.TakeDownRequest(item_ids=[PAN], reason="recall")
        for method in (stub.TakeDown, stub.Restore, stub.UpsertItems):
            with pytest.raises(grpc.RpcError) as caught:
                method(request, timeout=30, metadata=(frontend,))  # type: ignore[arg-type]
            assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        stub.TakeDown(request, timeout=30, metadata=(catalog,))
        asked = catalog_pb2.GetItemRequest(item_id=PAN, show_taken_down=True)
        told = stub.GetItem(asked, timeout=30, metadata=(catalog,))
        assert (told.takedown.reason, told.takedown.author) == ("recall", "catalog")
        # Who speaks for shoppers learns that it is gone, neither why nor by whom.
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetItem(asked, timeout=30, metadata=(frontend,))
        assert refusal_of(caught.value).reason == "ITEM_TAKEN_DOWN"
        assert "recall" not in str(caught.value)


LONG = "x" * 257


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"item_id": LONG}, "ID_TOO_LONG"),
        ({"item_id": "ü" * 129}, "ID_TOO_LONG"),
        ({"item_id": "a\x00"}, "ID_CONTROL_CHARACTER"),
        ({"seller_id": LONG}, "ID_TOO_LONG"),
        ({"category": "a > " * 100}, "ID_TOO_LONG"),
        ({"currency": "\x7f"}, "ID_CONTROL_CHARACTER"),
        ({"title": "x" * 1_025}, "TEXT_TOO_LONG"),
        ({"title": "😀" * 257}, "TEXT_TOO_LONG"),
        ({"image_url": "x" * 2_049}, "TEXT_TOO_LONG"),
        ({"kind": 77}, "ENUM_UNKNOWN"),
        ({"kind": -1}, "ENUM_UNKNOWN"),
        ({"price": float("nan")}, "NUMBER_NOT_FINITE"),
        ({"price": float("inf")}, "NUMBER_NOT_FINITE"),
        ({"price": -0.01}, "PRICE_NEGATIVE"),
        ({"create_time": {"seconds": -1}}, "TIME_BEFORE_1970"),
        ({"create_time": {"seconds": 32_503_680_000}}, "TIME_IN_FUTURE"),
        ({"expire_time": {"seconds": 1 << 60}}, "TIME_IN_FUTURE"),
        ({"attributes": {f"a{n}": "" for n in range(101)}}, "TOO_MANY_VALUES"),
        ({"attributes": {"": "nameless"}}, "ID_REQUIRED"),
        ({"attributes": {"a": "x" * 1_025}}, "TEXT_TOO_LONG"),
    ],
    ids=str,
)
def test_an_item_that_cannot_be_kept_is_named_and_the_others_are_kept(
    client: Client, fields: dict[str, Any], reason: str
) -> None:
    good, bad = new_pan("good-one", available=False), catalog_pb2.Item(**{"item_id": "bad-one", **fields})
    reply = upsert(client, good, bad)
    assert reply.upserted_count == 1
    assert [(each.index, each.id, each.reason) for each in reply.rejections] == [(1, bad.item_id[:256], reason)]
    assert get(client, "good-one").item.title == good.title
    with pytest.raises(grpc.RpcError):
        get(client, "bad-one")


@pytest.mark.parametrize(
    ("method", "data", "reason"),
    [
        ("UpsertItems", b"\xff\xff", "REQUEST_MALFORMED"),
        ("UpsertItems", b"\x0a\x03\x0a\x01\xff", "REQUEST_MALFORMED"),
        ("UpsertItems", b"\x0a\x00" * 1_001, "TOO_MANY_ITEMS"),
        ("UpsertItems", bytes(1 << 20) + b"\x00", "CALL_TOO_LARGE"),
        ("TakeDown", b"", "ID_REQUIRED"),
        ("TakeDown", b"\x0a\x01a" * 501 + b"\x12\x01a" * 500, "TOO_MANY_ITEMS"),
        ("TakeDown", b"\x0a\x01a\x1a\x81\x08" + b"x" * 1_025, "TEXT_TOO_LONG"),
        ("Restore", b"", "ID_REQUIRED"),
        ("Restore", b"\xff", "REQUEST_MALFORMED"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_call_that_is_itself_wrong_is_refused(client: Client, method: str, data: bytes, reason: str) -> None:
    path = f"/recommender.api.v1.CatalogService/{method}"
    with pytest.raises(grpc.RpcError) as caught:
        client.channel.unary_unary(path, None, None)(data, timeout=30)
    assert (caught.value.code(), refusal_of(caught.value).reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


def test_a_takedown_names_what_it_could_not_keep(client: Client) -> None:
    reply = take_down(client, item_ids=["nobody-knows", "", LONG], seller_ids=["\n", "no-seller"])
    assert reply.taken_down_count == 2
    found = [(each.field, each.index, each.reason) for each in reply.rejections]
    assert found == [
        ("item_ids", 1, "ID_REQUIRED"),
        ("item_ids", 2, "ID_TOO_LONG"),
        ("seller_ids", 0, "ID_CONTROL_CHARACTER"),
    ]


def test_a_thousand_hostile_items_leave_feeds_as_they_were(client: Client) -> None:
    before = [card.item_id for card in client.whole("hal", 100)]
    texts = ["\u0000", "\u202e", "'\"; DROP TABLE records;--", " > ", "a >  > b", "😀" * 60, " ", "%s{}"]
    items = [
        catalog_pb2.Item(item_id=f"odd-{n}", title=texts[n % 8], category=texts[(n + 3) % 8], available=False)
        for n in range(1_000)
    ]
    reply = upsert(client, *items)
    assert reply.upserted_count + len(reply.rejections) == 1_000
    assert {each.reason for each in reply.rejections} == {"ID_CONTROL_CHARACTER"}
    assert [card.item_id for card in client.whole("hal", 100)] == before
