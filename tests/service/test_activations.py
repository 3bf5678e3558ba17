"""The steps of an activation, each brought about by what workers would say; real workers are in tests/rpc."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, cast

import pytest

from recommender.bundle import activate, current_version, open_version
from recommender.config import Settings
from recommender.errors import RequestError
from recommender.service import activations
from recommender.service.activations import Activations
from recommender.service.control import Activate, ActivationOutcome, RollBack, Swap
from recommender.service.credentials import Credentials
from recommender.service.fork_environment import BUNDLE_VARIABLE
from recommender.service.seats import Seat
from recommender.service.worker_plan import WorkerPlan
from tests.servers import eventually
from tests.worlds import write_tiny_bundle

A, B, C = "20250601T000000Z-aaaa", "20250602T000000Z-bbbb", "20250603T000000Z-cccc"


@dataclass
class Fleet:
    """Workers by hand: what they are told is read from their pipes, and what they say is set on their seats."""

    models: Path
    seats: list[Seat]
    pipes: list[Connection]
    activations: Activations
    answers: list[Any] = field(default_factory=list)

    def ask(self, wish: Activate | RollBack, asker: int = 0) -> None:
        self.activations.ask(wish, self.seats[asker], self.answers.append)

    def told(self, number: int) -> str:
        """The model that a worker is told to take, once it is told."""
        self.until(self.pipes[number].poll)
        order = self.pipes[number].recv()
        assert isinstance(order, Swap)
        return order.bundle.name

    def until(self, holds: Callable[[], bool]) -> None:
        """Go on until something holds."""

        def step() -> bool:
            self.activations.advance()
            return holds()

        eventually(step, pause_seconds=0.001)

    def obeys(self, number: int) -> None:
        self.seats[number].swapped(self.told(number))

    def dies(self, number: int) -> None:
        """A worker dies, and another one answers in its place with the live model."""
        seat = self.seats[number]
        seat.free(0.0)
        take_place(self, number)


def take_place(fleet: Fleet, number: int) -> None:
    ours, theirs = Pipe()
    fleet.pipes[number] = ours
    fleet.seats[number].take(cast("ForkServerProcess", _Process()), theirs)
    fleet.seats[number].answers(fleet.activations.version)


class _Process:
    pid = 1


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versions")
    for version in (A, B, C):
        write_tiny_bundle(folder / version)
    return folder


@pytest.fixture
def fleet(versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Three workers that answer with A."""
    monkeypatch.setenv(BUNDLE_VARIABLE, "")
    models = shutil.copytree(versions, tmp_path / "models")
    activate(models, A)
    nobody = Credentials(None, None)
    plans = [WorkerPlan(models / A, tmp_path, "", number, Settings(), nobody, ()) for number in range(3)]
    seats = [Seat(plan) for plan in plans]
    made = Fleet(models, seats, [Pipe()[0]] * 3, Activations(models, A, seats))
    for number in range(3):
        take_place(made, number)
    return made


def refusal(answer: object) -> tuple[str, str]:
    assert isinstance(answer, RequestError)
    return answer.reason, answer.message


def test_one_worker_tries_then_current_is_renamed_then_the_others_follow(fleet: Fleet) -> None:
    fleet.ask(Activate(B), asker=0)
    assert fleet.told(1) == B
    assert not any(fleet.pipes[number].poll(0.05) for number in (0, 2))
    assert current_version(fleet.models) == A
    fleet.seats[1].swapped(B)
    fleet.obeys(0)
    assert current_version(fleet.models) == B
    assert not fleet.answers
    fleet.obeys(2)
    fleet.until(lambda: bool(fleet.answers))
    (outcome,) = fleet.answers
    assert isinstance(outcome, ActivationOutcome)
    assert [worker.number for worker in outcome.confirmed] == [0, 1, 2]
    assert (outcome.previous, outcome.pending) == (A, ())
    assert all(seat.plan.bundle.name == B for seat in fleet.seats)


def test_a_model_that_kills_two_workers_is_refused(fleet: Fleet) -> None:
    fleet.ask(Activate(B))
    for number in (1, 1):
        assert fleet.told(number) == B
        fleet.dies(number)
    fleet.until(lambda: bool(fleet.answers))
    reason, message = refusal(fleet.answers[0])
    assert reason == "MODEL_REFUSED"
    assert "2 workers died while they opened it" in message
    assert current_version(fleet.models) == A


