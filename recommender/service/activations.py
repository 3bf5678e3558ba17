"""How a model becomes the live one: verified aside, tried by one worker, then `current` is renamed and all follow.

Everything is done by `advance`, which looks at what is the case and takes the next step; so a worker that dies, starts
or answers late in the middle of it needs no path of its own.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final, TypeAlias

from recommender.bundle import activate, current_version, list_versions, open_version, previous_version, roll_back
from recommender.bundle.read import CURRENT_NAME
from recommender.errors import BundleError, RequestError, WindowshopError
from recommender.service.control import Activate, ActivationOutcome, RollBack, ServingStatus
from recommender.service.fork_environment import BUNDLE_VARIABLE
from recommender.service.seats import Seat

#: After this time whoever asked is told which workers are pending; the activation goes on.
ANSWER_SECONDS: Final = 10.0
#: A worker that tries a model for so long is taken to have failed.
TRIAL_SECONDS: Final = 300.0
#: Workers that may die while they try a model: one may be killed by chance, not two.
_DEATHS: Final = 2
#: How often `current` is looked at.
FOLLOW_SECONDS: Final = 1.0
Answer: TypeAlias = Callable[[ActivationOutcome | WindowshopError], None]
_logger = logging.getLogger(__name__)


class _Stage(Enum):
    VERIFYING = auto()
    TRYING = auto()
    SPREADING = auto()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Who wants what; without an asker it is the folder itself, whose `current` changed."""

    wish: Activate | RollBack
    asker: Seat | None
    answer: Answer


@dataclass(slots=True)
class _Activation:
    """One that is under way."""

    wanted: _Wanted
    version: str
    previous: str
    since: float
    stage: _Stage = _Stage.VERIFYING
    verified: Connection | None = None
    trial: tuple[Seat, ForkServerProcess | None] | None = None
    deaths: int = 0
    answered: bool = False

    @property
    def tried_by(self) -> Seat | None:
        """The worker that tries it at the moment."""
        return self.trial[0] if self.trial is not None and self.stage is _Stage.TRYING else None


