"""What is held of a person, told and erased by whichever worker is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from recommender.api.v1 import events_pb2, privacy_pb2, privacy_pb2_grpc
from recommender.config import Settings
from recommender.logs import read_erased
from recommender.service.export import export_state
from tests.rpc.conftest import Client, refusal_of
from tests.servers import RunningServer, running_server

Stub = privacy_pb2_grpc.PrivacyServiceStub


@pytest.fixture(scope="module")
def pair(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Two workers."""
    with running_server(models, tmp_path_factory.mktemp("privacy") / "state", "--workers", "2") as running:
        yield running


def held(stub: privacy_pb2_grpc.PrivacyServiceStub, **fields: object) -> privacy_pb2.GetUserDataResponse:
    return stub.GetUserData(privacy_pb2.GetUserDataRequest(**fields), timeout=30)  # type: ignore[arg-type]


def test_a_person_is_told_whole_and_erased_for_every_worker(pair: RunningServer, models: Path, tmp_path: Path) -> None:
    clicked = events_pb2.Event(event_id="1", user_id="ada", session_id="s", item_id="item-hoe", event_type="click")
    with pair.channel_by_worker() as channels:
        one, other = map(Stub, channels.values())
        client, away = map(Client, channels.values())
        client.record(events_pb2.Event(event_id="0", session_id="s", item_id="item-rake", event_type="view"))
        page = client.page("ada", page_size=3)
        clicked.receipt = page.cards[0].receipt
        clicked.item_id = page.cards[0].item_id
        assert client.record(clicked).accepted_count == 1

        first = held(one, user_id="ada", page_size=1)
        (shown,), (listed,) = first.served_pages, first.snapshots
        assert (shown.request_id, list(shown.item_ids)) == (page.request_id, [card.item_id for card in page.cards])
        assert list(listed.item_ids)[:3] == list(shown.item_ids)
        assert len(listed.item_ids) > 3
        assert (list(first.session_ids), first.erased) == (["s"], False)
        assert {event.event_type for event in first.trained_events} >= {"view"}
        assert first.trained_model_version == page.model_version
        rest = held(one, user_id="ada", page_size=1, page_token=first.next_page_token)
        assert [each.event.event_id for each in (*first.events, *rest.events)] == ["0", "1"]
        assert page.request_id in rest.events[0].attribution
        assert (rest.next_page_token, len(rest.served_pages), len(rest.trained_events)) == ("", 0, 0)

        told = other.EraseUser(privacy_pb2.EraseUserRequest(user_id="ada"), timeout=30)
        assert {each.store: each.erased_count for each in told.stores} == {"events": 2, "snapshots": 1, "served": 1}
        assert (told.session_count, told.overwritten) == (1, True)
        assert told.trained_model_version == page.model_version
        for stub in (one, other):
            left = held(stub, user_id="ada")
            assert (len(left.events), len(left.served_pages), len(left.snapshots), left.erased) == (0, 0, 0, True)
        for each in (client, away):
            assert [rejection.reason for rejection in each.record(clicked).rejections] == ["USER_ERASED"]
            # As to a stranger, although the model has a history of her.
            assert [card.item_id for card in each.page("ada").cards] == [card.item_id for card in each.page().cards]
        assert Stub(client.channel).EraseUser(privacy_pb2.EraseUserRequest(user_id="ada"), timeout=30).stores
    export_state(pair.log.parent / "state", tmp_path, None, Settings())
    assert read_erased(tmp_path / "erased").mask(["ada", "bob"]).tolist() == [True, False]
    assert told.user_hash.encode() in (tmp_path / "erased" / "erased.parquet").read_bytes()


def test_a_wrong_request_erases_nobody_and_is_named(pair: RunningServer) -> None:
    with pair.channel() as channel:
        stub = Stub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.EraseUser(privacy_pb2.EraseUserRequest(), timeout=30)
        assert refusal_of(caught.value).reason == "USER_ID_REQUIRED"
        with pytest.raises(grpc.RpcError) as caught:
            held(stub, user_id="bob", page_size=-1, page_token="-7")
        assert refusal_of(caught.value).fields == ("page_size", "page_token")
        assert not held(stub, user_id="bob").erased
