"""A budget is kept, and a record is gone on with."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from training.progress import SilentProgress
from training.search.budget import Budget
from training.search.record import Trial, TrialRecord


class Clock:
    """A clock that work moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def tried(path: Path, seconds: float, costs: list[float]) -> tuple[list[int], Budget]:
    """Which of some trials ran to their end, each expected to take as long as the longest before it."""
    clock, done = Clock(), []
    budget = Budget(seconds, TrialRecord(path), SilentProgress(), clock)

    def measured(number: int) -> Trial:
        clock.now += costs[number]
        return Trial("als", {"number": number}, [0.5, 0.25], 0.0, fitted=True)

    for number in range(len(costs)):
        expected = budget.like("als", fitted=True) or 0.0
        if budget.trial("als", {"number": number}, expected, 0.0, partial(measured, number)) is not None:
            done.append(number)
    assert clock.now <= seconds
    return done, budget


def test_no_trial_begins_that_by_those_like_it_would_end_too_late(tmp_path: Path) -> None:
    done, budget = tried(tmp_path / "record", 35.0, [10.0] * 6)
    assert done == [0, 1, 2]
    assert (budget.spent, budget.left) == (30.0, 5.0)
    assert budget.like("als", fitted=True) == 10.0
    assert budget.like("gfcf", fitted=True) is None


def test_recorded_trials_are_not_run_again_and_count_as_spent(tmp_path: Path) -> None:
    tried(tmp_path / "record", 25.0, [10.0] * 6)
    lines = (tmp_path / "record").read_text()
    assert tried(tmp_path / "record", 25.0, [1e9] * 6)[0] == [0, 1]
    assert (tmp_path / "record").read_text() == lines
    done, budget = tried(tmp_path / "record", 45.0, [10.0] * 6)
    assert (done, budget.spent) == ([0, 1, 2, 3], 40.0)


def test_a_half_written_line_is_as_if_its_trial_had_not_been(tmp_path: Path) -> None:
    path = tmp_path / "record"
    tried(path, 25.0, [10.0] * 6)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert [trial.choice for trial in TrialRecord(path).trials] == [{"number": 0}]
    assert tried(path, 25.0, [10.0] * 6)[0] == [0, 1]
    assert path.read_bytes() == whole