def test_a_worker_that_dies_by_chance_while_it_tries_is_replaced_by_another_try(fleet: Fleet) -> None:
    fleet.ask(Activate(B))
    assert fleet.told(1) == B
    fleet.dies(1)
    fleet.obeys(1)
    fleet.obeys(0)
    fleet.obeys(2)
    fleet.until(lambda: bool(fleet.answers))
    assert isinstance(fleet.answers[0], ActivationOutcome)


def test_without_a_worker_that_answers_an_activation_waits_for_one(fleet: Fleet) -> None:
    for seat in fleet.seats:
        seat.free(0.0)
    fleet.ask(Activate(B))
    fleet.until(lambda: not fleet.activations.awaited())
    assert fleet.activations.status().changing_to == B
    take_place(fleet, 2)
    fleet.obeys(2)
    fleet.until(lambda: bool(fleet.answers))
    assert [worker.number for worker in fleet.answers[0].confirmed] == [2]
    take_place(fleet, 0)  # with the live model
    assert fleet.seats[0].version == B


def test_who_waits_too_long_is_told_who_is_pending_and_the_activation_goes_on(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.ask(Activate(B))
    fleet.obeys(1)
    fleet.obeys(0)
    monkeypatch.setattr(activations, "ANSWER_SECONDS", 0.0)
    fleet.until(lambda: bool(fleet.answers))
    assert [worker.number for worker in fleet.answers[0].pending] == [2]
    fleet.ask(Activate(C))
    assert fleet.told(1) == C
    assert fleet.told(2) == B
    fleet.seats[2].swapped(B)


def test_a_trial_that_lasts_too_long_is_given_up_and_its_worker_brought_back(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.ask(Activate(B))
    assert fleet.told(1) == B
    monkeypatch.setattr(activations, "TRIAL_SECONDS", 0.0)
    fleet.until(lambda: bool(fleet.answers))
    assert "did not open it within" in refusal(fleet.answers[0])[1]
    fleet.seats[1].swapped(B)
    assert fleet.told(1) == A


def test_a_folder_that_cannot_be_written_brings_the_worker_that_tried_back(fleet: Fleet) -> None:
    (fleet.models / "activations").unlink()
    (fleet.models / "activations").mkdir()
    fleet.ask(Activate(B))
    fleet.obeys(1)
    fleet.until(lambda: bool(fleet.answers))
    assert "cannot make" in refusal(fleet.answers[0])[1]
    assert fleet.told(1) == A
    assert not fleet.pipes[0].poll(0.05)


def test_a_worker_that_cannot_follow_says_why_and_is_told_again(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recommender.service.seats.SWAP_PAUSE_SECONDS", 0.2)
    fleet.ask(Activate(B))
    fleet.obeys(1)
    assert fleet.told(0) == B
    fleet.seats[0].refused(B, "no memory")
    assert fleet.activations.status().workers[0].problem == "no memory"
    assert fleet.told(0) == B


def test_what_is_published_during_an_activation_has_its_turn_after_it(fleet: Fleet) -> None:
    fleet.until(lambda: True)  # has seen what `current` names at the start
    fleet.ask(Activate(B))
    assert fleet.told(1) == B
    activate(fleet.models, C)
    fleet.seats[1].swapped(B)
    fleet.obeys(0)
    fleet.obeys(2)
    fleet.obeys(0)
    fleet.obeys(1)
    fleet.obeys(2)
    fleet.until(lambda: not fleet.activations.status().changing_to)
    assert current_version(fleet.models) == fleet.activations.version == C


def test_a_verification_does_not_keep_the_supervisor_from_its_work(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def slow(models: Path, version: str) -> object:
        go_on.wait(60)
        return open_version(models, version)

    monkeypatch.setattr(activations, "open_version", slow)
    fleet.ask(Activate(B))
    fleet.activations.advance()
    assert fleet.activations.status().changing_to == B
    assert not fleet.pipes[1].poll()
    go_on.set()
    assert fleet.told(1) == B
