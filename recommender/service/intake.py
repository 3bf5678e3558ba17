"""Taking events in: each is checked alone, the good ones are appended together, the others are named with a reason."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from recommender.feed.receipts import Attribution, ReceiptProblem, ReceiptSigner
from recommender.service.field_limits import Problem, id_problem, number_problem
from recommender.state.protocols import EventLog, LoggedEvent, Outcome
from recommender.types import Event

MAX_AHEAD_MS: Final = 300_000
_REQUIRED: Final = ("event_id", "item_id", "event_type")
_IDS: Final = ("event_id", "item_id", "event_type", "user_id", "session_id", "currency")
_NUMBERS: Final = ("value", "price", "quantity")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event that was not stored, and why."""

    index: int
    event_id: str
    problem: Problem


@dataclass(slots=True)
class Intake:
    """What became of a call's events; every event is counted exactly once.

    Args:
        accepted: Stored by this call.
        duplicates: Stored before, with the same content.
        rejections: Not stored, by index.
        lost_receipts: Receipts that gave their event no attribution, by what was wrong with them.
        owners: Users, or sessions of anonymous events, of whom something was accepted.
        arrival_ms: When the call was looked at.
    """

    accepted: int = 0
    duplicates: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    lost_receipts: dict[ReceiptProblem, int] = field(default_factory=dict)
    owners: set[str] = field(default_factory=set)
    arrival_ms: int = 0


class EventIntake:
    """Checks events, reads their receipts and appends them.

    Args:
        log: Where they are kept.
        signer: Reads the receipts of cards.
        clock: Milliseconds since the epoch.
    """

    def __init__(self, log: EventLog, signer: ReceiptSigner, clock: Callable[[], int]) -> None:
        self._log = log
        self._signer = signer
        self._clock = clock

    def record(self, events: Sequence[Event]) -> Intake:
        """Append what can be appended; durable at the configured level when it returns.

        Raises:
            StateFullError: Nothing of this call was stored.
        """
        now_ms = self._clock()
        intake = Intake(arrival_ms=now_ms)
        good: list[tuple[int, LoggedEvent]] = []
        for index, event in enumerate(events):
            problem = event_problem(event, now_ms)
            receipt = self._receipt(event, now_ms) if problem is None else None
            if receipt is ReceiptProblem.OTHER_ITEM:
                problem = Problem("RECEIPT_OTHER_ITEM", f"the receipt is not one for item {event.item_id!r}")
            if problem is not None:
                intake.rejections.append(Rejection(index, event.event_id, problem))
                continue
            if isinstance(receipt, ReceiptProblem):
                intake.lost_receipts[receipt] = intake.lost_receipts.get(receipt, 0) + 1
            attribution = _attribution(receipt) if isinstance(receipt, Attribution) else ""
            good.append((index, LoggedEvent(event, now_ms, attribution)))
        self._append(good, intake)
        if intake.lost_receipts:
            kinds = (ReceiptProblem.BAD, ReceiptProblem.EXPIRED)
            counts = {f"receipts_{kind.name.lower()}": intake.lost_receipts.get(kind, 0) for kind in kinds}
            _logger.info("events kept without attribution", extra=counts)
        return intake

    def _receipt(self, event: Event, now_ms: int) -> Attribution | ReceiptProblem | None:
        if not event.receipt:
            return None
        return self._signer.read(event.receipt, now_ms, event.item_id, event.user_id, event.session_id)

    def _append(self, good: list[tuple[int, LoggedEvent]], intake: Intake) -> None:
        if not good:
            return
        outcomes = self._log.append([logged for _, logged in good])
        for (index, logged), outcome in zip(good, outcomes, strict=True):
            if outcome is Outcome.ACCEPTED:
                intake.accepted += 1
                intake.owners.add(logged.event.user_id or logged.event.session_id)
            elif outcome is Outcome.DUPLICATE:
                intake.duplicates += 1
            elif outcome is Outcome.ERASED:
                said = "this user was erased and nothing is kept of them; one who comes back needs a new user id"
                intake.rejections.append(Rejection(index, logged.event.event_id, Problem("USER_ERASED", said)))
            else:
                said = "this event_id was used for other content; make a new id for every event"
                problem = Problem("EVENT_ID_REUSED", said)
                intake.rejections.append(Rejection(index, logged.event.event_id, problem))
        intake.rejections.sort(key=lambda rejection: rejection.index)


def event_problem(event: Event, now_ms: int) -> Problem | None:
    """The first thing that is wrong with an event, None where it can be stored."""
    for name in _REQUIRED:
        if not getattr(event, name):
            return Problem(f"{name.upper()}_REQUIRED", f"{name} is empty")
    if not event.user_id and not event.session_id:
        return Problem("USER_OR_SESSION_REQUIRED", "user_id and session_id are both empty; send at least one")
    for name in _IDS:
        if (problem := id_problem(getattr(event, name))) is not None:
            return Problem(problem.reason, f"{name} {problem.message}")
    for name in _NUMBERS:
        if (problem := number_problem(getattr(event, name))) is not None:
            return Problem(problem.reason, f"{name} {problem.message}")
    return _time_problem(event.time_ms, now_ms)


def _time_problem(time_ms: int | None, now_ms: int) -> Problem | None:
    if time_ms is None:
        return None
    if time_ms < 0:
        return Problem("TIME_BEFORE_1970", f"event_time is {time_ms} ms, before 1970; leave it out for the arrival")
    if time_ms > now_ms + MAX_AHEAD_MS:
        said = f"event_time is {(time_ms - now_ms) / 1_000:,.0f} s ahead of the server, at most 300 s are allowed"
        return Problem("TIME_IN_FUTURE", said)
    return None


def _attribution(receipt: Attribution) -> str:
    return json.dumps(asdict(receipt), sort_keys=True, separators=(",", ":"))
