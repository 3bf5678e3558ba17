from __future__ import annotations

import grpc
import pytest

from recommender.api.v1 import events_pb2, feed_pb2
from tests.rpc.conftest import Client, refusal_of
from tests.worlds import SOURCES


def explained(client: Client, item_id: str, user_id: str = "ada", **fields: object) -> feed_pb2.ExplainItemResponse:
    request = feed_pb2.ExplainItemRequest(user_id=user_id, item_id=item_id, **fields)  # type: ignore[arg-type]
    return client.feed.ExplainItem(request, timeout=30)


def test_each_card_is_explained_at_the_position_it_was_delivered_at(client: Client) -> None:
    cards = client.whole("ada", 7)
    for card in cards:
        reply = explained(client, card.item_id)
        assert (reply.stage, reply.position) == (feed_pb2.ITEM_STAGE_SHOWN, card.position)
        assert [finding.source for finding in reply.sources] == sorted(SOURCES)
        if card.sources[0] != "tail":
            assert reply.score == card.score
            assert {each.source for each in reply.sources if each.retrieved} == set(card.sources)
            assert reply.inputs[0].name


def test_what_the_user_did_a_moment_ago_counts(client: Client) -> None:
    for event_type, name in (("hide", "hidden"), ("purchase", "recent_purchase")):
        user_id, item_id = f"explained-{event_type}", "item-spade"
        before = explained(client, item_id, user_id)
        event = events_pb2.Event(event_id="e", user_id=user_id, item_id=item_id, event_type=event_type)
        assert client.record(event).accepted_count == 1
        after = explained(client, item_id, user_id)
        assert before.stage == feed_pb2.ITEM_STAGE_SHOWN
        assert (after.stage, list(after.filters)) == (feed_pb2.ITEM_STAGE_FILTERED, [name])
        assert not after.HasField("position")


def test_an_unknown_item_is_an_answer_and_no_error(client: Client) -> None:
    reply = explained(client, "unheard-of", "")
    assert reply.stage == feed_pb2.ITEM_STAGE_NOT_IN_CATALOGUE
    assert reply.model_version


def test_a_filter_and_what_it_gave_up_count_as_in_the_feed(client: Client) -> None:
    wanted = feed_pb2.Filter(seller_ids=["seller-0-0"], relax=[feed_pb2.RELAXATION_SELLERS])
    page = client.page("ada", page_size=9, filter=wanted)
    reply = explained(client, page.cards[-1].item_id, filter=wanted, page_size=9)
    assert (reply.position, list(reply.relaxations)) == (8, [feed_pb2.RELAXATION_SELLERS])
    kept = feed_pb2.Filter(seller_ids=["seller-0-0"])
    reply = explained(client, page.cards[-1].item_id, filter=kept, page_size=9)
    assert (reply.stage, list(reply.filters)) == (feed_pb2.ITEM_STAGE_FILTERED, ["query"])


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"item_id": ""}, "item_id"),
        ({"item_id": "x" * 300}, "item_id"),
        ({"item_id": "x", "user_id": "a\n"}, "user_id"),
        ({"item_id": "x", "page_size": -1}, "page_size"),
    ],
)
def test_wrong_fields_are_refused_by_name(client: Client, fields: dict[str, object], path: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        client.feed.ExplainItem(feed_pb2.ExplainItemRequest(**fields), timeout=30)  # type: ignore[arg-type]
    refusal = refusal_of(refused.value)
    assert (refusal.code, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, (path,))
