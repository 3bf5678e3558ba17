"""What is left out to hold a deadline, in which order, and what never is; time moves by hand."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from recommender.errors import StateError
from recommender.feed.pages import FeedPage, FeedRequest
from recommender.feed.pipeline import Pipeline
from recommender.feed.rerankers.score_order import ScoreOrder
from recommender.feed.stages import Ranker, Source
from recommender.feed.taking import SnapshotTaker
from recommender.types import Candidates, Degradation, FeedFilter, FeedQuery, Scores, SourceResult
from tests.feed.shops import Shop, items_of

FULL, NO_RANKER, NO_STATE, FALLBACK, FEWER_SOURCES = (
    *(Degradation.FULL, Degradation.NO_RANKER, Degradation.NO_STATE, Degradation.FALLBACK, Degradation.FEWER_SOURCES),
)
SLOW, SLOWER, RANKER = "als", "content", "single_source"


@dataclass
class HandCounter:
    """Seconds, moved by whoever takes them."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class SlowSource:
    """A source that takes a while."""

    def __init__(self, source: Source, seconds: float, counter: HandCounter) -> None:
        self.name, self.evidence_kind = source.name, source.evidence_kind
        self.seconds = seconds
        self._source, self._counter = source, counter

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        self._counter.now += self.seconds
        return self._source.retrieve(query, limit)


class SlowRanker:
    """A ranker that takes a while."""

    def __init__(self, ranker: Ranker, seconds: float, counter: HandCounter) -> None:
        self.name = ranker.name
        self._ranker, self._seconds, self._counter = ranker, seconds, counter

    def score(self, query: FeedQuery, candidates: Candidates) -> Scores:
        self._counter.now += self._seconds
        return self._ranker.score(query, candidates)

    def probabilities(self, query: FeedQuery, candidates: Candidates, scores: Scores) -> Scores:
        return self._ranker.probabilities(query, candidates, scores)

    def inputs(self, query: FeedQuery, candidates: Candidates) -> tuple[tuple[str, ...], Scores]:
        return self._ranker.inputs(query, candidates)

    def contributions(self, query: FeedQuery, candidates: Candidates) -> Scores:
        return self._ranker.contributions(query, candidates)


@dataclass
class SlowShop:
    """A shop in which two sources take 40 and 80 ms, the ranker 50 ms, and all else no time."""

    shop: Shop
    counter: HandCounter
    sources: list[SlowSource]

    @classmethod
    def of(cls, shop: Shop) -> SlowShop:
        counter, taker = HandCounter(), shop.pages.taker
        pipeline = taker.pipeline
        seconds = {SLOW: 0.04, SLOWER: 0.08}
        sources = [SlowSource(each, seconds.get(each.name, 0.0), counter) for each in pipeline._sources]
        slow = Pipeline(
            sources,
            pipeline._filters,
            SlowRanker(pipeline._ranker, 0.05, counter),
            ScoreOrder(shop.bundle.array("popularity/order")),
            shop.bundle.array("popularity/order"),
            perf_counter=counter,
        )
        names = ("catalogue", "numbering", "model_version", "mode", "limit")
        options = {name: getattr(taker, f"_{name}") for name in names}
        shop.feed._pages = replace(
            shop.pages, taker=SnapshotTaker(slow, **options), costs=slow.costs, perf_counter=counter
        )
        made = cls(shop, counter, sources)
        for _ in range(30):  # so often that what each part takes is known
            made.page(10_000)
        return made

    def page(self, deadline_ms: int | None, **fields: Any) -> FeedPage:
        return self.shop.pages.page(FeedRequest("ada", page_size=5, deadline_ms=deadline_ms, **fields))

    def shed(self, page: FeedPage) -> list[str]:
        return [count.name for count in page.funnel.counts if count.shed]


@pytest.fixture
def slow(shop: Shop) -> SlowShop:
    return SlowShop.of(shop)


# Nine tenths of a deadline are planned with: 170 ms are needed for all of it.
@pytest.mark.parametrize(
    ("deadline_ms", "degradations", "shed"),
    [
        (None, (FULL,), []),
        (190, (FULL,), []),
        (180, (NO_RANKER,), [RANKER]),
        (135, (NO_RANKER,), [RANKER]),
        (130, (NO_RANKER, FEWER_SOURCES), [SLOWER, RANKER]),
        (46, (NO_RANKER, FEWER_SOURCES), [SLOWER, RANKER]),
        (43, (NO_RANKER, FEWER_SOURCES), [SLOW, SLOWER, RANKER]),
    ],
)
def test_the_ranker_goes_first_then_the_slowest_sources(
    slow: SlowShop, deadline_ms: int | None, degradations: tuple[Degradation, ...], shed: list[str]
) -> None:
    began = slow.counter.now
    page = slow.page(deadline_ms)
    assert page.degradations == degradations
    assert sorted(slow.shed(page)) == sorted(shed)
    assert len(page.cards) == 5
    assert slow.counter.now - began <= (500 if deadline_ms is None else deadline_ms) / 1_000


