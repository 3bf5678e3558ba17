"""What holds for every source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender.bundle import Bundle
from recommender.feed.stages import Source
from recommender.types import DAY_MS, EVENT_TYPE_CODE, NO_TIME, FeedQuery, History, SourceResult
from tests.worlds import NOW_MS, tiny_items

N_ITEMS = len(tiny_items())
TITLES = [item.title for item in tiny_items()]
ROW = {title: row for row, title in enumerate(TITLES)}

#: An event of a made-up history: (row, event type, age in days; None for a log without times).
Deed = tuple[int, str, float | None]

kinds = st.sampled_from(["view", "purchase", "like", "impression", "hide"])
ages = st.floats(0, 400) | st.just(0.0)
histories = st.lists(st.tuples(st.integers(0, N_ITEMS - 1), kinds, ages), max_size=12).map(
    lambda deeds: sorted(deeds, key=lambda deed: -deed[2])
)
masks = st.none() | st.lists(st.booleans(), min_size=N_ITEMS, max_size=N_ITEMS)
over_histories = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
)


def query_of(deeds: Sequence[Deed], allowed: list[bool] | None = None) -> FeedQuery:
    """A query of somebody who did this, oldest first."""
    times = [NO_TIME if age is None else int(NOW_MS - age * DAY_MS) for *_, age in deeds]
    history = History(
        np.array([row for row, _, _ in deeds], np.int32),
        np.array([EVENT_TYPE_CODE[kind] for _, kind, _ in deeds], np.uint8),
        np.array(times, np.int64),
    )
    return FeedQuery(NOW_MS, history=history, allowed=None if allowed is None else np.array(allowed, np.bool_))


def titles_of(result: SourceResult) -> list[str]:
    """The titles of what was retrieved, best first."""
    return [TITLES[row] for row in result.rows.tolist()]


def told(result: SourceResult) -> tuple[list[int], list[float], list[int]]:
    """The columns of a result as lists."""
    return result.rows.tolist(), result.scores.tolist(), result.evidence.tolist()


class SourceContract:
    """Inherited by the tests of each source, which give it as a fixture."""

    @pytest.fixture
    def source(self, bundle: Bundle) -> Source:
        raise NotImplementedError

    @over_histories
    @given(deeds=histories, allowed=masks, limit=st.integers(1, 30))
    def test_rows_are_unique_allowed_within_the_limit_and_best_first(
        self, source: Source, deeds: list[Deed], allowed: list[bool] | None, limit: int
    ) -> None:
        result = source.retrieve(query_of(deeds, allowed), limit)
        rows, scores, evidence = told(result)
        assert len(rows) == len(scores) == len(evidence) <= limit
        assert len(set(rows)) == len(rows)
        assert all(allowed is None or allowed[row] for row in rows)
        assert scores == sorted(scores, reverse=True)
        assert np.isfinite(result.scores).all()
        assert [column.dtype.name for column in (result.rows, result.scores, result.evidence)] == [
            "int32",
            "float32",
            "int32",
        ]

    @over_histories
    @given(deeds=histories, limit=st.integers(1, 30))
    def test_evidence_is_what_the_source_says_it_is(
        self, source: Source, bundle: Bundle, deeds: list[Deed], limit: int
    ) -> None:
        query = query_of(deeds)
        evidence = set(source.retrieve(query, limit).evidence.tolist())
        touched = set(query.history.item_rows.tolist())
        if source.evidence_kind == "item":
            assert evidence - {-1} <= touched
        elif source.evidence_kind == "category":
            assert evidence <= {int(bundle.array("items/category")[row]) for row in touched}
        else:
            assert evidence <= {-1}

    @over_histories
    @given(deeds=histories, allowed=masks, limit=st.integers(1, 30))
    def test_the_mask_only_takes_away(
        self, source: Source, deeds: list[Deed], allowed: list[bool] | None, limit: int
    ) -> None:
        whole = source.retrieve(query_of(deeds), N_ITEMS)
        kept = {
            row: score
            for row, score in zip(whole.rows.tolist(), whole.scores.tolist(), strict=True)
            if allowed is None or allowed[row]
        }
        found = source.retrieve(query_of(deeds, allowed), limit)
        # Compared by score: which of equal ones stand at the border may differ. What two ways of adding up make of a
        # product that is nearly 0 says nothing.
        clear = [
            (row, score) for row, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True) if score > 1e-5
        ]
        expected = [score for score in list(kept.values())[:limit] if score > 1e-5]
        assert [score for _, score in clear] == pytest.approx(expected, rel=1e-4, abs=1e-6)
        assert [score for _, score in clear] == pytest.approx([kept[row] for row, _ in clear], rel=1e-4, abs=1e-6)

    def test_one_request_leaves_no_trace_in_the_next(self, source: Source, bundle: Bundle) -> None:
        users = [replace(query_of([]), history=bundle.history(user_id)) for user_id in ("ada", "cyd", "hal", "nobody")]
        first = [told(source.retrieve(query, 10)) for query in users]
        again = [told(source.retrieve(query, 10)) for query in reversed(users)]
        assert first == again[::-1]

    def test_events_that_weigh_nothing_are_no_history(self, source: Source) -> None:
        ignored = query_of([(3, "impression", 1.0), (4, "hide", 0.5), (5, "return", 0.1)])
        assert told(source.retrieve(ignored, 10)) == told(source.retrieve(query_of([]), 10))

    def test_an_untimed_history_is_served(self, source: Source) -> None:
        result = source.retrieve(query_of([(row, "view", None) for row in range(6)]), N_ITEMS)
        assert len(result.rows)
