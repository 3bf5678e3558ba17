"""One worker's counting: what a request came to, added to the worker's row of the counter board in one call."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from recommender.feed.views import FeedPage
from recommender.kernels.counting import add_amounts
from recommender.service import measures
from recommender.service.clock import clock_ms
from recommender.service.counter_board import EventMarks, Words
from recommender.service.intake import Intake
from recommender.service.measures import COMPONENTS, OTHER, PLACES, ROW_WORDS, Measure
from recommender.types import Degradation


@dataclass(frozen=True, slots=True)
class _Component:
    """First words of one component's series."""

    seconds: int
    rows_in: int
    rows_out: int
    errors: int
    shed: int


_COMPONENTS: Final = {
    child: _Component(*(PLACES[each.name, *child] for each in measures.OF_COMPONENTS)) for child in COMPONENTS
}
_STAGE_BOUNDS: Final = measures.STAGES.bounds
_STAGE_SUM: Final = measures.STAGES.width - 1
_DEGRADED: Final = {value: PLACES[measures.DEGRADED.name, value.name] for value in Degradation}


class Additions:
    """What one request adds, gathered and then added at once."""

    def __init__(self) -> None:
        self.places: list[int] = []
        self.amounts: list[float] = []

    def count(self, measure: Measure, *labels: str, by: float = 1.0) -> None:
        """Add to a counter; a label that is not listed counts as `other`."""
        self.places.append(_place(measure, labels))
        self.amounts.append(by)

    def observe(self, measure: Measure, seconds: float, *labels: str) -> None:
        """Add a duration to a histogram."""
        first = _place(measure, labels)
        self.places += (first + bisect_left(measure.bounds, seconds), first + measure.width - 1)
        self.amounts += (1.0, seconds)


class Meter:
    """Counts for one worker; any thread may call it.

    Args:
        row: The seat's row of the counter board.
        marks: Events that wait for a feed.
        clock: Milliseconds since the epoch, as the arrivals of events are told in.
        seconds: Counter for durations.
    """

    def __init__(
        self,
        row: Words,
        marks: EventMarks,
        clock: Callable[[], int] = clock_ms,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.seconds = seconds
        self._row = row
        self._marks = marks
        self._clock = clock
        self._dropped = 0
        self._add(Additions())  # loads the kernel before the first request

    @classmethod
    def alone(cls) -> Self:
        """A meter whose numbers nobody reads, for a server without supervisor."""
        return cls(np.zeros(ROW_WORDS), EventMarks(np.zeros(1 << 10, np.int64)))

    def answered(self, method: str, code: str, seconds: float) -> None:
        """Count a request and how long it took."""
        added = Additions()
        added.count(measures.REQUESTS, method, code)
        added.observe(measures.LATENCY, seconds, method)
        self._add(added)

    def refused(self, method: str, code: str) -> None:
        """Count a request that nobody looked into."""
        added = Additions()
        added.count(measures.REQUESTS, method, code)
        self._add(added)

    def abandoned(self) -> None:
        """Count a request that was gone when a thread looked at it."""
        added = Additions()
        added.count(measures.ABANDONED)
        self._add(added)

    def waits(self, owner: str) -> int:
        """Whether an event of this user or session waits for its feed: to be asked before the history is read."""
        return self._marks.find(owner) if owner else 0

    def page(self, page: FeedPage, waited: float, encode_seconds: float, owner: str, mark: int) -> None:
        """Count a page of a feed: its funnel, what was left out, and whether it was the first to reflect an event.

        Args:
            page: As it was answered.
            waited: Seconds until a thread looked at the request.
            encode_seconds: What its bytes took.
            owner: The user, or the session of an anonymous one.
            mark: What `waits` gave before; 0 also where the page goes on an older snapshot.
        """
        added = Additions()
        self._funnel(page, encode_seconds, added)
        added.observe(measures.WAITING, waited)
        added.count(measures.CARDS, by=len(page.cards))
        for degradation in page.degradations:
            added.places.append(_DEGRADED[degradation])
            added.amounts.append(1.0)
        if mark and Degradation.NO_STATE not in page.degradations:
            arrival_ms = self._marks.clear(owner, mark)
            if arrival_ms:
                added.observe(measures.REFLECTED, max(self._clock() - arrival_ms, 0) / 1_000)
        self._add(added)

    def intake(self, intake: Intake) -> None:
        """Count what became of a call's events, and mark those that a feed has to reflect."""
        added = Additions()
        added.count(measures.ACCEPTED, by=intake.accepted)
        added.count(measures.DUPLICATES, by=intake.duplicates)
        for rejection in intake.rejections:
            added.count(measures.REJECTED, rejection.problem.reason)
        for problem, count in intake.lost_receipts.items():
            added.count(measures.RECEIPTS, problem.name.lower(), by=count)
        self._add(added)
        for owner in intake.owners:
            self._marks.set(owner, intake.arrival_ms)

    def dropped(self, total: int) -> None:
        """Take note of how many served records this process lost so far."""
        if total != self._dropped:
            added = Additions()
            added.count(measures.SERVED_DROPPED, by=total - self._dropped)
            self._dropped = total
            self._add(added)

    def swapped(self, outcome: str) -> None:
        """Count a model that was taken up (`done`) or could not be (`failed`)."""
        added = Additions()
        added.count(measures.SWAPS, outcome)
        self._add(added)

    def _funnel(self, page: FeedPage, encode_seconds: float, added: Additions) -> None:
        places, amounts = added.places, added.amounts
        for count in page.funnel.counts:
            words = _COMPONENTS.get((count.stage, count.name)) or _COMPONENTS[count.stage, OTHER]
            if count.shed:
                places.append(words.shed)
                amounts.append(1.0)
                continue
            bucket = words.seconds + bisect_left(_STAGE_BOUNDS, count.seconds)
            places += (bucket, words.seconds + _STAGE_SUM, words.rows_in, words.rows_out)
            amounts += (1.0, count.seconds, count.n_in, count.n_out)
            if count.error:
                places.append(words.errors)
                amounts.append(1.0)
        added.observe(measures.STAGES, encode_seconds, "encode", "encode")

    def _add(self, added: Additions) -> None:
        add_amounts(self._row, np.array(added.places, np.int64), np.array(added.amounts, np.float64))


def _place(measure: Measure, labels: tuple[str, ...]) -> int:
    place = PLACES.get((measure.name, *labels))
    if place is None:
        place = PLACES[measure.name, OTHER, *labels[1:]]
    return place
