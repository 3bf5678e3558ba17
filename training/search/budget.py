"""How much time a search has, and what is known of how long a trial takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from training.progress import Stage
from training.search.record import Trial, TrialRecord


class Budget:
    """Seconds for trials; those of the record count as well, so that a job that goes on has what is left.

    Args:
        seconds: In all.
        record: What was tried before, and gets what is tried now.
        stage: Told of every trial.
        clock: Seconds.
    """

    def __init__(self, seconds: float, record: TrialRecord, stage: Stage, clock: Callable[[], float]) -> None:
        self.seconds, self.spent, self.n_trials = seconds, 0.0, 0
        self._record, self._stage, self._clock = record, stage, clock
        self._used: list[Trial] = []

    @property
    def left(self) -> float:
        """Seconds that are not spent."""
        return self.seconds - self.spent

    def like(self, part: str, fitted: bool) -> float | None:
        """The longest of the trials of a part that were like this one; None where there was none."""
        return max((one.seconds for one in self._used if one.part == part and one.fitted >= fitted), default=None)

    def trial(
        self, part: str, choice: dict[str, Any], expected: float, left_for_others: float, measure: Callable[[], Trial]
    ) -> Trial | None:
        """The recorded trial of a choice, else a new one; None where it would not end in time.

        Args:
            part: What is chosen for.
            choice: What is tried.
            expected: Seconds that it will take, by those like it.
            left_for_others: Seconds that must be left behind it.
            measure: Tries it; its seconds are filled in here.
        """
        trial = self._record.find(part, choice)
        if (expected if trial is None else trial.seconds) > self.left - left_for_others:
            return None
        if trial is None:
            started = self._clock()
            trial = measure()
            trial = replace(trial, seconds=round(self._clock() - started, 3))
            self._record.add(trial)
        self._used.append(trial)
        self.n_trials += 1
        self.spent += trial.seconds
        self._stage.advance(trial.seconds / self.seconds)
        return trial

    def say(self, what: str) -> None:
        """How far the search is, where people look."""
        self._stage.say(f"{self.n_trials} trials, {what}, {self.left:.0f} s left")
