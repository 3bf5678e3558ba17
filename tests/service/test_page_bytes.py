from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recommender.api.v1 import feed_pb2
from recommender.cards import card_bytes
from recommender.feed.views import CardView, FeedPage, Reason, SimilarPage
from recommender.service.page_bytes import feed_bytes, similar_bytes
from recommender.types import Degradation, Item, Kind, ReasonType, Relaxation

_texts = st.text(max_size=40)
_names = st.lists(_texts, max_size=3).map(tuple)
_items = st.builds(
    Item,
    item_id=_texts,
    kind=st.sampled_from(Kind),
    title=st.text(max_size=400),
    price=st.none() | st.floats(allow_nan=False),
    currency=_texts,
    seller_id=_texts,
    image_url=_texts,
)
_reasons = st.builds(
    Reason,
    type=st.sampled_from(ReasonType),
    item_id=_texts,
    user_ids=_names,
    seller_id=_texts,
    category=_texts,
    missing=st.integers(0, 2**31 - 1),
)
_positions = st.integers(0, 2**31 - 1)
_scores = st.floats(width=32, allow_nan=False)


@st.composite
def _cards(draw: st.DrawFn) -> tuple[CardView, feed_pb2.Card]:
    item, reason, sources = draw(_items), draw(st.none() | _reasons), draw(_names)
    position, score, receipt = draw(_positions), draw(_scores), draw(_texts)
    static = card_bytes(item)
    message = feed_pb2.Card.FromString(static)
    message.position, message.score, message.receipt = position, score, receipt
    message.sources.extend(sources)
    if reason is not None:
        message.reason.CopyFrom(
            feed_pb2.Reason(
                type=feed_pb2.ReasonType.ValueType(reason.type),
                item_id=reason.item_id,
                user_ids=reason.user_ids,
                seller_id=reason.seller_id,
                category=reason.category,
                missing=reason.missing,
            )
        )
    return CardView(static, position, score, sources, reason, receipt), message


@given(
    cards=st.lists(_cards(), max_size=4),
    texts=st.tuples(_texts, _texts, _texts),
    degradations=st.lists(st.sampled_from(Degradation), max_size=4).map(tuple),
    relaxations=st.lists(st.sampled_from(Relaxation), max_size=3).map(tuple),
)
def test_the_bytes_of_a_feed_page_are_those_of_protobuf(
    cards: list[tuple[CardView, feed_pb2.Card]],
    texts: tuple[str, str, str],
    degradations: tuple[Degradation, ...],
    relaxations: tuple[Relaxation, ...],
) -> None:
    page = FeedPage(tuple(view for view, _ in cards), *texts, degradations, relaxations)
    message = feed_pb2.GetFeedResponse(
        cards=[message for _, message in cards],
        next_page_token=texts[0],
        request_id=texts[1],
        model_version=texts[2],
        degradations=[feed_pb2.Degradation.ValueType(value) for value in degradations],
        relaxations=[feed_pb2.Relaxation.ValueType(value) for value in relaxations],
    )
    assert feed_bytes(page) == message.SerializeToString(deterministic=True)


@given(cards=st.lists(_cards(), max_size=4), token=_texts, model=_texts)
def test_the_bytes_of_similar_items_are_those_of_protobuf(
    cards: list[tuple[CardView, feed_pb2.Card]], token: str, model: str
) -> None:
    page = SimilarPage(tuple(view for view, _ in cards), token, model)
    message = feed_pb2.ListSimilarItemsResponse(
        cards=[message for _, message in cards], next_page_token=token, model_version=model
    )
    assert similar_bytes(page) == message.SerializeToString(deterministic=True)


def test_a_score_of_minus_zero_is_sent_as_protobuf_sends_it() -> None:
    view = CardView(b"", 0, -0.0, (), None, "")
    message = feed_pb2.GetFeedResponse(cards=[feed_pb2.Card(score=-0.0)])
    assert feed_bytes(FeedPage((view,), "", "", "", (), ())) == message.SerializeToString()
