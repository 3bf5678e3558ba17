"""What supervisor and workers say to each other over the pipe that joins them; free of gRPC and of all that serves.

worker -> supervisor    Answers | CannotStart, then Swapped | CannotSwap for each Swap, and Ask
supervisor -> worker    Swap, and a Reply to each Ask
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TypeAlias

from recommender.errors import WindowshopError


class Readiness(IntEnum):
    """What a worker is about."""

    #: Its process is gone, another one is due.
    ABSENT = 1
    #: It opens model and state and does not answer yet.
    STARTING = 2
    READY = 3
    #: It answers with one model while it opens another.
    SWAPPING = 4


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker as the supervisor knows it.

    Args:
        number: From 0; a process that replaces a dead one takes over its number.
        process_id: 0 where it is absent.
        version: The model that it answers with; empty before it answers.
        readiness: What it is about.
        problem: Why it could not take the model that it was last told to, empty where it did.
    """

    number: int
    process_id: int
    version: str
    readiness: Readiness
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ServingStatus:
    """All workers.

    Args:
        version: The model that is live: what restarted workers take.
        changing_to: The model that is being brought to the workers; empty where none is.
        workers: In the order of their numbers.
    """

    version: str
    changing_to: str
    workers: tuple[WorkerStatus, ...]


@dataclass(frozen=True, slots=True)
class ActivationOutcome:
    """How far an activation came by the time of its answer.

    Args:
        version: The model that was asked for.
        previous: The one that was live before.
        confirmed: Workers that answer with it.
        pending: Workers that answer without it yet.
    """

    version: str
    previous: str
    confirmed: tuple[WorkerStatus, ...]
    pending: tuple[WorkerStatus, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """The worker answers requests."""

    version: str


@dataclass(frozen=True, slots=True)
class CannotStart:
    """The worker ends because of this."""

    error: WindowshopError


@dataclass(frozen=True, slots=True)
class Swap:
    """Answer with this model from now on; its files were verified."""

    bundle: Path


@dataclass(frozen=True, slots=True)
class Swapped:
    """Every request that comes from now on gets this model."""

    version: str


@dataclass(frozen=True, slots=True)
class CannotSwap:
    """The worker keeps the model that it has."""

    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Activate:
    """A wish: make this version the live one."""

    version: str


@dataclass(frozen=True, slots=True)
class RollBack:
    """A wish: make the version live that was live before."""


@dataclass(frozen=True, slots=True)
class TellStatus:
    """A wish: say how all workers are."""


Wish: TypeAlias = Activate | RollBack | TellStatus


@dataclass(frozen=True, slots=True)
class Ask:
    """A worker's wish, with the number that its reply carries."""

    number: int
    wish: Wish


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to an `Ask`; an error is raised where it was asked."""

    number: int
    content: ActivationOutcome | ServingStatus | WindowshopError
