from __future__ import annotations

import json
import logging
import threading

import pytest

from recommender.feed.funnel import Funnel
from recommender.feed.views import FeedPage
from recommender.service.log_lines import JsonFormatter, PersonTag
from recommender.service.request_lines import RequestLines
from recommender.types import Degradation

TAG = PersonTag(b"k" * 32)


def page() -> FeedPage:
    funnel = Funnel()
    funnel.add("source", "als", 0, 7, 0.002)
    funnel.add("filter", "hidden", 7, 7, 0.001)
    funnel.add("filter", "hidden", 7, 6, 0.0005)
    funnel.leave_out("rank", "logistic")
    return FeedPage((), "", "request-1", "model-1", (Degradation.NO_RANKER,), (), funnel)


def test_a_slow_request_leaves_a_line_that_says_where_its_time_went(caplog: pytest.LogCaptureFixture) -> None:
    lines = RequestLines(TAG, slow_seconds=0.1, every=0)
    lines.begin(set)
    lines.page(page(), 0.04, "ada-lovelace")
    lines.end("GetFeed", "OK", 0.2)
    (record,) = caplog.records
    line = json.loads(JsonFormatter().format(record))
    told = {name: line[name] for name in line if name not in {"time", "logger", "pid"}}
    assert told == {
        "level": "warning",
        "message": "slow request",
        "method": "GetFeed",
        "code": "OK",
        "ms": 200.0,
        "request_id": "request-1",
        "model": "model-1",
        "user": TAG.of("ada-lovelace"),
        "cards": 0,
        "degradations": ["NO_RANKER"],
        "waited_ms": 40.0,
        "stages_ms": {"als": 2.0, "hidden": 1.5},
    }


def test_one_request_in_so_many_is_a_sample_and_the_others_leave_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for every, wanted in ((0, 0), (1, 12), (4, 3)):
            caplog.clear()
            lines = RequestLines(TAG, slow_seconds=0.1, every=every)
            for _ in range(12):
                lines.begin(set)
                lines.end("GetItem", "NOT_FOUND", 0.01)
            assert [record.getMessage() for record in caplog.records] == ["request"] * wanted


def test_no_line_written_while_a_request_runs_names_whom_it_names() -> None:
    lines = RequestLines(TAG, slow_seconds=9.0, every=0)
    formatter = JsonFormatter(lines.hide)
    try:
        int("ada-lovelace")
    except ValueError as error:
        record = logging.makeLogRecord({"msg": "user %s", "args": ("ada-lovelace",), "reason": "of ada-lovelace"})
        record.exc_info = (ValueError, error, error.__traceback__)
    lines.begin(lambda: {"ada-lovelace"})
    hidden = formatter.format(record)
    assert hidden.count(TAG.of("ada-lovelace")) >= 3
    assert "ada-lovelace" not in hidden.replace(f"{TAG.of('ada-lovelace')}", "")
    elsewhere: list[str] = []
    thread = threading.Thread(target=lambda: elsewhere.append(lines.hide("ada-lovelace")))
    thread.start()
    thread.join()
    assert elsewhere == ["ada-lovelace"]
    lines.end("GetFeed", "OK", 0.0)
    assert lines.hide("ada-lovelace") == "ada-lovelace"
