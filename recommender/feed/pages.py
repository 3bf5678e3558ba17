"""Pages: the way of a request from its history to its cards, and on through the snapshot by tokens."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from recommender.errors import RequestError, StateError
from recommender.feed.catalogue import Catalogue
from recommender.feed.costs import Costs
from recommender.feed.cutting import Cut, PageCutter
from recommender.feed.explaining import Explainer
from recommender.feed.explanation import Explanation
from recommender.feed.funnel import Funnel, Stage
from recommender.feed.history import Histories
from recommender.feed.pipeline import REST
from recommender.feed.served import ServedPage
from recommender.feed.similar import SimilarItems
from recommender.feed.snapshots import Snapshot, SnapshotShelf
from recommender.feed.taking import SnapshotTaker, without
from recommender.feed.tokens import PageTokens, Place, binding_of, expired_error
from recommender.feed.views import CardView, FeedPage, FeedRequest, Reason, SimilarMode, SimilarPage
from recommender.state.protocols import ServedLog
from recommender.types import Degradation, FeedQuery, History, Item

__all__ = ["CardView", "FeedPage", "FeedPages", "FeedRequest", "Reason", "SimilarMode", "SimilarPage"]

DEFAULT_PAGE_SIZE: Final = 20
MAX_PAGE_SIZE: Final = 100
#: Share of a deadline that is planned with; the rest is for the way back.
_USABLE: Final = 0.9
HISTORY: Final = "history"
_CAN_BE_LEFT_OUT: Final = frozenset({"source", "rank", HISTORY})


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPages:
    """Answers for one bundle on one state; a model swap replaces the whole object.

    Args:
        catalogue: The bundle's items.
        histories: What users did.
        taker: Takes snapshots.
        shelf: Keeps them for the pages that follow.
        cutter: Cuts pages from them.
        tokens: Name the place where a page begins.
        similar_items: Answers for single items.
        served: Notes what was shown.
        clock: Milliseconds since the epoch.
        costs: What the parts of a page lately took; the pipeline's own.
        deadline_ms: Assumed where a client sets none.
        perf_counter: Seconds, for timings and deadlines; the pipeline's own.
    """

    catalogue: Catalogue
    histories: Histories
    taker: SnapshotTaker
    shelf: SnapshotShelf
    cutter: PageCutter
    tokens: PageTokens
    similar_items: SimilarItems
    served: ServedLog
    clock: Callable[[], int]
    costs: Costs
    deadline_ms: int
    perf_counter: Callable[[], float] = time.perf_counter

    def page(self, request: FeedRequest) -> FeedPage:
        """One page: of a new snapshot without a token, of the token's snapshot with one.

        Raises:
            RequestError: PAGE_SIZE_NEGATIVE or PAGE_TOKEN_INVALID, _MISMATCH, _EXPIRED.
            StateError: Who was erased or what the user hid cannot be read, so nobody knows what may be shown.
        """
        page_size = page_size_of(request.page_size)
        binding = _binding(request)
        now_ms = self.clock()
        place = self.tokens.read(request.page_token, binding, now_ms) if request.page_token else Place()
        funnel, deadline_ms = Funnel(), self.deadline_ms if request.deadline_ms is None else request.deadline_ms
        deadline = self.perf_counter() + _USABLE * deadline_ms / 1_000
        # However late it is: a filter needs it. What it took is behind us, so no part need leave time for it.
        erased = self.histories.is_erased(request.user_id)
        hidden = self.histories.hidden(request.user_id, request.session_id, erased=erased)
        began = self.perf_counter()
        history = self._history(request, erased, deadline, funnel)
        query = FeedQuery(
            now_ms,
            request.user_id,
            request.session_id,
            request.context,
            request.filter,
            history,
            hidden,
            deadline=deadline,
        )
        started = self.perf_counter()
        if request.page_token:
            snapshot = self._kept(place)
            started = self._lap(funnel, "snapshot", 0, len(snapshot), started)
        else:
            snapshot = self.taker.take(_nameless(query) if erased else query, page_size, funnel)
            started = self.perf_counter()
        query = replace(query, filter=without(query.filter, snapshot.relaxations))
        cut = self.cutter.cut(snapshot, place, query, page_size)
        cards = self.cutter.cards(snapshot, cut, place.delivered, query)
        started = self._lap(funnel, "cut", len(snapshot) - place.cursor, len(cards), started)
        # Of a user who was erased and comes back nothing is kept but a list that nobody owns, for the pages to come.
        token = self._token(snapshot, cut, query, binding, "" if erased else query.user_id or query.session_id)
        self._lap(funnel, "snapshot", len(snapshot), len(snapshot), started)
        page = FeedPage(
            cards=cards,
            next_page_token=token,
            request_id=snapshot.request_id,
            model_version=snapshot.model_version,
            degradations=tuple(sorted({*snapshot.degradations, *funnel.degradations()})) or (Degradation.FULL,),
            relaxations=snapshot.relaxations,
            funnel=funnel,
        )
        if not erased:
            self._note(snapshot, cut, place, query)
        self._learn(funnel, self.perf_counter() - began)
        return page

    def explain(self, request: FeedRequest, item_id: str) -> Explanation:
        """What becomes of an item in the feed that a request without a token would get, however long that takes.

        Raises:
            RequestError: PAGE_SIZE_NEGATIVE.
        """
        page_size, past = page_size_of(request.page_size), (request.user_id, request.session_id)
        erased = self.histories.is_erased(request.user_id)
        query = FeedQuery(
            self.clock(),
            *past,
            request.context,
            request.filter,
            self.histories.of(*past, erased=erased),
            self.histories.hidden(*past, erased=erased),
        )
        query = _nameless(query) if erased else query
        return Explainer(self.catalogue, self.taker, self.cutter).explain(item_id, query, page_size)

    def similar(self, item_id: str, mode: SimilarMode, page_size: int, page_token: str) -> SimilarPage:
        """One page of the items most like one item, best first.

        Raises:
            RequestError: ITEM_NOT_FOUND, VISUAL_NOT_AVAILABLE, PAGE_SIZE_NEGATIVE, or a refusal of the token.
        """
        return self.similar_items.page(item_id, mode, page_size_of(page_size), page_token)

    def item(self, item_id: str) -> Item | None:
        """All that is known of an item, None where it is not in the catalogue."""
        row = self.catalogue.row(item_id)
        return self.catalogue.item(row) if row >= 0 else None

    def _history(self, request: FeedRequest, erased: bool, deadline: float, funnel: Funnel) -> History:
        """What the user did; where live events cannot be read, or not in time, as far as the bundle knows."""
        started, error = self.perf_counter(), ""
        if not self.costs.fits(HISTORY, deadline - started, reserve=REST):
            funnel.leave_out(HISTORY, HISTORY)
            self.costs.shrink(HISTORY)
            return self.histories.trained(request.user_id, erased=erased)
        try:
            history = self.histories.of(request.user_id, request.session_id, erased=erased)
        except StateError as failure:
            self.histories.outage.tell(failure)
            history, error = self.histories.trained(request.user_id, erased=erased), type(failure).__name__
        seconds = self.perf_counter() - started
        funnel.add(HISTORY, HISTORY, 0, len(history), seconds, error)
        return history

    def _learn(self, funnel: Funnel, seconds: float) -> None:
        """Note what the parts took that can be left out, and what all else did."""
        for count in funnel.counts:
            if count.stage in _CAN_BE_LEFT_OUT and not count.shed:
                self.costs.note(count.name, count.seconds)
                seconds -= count.seconds
        self.costs.note(REST, seconds)

    def _lap(self, funnel: Funnel, stage: Stage, n_in: int, n_out: int, started: float) -> float:
        """Note a stage that began at `started`; the moment it ended."""
        ended = self.perf_counter()
        funnel.add(stage, stage, n_in, n_out, ended - started)
        return ended

    def _kept(self, place: Place) -> Snapshot:
        snapshot = self.shelf.open(place.locator)
        if snapshot is None:
            raise expired_error()
        return snapshot

    def _token(self, snapshot: Snapshot, cut: Cut, query: FeedQuery, binding: str, owner: str) -> str:
        """The token of the page that follows, empty at the end."""
        if cut.next is None:
            return ""
        locator = self.shelf.keep(snapshot, cut.next.locator, owner, query.now_ms)
        return "" if locator is None else self.tokens.issue(replace(cut.next, locator=locator), binding, query.now_ms)

    def _note(self, snapshot: Snapshot, cut: Cut, place: Place, query: FeedQuery) -> None:
        """Keep what was served."""
        served = ServedPage(
            request_id=snapshot.request_id,
            time_ms=query.now_ms,
            user_id=query.user_id,
            session_id=query.session_id,
            model_version=snapshot.model_version,
            first_position=place.delivered,
            sources=snapshot.sources,
            item_numbers=snapshot.item_numbers[cut.entries],
            propensities=snapshot.propensities[cut.entries],
            source_masks=snapshot.source_masks[cut.entries],
            lead_sources=snapshot.lead_sources[cut.entries],
        )
        self.served.write(served.encode(), query.user_id or query.session_id)


def _nameless(query: FeedQuery) -> FeedQuery:
    """The query as sources may see it of a user who was erased: the bundle may still know friends of that name."""
    return replace(query, user_id="")


def page_size_of(asked: int) -> int:
    """How many cards a page has: 20 for 0, 100 for more than that.

    Raises:
        RequestError: PAGE_SIZE_NEGATIVE.
    """
    if asked < 0:
        message = f"page_size is {asked}, wanted 0 for {DEFAULT_PAGE_SIZE} cards or up to {MAX_PAGE_SIZE}"
        raise RequestError("INVALID_ARGUMENT", "PAGE_SIZE_NEGATIVE", message, [("page_size", message)])
    return min(asked or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def _binding(request: FeedRequest) -> str:
    """What a token holds for: user, session, surface and filter; the order within a list does not matter."""
    wanted = request.filter
    return binding_of(
        request.user_id,
        request.session_id,
        request.context.surface,
        sorted(set(wanted.kinds)),
        sorted(set(wanted.categories)),
        sorted(set(wanted.seller_ids)),
        sorted(set(wanted.exclude_item_ids)),
        (wanted.min_price, wanted.max_price, wanted.currency),
        wanted.relax,
    )