def test_at_last_popularity_stands_alone_and_filters_still_hold(slow: SlowShop) -> None:
    for source in slow.sources:
        source.seconds = 0.3
    for _ in range(30):
        slow.page(10_000)
    order = [slow.shop.bundle.items.ids[row] for row in slow.shop.bundle.array("popularity/order").tolist()]
    slow.shop.record(order[0], "hide", "ada")
    page = slow.page(100, filter=FeedFilter(exclude_item_ids=(order[1],)))
    assert page.degradations == (FALLBACK,)
    bought = {order[row] for row in range(2)}
    shown = items_of(page.cards)
    assert shown == [item for item in order if item in shown]
    assert not bought & set(shown)
    assert len(shown) == 5


def test_a_source_that_was_left_out_comes_back_when_it_is_fast_again(slow: SlowShop) -> None:
    slower = next(source for source in slow.sources if source.name == SLOWER)
    assert slow.page(100).degradations == (NO_RANKER, FEWER_SOURCES)
    slower.seconds = 0.0
    answers = [slow.page(120).degradations for _ in range(400)]
    assert answers[-1] == (FULL,)


def test_later_pages_say_what_was_left_out_when_their_snapshot_was_taken(slow: SlowShop) -> None:
    first = slow.page(130)
    assert first.next_page_token
    assert slow.page(10_000, page_token=first.next_page_token).degradations == (NO_RANKER, FEWER_SOURCES)


def test_a_history_that_takes_too_long_is_that_of_the_bundle(slow: SlowShop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, counter = slow.shop, slow.counter
    read = shop.state.events.history

    def slowly(*args: Any) -> Any:
        counter.now += 0.3
        return read(*args)

    monkeypatch.setattr(shop.state.events, "history", slowly)
    shop.record("item-spade", "view", "newcomer")
    shop.record("item-novel", "hide", "newcomer")
    request = FeedRequest("newcomer", page_size=100, deadline_ms=10_000)
    for _ in range(30):
        page = shop.pages.page(request)
    assert page.degradations == (FULL,)
    assert "item-spade" in {card.reason.item_id for card in page.cards if card.reason}
    began = counter.now
    page = shop.pages.page(replace(request, deadline_ms=200))
    assert page.degradations == (NO_STATE,)
    assert counter.now - began < 0.2
    assert "item-spade" not in {card.reason.item_id for card in page.cards if card.reason}
    assert "item-novel" not in items_of(page.cards)


def test_the_history_is_read_where_what_was_hidden_left_time_enough(
    slow: SlowShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, counter = slow.shop.state.events, slow.counter

    def slowly(read: Callable[..., Any], seconds: float) -> Callable[..., Any]:
        def wait(*args: Any) -> Any:
            counter.now += seconds
            return read(*args)

        return wait

    monkeypatch.setattr(events, "hidden", slowly(events.hidden, 0.1))
    monkeypatch.setattr(events, "history", slowly(events.history, 0.03))
    for _ in range(30):
        slow.page(10_000)
    # Of 180 ms, 80 are left for the history's 30; of 126 there are 26.
    assert slow.page(200).degradations == (NO_RANKER, FEWER_SOURCES)
    assert slow.page(140).degradations == (NO_RANKER, NO_STATE, FEWER_SOURCES)


def test_where_nobody_knows_what_was_hidden_nothing_is_shown(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StateError("the disk is gone")

    monkeypatch.setattr(shop.state.events, "hidden", fail)
    with pytest.raises(StateError, match="the disk is gone"):
        shop.page("ada")


def test_without_live_events_feeds_go_on_with_what_the_bundle_knows(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise StateError("the disk is gone")

    whole = shop.page("ada")
    for store, method in ((shop.state.events, "history"), (shop.state.snapshots, "put")):
        monkeypatch.setattr(store, method, fail)
    with caplog.at_level(logging.ERROR):
        pages = [shop.page("ada"), shop.page("ada")]
    for page in pages:
        assert page.degradations == (NO_STATE,)
        assert items_of(page.cards) == items_of(whole.cards)
        assert page.next_page_token == ""
    assert [record.getMessage() for record in caplog.records] == ["feeds go on without live events"]


@pytest.mark.parametrize("deadline_ms", [None, 10_000])
def test_a_feed_from_which_nothing_is_left_out_says_full_alone(shop: Shop, deadline_ms: int | None) -> None:
    page = shop.pages.page(FeedRequest("ada", page_size=3, deadline_ms=deadline_ms))
    assert page.degradations == (FULL,)
    assert shop.page("ada", 3, page.next_page_token).degradations == (FULL,)
