from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recommender.config import StateSettings
from recommender.feed.receipts import Attribution, ReceiptSigner
from recommender.service.intake import EventIntake, event_problem
from recommender.state.sqlite import SqliteState, open_state
from recommender.types import Event

NOW_MS = 1_750_000_000_000
WEEK_MS = 604_800_000
GOOD = Event("e-1", "item-1", "view", user_id="ada", time_ms=NOW_MS - 5_000)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    opened = open_state(tmp_path / "state", StateSettings(durability="process"), clock=lambda: NOW_MS)
    yield opened
    opened.close()


@pytest.fixture
def signer() -> ReceiptSigner:
    return ReceiptSigner([b"k" * 32], WEEK_MS)


@pytest.fixture
def intake(state: SqliteState, signer: ReceiptSigner) -> EventIntake:
    return EventIntake(state.events, signer, lambda: NOW_MS)


def receipt_for(signer: ReceiptSigner, item_id: str, user_id: str = "ada", time_ms: int = NOW_MS - 60_000) -> str:
    shown = Attribution("request-1", time_ms, 3, "cooccurrence", "v1", 1.0)
    return signer.issue(shown, item_id, signer.viewer(user_id, ""))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"event_id": ""}, "EVENT_ID_REQUIRED"),
        ({"item_id": ""}, "ITEM_ID_REQUIRED"),
        ({"event_type": ""}, "EVENT_TYPE_REQUIRED"),
        ({"user_id": "", "session_id": ""}, "USER_OR_SESSION_REQUIRED"),
        ({"event_id": "x" * 257}, "ID_TOO_LONG"),
        ({"item_id": "x" * 10_000}, "ID_TOO_LONG"),
        ({"user_id": "a\x00"}, "ID_CONTROL_CHARACTER"),
        ({"session_id": "\x1b[31m"}, "ID_CONTROL_CHARACTER"),
        ({"event_type": "view\n"}, "ID_CONTROL_CHARACTER"),
        ({"currency": "c" * 300}, "ID_TOO_LONG"),
        ({"price": float("nan")}, "NUMBER_NOT_FINITE"),
        ({"value": float("inf")}, "NUMBER_NOT_FINITE"),
        ({"quantity": float("-inf")}, "NUMBER_NOT_FINITE"),
        ({"time_ms": -1}, "TIME_BEFORE_1970"),
        ({"time_ms": NOW_MS + 300_001}, "TIME_IN_FUTURE"),
        ({"time_ms": 2**62 * 1_000}, "TIME_IN_FUTURE"),
    ],
)
def test_an_event_that_cannot_be_stored_has_a_reason(changes: dict[str, object], reason: str) -> None:
    problem = event_problem(replace(GOOD, **changes), NOW_MS)  # type: ignore[arg-type]  # one field or another
    assert problem is not None
    assert problem.reason == reason


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"user_id": "", "session_id": "s"},
        {"event_id": "é" * 128},
        {"time_ms": 0},
        {"time_ms": None},
        {"time_ms": NOW_MS + 300_000},
        {"event_type": "dance"},
        {"price": 0.0, "value": -1.0, "quantity": 2.5},
    ],
)
def test_what_the_contract_allows_is_stored(changes: dict[str, object]) -> None:
    assert event_problem(replace(GOOD, **changes), NOW_MS) is None  # type: ignore[arg-type]  # one field or another


def test_a_mixed_call_stores_the_good_and_names_the_others(intake: EventIntake, state: SqliteState) -> None:
    events = [
        GOOD,
        replace(GOOD, event_id=""),
        replace(GOOD, event_id="e-2"),
        GOOD,
        replace(GOOD, item_id="item-2"),
        replace(GOOD, event_id="e-3", price=float("nan")),
    ]
    result = intake.record(events)
    assert (result.accepted, result.duplicates) == (2, 1)
    assert [(each.index, each.event_id, each.problem.reason) for each in result.rejections] == [
        (1, "", "EVENT_ID_REQUIRED"),
        (4, "e-1", "EVENT_ID_REUSED"),
        (5, "e-3", "NUMBER_NOT_FINITE"),
    ]
    assert [logged.event.event_id for logged in state.events.events()] == ["e-1", "e-2"]


def test_a_call_sent_again_is_all_duplicates_even_without_times(intake: EventIntake) -> None:
    events = [replace(GOOD, event_id=f"e-{number}", time_ms=None) for number in range(5)]
    assert intake.record(events).accepted == 5
    again = intake.record(events)
    assert (again.accepted, again.duplicates, again.rejections) == (0, 5, [])


def test_an_event_without_time_gets_that_of_its_arrival(intake: EventIntake, state: SqliteState) -> None:
    intake.record([replace(GOOD, time_ms=None)])
    (logged,) = state.events.events()
    assert (logged.event.time_ms, logged.arrival_ms) == (NOW_MS, NOW_MS)


def test_a_receipt_attributes_its_event(intake: EventIntake, state: SqliteState, signer: ReceiptSigner) -> None:
    assert intake.record([replace(GOOD, receipt=receipt_for(signer, "item-1"))]).accepted == 1
    (logged,) = state.events.events()
    attribution = json.loads(logged.attribution)
    assert attribution == {
        "model": "v1",
        "position": 3,
        "propensity": 1.0,
        "request_id": "request-1",
        "source": "cooccurrence",
        "time_ms": NOW_MS - 60_000,
    }
    assert logged.attribution == json.dumps(attribution, sort_keys=True, separators=(",", ":"))


def test_a_receipt_of_another_item_rejects_its_event(intake: EventIntake, signer: ReceiptSigner) -> None:
    result = intake.record([replace(GOOD, receipt=receipt_for(signer, "item-2"))])
    assert result.accepted == 0
    assert [rejection.problem.reason for rejection in result.rejections] == ["RECEIPT_OTHER_ITEM"]


@pytest.mark.parametrize("kind", ["garbage", "forged", "expired", "of somebody else"])
def test_a_bad_receipt_costs_only_the_attribution_and_is_counted(
    kind: str,
    intake: EventIntake,
    state: SqliteState,
    signer: ReceiptSigner,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receipt = {
        "garbage": "x" * 10_000,
        "forged": receipt_for(ReceiptSigner([b"o" * 32], WEEK_MS), "item-1"),
        "expired": receipt_for(signer, "item-1", time_ms=NOW_MS - WEEK_MS - 1),
        "of somebody else": receipt_for(signer, "item-1", user_id="eve"),
    }[kind]
    with caplog.at_level(logging.INFO):
        assert intake.record([replace(GOOD, receipt=receipt)]).accepted == 1
    (logged,) = state.events.events()
    assert logged.attribution == ""
    (record,) = [each for each in caplog.records if each.message == "events kept without attribution"]
    counts = {name: getattr(record, name) for name in ("receipts_bad", "receipts_expired")}
    assert counts == {"receipts_bad": kind != "expired", "receipts_expired": kind == "expired"}


def test_events_of_an_erased_user_are_rejected_by_name(intake: EventIntake, state: SqliteState) -> None:
    assert intake.record([GOOD]).accepted == 1
    state.remove_user(GOOD.user_id)
    result = intake.record([GOOD, replace(GOOD, user_id="somebody-else")])
    assert (result.accepted, result.duplicates) == (1, 0)
    assert [(each.index, each.problem.reason) for each in result.rejections] == [(0, "USER_ERASED")]


def test_an_empty_call_stores_nothing(intake: EventIntake) -> None:
    result = intake.record([])
    assert (result.accepted, result.duplicates, result.rejections) == (0, 0, [])
