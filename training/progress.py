"""How long work tells how far it is: bars on a terminal, plain lines elsewhere, nothing in tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from training.memory import forget_peak, peak_bytes

_LINE_SECONDS = 5.0


class Stage(Protocol):
    """A stage under way."""

    def advance(self, n: float) -> None:
        """So much more of the total is done."""
        ...

    def say(self, what: str) -> None:
        """What is under way, to stand beside the stage's name."""
        ...


class Progress(Protocol):
    """Where stages are told."""

    def stage(self, name: str, total: float | None) -> AbstractContextManager[Stage]:
        """A stage from its start to its end; `total` None where its size is not known."""
        ...


class SilentProgress:
    """Tells nobody."""

    @contextmanager
    def stage(self, name: str, total: float | None) -> Iterator[Stage]:
        """A stage that is not told."""
        del name, total
        yield self

    def advance(self, n: float) -> None:
        """Nothing."""

    def say(self, what: str) -> None:
        """Nothing."""


class _PlainStage:
    """Writes a line every few seconds."""

    def __init__(
        self, name: str, total: float | None, write: Callable[[str], None], clock: Callable[[], float]
    ) -> None:
        self._name, self._total, self._write, self._clock = name, total, write, clock
        self._started = self._told = clock()
        self._done, self._said = 0.0, ""

    def advance(self, n: float) -> None:
        """Count, and write a line where the last one is old enough."""
        self._done += n
        now = self._clock()
        if now - self._told >= _LINE_SECONDS:
            self._told = now
            self._write(f"{self._name}: {self._said}{self._state(now)}")

    def say(self, what: str) -> None:
        """For the next line."""
        self._said = f"{what}; "

    def _state(self, now: float) -> str:
        rate = self._done / max(now - self._started, 1e-9)
        if not self._total:
            return f"{self._done:,.0f} done, {_per_second(rate)}"
        left = (self._total - self._done) / max(rate, 1e-12)
        speed = f", {_per_second(rate)}" if self._total > 1 else ""
        return f"{100 * self._done / self._total:.0f} %{speed}, {left:.0f} s left"


def _per_second(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"


class PlainProgress:
    """Plain lines: started, how far every five seconds, done.

    Args:
        write: Takes a line.
        clock: Seconds.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write, self._clock = write, clock

    @contextmanager
    def stage(self, name: str, total: float | None) -> Iterator[Stage]:
        """A stage told in lines."""
        started = self._clock()
        self._write(f"{name}: started")
        yield _PlainStage(name, total, self._write, self._clock)
        self._write(f"{name}: done in {self._clock() - started:.1f} s")


class _RateColumn(ProgressColumn):
    """Steps per second, where a stage counts anything but shares of one."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        counts = task.total is None or task.total > 1
        return Text(_per_second(speed) if speed and counts else "", style="progress.data.speed")


class _BarStage:
    def __init__(self, bars: Bars, task: Any, name: str) -> None:
        self._bars, self._task, self._name = bars, task, name

    def say(self, what: str) -> None:
        self._bars.update(self._task, description=f"{self._name}: {what}")

    def advance(self, n: float) -> None:
        self._bars.advance(self._task, n)


class BarProgress:
    """Bars with rate and remaining time, one per stage, on a terminal.

    Args:
        console: The terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, name: str, total: float | None) -> Iterator[Stage]:
        """A stage told as a bar; a line stays when it is done."""
        columns = (
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<32}"),
            BarColumn(bar_width=30),
            _RateColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self._console) as bars:
            task = bars.add_task(name, total=total)
            yield _BarStage(bars, task, name)
            bars.update(task, total=total or 1, completed=total or 1)


def progress_on(console: Console) -> Progress:
    """Bars where the console is a terminal, plain lines otherwise."""
    return (
        BarProgress(console) if console.is_terminal else PlainProgress(lambda line: console.print(line, markup=False))
    )


class StageClock:
    """Passes stages on and keeps how long each took, and how much memory the process held at most meanwhile.

    Attributes:
        seconds: {stage: seconds}, in the order of their ends; a stage that comes twice adds up.
        peak_bytes: {stage: bytes}; of a stage that comes twice the larger one. Processes of its own are not counted.
    """

    def __init__(self, progress: Progress, clock: Callable[[], float] = time.perf_counter) -> None:
        self._progress, self._clock = progress, clock
        self._open: list[int] = []
        self.seconds: dict[str, float] = {}
        self.peak_bytes: dict[str, int] = {}

    @contextmanager
    def stage(self, name: str, total: float | None) -> Iterator[Stage]:
        """A stage that is timed."""
        self._see_peak()
        self._open.append(0)
        started = self._clock()
        with self._progress.stage(name, total) as stage:
            yield stage
        self.seconds[name] = round(self.seconds.get(name, 0.0) + self._clock() - started, 3)
        self._see_peak()
        self.peak_bytes[name] = max(self._open.pop(), self.peak_bytes.get(name, 0))

    def told(self) -> dict[str, dict[str, Any]]:
        """What it kept, as a run's record holds it."""
        return {"seconds": self.seconds, "peak_bytes": self.peak_bytes}

    def _see_peak(self) -> None:
        """Note the peak for every open stage, and let it begin anew."""
        peak = peak_bytes()
        self._open = [max(seen, peak) for seen in self._open]
        forget_peak()
