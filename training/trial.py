"""An offline evaluation: read, cut, play every cut with every seed, compare."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Final

from recommender.config import Settings
from recommender.logs import ReadReport
from training.evaluation.report import Report, opened_report, write_report
from training.evaluation.summary import summary
from training.evaluation.users_file import users_path, write_users
from training.inputs import Inputs, read_inputs
from training.lists import KNOWN_ROWS
from training.memory import cpu_seconds
from training.models.parameters import check_choices
from training.parts import Parts, cut_log, leaks_of_parts
from training.progress import Progress, StageClock
from training.request import TrialRequest
from training.rounds import Round, play

_IMPORTANCE: Final = "importance."


@dataclass(frozen=True)
class Trial:
    """A finished evaluation: the report, and what became of every file's rows."""

    report: Report
    readings: tuple[ReadReport, ...]


def evaluate(request: TrialRequest, progress: Progress) -> Trial:
    """Evaluate the pipeline, as it is served, beside every single model and sanity row; write the report.

    The report's file is written twice: with its terms, the configuration's hash among them, before the test part is
    opened, so that nothing in them can have been chosen by looking there; and whole at the end, with each user's
    figures beside it.

    Raises:
        InputError: The files cannot be used, or nobody can be scored.
        ConfigurationError: The request contradicts itself, or the report cannot be written.
    """
    request.check(KNOWN_ROWS)
    check_choices(request.settings.train)
    settings, protocol = request.effective_settings(), request.protocol()
    started, clock = (time.perf_counter(), cpu_seconds()), StageClock(progress)
    with opened_report(protocol, request.out):
        with clock.stage("read", 1.0) as stage:
            inputs = read_inputs(request.paths, request.out.parent, settings, stage.advance)
        cuts = cut_log(request, inputs, settings)
        rounds = _play_all(request, settings, inputs, cuts, clock)
        leaks = {name: None for parts in cuts for name in leaks_of_parts(request, inputs, parts)}
        with clock.stage("bootstrap", None):
            report, pool = summary(protocol | rounds[0].found, [one.outcome for one in rounds], tuple(leaks))
        report.further.update(rounds[0].further)
        report.further["importance"] = _importance(rounds[0])
        report.further["stages"] = _stages(clock, *started)
        write_users(users_path(request.out), pool)
    write_report(report, request.out)
    request.out.with_suffix(".resolved.toml").write_text(rounds[0].resolved, encoding="utf-8")
    test = () if request.test is None else (cuts[0].test.report,)
    return Trial(report, (*inputs.reports, *test))


def _play_all(
    request: TrialRequest, settings: Settings, inputs: Inputs, cuts: list[Parts], progress: Progress
) -> list[Round]:
    rounds: list[Round] = []
    for cut, parts in enumerate(cuts):
        for shift in range(request.seeds):
            seeded = _seeded(settings, shift)
            # What is taken apart once need not be so on every cut: it takes longer than all the rest.
            asked = replace(request, ablate=()) if rounds else request
            rounds.append(play(asked, seeded, inputs, parts, (cut, seeded.train.seed), progress))
    return rounds


def _seeded(settings: Settings, shift: int) -> Settings:
    """The settings with other seeds of fits and of the random row; the bootstrap keeps its own."""
    train = settings.train.model_copy(update={"seed": settings.train.seed + shift})
    evaluation = settings.evaluate.model_copy(update={"seed": settings.evaluate.seed + shift})
    return settings.model_copy(update={"train": train, "evaluate": evaluation})


def _importance(first: Round) -> dict[str, Any]:
    """{ranker: {input: share of the loss that it lowers}} of the newest cut."""
    teach = first.found["folds"].get("teach", {})
    return {name.removeprefix(_IMPORTANCE): value for name, value in teach.items() if name.startswith(_IMPORTANCE)}


def _stages(clock: StageClock, started: float, cpu_started: float) -> dict[str, Any]:
    """Seconds and peak memory of each stage, and of the whole."""
    stages = {
        name: {"seconds": seconds, "peak_bytes": clock.peak_bytes[name]} for name, seconds in clock.seconds.items()
    }
    whole = {
        "seconds": round(time.perf_counter() - started, 3),
        "cpu_seconds": round(cpu_seconds() - cpu_started, 3),
        "peak_bytes": max(clock.peak_bytes.values()),
    }
    return {**stages, "all": whole}
