"""Progress that a person or a log file can read."""

from __future__ import annotations

import io
import re

import numpy as np
from rich.console import Console

from training.progress import BarProgress, PlainProgress, SilentProgress, StageClock, progress_on


class Clock:
    """Seconds that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_say_start_rate_rest_and_end() -> None:
    clock, lines = Clock(), list[str]()
    with PlainProgress(lines.append, clock).stage("fit", 100) as stage:
        clock.now = 6.0
        stage.advance(25)
        clock.now = 7.0
        stage.advance(1)
    assert lines == ["fit: started", "fit: 25 %, 4.2/s, 18 s left", "fit: done in 7.0 s"]


def test_a_stage_of_unknown_size_tells_its_count() -> None:
    clock, lines = Clock(), list[str]()
    with PlainProgress(lines.append, clock).stage("read", None) as stage:
        clock.now = 5.0
        stage.advance(10)
    assert lines[1] == "read: 10 done, 2.0/s"


def test_a_terminal_gets_bars_and_a_pipe_gets_lines() -> None:
    assert isinstance(progress_on(Console(force_terminal=True, file=io.StringIO())), BarProgress)
    text = io.StringIO()
    with progress_on(Console(file=text)).stage("split", None):
        pass
    assert re.fullmatch(r"split: started\nsplit: done in \d\.\d s\n", text.getvalue())


def test_bars_show_name_and_end() -> None:
    text = io.StringIO()
    with BarProgress(Console(force_terminal=True, file=text, width=120)).stage("fit als", 3) as stage:
        stage.advance(3)
    assert "fit als" in text.getvalue()


def test_the_clock_keeps_how_long_each_stage_took_and_adds_up_what_comes_twice() -> None:
    clock = Clock()
    stages = StageClock(SilentProgress(), clock)
    for _ in range(2):
        with stages.stage("fit", None) as stage:
            clock.now += 1.5
            stage.advance(1)
    assert stages.seconds == {"fit": 3.0}


def test_a_stage_tells_the_most_memory_held_within_it_and_not_what_others_held() -> None:
    stages = StageClock(SilentProgress())
    with stages.stage("outer", None):
        with stages.stage("large", None):
            np.ones(40 << 17)
        with stages.stage("small", None):
            pass
    peaks = stages.peak_bytes
    assert peaks["outer"] == peaks["large"] > 40 << 20
    assert peaks["large"] - peaks["small"] > 20 << 20
    assert stages.told()["peak_bytes"] == peaks