class Activations:
    """Brings one model at a time to every worker.

    Args:
        models: Folder of the versions.
        version: The live one, which the workers start with.
        seats: Of all workers.

    Attributes:
        version: The live one.
    """

    def __init__(self, models: Path, version: str, seats: Sequence[Seat]) -> None:
        self.version = version
        self._models = models
        self._seats = seats
        self._queue: deque[_Wanted] = deque()
        self._active: _Activation | None = None
        self._seen: tuple[int, int] | None = None
        self._look_due = 0.0

    def ask(self, wish: Activate | RollBack, asker: Seat, answer: Answer) -> None:
        """Take a worker's wish; it is answered once the workers confirmed, or after a while."""
        self._queue.append(_Wanted(wish, asker, answer))

    def status(self) -> ServingStatus:
        """How all workers are."""
        changing_to = self._active.version if self._active is not None else ""
        return ServingStatus(self.version, changing_to, tuple(seat.status for seat in self._seats))

    def awaited(self) -> list[Connection]:
        """What becomes readable when there is something to do."""
        active = self._active
        return [active.verified] if active is not None and active.verified is not None else []

    def pause(self) -> float:
        """Seconds until there is something to do, whatever happens."""
        dues = [self._look_due]
        if self._active is not None and not self._active.answered:
            dues.append(self._active.since + ANSWER_SECONDS)
        return max(0.0, min(dues) - time.monotonic())

    def advance(self) -> None:
        """Take every step that can be taken now."""
        if time.monotonic() >= self._look_due:
            self._look()
        if self._active is None and self._queue:
            self._begin(self._queue.popleft())
        if self._active is not None:
            self._push(self._active)
        for seat in self._seats:
            self._bring_along(seat)

    def _look(self) -> None:
        """Follow what others published into the folder: they rename `current`, and a stat shows it."""
        self._look_due = time.monotonic() + FOLLOW_SECONDS
        try:
            found = (self._models / CURRENT_NAME).stat()
            signature = (found.st_ino, found.st_mtime_ns)
        except OSError:
            return  # gone for the moment, or for good: the live model stays
        if signature == self._seen:
            return
        self._seen = signature
        try:
            version = current_version(self._models)
        except (BundleError, OSError) as error:
            _logger.error("what was published cannot be taken", extra={"reason": str(error)})  # noqa: TRY400
            return
        if version is not None and version != self.version:
            self._queue.append(_Wanted(Activate(version), None, _to_nobody))

    def _begin(self, wanted: _Wanted) -> None:
        try:
            version = self._version_of(wanted.wish)
        except RequestError as error:
            wanted.answer(error)
            return
        self._active = _Activation(wanted, version, self.version, time.monotonic())
        if version == self.version:
            self._commit(self._active)
        else:
            self._active.verified = _verification(self._models, version)

    def _version_of(self, wish: Activate | RollBack) -> str:
        try:
            present = list_versions(self._models)
            version = previous_version(self._models) if isinstance(wish, RollBack) else wish.version
        except OSError as error:
            said = f"the models folder cannot be read: {error.strerror}"
            raise RequestError("UNAVAILABLE", "MODELS_UNREADABLE", said) from error
        if version is None:
            said = "no version that was live before is still there; activate another one by its name"
            raise RequestError("FAILED_PRECONDITION", "NO_EARLIER_MODEL", said)
        if version not in present:
            said = f"there is no version {version!r}; ListModels shows which there are"
            raise RequestError("NOT_FOUND", "MODEL_NOT_FOUND", said)
        return version

    def _push(self, active: _Activation) -> None:
        if active.stage is _Stage.VERIFYING:
            self._verify(active)
        if active.stage is _Stage.TRYING and active is self._active:
            self._try(active)
        if active.stage is _Stage.SPREADING and not self._pending(active):
            self._end(active)
        if active is self._active and time.monotonic() - active.since >= ANSWER_SECONDS:
            self._answer(active)
            if active.stage is _Stage.SPREADING:
                self._end(active)

    def _verify(self, active: _Activation) -> None:
        if active.verified is None or not active.verified.poll():
            return
        try:
            problem: str = active.verified.recv()
        except EOFError:
            problem = "its files could not be verified"
        active.verified.close()
        active.verified = None
        if problem:
            self._refuse(active, problem)
        else:
            active.stage = _Stage.TRYING

    def _try(self, active: _Activation) -> None:
        """Let one worker take it, if possible not the one that asked: what kills a worker must not kill them all."""
        if active.trial is not None and active.trial[0].process is not active.trial[1]:
            active.trial, active.deaths = None, active.deaths + 1
            if active.deaths == _DEATHS:
                self._refuse(active, f"{_DEATHS} workers died while they opened it")
                return
        if active.trial is None:
            ready = sorted((seat for seat in self._seats if seat.ready), key=lambda seat: seat is active.wanted.asker)
            if ready:
                active.trial = (ready[0], ready[0].process)
                ready[0].order(self._models / active.version)
            return
        seat = active.trial[0]
        if seat.version == active.version:
            self._commit(active)
        elif seat.problem:
            self._refuse(active, seat.problem)
        elif time.monotonic() - active.since > TRIAL_SECONDS:
            self._refuse(active, f"a worker did not open it within {TRIAL_SECONDS:.0f} s")

    def _commit(self, active: _Activation) -> None:
        self._look()  # what was published meanwhile has its turn after this one, instead of being written over unseen
        rename = roll_back if isinstance(active.wanted.wish, RollBack) else activate
        try:
            rename(self._models, active.version)
        except BundleError as error:
            self._refuse(active, str(error))
            return
        active.stage, self.version = _Stage.SPREADING, active.version
        for seat in self._seats:
            seat.follow(self._models / active.version)
        os.environ[BUNDLE_VARIABLE] = str(self._models / active.version)  # for a fork server that replaces a dead one

    def _bring_along(self, seat: Seat) -> None:
        """Tell a worker that answers with another model than the live one to take that, unless it tries one."""
        if self._active is not None and self._active.tried_by is seat:
            return
        if seat.ready and self.version not in {seat.version, seat.ordered} and time.monotonic() >= seat.swap_due:
            seat.order(self._models / self.version)

    def _pending(self, active: _Activation) -> list[Seat]:
        return [seat for seat in self._seats if seat.ready and seat.version != active.version]

    def _answer(self, active: _Activation) -> None:
        if not active.answered:
            active.answered = True
            confirmed = tuple(each.status for each in self._seats if each.ready and each.version == active.version)
            pending = tuple(seat.status for seat in self._pending(active))
            active.wanted.answer(ActivationOutcome(active.version, active.previous, confirmed, pending))

    def _end(self, active: _Activation) -> None:
        self._answer(active)
        extra = {
            "version": active.version,
            "previous": active.previous,
            "seconds": round(time.monotonic() - active.since, 3),
            "pending": [seat.plan.number for seat in self._pending(active)],
        }
        _logger.info("model is live", extra=extra)
        self._active = None

    def _refuse(self, active: _Activation, problem: str) -> None:
        said = f"{active.version} is refused, {self.version} stays live: " + problem.replace(f"{self._models}/", "")
        _logger.error("model refused", extra={"version": active.version, "live": self.version, "reason": said})
        if not active.answered:
            active.wanted.answer(RequestError("FAILED_PRECONDITION", "MODEL_REFUSED", said))
        self._active = None


def _verification(models: Path, version: str) -> Connection:
    """Verify a version in a thread; what is wrong with it can be read, an empty text where nothing is."""
    reader, writer = multiprocessing.Pipe(duplex=False)

    def verify() -> None:
        with writer:
            try:
                open_version(models, version)
            except BundleError as error:
                writer.send(str(error))
            else:
                writer.send("")

    threading.Thread(target=verify, name="verify", daemon=True).start()
    return reader


def _to_nobody(outcome: ActivationOutcome | WindowshopError) -> None:
    if isinstance(outcome, WindowshopError):
        _logger.error("what was published cannot be taken", extra={"reason": str(outcome)})
