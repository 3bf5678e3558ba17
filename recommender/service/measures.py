"""Every number that workers count, and its place in a worker's row of the shared counters.

Labels take only the values listed here, `other` standing for any further one, so that no request can make /metrics
grow. A test compares the lists with the methods of the API and the components of `wiring`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

OTHER: Final = "other"
METHODS: Final = (
    *("GetFeed", "ListSimilarItems", "SearchByImage", "ExplainItem"),
    *("RecordEvents", "StreamEvents"),
    *("UpsertItems", "TakeDown", "Restore", "GetItem"),
    *("UpsertEdges", "DeleteEdges", "CreateShareCode", "ResolveShareCode", "GetCommunity"),
    *("EraseUser", "GetUserData"),
    *("ListModels", "ActivateModel", "Rollback", "GetServingStatus"),
    OTHER,
)
CODES: Final = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
#: (stage, component), in the order of a request; a stage of one component carries its own name.
COMPONENTS: Final = (
    ("history", "history"),
    *(
        ("source", name)
        for name in (
            *("cooccurrence", "als", "own_frequency", "content", "popularity_recent", "popularity_category"),
            *("gfcf", "ease", "newcomers", "friends", "tifu", "visual", OTHER),
        )
    ),
    ("merge", "merge"),
    *(("filter", name) for name in ("allowed", "available", "query", "hidden", "recent_purchase", OTHER)),
    *(("rank", name) for name in ("logistic", "single_source", "trees", "reciprocal_rank", OTHER)),
    *(("rerank", name) for name in ("score_order", "diverse_order", OTHER)),
    *((stage, stage) for stage in ("tail", "snapshot", "cut", "encode")),
)
REJECTIONS: Final = (
    *("EVENT_ID_REQUIRED", "ITEM_ID_REQUIRED", "EVENT_TYPE_REQUIRED", "USER_OR_SESSION_REQUIRED", "ID_TOO_LONG"),
    *("ID_CONTROL_CHARACTER", "NUMBER_NOT_FINITE", "TIME_BEFORE_1970", "TIME_IN_FUTURE", "EVENT_ID_REUSED"),
    *("RECEIPT_OTHER_ITEM", "USER_ERASED", OTHER),
)
DEGRADATIONS: Final = ("FULL", "NO_RANKER", "NO_STATE", "FALLBACK", "FEWER_SOURCES", OTHER)

_FINE_SECONDS: Final = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
_REQUEST_SECONDS: Final = (2e-4, 5e-4, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_DELAY_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0, 300.0, 3_600.0)


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric: a counter, or a histogram where it has bounds.

    Args:
        name: Without the prefix `windowshop_` and the suffix that Prometheus adds.
        told: What is counted, for people.
        labels: Names of its labels.
        children: The values that they take, one tuple per series.
        bounds: Upper bounds of a histogram's buckets, seconds; the last bucket has none.
    """

    name: str
    told: str
    labels: tuple[str, ...] = ()
    children: tuple[tuple[str, ...], ...] = ((),)
    bounds: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """Words of one series: the count; or every bucket's count, and the sum of what was observed."""
        return len(self.bounds) + 2 if self.bounds else 1


def _each(*values: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(itertools.product(*values))


REQUESTS: Final = Measure(
    "requests", "Requests answered, by method and status code.", ("method", "code"), _each(METHODS, CODES)
)
ABANDONED: Final = Measure(
    "requests_abandoned",
    "Requests that nobody waited for any more, or that were not there yet, when a thread looked; counted only here.",
)
LATENCY: Final = Measure(
    "request_seconds",
    "From the first look at a request to its answer.",
    ("method",),
    _each(METHODS),
    _REQUEST_SECONDS,
)
WAITING: Final = Measure(
    "queue_seconds", "From the arrival of a feed's request to the first look at it.", (), ((),), _REQUEST_SECONDS
)
STAGES: Final = Measure(
    "stage_seconds", "Of one component in one feed.", ("stage", "component"), COMPONENTS, _FINE_SECONDS
)
ROWS_IN: Final = Measure("rows_in", "Rows that a component was given.", ("stage", "component"), COMPONENTS)
ROWS_OUT: Final = Measure("rows_out", "Rows that a component gave on.", ("stage", "component"), COMPONENTS)
ERRORS: Final = Measure(
    "component_errors", "Times that a feed went on without a component that failed.", ("stage", "component"), COMPONENTS
)
SHED: Final = Measure(
    "component_shed", "Times that a component was left out to hold a deadline.", ("stage", "component"), COMPONENTS
)
DEGRADED: Final = Measure(
    "feed_pages", "Pages answered, by what was left out of them.", ("degradation",), _each(DEGRADATIONS)
)
CARDS: Final = Measure("cards", "Cards delivered in feeds.")
ACCEPTED: Final = Measure("events_accepted", "Events stored.")
DUPLICATES: Final = Measure("events_duplicate", "Events that were stored already.")
REJECTED: Final = Measure("events_rejected", "Events that were not stored, by reason.", ("reason",), _each(REJECTIONS))
RECEIPTS: Final = Measure(
    "receipts_refused", "Receipts that gave their event no attribution.", ("problem",), _each(("bad", "expired"))
)
REFLECTED: Final = Measure(
    "event_to_feed_seconds",
    "From the arrival of an event to the answer of the first feed of its user or session that knows of it.",
    (),
    ((),),
    _DELAY_SECONDS,
)
SERVED_DROPPED: Final = Measure("served_records_dropped", "Served records lost because the disk could not follow.")
SWAPS: Final = Measure(
    "model_swaps", "Models that workers took up or refused, by outcome.", ("outcome",), _each(("done", "failed"))
)

#: What is counted of every component, in the order in which a meter names the places.
OF_COMPONENTS: Final = (STAGES, ROWS_IN, ROWS_OUT, ERRORS, SHED)
MEASURES: Final = (
    *(REQUESTS, ABANDONED, LATENCY, WAITING, STAGES, ROWS_IN, ROWS_OUT, ERRORS, SHED, DEGRADED, CARDS),
    *(ACCEPTED, DUPLICATES, REJECTED, RECEIPTS, REFLECTED, SERVED_DROPPED, SWAPS),
)


def _placed() -> tuple[dict[tuple[str, ...], int], int]:
    places, at = {}, 0
    for measure in MEASURES:
        for child in measure.children:
            places[measure.name, *child] = at
            at += measure.width
    return places, at


_PLACED: Final = _placed()
#: First word of each series in a row, by the measure's name and the values of its labels.
PLACES: Final = _PLACED[0]
#: Words of a row, a whole number of cache lines.
ROW_WORDS: Final = -(-_PLACED[1] // 8) * 8
