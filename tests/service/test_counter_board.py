from __future__ import annotations

import multiprocessing

import numpy as np
import pytest

from recommender.feed.funnel import Funnel
from recommender.feed.receipts import ReceiptProblem
from recommender.feed.views import FeedPage
from recommender.service import measures
from recommender.service.counter_board import CounterBoard, EventMarks
from recommender.service.field_limits import Problem
from recommender.service.intake import Intake, Rejection
from recommender.service.measures import PLACES, ROW_WORDS
from recommender.service.meter import Meter
from recommender.service.metrics_page import MetricsPage, Standing
from recommender.types import Degradation
from tests.feed.shops import Clock


def count_in(board: CounterBoard, seat: int) -> None:
    """What a worker does, in whichever process."""
    Meter(board.row(seat), board.marks()).answered("GetFeed", "OK", 0.003)


def page_with(funnel: Funnel, *degradations: Degradation) -> FeedPage:
    return FeedPage((), "", "r", "v", degradations or (Degradation.FULL,), (), funnel)


def test_rows_are_cache_lines_of_their_own_and_outlive_the_processes_that_wrote_them() -> None:
    context = multiprocessing.get_context("spawn")
    board = CounterBoard(context, 2)
    assert all(board.row(seat).ctypes.data % 64 == 0 for seat in range(2))
    process = context.Process(target=count_in, args=(board, 1))
    process.start()
    process.join()
    for seat in (0, 1):
        count_in(board, seat)
    place = PLACES["requests", "GetFeed", "OK"]
    assert [board.row(seat)[place] for seat in range(2)] == [1.0, 2.0]
    assert board.total()[place] == 3.0
    first = PLACES["request_seconds", "GetFeed"]
    assert board.total()[first : first + measures.LATENCY.width].tolist()[4] == 3.0
    assert board.total()[first + measures.LATENCY.width - 1] == pytest.approx(0.009)


def test_a_mark_lasts_from_the_first_event_to_the_first_feed_that_knew_of_it() -> None:
    marks = EventMarks(np.zeros(64, np.int64))
    assert marks.find("ada") == 0
    marks.set("ada", 1_750_000_000_000)
    marks.set("ada", 1_750_000_000_900)
    mark = marks.find("ada")
    assert marks.find("bob") == 0
    assert marks.clear("ada", mark) == 1_750_000_000_000
    assert marks.clear("ada", mark) == 0
    assert marks.find("ada") == 0


def test_a_displaced_mark_is_lost_and_nobody_gets_anothers() -> None:
    marks = EventMarks(np.zeros(1, np.int64))
    marks.set("ada", 5)
    mark = marks.find("ada")
    marks.set("bob", 9)
    assert marks.find("ada") == 0
    assert marks.clear("ada", mark) == 0
    assert marks.clear("bob", marks.find("bob")) == 9


def test_the_delay_from_event_to_feed_is_measured_once_and_only_where_the_feed_knew() -> None:
    row, clock = np.zeros(ROW_WORDS), Clock()
    meter = Meter(row, EventMarks(np.zeros(64, np.int64)), clock)
    meter.intake(Intake(accepted=2, owners={"ada"}, arrival_ms=clock.now_ms))
    first, last = PLACES["event_to_feed_seconds",], PLACES["event_to_feed_seconds",] + measures.REFLECTED.width - 1
    clock.now_ms += 400
    meter.page(page_with(Funnel(), Degradation.NO_STATE), 0.0, 0.0, "ada", meter.waits("ada"))
    meter.page(page_with(Funnel()), 0.0, 0.0, "ada", 0)
    assert row[last] == 0.0
    meter.page(page_with(Funnel()), 0.0, 0.0, "ada", meter.waits("ada"))
    meter.page(page_with(Funnel()), 0.0, 0.0, "ada", meter.waits("ada"))
    assert (row[first:last].sum(), row[last]) == (1.0, 0.4)


def test_the_page_tells_what_was_counted_and_no_label_beyond_the_listed() -> None:
    row = np.zeros(ROW_WORDS)
    meter = Meter(row, EventMarks(np.zeros(64, np.int64)))
    funnel = Funnel()
    funnel.add("source", "als", 0, 7, 3e-5)
    funnel.add("source", "of tomorrow", 0, 2, 9.0, "ValueError: no index")
    funnel.leave_out("rank", "logistic")
    meter.page(page_with(funnel, Degradation.NO_RANKER), 0.05, 0.001, "", 0)
    rejections = [Rejection(0, "e", Problem("ID_TOO_LONG", "")), Rejection(1, "f", Problem("OF_TOMORROW", ""))]
    meter.intake(Intake(3, 2, rejections, {ReceiptProblem.BAD: 4}))
    for total in (0, 5, 5, 6):
        meter.dropped(total)
    meter.answered("OfTomorrow", "OK", 0.1)
    meter.refused("GetFeed", "RESOURCE_EXHAUSTED")
    meter.swapped("done")
    standings = [Standing(0, 1 << 30, ready=True), Standing(1, None, ready=False)]
    lines = MetricsPage(row.copy, lambda: standings, lambda: 3).text().decode().splitlines()
    for line in (
        'windowshop_stage_seconds_bucket{component="als",le="2e-05",stage="source"} 0.0',
        'windowshop_stage_seconds_bucket{component="als",le="5e-05",stage="source"} 1.0',
        'windowshop_stage_seconds_bucket{component="other",le="0.5",stage="source"} 0.0',
        'windowshop_stage_seconds_bucket{component="other",le="+Inf",stage="source"} 1.0',
        'windowshop_stage_seconds_sum{component="other",stage="source"} 9.0',
        'windowshop_rows_out_total{component="als",stage="source"} 7.0',
        'windowshop_component_errors_total{component="other",stage="source"} 1.0',
        'windowshop_component_shed_total{component="logistic",stage="rank"} 1.0',
        'windowshop_feed_pages_total{degradation="NO_RANKER"} 1.0',
        'windowshop_requests_total{code="OK",method="other"} 1.0',
        'windowshop_requests_total{code="RESOURCE_EXHAUSTED",method="GetFeed"} 1.0',
        'windowshop_events_rejected_total{reason="ID_TOO_LONG"} 1.0',
        'windowshop_events_rejected_total{reason="other"} 1.0',
        'windowshop_receipts_refused_total{problem="bad"} 4.0',
        'windowshop_queue_seconds_bucket{le="0.05"} 1.0',
        "windowshop_events_accepted_total 3.0",
        "windowshop_events_duplicate_total 2.0",
        "windowshop_served_records_dropped_total 6.0",
        'windowshop_model_swaps_total{outcome="done"} 1.0',
        "windowshop_worker_restarts_total 3.0",
        "windowshop_workers_ready 1.0",
    ):
        assert line in lines
    assert not [line for line in lines if "tomorrow" in line.lower()]
    assert any(
        line.startswith('windowshop_process_memory_bytes{kind="private_dirty",process="supervisor"}') for line in lines
    )
    assert not [line for line in lines if 'process="worker-0"' in line]
